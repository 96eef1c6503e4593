"""What an Op is, and the primitive ones behind Tensor's operators: arithmetic, broadcasting, shape.

Every other op of minigan is written like these: the forward in arrays with its backward right beneath it, in Tensors.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import Array, ArrayBackend

if TYPE_CHECKING:
    from .tensor import Tensor

Thunk = Callable[[], "Tensor"] | None  # computes one input's gradient when called; None: the gradient is zero


class Op:
    """A differentiable function. ``forward`` takes and returns arrays; ``vjp`` takes Tensors and returns thunks.

    ``vjp(g, y, *inputs)`` gets the gradient g of the output y and returns one thunk per input. The engine calls only
    those that lead to a wanted gradient. An op holds its settings as attributes and is applied once.
    """

    reads_inputs = True  # False when vjp looks only at its inputs' shapes: changing their values later is then harmless
    makes_view = False  # True when the output may share its input's memory: it then goes stale when the input does

    def forward(self, backend: ArrayBackend, *arrays: Any) -> Array:
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def vjp(self, g: Tensor, y: Tensor, /, *inputs: Any) -> tuple[Thunk, ...]:
        raise NotImplementedError(f"{type(self).__name__}.vjp")


# ---- broadcasting, made explicit, so that its backward is a sum ----------------------------------


class BroadcastTo(Op):
    """y = x repeated along axes of size 1 and new leading axes (a view). Adjoint: the sum over the repeated axes."""

    reads_inputs = False
    makes_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, backend, x):
        return backend.xp.broadcast_to(x, self.shape)

    def vjp(self, g, y, x):
        return (lambda: g.sum_to(x.shape),)


class Sum(Op):
    """y = sum of x over axes. Adjoint: broadcast back."""

    reads_inputs = False

    def __init__(self, axes: tuple[int, ...], keepdims: bool) -> None:
        self.axes, self.keepdims = axes, keepdims

    def forward(self, backend, x):
        return backend.sum(x, self.axes, self.keepdims)

    def vjp(self, g, y, x):
        kept = tuple(1 if a in self.axes else n for a, n in enumerate(x.shape))
        return (lambda: g.reshape(kept).broadcast_to(x.shape),)


class ScaledSum(Sum):
    """y = scale * sum of x, multiplied before it is rounded: a float16's mean may fit where its sum does not."""

    def __init__(self, axes: tuple[int, ...], keepdims: bool, scale: float) -> None:
        super().__init__(axes, keepdims)
        self.scale = scale

    def forward(self, backend, x):
        wide = backend.asarray(x, np.float32) if x.dtype == np.float16 else x
        return backend.asarray(backend.sum(wide, self.axes, self.keepdims) * self.scale, x.dtype)

    def vjp(self, g, y, x):
        root = self.scale**0.5  # by which twice: the scale itself may be too small for a float16
        return super().vjp(g * root * root, y, x)


# ---- arithmetic ----------------------------------------------------------------------------------


class Add(Op):
    """y = a + b"""

    reads_inputs = False

    def forward(self, backend, a, b):
        return backend.elementwise(operator.add, a, b)

    def vjp(self, g, y, a, b):
        return lambda: g, lambda: g


class Sub(Op):
    """y = a - b"""

    reads_inputs = False

    def forward(self, backend, a, b):
        return backend.elementwise(operator.sub, a, b)

    def vjp(self, g, y, a, b):
        return lambda: g, lambda: -g


class Neg(Op):
    """y = -x"""

    reads_inputs = False

    def forward(self, backend, x):
        return backend.elementwise(operator.neg, x)

    def vjp(self, g, y, x):
        return (lambda: -g,)


class Mul(Op):
    """y = a b;  da = g b, db = g a"""

    def forward(self, backend, a, b):
        return backend.elementwise(operator.mul, a, b)

    def vjp(self, g, y, a, b):
        return lambda: g * b, lambda: g * a


class Div(Op):
    """y = a / b;  da = g / b, db = -g y / b"""

    def forward(self, backend, a, b):
        return backend.elementwise(operator.truediv, a, b)

    def vjp(self, g, y, a, b):
        return lambda: g / b, lambda: -(g * y) / b


class Pow(Op):
    """y = x^p for a plain number p;  dx = g p x^(p-1)"""

    def __init__(self, exponent: float) -> None:
        self.exponent = float(exponent)

    def forward(self, backend, x):
        return backend.elementwise(lambda x: x * x if self.exponent == 2 else x**self.exponent, x)

    def vjp(self, g, y, x):
        p = self.exponent
        if p == 0:
            return (None,)
        return (lambda: g * (x * 2.0 if p == 2 else x ** (p - 1) * p),)


class MatMul(Op):
    """y = a @ b over the last two axes, a (..., n, k), b (..., k, m);  da = g b^T, db = a^T g"""

    def forward(self, backend, a, b):
        if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
            raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit (..., n, k) @ (..., k, m)")
        return backend.matmul(a, b)

    def vjp(self, g, y, a, b):
        def swap(t):
            return t.transpose(*range(t.ndim - 2), t.ndim - 1, t.ndim - 2)

        return lambda: (g @ swap(b)).sum_to(a.shape), lambda: (swap(a) @ g).sum_to(b.shape)


# ---- shape ---------------------------------------------------------------------------------------


class Reshape(Op):
    """y = x in another shape, elements in row-major order of the shape. Adjoint: reshape back."""

    reads_inputs = False
    makes_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, backend, x):
        try:
            return x.reshape(self.shape)
        except ValueError:
            raise ValueError(f"reshape: {x.size} elements of shape {x.shape} do not fit shape {self.shape}") from None

    def vjp(self, g, y, x):
        return (lambda: g.reshape(x.shape),)


class Transpose(Op):
    """y = x with its axes permuted (a view). Adjoint: the inverse permutation."""

    reads_inputs = False
    makes_view = True

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, backend, x):
        return x.transpose(self.axes)

    def vjp(self, g, y, x):
        return (lambda: g.transpose(tuple(int(a) for a in np.argsort(self.axes))),)


class GetItem(Op):
    """y = x[index], index of slices, integers and integer arrays. Adjoint: PutItem."""

    reads_inputs = False
    makes_view = True

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, backend, x):
        return backend.get_item(x, self.index)

    def vjp(self, g, y, x):
        return (lambda: g.put_item(self.index, x.shape),)


class PutItem(Op):
    """x = zeros of a shape, with g added at index (repeated indices add up). Adjoint: GetItem."""

    reads_inputs = False

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape

    def forward(self, backend, g):
        return backend.put_item(g, self.index, self.shape)

    def vjp(self, gx, x, g):
        return (lambda: gx[self.index],)
