"""Making pictures smaller and larger: pooling, upsampling, resizing, and trading channels for pixels.

Average pooling and nearest upsampling by whole factors stand on one pair of linear maps. SumPool adds up the window
that meets each output; Spread hands each value back to every position of its window. They are a convolution with ones
and its input gradient, channel by channel. Resizing to any size picks pixels along each side of the picture.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, ArrayBackend, ConvGeometry
from ..backend.host import from_host
from ..errors import InputError
from ..sizes import Size, pair
from ..sizes import size as read_size
from ..tensor import Gradients, Op, Tensor, apply


def avg_pool2d(x: Tensor, kernel_size: Size, *, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """The mean of each kernel_size window (zeros of the padding counted), one every ``stride`` (default: kernel_size).

    x (N, C, H, W) -> (N, C, floor((H + 2p - k) / s) + 1, ...)
    """
    _check_4d("avg_pool2d", x)
    kernel = pair("avg_pool2d: kernel_size", kernel_size)
    step = kernel if stride is None else pair("avg_pool2d: stride", stride)
    around = pair("avg_pool2d: padding", padding, least=0)
    geometry = ConvGeometry(x.shape[2:], kernel, step, around)  # type: ignore[arg-type]
    return apply(SumPool(geometry), x) * (1 / (kernel[0] * kernel[1]))


def upsample(x: Tensor, scale_factor: Size) -> Tensor:
    """Each pixel repeated ``scale_factor`` times along height and width (nearest neighbour).

    x (N, C, H, W) -> (N, C, H * scale, W * scale)
    """
    _check_4d("upsample", x)
    scale = pair("upsample: scale_factor", scale_factor)
    out_hw = x.shape[2] * scale[0], x.shape[3] * scale[1]
    return apply(Spread(ConvGeometry(out_hw, scale, scale)), x)


def resize(x: Tensor, size: Size, *, mode: str = "nearest") -> Tensor:
    """The picture with ``size`` = (height, width), by "nearest" or "bilinear" interpolation.

    x (N, C, H, W) -> (N, C, *size), as ``torch.nn.functional.interpolate`` with align_corners=False: pixel i covers the
    stretch from i to i + 1, and bilinear mixes the two pixels whose centres are next to the output pixel's. Making a
    picture much smaller skips pixels; average it down first.
    """
    _check_4d("resize", x)
    if mode not in MODES:
        raise InputError(f"resize: mode {mode!r} must be one of {', '.join(MODES)}")
    height, width = x.shape[2:]
    rows, columns = pair("resize: size", size)
    if min(height, width) < 1:
        raise InputError(f"resize: from {height}x{width} to {rows}x{columns}: every side must be at least 1")
    n, c = x.shape[:2]
    y = x.transpose(0, 2, 3, 1)  # channels-last, where a row is one run of numbers
    if rows != height:
        y = _resize_axis(mode, y.reshape(n, height, width * c), rows)
    if columns != width:
        y = _resize_axis(mode, y.reshape(n * rows, width, c), columns)
    return y.reshape(n, rows, columns, c).transpose(0, 3, 1, 2)


def _resize_axis(mode: str, x: Tensor, out: int) -> Tensor:
    """x (a, size, b) -> (a, out, b). Pixels are picked, not multiplied by 0 and 1: 0 * inf is NaN."""
    size = x.shape[1]

    def brought(array: np.ndarray) -> Array:  # in a captured step, too
        return from_host(x.backend, lambda: array)

    if mode == "nearest":  # output i is input floor(i * size / out), in PyTorch's float32 arithmetic
        source = np.floor(np.arange(out, dtype=np.float32) * np.float32(size / out)).astype(np.int64)
        return x[:, brought(np.minimum(source, size - 1))]
    # Output i lies at (i + 1/2) size / out - 1/2 between two inputs, and is their mixture.
    place = np.maximum((np.arange(out) + 0.5) * (size / out) - 0.5, 0)
    below = np.minimum(place.astype(np.int64), size - 1)
    share = (place - below).astype(x.dtype)[:, None]
    lower, upper = Tensor(brought(1 - share)), Tensor(brought(share))
    return x[:, brought(below)] * lower + x[:, brought(np.minimum(below + 1, size - 1))] * upper


MODES = ("nearest", "bilinear")


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """r*r channels become r x r pixels (Shi et al. 2016): y[n, c, r*i + a, r*j + b] = x[n, r*r*c + r*a + b, i, j]

    x (N, C * r * r, H, W) -> y (N, C, H * r, W * r), r = ``upscale_factor``
    """
    _check_4d("pixel_shuffle", x)
    r = read_size("pixel_shuffle: upscale_factor", upscale_factor)
    if x.shape[1] % (r * r):
        raise InputError(f"pixel_shuffle: {x.shape[1]} channels cannot be divided into {r}x{r} pixels each")
    n, channels, h, w = x.shape
    c = channels // (r * r)
    return x.reshape(n, c, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c, h * r, w * r)


def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of ``pixel_shuffle``: x (N, C, H * r, W * r) -> y (N, C * r * r, H, W), r = ``downscale_factor``"""
    _check_4d("pixel_unshuffle", x)
    r = read_size("pixel_unshuffle: downscale_factor", downscale_factor)
    n, c, height, width = x.shape
    if height % r or width % r:
        raise InputError(f"pixel_unshuffle: {height}x{width} pixels cannot be divided into squares of {r}x{r}")
    h, w = height // r, width // r
    return x.reshape(n, c, h, r, w, r).transpose(0, 1, 3, 5, 2, 4).reshape(n, c * r * r, h, w)


class SumPool(Op):
    """y[i, j] = sum_{a,b} x[s*i + a - p, s*j + b - p], per sample and channel. Adjoint: Spread."""

    reads_inputs = reads_output = False

    def __init__(self, geometry: ConvGeometry) -> None:
        self.geometry = geometry

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.sum_pool(x, self.geometry)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: apply(Spread(self.geometry), g),)


class Spread(Op):
    """x[s*i + a - p, s*j + b - p] += g[i, j] for every a, b. Adjoint: SumPool."""

    reads_inputs = reads_output = False

    def __init__(self, geometry: ConvGeometry) -> None:
        self.geometry = geometry

    def forward(self, backend: ArrayBackend, g: Array) -> Array:
        return backend.spread(g, self.geometry)

    def vjp(self, gx: Tensor, x: Tensor, g: Tensor) -> Gradients:
        return (lambda: apply(SumPool(self.geometry), gx),)


def _check_4d(name: str, x: Tensor) -> None:
    if x.ndim != 4:
        raise InputError(f"{name}: input {x.shape} must be (N, C, H, W)")
