"""Activations as layers. All but PReLU are without parameters."""

from __future__ import annotations

import math

from .. import ops
from ..errors import InputError
from ..sizes import size
from ..tensor import Tensor
from .layers import new_parameter
from .module import Module


class LeakyReLU(Module):
    """x where x > 0, else negative_slope * x"""

    is_fusable = True  # into a batch norm before it, see Sequential
    settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        if not math.isfinite(negative_slope):
            raise InputError(f"LeakyReLU: negative_slope = {negative_slope} must be finite")
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.negative_slope)


class ReLU(Module):
    """max(x, 0)"""

    is_fusable = True
    negative_slope = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(x)


class Tanh(Module):
    """tanh x, in (-1, 1)"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + e^-x), in (0, 1)"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)


class PReLU(Module):
    """A leaky ReLU that learns its slope: one, or with ``num_parameters`` one per channel;  weight (num_parameters,)"""

    settings = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, *, init: float = 0.25) -> None:
        self.num_parameters = size("PReLU: num_parameters", num_parameters)
        self.weight = new_parameter((self.num_parameters,), init)

    def forward(self, x: Tensor) -> Tensor:
        return ops.prelu(x, self.weight)


class ELU(Module):
    """x where x > 0, else alpha (e^x - 1)"""

    settings = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        if not math.isfinite(alpha):
            raise InputError(f"ELU: alpha = {alpha} must be finite")
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return ops.elu(x, self.alpha)


class GELU(Module):
    """x Phi(x), see ``ops.gelu``"""

    settings = ("approximate=",)

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise InputError(f'GELU: approximate {approximate!r} must be "none" or "tanh"')
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return ops.gelu(x, self.approximate)


class SiLU(Module):
    """x sigmoid(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.silu(x)


class Maxout(Module):
    """The largest of each ``pieces`` neighbouring channels: (N, C, ...) -> (N, C / pieces, ...)"""

    settings = ("pieces",)

    def __init__(self, pieces: int) -> None:
        self.pieces = size("Maxout: pieces", pieces)

    def forward(self, x: Tensor) -> Tensor:
        return ops.maxout(x, self.pieces)
