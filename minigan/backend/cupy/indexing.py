"""The bounds of an index, and the adjoint of indexing: adding into places that may repeat."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..base import Array, is_whole
from .device import Device
from .launch import C_NAMES, THREADS, ceil_div

FEW = 2**28  # comparisons that cost less than sorting


def put_item(backend: Device, g: Array, index: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    """Values for the same place are added up in order, without atomics.

    With few rows, each looks for its own values; otherwise sorting brings them together.
    """
    xp = backend.xp
    if len(index) > 1 and is_list(backend, index[-1]) and all(map(is_whole, index[:-1])):  # the whole axes go last
        axis, along = len(index) - 1, index[-1].ndim
        order = *range(axis, axis + along), *range(axis), *range(axis + along, g.ndim)
        moved = shape[axis], *shape[:axis], *shape[axis + 1 :]
        x = put_item(backend, g.transpose(order), index[-1:], moved)
        x = x.transpose(*range(1, axis + 1), 0, *range(axis + 1, len(shape)))
        return backend.channels_last(x) if x.ndim == 4 else xp.ascontiguousarray(x)
    if g.dtype in C_NAMES and all(is_list(backend, part) for part in index):
        leading, columns = shape[: len(index)], prod(shape[len(index) :])
        count = g.size // max(columns, 1)
        if 0 < prod(shape) * count <= FEW:
            place = xp.arange(prod(leading), dtype=np.int64).reshape(leading)[index].ravel()
            x, dense = xp.empty(shape, g.dtype), xp.ascontiguousarray(g)
            backend.for_each(x, "reduce.add_at_rows", dense, place, x, np.int64(x.size), columns, count)
            return backend.channels_last(x)
    x = xp.zeros(shape, g.dtype)
    if not any(isinstance(part, backend.array_type) for part in index):
        x[index] = g  # slices and integers never repeat
    elif g.dtype not in C_NAMES:
        xp.add.at(x, index, g)
    elif g.size:
        place = xp.arange(x.size, dtype=np.int64).reshape(shape)[index].ravel()
        source = xp.argsort(place)  # stable
        arrays = xp.ascontiguousarray(g), place[source], source, x
        grid = (ceil_div(g.size, THREADS),)
        backend.launch("reduce.add_at_sorted", g.dtype, grid, (THREADS,), *arrays, np.int64(g.size))
    return backend.channels_last(x)


def is_list(backend: Device, part: Any) -> bool:
    return isinstance(part, backend.array_type) and part.dtype.kind in "iu"


def check_bounds(index: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    """Raises NumPy's IndexError for arrays on the host: CuPy takes what is outside of an axis modulo its size.

    Those on the device are not looked at, which would have to wait for them.
    """
    axis, others = 0, len(shape) - sum(map(axes_of, index))
    for part in index:
        if isinstance(part, np.ndarray) and part.dtype.kind in "iu" and part.size and axis < len(shape):
            low, high, size = int(part.min()), int(part.max()), shape[axis]
            if not -size <= low <= high < size:
                wrong = high if high >= size else low
                raise IndexError(f"index {wrong} is out of bounds for axis {axis} with size {size}")
        axis += others if part is ... else axes_of(part)


def axes_of(part: Any) -> int:
    """How many axes this part of an index takes, an ellipsis aside."""
    if part is None or part is ...:
        return 0
    return part.ndim if getattr(part, "dtype", np.dtype(int)).kind == "b" else 1
