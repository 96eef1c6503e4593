"""Convolution along one axis: the 2-D kernels on pictures of height 1."""

from __future__ import annotations

from ..errors import InputError
from ..sizes import sizes
from ..tensor import Tensor
from .conv import conv2d, conv_transpose2d


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """y[n,f,i] = bias[f] + sum_{c,a} x[n, c, s*i + d*a - p] * weight[f,c,a]

    x (N, C, L), weight (F, C, k), bias (F,) -> y (N, F, l), l = floor((L + 2p - d(k - 1) - 1) / s) + 1.
    """
    _check("conv1d", x, weight, layout="(out, in, k)")
    settings = _steps("conv1d", stride, padding, dilation)
    return _flat(conv2d(_tall(x), _tall(weight), bias, **settings))


def conv_transpose1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """``conv1d``'s input gradient as a layer: y[n, c, s*i + d*a - p] += sum_f x[n,f,i] * weight[f,c,a]

    x (N, F, L), weight (F, C, k), bias (C,) -> y (N, C, l), l = (L - 1) s - 2p + d (k - 1) + 1 + output_padding.
    """
    _check("conv_transpose1d", x, weight, layout="(in, out, k)")
    settings = _steps("conv_transpose1d", stride, padding, dilation)
    extra = (0, *sizes("conv_transpose1d: output_padding", output_padding, 1, least=0))
    return _flat(conv_transpose2d(_tall(x), _tall(weight), bias, output_padding=extra, **settings))


def _steps(name: str, stride: int, padding: int, dilation: int) -> dict[str, tuple[int, ...]]:
    return {
        "stride": (1, *sizes(f"{name}: stride", stride, 1)),
        "padding": (0, *sizes(f"{name}: padding", padding, 1, least=0)),
        "dilation": (1, *sizes(f"{name}: dilation", dilation, 1)),
    }


def _tall(t: Tensor) -> Tensor:
    """(a, b, length) -> (a, b, 1, length)"""
    return t.reshape(*t.shape[:2], 1, t.shape[2])


def _flat(t: Tensor) -> Tensor:
    return t.reshape(*t.shape[:2], t.shape[3])


def _check(name: str, x: Tensor, weight: Tensor, *, layout: str) -> None:
    if x.ndim != 3 or weight.ndim != 3:
        raise InputError(f"{name}: input {x.shape} must be (N, C, L) and weight {weight.shape} {layout}")
