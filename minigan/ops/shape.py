"""Putting arrays together and taking them apart. Slicing, reshape and transpose are methods of Tensor."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from ..tensor import Op, Tensor, apply, check_dtypes


def concat(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors one after the other along ``axis``; all other sizes must agree."""
    first = tensors[0]
    axis %= first.ndim
    for t in tensors:
        if t.ndim != first.ndim or any(a != axis and t.shape[a] != first.shape[a] for a in range(t.ndim)):
            raise InputError(f"concat: shapes {first.shape} and {t.shape} differ outside axis {axis}")
    check_dtypes("concat", *tensors)
    return apply(Concat(axis), *tensors)


def flatten(x: Tensor, start_axis: int = 1) -> Tensor:
    """All axes from ``start_axis`` on as one: (N, C, H, W) -> (N, C*H*W)."""
    kept = x.shape[:start_axis]
    rest = 1
    for size in x.shape[start_axis:]:
        rest *= size
    return x.reshape(*kept, rest)


def pad(x: Tensor, padding: Sequence[tuple[int, int]]) -> Tensor:
    """Zeros around ``x``: (before, after) for each axis, as in ``numpy.pad``. The adjoint is a slice."""
    if len(padding) != x.ndim or any(min(p) < 0 for p in padding):
        raise InputError(f"pad: {padding} must be pairs (before, after) of at least 0, one for each axis of {x.shape}")
    index = tuple(slice(before, before + size) for (before, _), size in zip(padding, x.shape, strict=True))
    shape = tuple(before + size + after for (before, after), size in zip(padding, x.shape, strict=True))
    return x.put_item(index, shape)


def reflection_pad(x: Tensor, padding: Sequence[tuple[int, int]]) -> Tensor:
    """``x`` mirrored at its borders, which are not repeated: (before, after) for each axis, as in ``numpy.pad``.

    >>> reflection_pad(Tensor([1.0, 2.0, 3.0]), [(2, 1)])
    Tensor([3., 2., 1., 2., 3., 2.], dtype=float32)
    """
    fits = len(padding) == x.ndim and all(
        0 <= n < max(size, 1) for sides, size in zip(padding, x.shape, strict=True) for n in sides
    )
    if not fits:
        raise InputError(
            f"reflection_pad: {padding} must be pairs (before, after), one for each axis of {x.shape}, each at least 0 "
            "and less than the size of its axis"
        )
    for axis, (before, after) in enumerate(padding):
        if before or after:
            along, size = (slice(None),) * axis, x.shape[axis]
            mirrored = x[along + (slice(None, None, -1),)]
            front = mirrored[along + (slice(size - 1 - before, size - 1),)]
            back = mirrored[along + (slice(1, 1 + after),)]
            x = concat([front, x, back], axis)
    return x


class Concat(Op):
    """y = the inputs one after the other along an axis. Adjoint: cut g at the seams."""

    reads_inputs = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, backend, *parts):
        shape = list(parts[0].shape)
        shape[self.axis] = sum(part.shape[self.axis] for part in parts)
        return backend.concatenate(parts, self.axis, backend.empty(tuple(shape), parts[0].dtype))

    def vjp(self, g, y, *parts):
        thunks, start = [], 0
        for part in parts:
            stop = start + part.shape[self.axis]
            index = (slice(None),) * self.axis + (slice(start, stop),)
            thunks.append(lambda index=index: g[index])
            start = stop
        return tuple(thunks)
