"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .. import backend, gan
from ..checkpoint import read_model
from ..errors import InputError
from ..nn import Module


def natural(text: str) -> int:
    """A whole number of at least 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 0")
    return number


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return number


def fixed_by(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments that must be the same when a training is resumed: all but those of length, place and display."""
    free = {"run", "out", "epochs", "steps", "threads", "quiet", "resume", "checkpoint_every", "data"}
    return {name: value for name, value in vars(args).items() if name not in free}


def add_backend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", default="numpy", help="where to compute: numpy (default), cupy or reference")


def add_model_file(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model.safetensors that a training wrote")
    parser.add_argument("--out", default=out, metavar="FILE", help=f"the picture to write (default: {out})")
    parser.add_argument("--seed", type=natural, default=0, help="of the random latents (default: 0)")
    parser.add_argument("--class", dest="label", type=natural, metavar="N", help="of a conditional model: only class N")
    add_backend(parser)


class LoadedGenerator:
    """A generator from a file, ready to be asked for images."""

    def __init__(self, path: str, backend_name: str, out: str) -> None:
        if Path(out).resolve() == Path(path).resolve():
            raise InputError(f"--out {out} would overwrite the model: choose another name")
        place = backend.get(backend_name)
        architecture, state = read_model(path)
        try:
            generator, _ = gan.build(architecture, np.random.default_rng(0))
            generator.load_state_dict(state)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        self.generator: Module = generator.to(place)
        model = gan.MODELS[architecture["model"]]
        self.z_dim = architecture.get("z_dim", model.z_dim)
        self.classes = architecture.get("classes", 0) if model.conditional else 0

    def labels(self, count: int, label: int | None) -> np.ndarray | None:
        """Class ``label`` for all, or each class in turn; None for a model without classes."""
        if not self.classes:
            if label is not None:
                raise InputError(f"--class {label}: this model knows no classes")
            return None
        if label is not None and label >= self.classes:
            raise InputError(f"--class {label}: this model's classes are 0..{self.classes - 1}")
        return np.arange(count) % self.classes if label is None else np.full(count, label)
