"""Activations: the leaky ReLU, whose backward is a gate whose backward is a gate; softmax and its logarithm."""

from __future__ import annotations

from ..tensor import Op, Tensor, apply
from .elementwise import exp


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, else negative_slope * x (Maas et al. 2013). DCGAN's discriminator uses a slope of 0.2.

    >>> leaky_relu(Tensor([-1.0, 0.0, 2.0]), 0.2)
    Tensor([-0.2,  0. ,  2. ], dtype=float32)
    """
    return apply(LeakyReLU(negative_slope), x)


def relu(x: Tensor) -> Tensor:
    """max(x, 0): the leaky ReLU of slope 0."""
    return apply(LeakyReLU(0.0), x)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """e^x / sum e^x along ``axis``: positive numbers that add up to 1."""
    return apply(Softmax(axis), x)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x - log sum e^x along ``axis``: the logarithm of ``softmax``, exact also where that underflows."""
    return apply(LogSoftmax(axis), x)


class LeakyReLU(Op):
    """y = x where x > 0, else s x;  dx = gate(g, x)"""

    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def forward(self, backend, x):
        return backend.leaky_relu(x, self.negative_slope)

    def vjp(self, g, y, x):
        return (lambda: apply(Gate(self.negative_slope), g, x),)


class Gate(Op):
    """y = g where x > 0, else s g. Linear in g, so dg is the same gate; constant in x almost everywhere, so dx = 0."""

    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def forward(self, backend, g, x):
        return backend.leaky_relu_gate(g, x, self.negative_slope)

    def vjp(self, gg, y, g, x):
        return (lambda: apply(Gate(self.negative_slope), gg, x)), None


class Softmax(Op):
    """y = e^x / sum e^x;  dx = y (g - sum g y)"""

    reads_inputs = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, backend, x):
        e = backend.xp.exp(x - x.max(self.axis, keepdims=True))  # the shift cancels out, and e cannot overflow
        return e / e.sum(self.axis, keepdims=True)

    def vjp(self, g, y, x):
        return (lambda: y * (g - (g * y).sum(self.axis, keepdims=True)),)


class LogSoftmax(Op):
    """y = x - log sum e^x;  dx = g - e^y sum g"""

    reads_inputs = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, backend, x):
        shifted = x - x.max(self.axis, keepdims=True)
        return shifted - backend.xp.log(backend.xp.exp(shifted).sum(self.axis, keepdims=True))

    def vjp(self, g, y, x):
        return (lambda: g - exp(y) * g.sum(self.axis, keepdims=True),)
