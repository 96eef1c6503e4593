"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from .. import backend, data, gan, metrics
from ..checkpoint import read_generator
from ..data import Dataset
from ..errors import InputError
from ..export import find
from ..files import check_suffix
from ..launched import launched
from ..media import medium_of
from ..metrics.extractor import SHIPPED
from ..nn import Module
from ..runs.best import Best
from .options import Needs

if TYPE_CHECKING:
    from ..metrics import Extractor


def natural(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, least=0)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, least=1)


def _whole(text: str, *, least: int) -> int:
    with suppress(ValueError):
        if (number := int(text)) >= least:
            return number
    raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least {least}")


LENGTH = (Needs("--epochs", lambda args: args.steps is None, "beside --steps: leave out one of them", default=5),)
THREADS = (
    Needs(
        "--threads",
        lambda args: args.backend in ("numpy", "numba") or getattr(args, "metric_every", None) is not None,
        "on this backend: add --backend numpy",
    ),
)
PICTURES = (
    Needs("--size", lambda args: has_pictures(args), "with images that have a size: give a folder of pictures"),
    Needs(
        "--channels",
        lambda args: has_pictures(args),
        "with images that have their channels: give a folder of pictures",
        default=3,
    ),
)
METRIC = tuple(
    Needs(option, lambda args: args.metric_every is not None, "without --metric-every: add that")
    for option in ("--metric-samples", "--extractor")
)


SYNC = (
    Needs(
        "--no-sync-batch-norm",
        lambda args: launched() is not None,
        "in one process: start several with mpiexec",
        default=False,
    ),
)


def add_sync(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--no-sync-batch-norm",
        action="store_true",
        default=None,
        help="with mpiexec: batch norm of each process's own part of a batch, faster, no more as of one process",
    )


def has_pictures(args: argparse.Namespace) -> bool:
    """Whether some of the data are pictures, which are brought to a size: the others are taken as they are."""
    sources = [args.data, getattr(args, "test", None)]
    return any(source not in (None, "mnist") and not data.is_idx_folder(source) for source in sources)


def add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=positive, help="pixels a side that pictures are cut to (default: 64)")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="of pictures (default: 3)")


def of_class(dataset: Dataset, wanted: str | None) -> Dataset:
    """The images of one class, given by its name or else by its index; all of them where none is wanted."""
    if wanted is None:
        return dataset
    is_index = wanted not in dataset.classes and wanted.isdecimal()
    return dataset.of_class(int(wanted) if is_index else wanted)


