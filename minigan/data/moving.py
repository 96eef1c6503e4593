"""Moving digits (Srivastava, Mansimov & Salakhutdinov 2015): the field's test pattern for video, drawn without end."""

from __future__ import annotations

import os
import zlib
from typing import Any

import numpy as np

from ..errors import InputError
from ..sizes import size as whole
from .dataset import Dataset
from .drawn import Drawn
from .idx import mnist

SPEED = (0.5, 1.5)  # pixels a frame on a field of 32; faster in proportion on a larger one


def moving_digits(
    root: str | os.PathLike[str] | None = None,
    *,
    digits: int = 1,
    frames: int = 16,
    size: int = 32,
    split: str = "train",
) -> MovingDigits:
    """MNIST's digits, or the pictures of another folder of IDX files, that move and bounce off the walls.

    >>> clips = moving_digits(split="test")
    >>> clips
    MovingDigits('moving mnist-test', 10000 clips of 16 frames, 1 digit each, 32x32)
    >>> (batch,) = clips.draw(np.array([0, 7]), np.random.default_rng(0), np.dtype("float32"))
    >>> batch.shape, float(batch.min()), float(batch.max())
    ((2, 16, 1, 32, 32), -1.0, 1.0)
    """
    return MovingDigits(mnist(split, root), digits=digits, frames=frames, size=size, root=root)


class MovingDigits(Drawn):
    """Clips of pictures with a black background, which move on straight lines over a square field and are reflected
    where their ink meets a wall.

    pictures   a ``Dataset`` with one channel; clip number i shows picture i, and others beside it
    digits     how many move in a clip; where they cross, the brighter pixel is seen
    frames     of a clip
    size       pixels a side of the field

    Where a digit starts, which way it goes and how fast (``SPEED``) is drawn for each clip; it is shown at whole
    pixels, unchanged from frame to frame. A batch is one array (N, frames, 1, size, size) in [-1, 1].

    Raises InputError for pictures with several channels, and for a field that one of them does not fit into.
    """

    def __init__(
        self,
        pictures: Dataset,
        *,
        digits: int = 1,
        frames: int = 16,
        size: int = 32,
        root: str | os.PathLike[str] | None = None,
    ) -> None:
        if pictures.image_shape[0] != 1:
            raise InputError(f"{pictures.name}: moving pictures have one channel, these have {pictures.image_shape[0]}")
        self.digits, self.frames, self.size = whole("digits", digits), whole("frames", frames), whole("size", size)
        self.pictures = pictures
        self.name, self.root = f"moving {pictures.name}", None if root is None else str(root)
        self.boxes = ink_boxes(pictures.images[:, 0])
        largest = int((self.boxes[:, 1] - self.boxes[:, 0]).max())
        if largest >= self.size:
            raise InputError(f"{self.name}: a digit of {largest} pixels cannot move in a field of {self.size}: --size")

    @property
    def settings(self) -> dict[str, Any]:
        return {"image_size": self.size, "channels": 1, "frames": self.frames, "things": self.digits}

    def __len__(self) -> int:
        """Clips in an epoch, which shows each picture once, and others beside it."""
        return len(self.pictures)

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[np.ndarray]:
        shown = np.concatenate([chosen[:, None], rng.integers(0, len(self), (len(chosen), self.digits - 1))], axis=1)
        low, high = self.boxes[shown, 0], self.boxes[shown, 1]  # (N, digits, 2)
        places = self.paths(self.size - (high - low), rng)
        clips = np.zeros((len(chosen), self.frames, self.size, self.size), np.uint8)
        for clip, numbers, starts, ends, ways in zip(clips, shown, low, high, places, strict=True):
            for number, (top, left), (bottom, right), way in zip(numbers, starts, ends, ways, strict=True):
                ink = self.pictures.images[number, 0, top:bottom, left:right]
                for frame, (y, x) in zip(clip, way, strict=True):
                    part = frame[y : y + len(ink), x : x + ink.shape[1]]
                    np.maximum(part, ink, out=part)
        return (np.divide(clips[:, :, None], 127.5, dtype=dtype) - dtype.type(1),)

    def paths(self, room: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Where boxes are that have ``room`` (N, digits, 2) to move in, in each frame: whole pixels (N, digits, frames,
        2), top and left."""
        start = rng.uniform(0, room)
        angle, speed = rng.uniform(0, 2 * np.pi, room.shape[:2]), rng.uniform(*SPEED, room.shape[:2]) * self.size / 32
        velocity = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * speed[..., None]
        unfolded = start[:, :, None] + velocity[:, :, None] * np.arange(self.frames)[:, None]
        walls = room[:, :, None]
        period = np.maximum(2 * walls, 1)  # there and back again
        places: np.ndarray = np.rint(walls - np.abs(unfolded % period - walls)).astype(int)
        return places.clip(0, walls)

    def stills(self) -> np.ndarray:
        """What moves, at rest; of several in a clip, the first."""
        return self.pictures.images

    def fingerprint(self) -> str:
        told = f"{self.pictures.fingerprint()} {self.digits} {self.frames} {self.size} {SPEED}"
        return f"{zlib.crc32(told.encode()):08x}"

    def __repr__(self) -> str:
        many = f"{self.digits} digit{'s' if self.digits > 1 else ''} each"
        return (
            f"{type(self).__name__}({self.name!r}, {len(self)} clips of {self.frames} frames, {many}, "
            f"{self.size}x{self.size})"
        )


def ink_boxes(images: np.ndarray) -> np.ndarray:
    """Of pictures (N, H, W): where their ink begins, and where it has ended, (N, 2, 2); of an empty one, all of it."""
    boxes = np.empty((len(images), 2, 2), int)
    for axis, other in enumerate((2, 1)):
        inked = np.asarray(images.any(axis=other))
        boxes[:, 0, axis] = inked.argmax(axis=1)
        boxes[:, 1, axis] = inked.shape[1] - inked[:, ::-1].argmax(axis=1)
    return boxes
