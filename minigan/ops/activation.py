"""Activations: the leaky ReLU, whose backward is a gate whose backward is a gate, and its kin; the maximum; softmax."""

from __future__ import annotations

import numpy as np

from ..backend import Array, ArrayBackend
from ..errors import InputError
from ..sizes import axis as read_axis
from ..sizes import size
from ..tensor import Gradients, Op, Tensor, apply
from .elementwise import exp, floating, sigmoid


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, else negative_slope * x (Maas et al. 2013). DCGAN's discriminator uses a slope of 0.2.

    >>> leaky_relu(Tensor([-1.0, 0.0, 2.0]), 0.2)
    Tensor([-0.2,  0. ,  2. ], dtype=float32)
    """
    return apply(LeakyReLU(negative_slope), floating(x))


def relu(x: Tensor) -> Tensor:
    """max(x, 0): the leaky ReLU of slope 0."""
    return apply(LeakyReLU(0.0), x)


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight * x: a leaky ReLU that learns its slope (He et al. 2015).

    x (N, C, ...), weight (1,) or, a slope per channel, (C,) -> y as x
    """
    if weight.ndim != 1 or weight.shape[0] not in (1, x.shape[1] if x.ndim > 1 else 1):
        raise InputError(f"prelu: weight {weight.shape} must be (1,) or one slope for each channel of input {x.shape}")
    slope = weight.reshape(-1, *(1,) * (x.ndim - 2)) if x.ndim else weight.reshape(())
    above = x > 0
    return keep(x, above) + keep(slope * keep(x, ~above), ~above)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha (e^x - 1) (Clevert, Unterthiner & Hochreiter 2016)."""
    return apply(ELU(alpha), floating(x))


def silu(x: Tensor) -> Tensor:
    """x sigmoid(x), also called swish (Elfwing, Uchibe & Doya 2018)."""
    x = floating(x)
    return x * sigmoid(x)


def maxout(x: Tensor, pieces: int) -> Tensor:
    """The largest of each ``pieces`` neighbouring channels (Goodfellow et al. 2013): with the layer before, a learned
    convex function.

    x (N, C, ...) -> y (N, C / pieces, ...)
    """
    pieces = size("maxout: pieces", pieces)
    if x.ndim < 2 or x.shape[1] % pieces:
        raise InputError(f"maxout: the channels of input {x.shape} cannot be divided into groups of {pieces}")
    samples, channels, *rest = x.shape
    return amax(x.reshape(samples, channels // pieces, pieces, *rest), axis=2)


def amax(x: Tensor, axis: int = -1, keepdims: bool = False) -> Tensor:
    """The largest number along ``axis``. The gradient goes to it; equals share it."""
    if not x.ndim:
        return amax(x.reshape(1), axis)
    axis = read_axis("amax", axis, x.ndim)
    if not x.shape[axis]:
        raise InputError(f"amax: axis {axis} of shape {x.shape} holds no numbers, so there is no largest one")
    y = apply(Max(axis), x)
    return y if keepdims else y.reshape(y.shape[:axis] + y.shape[axis + 1 :])


def keep(x: Tensor, mask: Tensor) -> Tensor:
    """x where the boolean ``mask``, of x's shape, is true, else 0."""
    return apply(Keep(mask.data), x)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """e^x / sum e^x along ``axis``: positive numbers that add up to 1."""
    if not x.ndim:
        return softmax(x.reshape(1), axis).reshape(())
    return apply(Softmax(read_axis("softmax", axis, x.ndim)), floating(x))


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x - log sum e^x along ``axis``: the logarithm of ``softmax``, exact also where that underflows."""
    if not x.ndim:
        return log_softmax(x.reshape(1), axis).reshape(())
    return apply(LogSoftmax(read_axis("log_softmax", axis, x.ndim)), floating(x))


class LeakyReLU(Op):
    """y = x where x > 0, else s x;  dx = gate(g, x) = gate(g, y), as y has the sign of x unless s is negative"""

    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope
        self.reads_inputs = negative_slope < 0

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.leaky_relu(x, self.negative_slope)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: apply(Gate(self.negative_slope), g, x if self.reads_inputs else y),)


class Gate(Op):
    """y = g where x > 0, else s g. Linear in g, so dg is the same gate; constant in x almost everywhere, so dx = 0."""

    reads_output = False

    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def forward(self, backend: ArrayBackend, g: Array, x: Array) -> Array:
        return backend.leaky_relu_gate(g, x, self.negative_slope)

    def vjp(self, gg: Tensor, y: Tensor, g: Tensor, x: Tensor) -> Gradients:
        return (lambda: apply(Gate(self.negative_slope), gg, x)), None


class ELU(Op):
    """y = x where x > 0, else alpha (e^x - 1);  dx = g where x > 0, else g (y + alpha)"""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        with np.errstate(over="ignore"):  # of numbers that are not chosen
            return backend.elementwise(lambda x: backend.xp.where(x > 0, x, (backend.xp.exp(x) - 1) * self.alpha), x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        below = x <= 0
        return (lambda: keep(g, ~below) + keep(g * (y + self.alpha), below),)


class Keep(Op):
    """y = x where a mask is true, else 0: a choice, also of what is infinite. It is its own adjoint."""

    reads_inputs = reads_output = False

    def __init__(self, mask: Array) -> None:
        self.mask = mask

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.keep(x, self.mask)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: apply(Keep(self.mask), g),)


class Max(Op):
    """y = max x along an axis, which stays with size 1;  dx = g / n at each of the n maxima, 0 elsewhere"""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return x.max(self.axis, keepdims=True)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        is_largest = (x.data == y.data).astype(x.dtype)
        count = is_largest.sum(self.axis, keepdims=True)
        # Which elements are the largest is piecewise constant: its own derivative is 0.
        return (lambda: g / Tensor(count) * Tensor(is_largest),)


class Softmax(Op):
    """y = e^x / sum e^x;  dx = y (g - sum g y)"""

    reads_inputs = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        if not x.size:
            return x
        e = backend.xp.exp(x - x.max(self.axis, keepdims=True))  # the shift cancels out, and e cannot overflow
        return e / e.sum(self.axis, keepdims=True)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: y * (g - (g * y).sum(self.axis, keepdims=True)),)


class LogSoftmax(Op):
    """y = x - log sum e^x;  dx = g - e^y sum g"""

    reads_inputs = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        if not x.size:
            return x
        shifted = x - x.max(self.axis, keepdims=True)
        return shifted - backend.xp.log(backend.xp.exp(shifted).sum(self.axis, keepdims=True))

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g - exp(y) * g.sum(self.axis, keepdims=True),)