def add_tf32(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--tf32", action="store_true", help="with cupy: faster products of 10 significant bits")


def place_for(args: argparse.Namespace) -> backend.ArrayBackend:
    """Where ``--backend`` and ``--tf32`` want to compute."""
    place = backend.get(args.backend)
    place.tf32 = args.tf32
    return place


def fixed_by(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments that must be the same when a run is resumed: all but those of length, place and display."""
    free = {"run", "out", "epochs", "steps", "threads", "quiet", "resume", "checkpoint_every"}
    free |= {"data", "a", "b", "table"}  # where they lie: what they are is compared by Run
    free |= {"metric_every", "metric_samples", "extractor"}  # Run compares what they come to
    if not getattr(args, "tf32", False):
        free.add("tf32")  # runs from before there was this choice go on
    if not getattr(args, "no_sync_batch_norm", False):
        free.add("no_sync_batch_norm")
    return {name: value for name, value in vars(args).items() if name not in free}


def objective(args: argparse.Namespace, own: gan.Objective) -> gan.Objective:
    """The model's own, with what the command line changes of it; a classifier beside it stays."""
    if isinstance(own, gan.AuxiliaryClassifier):
        return replace(own, base=objective(args, own.base))
    asked = gan.OBJECTIVES[args.objective]() if args.objective else own
    if args.label_smoothing is None:
        return asked
    if not isinstance(asked, gan.Minimax):
        name = args.objective or f"{args.model}'s objective"
        raise InputError(f"--label-smoothing: {name} has no labels to smooth; use non_saturating or minimax")
    return replace(asked, label_smoothing=args.label_smoothing)


def add_backend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", default="numpy", help="where to compute: numpy (default), numba, cupy, reference")


def add_extractor(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--extractor",
        metavar="NAME",
        help="what images are compared by: mnist, animals, inception, or a FILE of examples/train_classifier.py "
        "(default: the one that knows the data's classes, else mnist)",
    )


def extractor_for(dataset: Dataset, name: str | None) -> Extractor:
    """The extractor called ``name``, or of those that are bundled the one that knows the data's classes."""
    if name is not None:
        return metrics.load_extractor(name)
    shipped = map(metrics.load_extractor, SHIPPED)
    return next((one for one in shipped if one.classes == dataset.classes), metrics.load_extractor("mnist"))


def add_metric(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--metric-every", type=positive, metavar="STEPS", help="measure the Frechet distance, keep best.safetensors"
    )
    parser.add_argument("--metric-samples", type=positive, metavar="N", help="images to measure it on (default: 5000)")
    add_extractor(parser)


def best_of(args: argparse.Namespace, dataset: Dataset, z_dim: int, conditional: bool, rng: Generator) -> Best | None:
    """What ``add_metric``'s arguments ask for."""
    if not args.metric_every:
        return None
    return Best(
        dataset,
        extractor_for(dataset, args.extractor),
        every=args.metric_every,
        samples=args.metric_samples or 5000,
        z_dim=z_dim,
        conditional=conditional,
        rng=rng,
    )


def add_model_file(parser: argparse.ArgumentParser, out: str) -> None:
    """``out``: the default of --out, without its suffix."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a model.safetensors, a checkpoint, the folder that a run wrote, or digits, which is bundled",
    )
    parser.add_argument("--out", metavar="FILE", help=f"what to write (default: {out}.png, or what the model makes)")
    parser.add_argument("--seed", type=natural, default=0, help="of the random latents (default: 0)")
    parser.add_argument("--class", dest="label", type=natural, metavar="N", help="of a conditional model: only class N")
    add_backend(parser)
    parser.set_defaults(stem=out)


class LoadedGenerator:
    """A generator from a file, ready to be asked for samples."""

    def __init__(self, source: str | Path, backend_name: str) -> None:
        self.path = path = find(str(source))
        place = backend.get(backend_name)
        architecture, state = read_generator(path)
        for command, models in (("restore", gan.PAIRED), ("translate", gan.UNPAIRED), ("edit", gan.EDITORS)):
            if isinstance(name := architecture.get("model"), str) and name in models:
                raise InputError(
                    f"{path}: turns pictures into pictures, and draws none of noise: minigan {command} --model"
                )
        try:
            generator, _ = gan.build(architecture, np.random.default_rng(0))
            generator.load_state_dict(state)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        self.generator: Module = generator.to(place)
        model = gan.MODELS[architecture["model"]]
        self.medium = medium_of(architecture)
        self.z_dim = architecture.get("z_dim", model.z_dim)
        self.classes = architecture.get("classes", 0) if model.conditional else 0

    def z_dim_for(self, frames: int | None) -> int:
        """How many random numbers a clip of so many frames is made of."""
        if frames is None:
            return self.z_dim
        longer = getattr(self.generator, "z_dim_for", None)
        if longer is None:
            raise InputError(f"--frames {frames}: this model makes {self.medium.noun} of one length: leave it out")
        return int(longer(frames))

    def target(self, out: str | None, stem: str) -> Path:
        """Where its samples go: ``out``, or a name of ``stem`` that says what they are."""
        path = Path(stem + self.medium.suffix if out is None else out)
        if path.resolve() == self.path.resolve():
            raise InputError(f"--out {out} would overwrite the model: choose another name")
        check_suffix(path, self.medium.suffix)
        return path

    def labels(self, count: int, label: int | None) -> np.ndarray | None:
        """Class ``label`` for all, or each class in turn; None for a model without classes."""
        if not self.classes:
            if label is not None:
                raise InputError(f"--class {label}: this model knows no classes")
            return None
        if label is not None and label >= self.classes:
            raise InputError(f"--class {label}: this model's classes are 0..{self.classes - 1}")
        return np.arange(count) % self.classes if label is None else np.full(count, label)
