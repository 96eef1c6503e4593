"""A person's picture through a translator: whole where it learned from whole ones, part by part where from crops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import gan
from ..backend import ArrayBackend
from ..checkpoint import model_in, read_generator
from ..data.degrade import luminance
from ..data.paired import as_input
from ..data.unpaired import square
from ..errors import InputError
from ..nn import Module
from ..restoration.picture import Photo
from ..restoration.restore import by_tiles, to_bytes

WEIGHTS = Path(__file__).parent / "files"
TILE = 1024
REACH, STEP = 32, 16  # instance norm sees all of a tile, so that no reach would make tiles fit exactly
NETWORKS = {"a": "ba", "b": "ab"}  # what turns pictures into kind a is called ba


def bundled() -> list[str]:
    """The names of the translators that are bundled."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def find(model: str, to: str | None) -> tuple[Path, str]:
    """The file of a translator, and the name that it has in a checkpoint: ``model`` is the name of a bundled one, a
    file, or the folder of a run, where ``to`` says which of its two, by default the one into kind b."""
    name = NETWORKS[to or "b"]
    path = Path(model)
    if in_folder := model_in(path, [f"{name}.safetensors"]):
        return in_folder, name
    if not path.is_file() and model not in bundled():
        if not path.is_dir():
            raise InputError(f"{model}: there is no such file or folder, and bundled is {', '.join(bundled())}")
        raise InputError(f"{path}: holds no {name}.safetensors: give the folder of a run of train --a --b")
    found = path if path.is_file() else WEIGHTS / f"{model}.safetensors"
    if to is not None and not found.stem.startswith("step-"):
        raise InputError(f"--to {to} does nothing with one translator: name the folder of its run, or leave it out")
    return found, name


@dataclass(frozen=True)
class PhotoTranslator:
    """A network from a file. ``whole`` is the side that it wants pictures brought to, None where it takes any."""

    network: Module
    channels: int
    whole: int | None
    tile: int = TILE

    @classmethod
    def load(cls, path: Path, backend: ArrayBackend, name: str = "ab", tile: int = TILE) -> PhotoTranslator:
        """``name`` is that of the network in a checkpoint. Raises InputError for a file of another kind."""
        architecture, state = read_generator(path, name)
        model = architecture.get("model")
        if model not in gan.UNPAIRED:
            does = {
                **dict.fromkeys(gan.PAIRED, "restores pictures: minigan restore"),
                **dict.fromkeys(gan.EDITORS, "changes one thing in a picture: minigan edit"),
            }
            raise InputError(f"{path}: {model} {does.get(str(model), 'draws what it makes of noise: minigan sample')}")
        try:
            network, _ = gan.build(architecture, np.random.default_rng(0))
            network.load_state_dict({key: array.astype(np.float32) for key, array in state.items()})
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return cls(network.to(backend), architecture.get("channels", 3), architecture.get("whole"), tile)

    def photo(self, photo: Photo, crop: tuple[int, int, int] | None = None, tell: Any = iter) -> Photo:
        """The picture translated. ``crop`` (x, y, side) says which square of it is to be looked at, where the network
        wants whole pictures: by default the largest at the centre. ``tell`` wraps the list of tiles."""
        grey = self.channels == 1
        if self.whole is None:
            return replace(photo, pixels=self.pixels(photo.on_white(), tell), grey=grey)
        return replace(photo, pixels=self.pixels(self.looked_at(photo, crop)), alpha=None, grey=grey)

    def looked_at(self, photo: Photo, crop: tuple[int, int, int] | None = None) -> np.ndarray:
        """What of a picture the network is shown, uint8 (h, w, 3): see ``photo``. Raises InputError for a crop that is
        not in it."""
        pixels = photo.on_white()
        if self.whole is None:
            return pixels
        if crop is None:
            return square(pixels, self.whole)
        left, top, side = crop
        height, width = pixels.shape[:2]
        if side < 1 or left < 0 or top < 0 or left + side > width or top + side > height:
            raise InputError(
                f"--crop {left} {top} {side}: does not lie in a picture of {width}x{height} pixels; X and Y are the "
                "upper left corner of a square, SIZE its side"
            )
        return square(pixels, self.whole, (top, left), side)

    def pixels(self, pixels: np.ndarray, tell: Any = iter) -> np.ndarray:
        """uint8 (H, W, 3) -> uint8 (H, W, 3)"""

        def make(part: tuple[slice, slice]) -> np.ndarray:
            picture = pixels[part].astype(np.float32) / 255
            if self.channels == 1:
                picture = luminance(picture)[:, :, None]
            source = as_input(picture, self.channels).transpose(2, 0, 1)[None]
            return to_bytes((gan.translate(self.network, source)[0].transpose(1, 2, 0) + 1) / 2)

        return by_tiles(pixels.shape[:2], self.tile, REACH, STEP, make, tell)
