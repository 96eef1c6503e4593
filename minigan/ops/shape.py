"""Taking arrays apart and putting them together: reshape, transpose, indexing, concatenation, padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Array, ArrayBackend, backend_of, is_array
from ..errors import InputError
from ..sizes import axes, pair, sizes
from ..sizes import axis as read_axis
from ..tensor import Gradients, Op, Tensor, apply, check_dtypes


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """``x`` in another shape, its elements in row-major order; one size may be -1. Both f(2, 3) and f((2, 3)) work."""
    wanted = (
        shape if all(type(n) is int and n >= -1 for n in shape) else sizes("reshape: shape", _flat(shape), least=-1)
    )
    return apply(Reshape(wanted), x)


def transpose(x: Tensor, *order: Any) -> Tensor:
    """Permute the axes; without arguments, reverse them."""
    found = axes("transpose", _flat(order), x.ndim) if order else tuple(range(x.ndim))[::-1]
    if len(found) != x.ndim:
        raise InputError(f"transpose: {found} does not name each of the {x.ndim} axes of {x.shape}")
    return apply(Transpose(found), x)


def get_item(x: Tensor, index: Any) -> Tensor:
    """x[index], with slices, integers, integer arrays and masks; an array may be NumPy's, the backend's or a Tensor."""
    return apply(GetItem(_own(index)), x)


def put_item(x: Tensor, index: Any, shape: tuple[int, ...]) -> Tensor:
    """The adjoint of ``x[index]``: zeros of ``shape`` with this tensor added at ``index``."""
    index, shape = _own(index), sizes("put_item: shape", shape, least=0)
    parts = index if isinstance(index, tuple) else (index,)
    host = tuple(backend_of(part).to_numpy(part) if is_array(part) else part for part in parts)
    places = np.broadcast_to(np.int8(0), shape)[host].shape
    if places != x.shape:
        raise InputError(f"put_item: {x.shape} does not fit the places of the index, {places}, in {shape}")
    return apply(PutItem(index, shape), x)


def concat(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors one after the other along ``axis``; all other sizes must agree."""
    tensors = list(tensors)
    if not tensors:
        raise InputError("concat: there are no tensors to put together")
    first, along = tensors[0], read_axis("concat", axis, tensors[0].ndim)
    for t in tensors:
        if t.ndim != first.ndim or any(a != along and t.shape[a] != first.shape[a] for a in range(t.ndim)):
            raise InputError(f"concat: shapes {first.shape} and {t.shape} differ outside axis {along}")
    check_dtypes("concat", *tensors)
    return apply(Concat(along), *tensors)


def flatten(x: Tensor, start_axis: int = 1) -> Tensor:
    """All axes from ``start_axis`` on as one: (N, C, H, W) -> (N, C*H*W)."""
    start = read_axis("flatten", start_axis, x.ndim or 1)
    return x.reshape(*x.shape[:start], math.prod(x.shape[start:]))


def pad(x: Tensor, padding: Sequence[tuple[int, int]]) -> Tensor:
    """Zeros around ``x``: (before, after) for each axis, as in ``numpy.pad``. The adjoint is a slice."""
    padding = _sides("pad", padding, x)
    index = tuple(slice(before, before + size) for (before, _), size in zip(padding, x.shape, strict=True))
    shape = tuple(before + size + after for (before, after), size in zip(padding, x.shape, strict=True))
    return x.put_item(index, shape)


def reflection_pad(x: Tensor, padding: Sequence[tuple[int, int]]) -> Tensor:
    """``x`` mirrored at its borders, which are not repeated: (before, after) for each axis, as in ``numpy.pad``.

    >>> reflection_pad(Tensor([1.0, 2.0, 3.0]), [(2, 1)])
    Tensor([3., 2., 1., 2., 3., 2.], dtype=float32)
    """
    padding = _sides("reflection_pad", padding, x)
    if any(n >= max(size, 1) for sides, size in zip(padding, x.shape, strict=True) for n in sides):
        raise InputError(f"reflection_pad: each of {padding} must be less than the size of its axis in {x.shape}")
    for axis, (before, after) in enumerate(padding):
        if before or after:
            along, size = (slice(None),) * axis, x.shape[axis]
            mirrored = x[along + (slice(None, None, -1),)]
            front = mirrored[along + (slice(size - 1 - before, size - 1),)]
            back = mirrored[along + (slice(1, 1 + after),)]
            x = concat([front, x, back], axis)
    return x


