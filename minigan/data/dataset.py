"""What every source of pictures hands over: all of them in memory, as bytes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Pictures of one size, with or without labels.

    ``images`` is uint8 (N, C, H, W); ``labels`` is int64 (N,), each an index into ``classes``, or None;
    ``skipped`` holds a (name, reason) for each file that was left out. ``root`` is the folder that it was made of,
    where every file counts as data, so that nothing else is to be written there.

    Raises InputError when these do not fit together.

    >>> cats_and_dogs = Dataset(np.zeros((3, 1, 8, 8), np.uint8), np.array([0, 1, 1]), ("cat", "dog"), "pets")
    >>> cats_and_dogs
    Dataset('pets', 3 images of (1, 8, 8), 2 classes)
    >>> len(cats_and_dogs.of_class("dog"))
    2
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    name: str = "images"
    skipped: tuple[tuple[str, str], ...] = ()
    root: str | None = None

    def __post_init__(self) -> None:
        images = np.asarray(self.images)
        labels = None if self.labels is None else np.asarray(self.labels)
        object.__setattr__(self, "images", images)  # frozen, so not by assignment
        if images.dtype != np.uint8 or images.ndim != 4:
            raise InputError(
                f"{self.name}: images are {images.dtype} {images.shape}, expected uint8 (N, C, H, W): "
                "scale them to 0..255 and reshape"
            )
        if 0 in images.shape[1:]:
            raise InputError(f"{self.name}: images are {images.shape}, so there is no pixel in them")
        if labels is None:
            return
        if not len(labels):
            labels = labels.astype(np.int64)  # of no images
        if labels.dtype.kind not in "iu" or labels.shape != (len(images),):
            raise InputError(
                f"{self.name}: labels are {labels.dtype} {labels.shape}, expected one integer for each of the "
                f"{len(images)} images"
            )
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes):
            raise InputError(
                f"{self.name}: labels run from {labels.min()} to {labels.max()}, expected indices into the "
                f"{len(self.classes)} classes: name every class"
            )
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.images.shape[1:]

    @property
    def settings(self) -> dict[str, Any]:
        """What a model made for these pictures must know of them, see ``gan.build``."""
        channels, height, width = self.image_shape
        return {"image_size": height if height == width else [height, width], "channels": channels}

    def fingerprint(self) -> str:
        """A checksum of every pixel and label: the same data gives the same one."""
        pixels = zlib.crc32(np.ascontiguousarray(self.images).data)
        return f"{zlib.crc32(b'' if self.labels is None else self.labels.tobytes(), pixels):08x}"

    def class_counts(self) -> list[int]:
        """How many pictures there are of each class. Raises InputError when there are no labels."""
        if self.labels is None:
            raise InputError(f"{self.name} has no labels, so nothing to be counted by")
        return [int(count) for count in np.bincount(self.labels, minlength=len(self.classes))]

    def of_class(self, *wanted: str | int) -> Dataset:
        """The pictures of the wanted classes, each given by name or by index. Labels keep their meaning.

        Raises InputError for a class that does not exist, and when there are no labels.
        """
        if self.labels is None:
            raise InputError(f"{self.name} has no labels, so no pictures of class {wanted[0]!r} can be picked")
        chosen = np.isin(self.labels, [self._index(which) for which in wanted])
        name = f"{self.name}[{', '.join(map(str, wanted))}]"
        return replace(self, images=self.images[chosen], labels=self.labels[chosen], name=name)

    def _index(self, which: str | int) -> int:
        if isinstance(which, str) and which in self.classes:
            return self.classes.index(which)
        if isinstance(which, int | np.integer) and 0 <= which < len(self.classes):
            return int(which)
        known = ", ".join(self.classes[:20]) + (", ..." if len(self.classes) > 20 else "")
        raise InputError(
            f"{self.name} has no class {which!r}: choose one of {known} or an index below {len(self.classes)}"
        )

    def __repr__(self) -> str:
        classes = "no labels" if self.labels is None else f"{len(self.classes)} classes"
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"Dataset({self.name!r}, {len(self)} images of {self.image_shape}, {classes}{skipped})"
