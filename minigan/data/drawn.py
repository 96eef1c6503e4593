"""What makes its batches by drawing them: pairs of pictures, texts, tunes, clips. A ``Loader`` takes any of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError


class Drawn:
    """So many items an epoch, whose arrays are made when a batch is asked for.

    name              what messages call it
    root              the folder that it was made of, where nothing else is to be written; or None
    labels, classes   an index into ``classes`` for each item, int64 (N,); or None and ()
    settings          what a model made for these data must know of them; its file carries them, see ``gan.build``
    """

    name: str = "data"
    root: str | None = None
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    def __len__(self) -> int:
        """Items in an epoch."""
        raise NotImplementedError(f"{type(self).__name__}.__len__")

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[np.ndarray, ...]:
        """The arrays of a batch: of the items with the numbers ``chosen``, all that is random about them from ``rng``,
        which is a stream of this batch alone."""
        raise NotImplementedError(f"{type(self).__name__}.draw")

    def stills(self) -> np.ndarray:
        """A picture of each item, uint8 (N, C, H, W), by which alike ones are put together, see ``clustered``."""
        raise NotImplementedError(f"{type(self).__name__}.stills")

    def class_counts(self) -> list[int]:
        """How many items there are of each class."""
        if self.labels is None:
            raise InputError(f"{self.name} has no labels, so nothing to be counted by")
        return [int(count) for count in np.bincount(self.labels, minlength=len(self.classes))]

    def fingerprint(self) -> str:
        """A checksum of all that a batch depends on: the same data give the same one."""
        raise NotImplementedError(f"{type(self).__name__}.fingerprint")


class Arrays(Drawn):
    """Floating-point arrays (N, ...) of one shape, in memory: spectrograms, piano rolls.

    >>> rolls = Arrays(np.zeros((10, 4, 32), np.float32), name="rolls")
    >>> rolls
    Arrays('rolls', 10 of (4, 32), no labels)
    >>> (batch,) = rolls.draw(np.array([3, 1]), np.random.default_rng(0), np.dtype("float32"))
    >>> batch.shape
    (2, 4, 32)
    """

    def __init__(
        self,
        items: np.ndarray,
        labels: np.ndarray | None = None,
        classes: Sequence[str] = (),
        *,
        name: str,
        root: str | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        if items.dtype.kind != "f" or items.ndim < 2 or 0 in items.shape[1:]:
            raise InputError(f"{name}: items are {items.dtype} {items.shape}, expected floating-point (N, ...)")
        if labels is not None:
            if labels.dtype.kind not in "iu" or labels.shape != (len(items),):
                raise InputError(f"{name}: labels are {labels.dtype} {labels.shape}, expected {len(items)} integers")
            if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
                raise InputError(f"{name}: labels run from {labels.min()} to {labels.max()}: name every class")
            labels = labels.astype(np.int64)
        self.items, self.labels, self.classes = items, labels, tuple(classes)
        self.name, self.root, self.told = name, root, dict(settings or {})

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.told)

    def __len__(self) -> int:
        return len(self.items)

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[np.ndarray, ...]:
        return (self.items[chosen].astype(dtype, copy=False),)

    def fingerprint(self) -> str:
        found = zlib.crc32(np.ascontiguousarray(self.items).data)
        return f"{zlib.crc32(b'' if self.labels is None else self.labels.tobytes(), found):08x}"

    def __repr__(self) -> str:
        classes = "no labels" if self.labels is None else f"{len(self.classes)} classes"
        return f"{type(self).__name__}({self.name!r}, {len(self)} of {self.items.shape[1:]}, {classes})"
