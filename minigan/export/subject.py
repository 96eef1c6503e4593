"""What is explored and taken along: a network from a file, and what it wants to be given.

There are three kinds: one that draws pictures of noise, one that turns a picture into a picture, and one that names
what is in a picture. A new kind of model is a new class here; the explorer and the exporters ask it only what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .. import backend, gan
from ..checkpoint import read, read_generator
from ..data.attributes import attributes_from, columns_of
from ..errors import InputError
from ..metrics.extractor import FILES, ClassifierExtractor
from ..nn import Module, mode
from ..restoration import restore
from ..runs.folder import is_own, model_of
from ..tensor import Tensor, no_grad
from ..translation import editor, translator

DIGITS = Path(__file__).parent / "files" / "digits.safetensors"  # of examples/mnist_gan.py, in half precision
ROOMS = (DIGITS.parent, FILES, restore.WEIGHTS, translator.WEIGHTS, editor.WEIGHTS)
BUNDLED = {path.stem: path for room in ROOMS for path in sorted(room.glob("*.safetensors"))}


@dataclass(frozen=True)
class Subject:
    """A network, the name it goes by, and the architecture that ``gan.build`` takes."""

    network: Module
    name: str
    architecture: dict[str, Any]
    classes: int = 0
    step: int = 1  # sides that the network computes with are multiples of it
    kind: ClassVar[str] = ""
    axes: ClassVar[tuple[str, ...]] = ()  # of the first input, by their names
    outputs: ClassVar[tuple[str, ...]] = ("image", "N", "C", "H", "W")
    mirrors: ClassVar[bool] = False  # whether other pictures are mirrored up to those, and what is made cut to size

    def inputs(self, count: int, rng: np.random.Generator, more: int = 0) -> dict[str, np.ndarray]:
        """Inputs of a batch, by name; where the size is free, larger by ``more`` steps."""
        raise NotImplementedError

    def any_size(self) -> bool:
        """Whether the network may be given other sizes than one."""
        return False

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        """The network's output on the host, in evaluation mode."""
        place, dtype = self.network.backend, self.network.dtype
        given = [
            Tensor(place.channels_last(place.asarray(a.astype(dtype)))) if a.dtype.kind == "f" else a for a in inputs
        ]
        with mode(self.network, training=False), no_grad():
            return np.array(self.network(*given).numpy(), order="C")


@dataclass(frozen=True)
class Latent(Subject):
    """z (N, z_dim), and labels (N,) of a conditional one -> images (N, C, H, W) in [-1, 1]"""

    z_dim: int = 100
    kind: ClassVar[str] = "latent"
    axes: ClassVar[tuple[str, ...]] = ("z", "N", "z_dim")

    def inputs(self, count: int, rng: np.random.Generator, more: int = 0) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {"z": rng.standard_normal((count, self.z_dim)).astype(np.float32)}
        if self.classes:
            found["labels"] = (np.arange(count) + 1) % self.classes
        return found


@dataclass(frozen=True)
class Translator(Subject):
    """Pictures (N, C, H, W) in [-1, 1] -> pictures, of any size"""

    channels: int = 3
    step: int = 16
    kind: ClassVar[str] = "picture"
    mirrors: ClassVar[bool] = True
    axes: ClassVar[tuple[str, ...]] = ("picture", "N", "C", "H", "W")

    def inputs(self, count: int, rng: np.random.Generator, more: int = 0) -> dict[str, np.ndarray]:
        side = 64 + more * self.step
        return {"picture": rng.uniform(-1, 1, (count, self.channels, side, side + more * self.step)).astype(np.float32)}

    def any_size(self) -> bool:
        return True


@dataclass(frozen=True)
class Editing(Translator):
    """Pictures (N, C, H, W) in [-1, 1] and what is asked for (N, columns), see data/attributes.py -> pictures"""

    columns: int = 1
    kind: ClassVar[str] = "editor"
    mirrors: ClassVar[bool] = False  # at two places, so that no one picture is what they see

    def inputs(self, count: int, rng: np.random.Generator, more: int = 0) -> dict[str, np.ndarray]:
        asked = np.eye(self.columns, dtype=np.float32)[rng.integers(self.columns, size=count)]
        return super().inputs(count, rng, more) | {"ask": asked}


@dataclass(frozen=True)
class Namer(Subject):
    """Pictures (N, C, H, W) in [-1, 1] -> logits (N, classes)"""

    image_shape: tuple[int, ...] = (1, 28, 28)
    names: tuple[str, ...] = field(default=())
    kind: ClassVar[str] = "classifier"
    axes: ClassVar[tuple[str, ...]] = ("picture", "N", "C", "H", "W")
    outputs: ClassVar[tuple[str, ...]] = ("logits", "N", "classes")

    def inputs(self, count: int, rng: np.random.Generator, more: int = 0) -> dict[str, np.ndarray]:
        channels, height, width = self.image_shape
        size = count, channels, height + 8 * more, width + 16 * more
        return {"picture": rng.uniform(-1, 1, size).astype(np.float32)}

    def any_size(self) -> bool:
        return True


def find(model: str) -> Path:
    """A model's file, the one in a run's folder, or the one that is bundled under this name.

    Raises InputError where there is none.
    """
    return BUNDLED[model] if model in BUNDLED and not is_own(model) else model_of(Path(model))


def open_subject(source: str | Path, backend_name: str = "numpy") -> Subject:
    """From a model's file, a checkpoint, or the name of a model that is bundled.

    Raises InputError for anything else.
    """
    path = BUNDLED.get(str(source), Path(source))
    _, facts = read(path, "model or checkpoint or classifier")
    if "accuracy" in facts:
        return _namer(path, path.stem)
    architecture, state = read_generator(path)
    if architecture.get("model") in gan.UNPAIRED:  # a checkpoint holds two
        _, state = read_generator(path, "ab")
    try:
        network, _ = gan.build(architecture, np.random.default_rng(0))
        network.load_state_dict(state)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    name = architecture["model"]
    shared = {"network": network.to(backend.get(backend_name)).eval(), "name": name, "architecture": architecture}
    if name in gan.PAIRED:
        return Translator(**shared, channels=architecture.get("source_channels", 3), step=gan.PAIRED[name].step)
    if name in gan.EDITORS:
        columns = columns_of(attributes_from(architecture["attributes"]))[-1].stop
        return Editing(**shared, channels=architecture.get("channels", 3), columns=columns)
    if name in gan.UNPAIRED:
        return Translator(**shared, channels=architecture.get("channels", 3), step=2 ** getattr(network, "halvings", 0))
    model = gan.MODELS[name]
    classes = architecture.get("classes", 0) if model.conditional else 0
    return Latent(**shared, z_dim=architecture.get("z_dim", model.z_dim), classes=classes)


def _namer(path: Path, name: str) -> Namer:
    found = ClassifierExtractor(path, name)
    return Namer(found.network, name, {}, len(found.classes), image_shape=found.image_shape, names=found.classes)
