"""Making pictures smaller and larger: average pooling and nearest upsampling, which are each other's adjoint.

Both stand on one pair of linear maps. SumPool adds up the window that meets each output; Spread hands each value back
to every position of its window. They are a convolution with ones and its input gradient, channel by channel.
"""

from __future__ import annotations

from ..backend import ConvGeometry
from ..errors import InputError
from ..tensor import Op, Tensor, apply
from .conv import Size, pair


def avg_pool2d(x: Tensor, kernel_size: Size, *, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """The mean of each kernel_size window (zeros of the padding counted), one every ``stride`` (default: kernel_size).

    x (N, C, H, W) -> (N, C, floor((H + 2p - k) / s) + 1, ...)
    """
    _check_4d("avg_pool2d", x)
    kernel = pair(kernel_size)
    geometry = ConvGeometry(pair(x.shape[2:]), kernel, kernel if stride is None else pair(stride), pair(padding))
    return apply(SumPool(geometry), x) * (1 / (kernel[0] * kernel[1]))


def upsample(x: Tensor, scale_factor: Size) -> Tensor:
    """Each pixel repeated ``scale_factor`` times along height and width (nearest neighbour).

    x (N, C, H, W) -> (N, C, H * scale, W * scale)
    """
    _check_4d("upsample", x)
    scale = pair(scale_factor)
    if min(scale) < 1:
        raise InputError(f"upsample: scale_factor {scale_factor} must be a whole number of at least 1")
    out_hw = x.shape[2] * scale[0], x.shape[3] * scale[1]
    return apply(Spread(ConvGeometry(out_hw, scale, scale)), x)


class SumPool(Op):
    """y[i, j] = sum_{a,b} x[s*i + a - p, s*j + b - p], per sample and channel. Adjoint: Spread."""

    reads_inputs = False

    def __init__(self, geometry: ConvGeometry) -> None:
        self.geometry = geometry

    def forward(self, backend, x):
        return backend.sum_pool(x, self.geometry)

    def vjp(self, g, y, x):
        return (lambda: apply(Spread(self.geometry), g),)


class Spread(Op):
    """x[s*i + a - p, s*j + b - p] += g[i, j] for every a, b. Adjoint: SumPool."""

    reads_inputs = False

    def __init__(self, geometry: ConvGeometry) -> None:
        self.geometry = geometry

    def forward(self, backend, g):
        return backend.spread(g, self.geometry)

    def vjp(self, gx, x, g):
        return (lambda: apply(SumPool(self.geometry), gx),)


def _check_4d(name: str, x: Tensor) -> None:
    if x.ndim != 4:
        raise InputError(f"{name}: input {x.shape} must be (N, C, H, W)")
