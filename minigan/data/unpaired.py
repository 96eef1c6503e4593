"""Pictures of two kinds that have nothing to do with each other."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from .degrade import resample
from .drawn import Drawn
from .paired import Pictures, as_input, by_name, check_pictures


class Unpaired(Drawn):
    """Pictures of kind a and of kind b, of any size; a ``Loader`` makes batches (a, b) of it.

    a, b       uint8 (H, W, C), each of its own size; by name, an error can say which one
    crop       side of the squares that a batch is cut from; a smaller picture is refused
    flip       mirror half of them

    Each batch is float, (N, C, crop, crop) in [-1, 1]. An epoch shows as many pixels as there are of kind a; those of
    kind b are drawn at random, a picture the more often the larger it is. Of pictures of ``crop`` pixels a side (see
    ``square``) nothing is cut off.

    >>> cats, dogs = [np.zeros((40, 60, 3), np.uint8)], [np.full((30, 30, 3), 255, np.uint8)] * 5
    >>> a, b = Unpaired(cats, dogs, crop=20).draw(np.array([0, 1]), np.random.default_rng(0), np.dtype("float32"))
    >>> a.shape, float(a.max()), float(b.min())
    ((2, 3, 20, 20), -1.0, 1.0)
    """

    def __init__(
        self,
        a: Pictures,
        b: Pictures,
        *,
        crop: int = 64,
        flip: bool = True,
        name: str = "pictures",
        root: str | None = None,
    ) -> None:
        a, b = by_name(a), by_name(b)
        for which, pictures in (("a", a), ("b", b)):
            check_pictures(f"{name}, kind {which}", pictures, crop)
        self.a, self.b, self.crop, self.flip, self.name, self.root = (
            [*a.values()],
            [*b.values()],
            crop,
            flip,
            name,
            root,
        )
        channels = [kind[0].shape[2] for kind in (self.a, self.b)]
        if channels[0] != channels[1]:
            raise InputError(f"{name}: a has {channels[0]} channels, b has {channels[1]}: they must be the same")
        self.owners = [owners(pictures, crop) for pictures in (self.a, self.b)]

    @property
    def settings(self) -> dict[str, Any]:
        return {"channels": self.a[0].shape[2]}

    def __len__(self) -> int:
        """Crops of kind a in an epoch."""
        return len(self.owners[0])

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Crops (a, b): those of a for these numbers below ``len``, those of b whichever ``rng`` draws."""
        others = rng.integers(len(self.owners[1]), size=len(chosen))
        sides = (self.a, self.owners[0][chosen]), (self.b, self.owners[1][others])
        a, b = (
            np.stack([self.cut(pictures[number], rng) for number in numbers]).astype(dtype, copy=False)
            for pictures, numbers in sides
        )
        return a.transpose(0, 3, 1, 2), b.transpose(0, 3, 1, 2)

    def cut(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A crop, (crop, crop, C) in [-1, 1]"""
        top, left = (rng.integers(0, side - self.crop + 1) for side in picture.shape[:2])
        part = picture[top : top + self.crop, left : left + self.crop]
        mirrored = self.flip and bool(rng.integers(2))
        return as_input((part[:, ::-1] if mirrored else part).astype(np.float32) / 255, picture.shape[2])

    def fingerprint(self) -> str:
        """A checksum of every pixel, and of how crops are cut out of them."""
        found = zlib.crc32(f"crops of {self.crop}, {'flipped' if self.flip else 'upright'}".encode())
        for picture in (*self.a, *self.b):
            found = zlib.crc32(np.ascontiguousarray(picture).data, zlib.crc32(repr(picture.shape).encode(), found))
        return f"{found:08x}"

    def __repr__(self) -> str:
        return f"Unpaired({self.name!r}, {len(self.a)} of a, {len(self.b)} of b)"


def owners(pictures: Sequence[np.ndarray], crop: int) -> np.ndarray:
    """The number of the picture that each crop of an epoch is of."""
    return np.repeat(np.arange(len(pictures)), [max(1, p.shape[0] * p.shape[1] // crop**2) for p in pictures])


def square(
    picture: np.ndarray, size: int, corner: tuple[int, int] | None = None, side: int | None = None
) -> np.ndarray:
    """A square of the picture with this upper left ``corner`` (top, left) and ``side``, by default the largest one at
    its centre, brought to ``size`` pixels a side: averaged where it is made smaller."""
    height, width = picture.shape[:2]
    side = min(height, width) if side is None else side
    top, left = ((height - side) // 2, (width - side) // 2) if corner is None else corner
    part = picture[top : top + side, left : left + side]
    if part.shape[:2] == (size, size):
        return part
    made = resample(part.astype(np.float32) / 255, (size, size))
    return np.asarray(np.rint(np.clip(made, 0, 1) * 255), np.uint8)
