"""Pairs of pictures: what there is, and what it should be. The first is made from the second, or given beside it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..sizes import size
from .degrade import Degradation
from .drawn import Drawn

Pictures = Sequence[np.ndarray] | Mapping[str, np.ndarray]


class Paired(Drawn):
    """Pictures of any size, and what ``degrade`` leaves of them; a ``Loader`` makes batches (target, source) of it.

    pictures   uint8 (H, W, C), each of its own size; by name, an error can say which one
    degrade    a picture (H, W, C) in [0, 1] and a generator -> the source, see data/degrade.py
    sources    instead: a source for each picture, of its size, under its name
    crop       side of the squares that a batch is cut from; a smaller picture is refused
    flip       mirror half of them

    A batch is float, (N, C, H, W) in [-1, 1]. Sources are rounded to whole grey levels, as the file would hold that a
    person has; a mask, the channel that a source may have more than its picture, stays 0 or 1. An epoch shows as many
    pixels as there are, so that a picture is cropped the more often the larger it is.

    >>> from minigan.data import degrade
    >>> pairs = Paired([np.zeros((40, 60, 3), np.uint8)], degrade.Grey(), crop=20)
    >>> target, source = pairs.draw(np.array([0, 1]), np.random.default_rng(0), np.dtype("float32"))
    >>> len(pairs), target.shape, source.shape
    (6, (2, 3, 20, 20), (2, 1, 20, 20))
    """

    def __init__(
        self,
        pictures: Pictures,
        degrade: Degradation | None = None,
        *,
        sources: Pictures | None = None,
        crop: int = 64,
        flip: bool = True,
        name: str = "pictures",
        root: str | None = None,
    ) -> None:
        if (degrade is None) == (sources is None):
            raise InputError("Paired: give either degrade, which makes the sources, or the sources themselves")
        pictures, sources = by_name(pictures), None if sources is None else by_name(sources)
        check_pictures(name, pictures, crop)
        if sources is not None:
            if sources.keys() != pictures.keys():
                raise InputError(f"{name}: {len(pictures)} pictures, but {len(sources)} sources: one for each")
            sources = {which: sources[which] for which in pictures}
            for which, picture in pictures.items():
                source = sources[which]
                if picture.shape[:2] != source.shape[:2]:
                    raise InputError(
                        f"{name}: {which} is {picture.shape[1]}x{picture.shape[0]} pixels, its source "
                        f"{source.shape[1]}x{source.shape[0]}: they must fit together"
                    )
        self.pictures, self.degrade = list(pictures.values()), degrade
        self.sources = None if sources is None else list(sources.values())
        self.crop, self.flip, self.name, self.root = crop, flip, name, root
        share = [max(1, picture.shape[0] * picture.shape[1] // crop**2) for picture in self.pictures]
        self.owner = np.repeat(np.arange(len(pictures)), share)

    def __len__(self) -> int:
        """Crops in an epoch."""
        return len(self.owner)

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Crops (target, source) for these numbers below ``len``, all that is random about them from ``rng``."""
        pairs = [self.pair(self.owner[number], rng) for number in chosen]
        target, source = (np.stack(side).astype(dtype, copy=False) for side in zip(*pairs, strict=True))
        return target.transpose(0, 3, 1, 2), source.transpose(0, 3, 1, 2)

    def pair(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A crop of a picture with its source, (H, W, C) in [-1, 1]."""
        picture = self.pictures[number]
        top, left = (rng.integers(0, side - self.crop + 1) for side in picture.shape[:2])
        mirrored = self.flip and bool(rng.integers(2))

        def cut(whole: np.ndarray) -> np.ndarray:
            part = whole[top : top + self.crop, left : left + self.crop]
            return (part[:, ::-1] if mirrored else part).astype(np.float32) / 255

        target = cut(picture)
        if self.sources is not None:
            return as_input(target, 3), as_input(cut(self.sources[number]), 3)
        assert self.degrade is not None
        return as_input(target, target.shape[2]), as_input(self.degrade(target, rng), target.shape[2])

    def fingerprint(self) -> str:
        """A checksum of every pixel, and of how crops are cut out of them."""
        found = zlib.crc32(f"crops of {self.crop}, {'flipped' if self.flip else 'upright'}".encode())
        for picture in (*self.pictures, *(self.sources or ())):
            found = zlib.crc32(np.ascontiguousarray(picture).data, zlib.crc32(repr(picture.shape).encode(), found))
        return f"{found:08x}"

    def __repr__(self) -> str:
        how = "with sources" if self.degrade is None else repr(self.degrade)
        return f"Paired({self.name!r}, {len(self.pictures)} pictures, {how})"


def by_name(pictures: Pictures) -> dict[str, np.ndarray]:
    """Under their names, or their numbers."""
    if isinstance(pictures, Mapping):
        return dict(pictures)
    return {f"picture {number}": picture for number, picture in enumerate(pictures)}


def check_pictures(name: str, pictures: Mapping[str, np.ndarray], crop: int) -> None:
    """That there are some, uint8 (H, W, C) with as many channels each, and that a crop fits into each."""
    size(f"{name}: crop", crop)
    if not len(pictures):
        raise InputError(f"{name}: there is no picture")
    first = next(iter(pictures.values()))
    for which, picture in pictures.items():
        if picture.dtype != np.uint8 or picture.ndim != 3:
            raise InputError(f"{name}: {which} is {picture.dtype} {picture.shape}, not uint8 (H, W, C)")
        if picture.shape[2] != first.shape[2]:
            raise InputError(f"{name}: {which} has {picture.shape[2]} channels, the first another number")
    if small := [which for which, picture in pictures.items() if min(picture.shape[:2]) < crop]:
        height, width = pictures[small[0]].shape[:2]
        more = f", and {len(small) - 1} more are" if len(small) > 1 else ""
        least = min(min(picture.shape[:2]) for picture in pictures.values())
        raise InputError(
            f"{name}: {small[0]} is {width}x{height} pixels, smaller than the crops of {crop}{more}: leave such "
            f"pictures out, or use crops of at most {least}"
        )


def as_input(picture: np.ndarray, channels: int) -> np.ndarray:
    """[0, 1] -> [-1, 1] in whole grey levels; what is beyond ``channels`` is a mask and stays as it is."""
    pixels = np.rint(np.clip(picture[:, :, :channels], 0, 1) * np.float32(255)) / np.float32(127.5) - 1
    return np.concatenate([pixels, picture[:, :, channels:]], axis=2) if picture.shape[2] > channels else pixels


def read_pictures(path: str | os.PathLike[str], tile: int | None = None, channels: int = 3) -> dict[str, np.ndarray]:
    """Pictures by name, uint8 (H, W, C): every one below a folder, in its own size, turned as its EXIF data says, white
    behind what is transparent; grey ones of more than 8 bits are scaled as ``ImageFolder`` does it. A PNG file is a
    sheet of square pictures of ``tile`` pixels, row by row.

    Raises InputError for what is not there and for a folder without a picture.
    """
    from .image_folder import equally_bright, files_of_kind, plain_pixels

    path = Path(path)

    def decode(name: str, depth: int, tell: Callable[[int], None]) -> np.ndarray:
        try:
            return plain_pixels(path / name, channels, depth, tell)
        except Exception as error:  # a damaged file can raise nearly anything from a decoder
            fix = "take it out" if path.is_dir() else "name a folder of pictures, or a sheet of them"
            raise InputError(f"{path / name} is no picture that can be read ({error}): {fix}") from None

    if path.is_file():
        if tile is None:
            raise InputError(f"{path} is a file: give a folder of pictures, or say how large the tiles of a sheet are")
        return tiles(path, decode(".", 0, lambda depth: None), size("tile", tile))
    if not path.is_dir():
        where = "; minigan's own are in its repository, not in the package" if "examples" in path.parts else ""
        raise InputError(f"{path} does not exist, expected a folder of pictures: check the path{where}")
    found = equally_bright(files_of_kind(path, PICTURES), decode)
    if not found:
        raise InputError(f"{path} holds no picture ({', '.join(PICTURES)}): check the path")
    return found


PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def tiles(path: Path, sheet: np.ndarray, tile: int) -> dict[str, np.ndarray]:
    """The pictures of a sheet by number; black ones at its end fill the last row, and are none."""
    height, width = sheet.shape[:2]
    if height % tile or width % tile:
        raise InputError(f"{path} is {width}x{height} pixels, which is no sheet of {tile}x{tile} pictures")
    columns = width // tile
    cut = [sheet[i // columns * tile :, i % columns * tile :][:tile, :tile] for i in range(columns * (height // tile))]
    while cut and not cut[-1].any():
        cut.pop()
    if not cut:
        raise InputError(f"{path}: all pictures of this sheet are black")
    return {f"{number:05d}": picture for number, picture in enumerate(cut)}


def split(names: Sequence[str], every: int) -> tuple[list[str], list[str]]:
    """Names to train on, and to validate on: each ``every``-th by alphabet is for validation.

    >>> split(["a", "b", "c", "d", "e"], 2)
    (['a', 'c', 'e'], ['b', 'd'])
    """
    if every < 2:
        raise InputError(f"a validation picture in {every} leaves nothing to train on: at least 2")
    held = sorted(names)[every - 1 :: every]
    return [name for name in names if name not in set(held)], [name for name in names if name in set(held)]
