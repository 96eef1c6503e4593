"""Functions of one number, applied to each element. Each derivative is written in x or y, whichever is cheaper."""

from __future__ import annotations

import numpy as np

from ..backend import Array, ArrayBackend
from ..tensor import Gradients, Op, Tensor, apply


def exp(x: Tensor) -> Tensor:
    """e^x"""
    return apply(Exp(), floating(x))


def log(x: Tensor) -> Tensor:
    """The natural logarithm. x must be positive: zero gives -inf, a negative number NaN, as in NumPy."""
    return apply(Log(), floating(x))


def sqrt(x: Tensor) -> Tensor:
    """The square root. Its slope is infinite at 0: add a small number before, not after."""
    return apply(Sqrt(), floating(x))


def abs(x: Tensor) -> Tensor:
    """|x|, with slope 0 at 0."""
    return apply(Abs(), x)


def tanh(x: Tensor) -> Tensor:
    """(e^x - e^-x) / (e^x + e^-x), in (-1, 1): the usual last layer of a generator of pictures in [-1, 1]."""
    return apply(Tanh(), floating(x))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x), in (0, 1). A logit as a probability; for losses prefer ``softplus``: it cannot saturate to 0."""
    return apply(Sigmoid(), floating(x))


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x), computed without overflow. -log sigmoid(x) = softplus(-x).

    >>> [round(y, 4) for y in softplus(Tensor([-1e4, 0.0, 1e4])).numpy().tolist()]
    [0.0, 0.6931, 10000.0]
    """
    return apply(Softplus(), floating(x))


def floating(x: Tensor) -> Tensor:
    """``x``, its whole numbers or truth values as float32: what a function makes fractions of, as in PyTorch."""
    return Tensor(x.data.astype(np.float32)) if x.dtype.kind in "iub" else x


class Exp(Op):
    """y = e^x;  dx = g y"""

    reads_inputs = False

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.elementwise(backend.xp.exp, x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g * y,)


class Log(Op):
    """y = log x;  dx = g / x"""

    reads_output = False

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.elementwise(backend.xp.log, x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g / x,)


class Sqrt(Op):
    """y = sqrt x;  dx = g / (2 y)"""

    reads_inputs = False

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.elementwise(backend.xp.sqrt, x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g * 0.5 / y,)


class Abs(Op):
    """y = |x|;  dx = g sign(x)"""

    reads_output = False

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.elementwise(backend.xp.abs, x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        sign = (x.data > 0).astype(x.dtype) - (x.data < 0).astype(x.dtype)  # 0 at NaN, as in PyTorch
        return (lambda: g * Tensor(g.backend.asarray(sign)),)  # piecewise constant: its own derivative is 0


class Tanh(Op):
    """y = tanh x;  dx = g (1 - y^2)"""

    reads_inputs = False

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.tanh(x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g * (1 - y * y),)


class Sigmoid(Op):
    """y = 1 / (1 + e^-x);  dx = g y (1 - y)"""

    reads_inputs = False

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.sigmoid(x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g * y * (1 - y),)


class Softplus(Op):
    """y = log(1 + e^x);  dx = g sigmoid(x)"""

    reads_output = False

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.softplus(x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g * sigmoid(x),)
