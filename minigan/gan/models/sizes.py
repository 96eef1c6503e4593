"""Pictures of any size: how often a network halves them, and what the maps in between measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import InputError

ImageSize = int | Sequence[int]  # the side of a square picture, or (height, width)
Side = tuple[int, int]  # height and width of a map
SMALLEST, LARGEST = 8, 4096  # pixels a side
LAST = 4  # no map's shorter side falls below this


def height_width(image_size: ImageSize, smallest: int = SMALLEST) -> Side:
    """``image_size`` as (height, width); InputError where no network here draws such pictures."""
    sides = tuple(image_size) if isinstance(image_size, list | tuple) else (image_size, image_size)
    whole = all(isinstance(side, int | np.integer) and not isinstance(side, bool) for side in sides)
    if len(sides) != 2 or not whole or not all(smallest <= side <= LARGEST for side in sides):
        raise InputError(
            f"image_size {image_size} must be a number of pixels, or (height, width), from {smallest} to {LARGEST} a "
            "side: resize the images"
        )
    return int(sides[0]), int(sides[1])


def halvings(image_size: ImageSize) -> list[Side]:
    """The maps from the pixels inwards: halved, rounded down, while the shorter side stays at least 4.

    >>> halvings(28), halvings(32)
    ([(28, 28), (14, 14), (7, 7)], [(32, 32), (16, 16), (8, 8), (4, 4)])
    >>> halvings((50, 75))
    [(50, 75), (25, 37), (12, 18), (6, 9)]
    """
    maps = [height_width(image_size)]
    while min(maps[-1]) // 2 >= LAST:
        height, width = maps[-1]
        maps.append((height // 2, width // 2))
    return maps


def check_sizes(classes: int, z_dim: int) -> None:
    """The class's vector would hide a z without elements, and a negative one."""
    if classes < 1 or z_dim < 1:
        raise InputError(f"classes = {classes} and z_dim = {z_dim} must each be at least 1")
