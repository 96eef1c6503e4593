"""One thing changed in a whole picture, by a network that learned it from small ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import gan
from ..backend import ArrayBackend
from ..checkpoint import read_generator
from ..data.attributes import Attribute, asked, attributes_from, centre
from ..data.degrade import resample
from ..data.unpaired import square
from ..errors import InputError
from ..nn import Module
from ..restoration.picture import Photo
from ..restoration.restore import to_bytes

WEIGHTS = Path(__file__).parent / "files" / "editors"


def bundled() -> list[str]:
    """The names of the editors that are bundled."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


@dataclass(frozen=True)
class PhotoEditor:
    """A network from a file, and what it knows to change."""

    network: Module
    attributes: tuple[Attribute, ...]
    size: int

    @classmethod
    def load(cls, path: Path, backend: ArrayBackend) -> PhotoEditor:
        """Raises InputError for a file of another kind."""
        architecture, state = read_generator(path)
        if architecture.get("model") not in gan.EDITORS:
            raise InputError(
                f"{path}: {architecture.get('model')} edits no picture: give one of train --model attribute"
            )
        try:
            network, _ = gan.build(architecture, np.random.default_rng(0))
            network.load_state_dict({name: array.astype(np.float32) for name, array in state.items()})
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return cls.of(network.to(backend), architecture)

    @classmethod
    def of(cls, network: Module, architecture: Mapping[str, Any]) -> PhotoEditor:
        size = architecture["image_size"]
        return cls(network, attributes_from(architecture["attributes"]), size if isinstance(size, int) else size[0])

    def __call__(self, pixels: np.ndarray, wanted: Mapping[str, str], shown: np.ndarray | None = None) -> np.ndarray:
        """uint8 (H, W, 3) -> the same with the wanted values; everything else is as it was.

        The network works on the centre square at the size that it has learned from. What it changes there is enlarged
        and added to the picture, whose detail stays. ``shown`` is what the network sees, where that is not the same.
        """
        where = centre(pixels.shape[:2])
        small = square(pixels if shown is None else shown, self.size)
        source = small.transpose(2, 0, 1)[None] / np.float32(127.5) - 1
        made = gan.edit(self.network, source, asked(self.attributes, wanted)[None])
        change = ((made - source)[0].transpose(1, 2, 0)) / 2
        part = pixels[where] / np.float32(255)
        if part.shape != change.shape:
            change = resample(change, part.shape[:2])
        result = pixels.copy()
        result[where] = to_bytes(part + change)
        return result

    def photo(self, photo: Photo, wanted: Mapping[str, str]) -> Photo:
        """The same with the wanted values; in colour."""
        return replace(photo, pixels=self(photo.pixels, wanted, photo.on_white()), grey=False)

    def known(self) -> str:
        return "; ".join(map(str, self.attributes))