def _sides(name: str, padding: Sequence[tuple[int, int]], x: Tensor) -> list[tuple[int, int]]:
    if len(padding) != x.ndim or any(np.ndim(sides) != 1 for sides in padding):
        raise InputError(f"{name}: {padding} must be pairs (before, after), one for each axis of {x.shape}")
    return [pair(f"{name}: (before, after)", sides, least=0) for sides in padding]


class Reshape(Op):
    """y = x in another shape, elements in row-major order of the shape. Adjoint: reshape back."""

    reads_inputs = reads_output = False
    makes_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        try:
            return x.reshape(self.shape)
        except ValueError:
            raise InputError(f"reshape: {x.size} elements of shape {x.shape} do not fit shape {self.shape}") from None

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g.reshape(x.shape),)


class Transpose(Op):
    """y = x with its axes permuted (a view). Adjoint: the inverse permutation."""

    reads_inputs = reads_output = False
    makes_view = True

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return x.transpose(self.axes)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g.transpose(tuple(int(a) for a in np.argsort(self.axes))),)


class GetItem(Op):
    """y = x[index]. Adjoint: PutItem."""

    reads_inputs = reads_output = False
    makes_view = True

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.get_item(x, self.index)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: apply(PutItem(self.index, x.shape), g),)


class PutItem(Op):
    """x = zeros of a shape, with g added at index (repeated indices add up). Adjoint: GetItem."""

    reads_inputs = reads_output = False

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape

    def forward(self, backend: ArrayBackend, g: Array) -> Array:
        return backend.put_item(g, self.index, self.shape)

    def vjp(self, gx: Tensor, x: Tensor, g: Tensor) -> Gradients:
        return (lambda: apply(GetItem(self.index), gx),)


class Concat(Op):
    """y = the inputs one after the other along an axis. Adjoint: cut g at the seams."""

    reads_inputs = reads_output = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, backend: ArrayBackend, *parts: Array) -> Array:
        shape = list(parts[0].shape)
        shape[self.axis] = sum(part.shape[self.axis] for part in parts)
        return backend.concatenate(parts, self.axis, backend.empty(tuple(shape), parts[0].dtype))

    def vjp(self, g: Tensor, y: Tensor, *parts: Tensor) -> Gradients:
        thunks, start = [], 0
        for part in parts:
            stop = start + part.shape[self.axis]
            index = (slice(None),) * self.axis + (slice(start, stop),)
            thunks.append(lambda index=index: g[index])
            start = stop
        return tuple(thunks)


def _flat(numbers: tuple[Any, ...]) -> Any:
    """Both f(2, 3) and f((2, 3)) mean (2, 3)."""
    return numbers[0] if len(numbers) == 1 else numbers


def _own(index: Any) -> Any:
    """The index with arrays in place of lists and Tensors, each a copy: what was given may change before a backward."""
    if isinstance(index, tuple):
        return tuple(part if _plain(part) else _own_array(part) for part in index)
    return index if _plain(index) else _own_array(index)


def _plain(part: Any) -> bool:
    return part is None or part is ... or isinstance(part, (slice, int, np.integer))


def _own_array(part: Any) -> Any:
    part = part.data if isinstance(part, Tensor) else part
    array = part.copy() if is_array(part) else np.array(part)
    if array.dtype.kind not in "iub":
        if array.size:
            raise InputError(f"an index must be whole numbers, booleans or slices, not {array.dtype}")
        array = array.astype(np.int64)  # an empty list
    return array


METHODS: dict[str, Any] = {
    "__getitem__": get_item,
    "put_item": put_item,
    "reshape": reshape,
    "transpose": transpose,
    "T": property(transpose),
}
for name, method in METHODS.items():
    setattr(Tensor, name, method)
