"""Convolution along one axis: the 2-D kernels on pictures of height 1."""

from __future__ import annotations

from ..errors import InputError
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
    settings = {"stride": (1, stride), "padding": (0, padding), "dilation": (1, dilation)}
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
    settings = {"stride": (1, stride), "padding": (0, padding), "dilation": (1, dilation)}
    return _flat(conv_transpose2d(_tall(x), _tall(weight), bias, output_padding=(0, output_padding), **settings))


def _tall(t: Tensor) -> Tensor:
    """(a, b, length) -> (a, b, 1, length)"""
    return t.reshape(*t.shape[:2], 1, t.shape[2])


def _flat(t: Tensor) -> Tensor:
    return t.reshape(*t.shape[:2], t.shape[3])


def _check(name: str, x: Tensor, weight: Tensor, *, layout: str) -> None:
    if x.ndim != 3 or weight.ndim != 3:
        raise InputError(f"{name}: input {x.shape} must be (N, C, L) and weight {weight.shape} {layout}")
