"""The adjoint of indexing: adding into places that may repeat."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..base import Array
from .device import Device
from .launch import C_NAMES, THREADS, ceil_div

FEW = 2**28  # comparisons that cost less than sorting


def put_item(backend: Device, g: Array, index: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    """Values for the same place are added up in order, without atomics.

    With few rows, each looks for its own values; otherwise sorting brings them together.
    """
    xp = backend.xp
    if g.dtype in C_NAMES and all(isinstance(part, backend.array_type) and part.dtype.kind in "iu" for part in index):
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
