"""A whole picture through a network, part by part, so that its size is bounded by the disk and not by the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import gan
from ..backend import ArrayBackend
from ..checkpoint import read_generator
from ..data.degrade import fill_in, luminance, resample
from ..data.paired import as_input
from ..errors import InputError
from ..gan.models import PairedModel
from ..nn import Module
from .picture import Photo
from .tasks import TASKS, Task

WEIGHTS = Path(__file__).parent / "files"
TILE = 256


def weights(task: str, sharp: bool = False) -> Path:
    """The file that is bundled for a task."""
    return WEIGHTS / f"{task}{'-sharp' if sharp else ''}.safetensors"


@dataclass(frozen=True)
class Restorer:
    """A network from a file, with what it was trained for."""

    task: Task
    model: PairedModel
    network: Module
    tile: int = TILE

    @classmethod
    def load(cls, path: Path, backend: ArrayBackend, task: str | None = None, tile: int = TILE) -> Restorer:
        """Raises InputError for a file of another kind, and for one that was trained for another ``task``."""
        architecture, state = read_generator(path)
        name, trained = architecture.get("model"), architecture.get("task")
        if name not in gan.PAIRED or trained not in TASKS:
            raise InputError(f"{path}: {name} restores no pictures: give one of train --task")
        if task not in (None, trained):
            raise InputError(f"{path}: was trained to {trained}, not to {task}: leave out --task, or give another file")
        try:
            network, _ = gan.build(architecture, np.random.default_rng(0))
            network.load_state_dict({key: array.astype(np.float32) for key, array in state.items()})
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return cls(TASKS[trained], gan.PAIRED[name], network.to(backend), tile)

    # ---- one picture -------------------------------------------------------------------------------

    def photo(self, photo: Photo, mask: np.ndarray | None = None, scale: int | None = None, tell: Any = iter) -> Photo:
        """The picture restored, its transparency with it: but that of a drawing to be coloured is the white between its
        lines, which gets colours, too. ``mask`` (H, W) is 1 where it is missing; ``tell`` wraps the list of the tiles,
        to show how far it is."""
        coloured = self.task.source_channels == 1
        if coloured and photo.alpha is not None:
            lost = [*photo.lost, "its transparency: between its lines there is colour now"]
            photo = replace(photo, pixels=photo.on_white(), alpha=None, lost=lost)
        pixels = self.pixels(photo.pixels, mask, tell)
        alpha, times = photo.alpha, self.task.scale
        if scale not in (None, times):
            assert scale is not None
            height, width = (side // times * scale for side in pixels.shape[:2])
            pixels = to_bytes(resample(pixels / np.float32(255), (height, width)))
            times = scale
        if alpha is not None and times > 1:
            alpha = to_bytes(resample(alpha[:, :, None] / np.float32(255), pixels.shape[:2]))[:, :, 0]
        kept = photo.kept
        if photo.grey and coloured:
            kept = {name: value for name, value in kept.items() if name != "icc_profile"}
        return replace(photo, pixels=pixels, alpha=alpha, grey=photo.grey and not coloured, kept=kept)

    def pixels(self, pixels: np.ndarray, mask: np.ndarray | None = None, tell: Any = iter) -> np.ndarray:
        """uint8 (H, W, 3) -> uint8 (scale H, scale W, 3)"""
        height, width = pixels.shape[:2]
        times = self.task.scale
        if mask is not None:  # guessed from the whole picture, so that its parts fit together
            pixels = to_bytes(fill_in(pixels / np.float32(255), ~mask))

        def make(part: Part) -> np.ndarray:
            source = self.source(pixels[part], None if mask is None else mask[part])
            made = gan.translate(self.network, source.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0)
            return to_bytes((made + 1) / 2)

        def as_it_is(part: Part) -> np.ndarray | None:
            return pixels[part] if mask is not None and not mask[part].any() else None  # nothing is missing here

        reach, step = self.model.reach, self.model.step
        return by_tiles((height, width), self.tile, reach, step, make, tell, times=times, known=as_it_is)

    def source(self, pixels: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """What the network is to be shown of a part: (H, W, C) in [-1, 1]."""
        picture = pixels.astype(np.float32) / 255
        if self.task.source_channels == 1:
            return as_input(luminance(picture)[:, :, None], 1)
        if self.task.source_channels == 4:
            if mask is None:
                raise InputError(f"{self.task.name}: it must be said what is missing: --mask MASK.png")
            return as_input(np.concatenate([picture, mask[:, :, None].astype(np.float32)], axis=2), 3)
        if self.task.scale > 1 and not self.model.scales:
            height, width = picture.shape[:2]
            picture = resample(picture, (height * self.task.scale, width * self.task.scale))
        return as_input(picture, 3)


def to_bytes(picture: np.ndarray) -> np.ndarray:
    """[0, 1] -> uint8"""
    return np.rint(np.clip(picture, 0, 1) * np.float32(255)).astype(np.uint8)


Part = tuple[slice, slice]


def by_tiles(
    size: tuple[int, int],
    tile: int,
    reach: int,
    step: int,
    make: Callable[[Part], np.ndarray],
    tell: Any = iter,
    *,
    times: int = 1,
    known: Callable[[Part], np.ndarray | None] = lambda part: None,
) -> np.ndarray:
    """A picture of this size, uint8 (times H, times W, 3), put together of what ``make`` makes of parts of it, see
    ``tiles``; of a part that is ``known`` already, that."""
    result = np.empty((size[0] * times, size[1] * times, 3), np.uint8)
    for inner, outer in tell(list(tiles(*size, tile, reach, step))):
        place = tuple(slice(part.start * times, part.stop * times) for part in inner)
        found = known(inner)
        if found is None:
            within = tuple(
                slice((a.start - b.start) * times, (a.stop - b.start) * times)
                for a, b in zip(inner, outer, strict=True)
            )
            found = make(outer)[within]
        result[place] = found
    return result


def tiles(height: int, width: int, tile: int, reach: int, step: int) -> Iterator[tuple[Part, Part]]:
    """The parts that a picture is worked on in: what is kept of each, and what is looked at for it.

    They begin at multiples of ``step``, and are looked at with ``reach`` pixels around them. So what is kept is what it
    would have been in the whole picture, and there are no seams.

    >>> [(inner[1], outer[1]) for inner, outer in tiles(8, 10, 8, reach=1, step=2)]
    [(slice(0, 8, None), slice(0, 10, None)), (slice(8, 10, None), slice(6, 10, None))]
    """
    tile, reach = -(-tile // step) * step, -(-reach // step) * step
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            inner = slice(top, min(top + tile, height)), slice(left, min(left + tile, width))
            outer = tuple(
                slice(max(0, part.start - reach), min(side, part.stop + reach))
                for part, side in zip(inner, (height, width), strict=True)
            )
            yield inner, outer  # type: ignore[misc]
