"""Normalisation within each sample: layer, group and instance norm, which differ only in what shares a mean.

    layer norm     all values of the trailing axes       (Ba, Kiros & Hinton 2016)
    group norm     the channels of a group, every pixel  (Wu & He 2018)
    instance norm  one channel, every pixel              (Ulyanov, Vedaldi & Lempitsky 2016)

No sample sees another one, unlike in batch norm. So they do the same in training and in evaluation, and they may stand
in a discriminator with a gradient penalty. The statistics' own dependence on x is differentiated too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..backend import Array, ArrayBackend, backend_of
from ..errors import InputError
from ..sizes import size, sizes
from ..tensor import Gradients, Op, Tensor, apply, is_recording


def layer_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, the statistics over the trailing axes ``normalized_shape``.

    x (..., *normalized_shape), weight and bias (*normalized_shape) -> y as x. The variance is the biased one.
    """
    shape = sizes("layer_norm: normalized_shape", normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise InputError(f"layer_norm: input {x.shape} does not end in the normalized_shape {shape}")
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    return _scale_and_shift("layer_norm", _standardise("layer_norm", x, axes, eps), weight, bias, shape, shape)


def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, the statistics over each sample's groups of C / num_groups
    neighbouring channels.

    x (N, C, ...), weight and bias (C,) -> y as x. One group is a layer norm over (C, H, W), with weights per channel.
    """
    return _group_norm("group_norm", x, num_groups, weight, bias, eps)


def instance_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float = 1e-5) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, the statistics over the pixels of one channel of one sample.

    x (N, C, H, W), weight and bias (C,) -> y as x: group norm with as many groups as channels.
    """
    if x.ndim < 3:
        raise InputError(f"instance_norm: input {x.shape} must be (N, C, ...) with pixels to take the mean over")
    return _group_norm("instance_norm", x, x.shape[1], weight, bias, eps)


def _group_norm(
    name: str, x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    if x.ndim < 2:
        raise InputError(f"{name}: input {x.shape} must be (N, C, ...)")
    samples, channels, *pixels = x.shape
    num_groups = size(f"{name}: num_groups", num_groups, least=1)
    if channels % num_groups:
        raise InputError(f"{name}: {channels} channels cannot be divided into {num_groups} groups")
    if num_groups == channels and math.prod(pixels) > 1:
        y = apply(InstanceNorm(eps), x)
    else:
        grouped = x.reshape(samples, num_groups, channels // num_groups, *pixels)
        y = _standardise(name, grouped, tuple(range(2, grouped.ndim)), eps).reshape(x.shape)
    return _scale_and_shift(name, y, weight, bias, (channels,), (channels,) + (1,) * len(pixels))


def _standardise(name: str, x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """(x - mean) / sqrt(var + eps) over ``axes``: mean 0, variance 1."""
    if math.prod(x.shape[a] for a in axes) < 2:
        raise InputError(f"{name}: one value shares a mean with no other in {x.shape}, axes {axes}: it has no variance")
    centred = x - x.mean(axes, keepdims=True)
    return centred * ((centred * centred).mean(axes, keepdims=True) + eps) ** -0.5


class InstanceNorm(Op):
    """y = (x - mean(x)) r, r = 1 / sqrt(var(x) + eps), over the pixels;  dx = r (g - mean(g) - y mean(g y))

    A backward that is not recorded is worked out on the arrays; a recorded one is composed of ops, so that it can be
    differentiated again.
    """

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        centred = x - mean(backend, x)
        self.r = 1 / backend.xp.sqrt(mean(backend, centred * centred) + x.dtype.type(self.eps))
        return backend.asarray(backend.channels_last(centred * self.r))

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: self._composed(g, x) if is_recording() else self._fused(g.data, y.data),)

    def _composed(self, g: Tensor, x: Tensor) -> Tensor:
        over: Any = {"axis": tuple(range(2, x.ndim)), "keepdims": True}
        centred = x - x.mean(**over)
        r = ((centred * centred).mean(**over) + self.eps) ** -0.5
        y = centred * r
        return r * (g - g.mean(**over) - y * (g * y).mean(**over))

    def _fused(self, g: Array, y: Array) -> Tensor:
        backend = backend_of(y)
        return Tensor(
            backend.asarray(backend.channels_last(self.r * (g - mean(backend, g) - y * mean(backend, g * y))))
        )


def mean(backend: ArrayBackend, x: Array) -> Array:
    """Of each channel of each sample, (N, C, 1, ...)"""
    return backend.sum(x, tuple(range(2, x.ndim)), True) / math.prod(x.shape[2:])


def _scale_and_shift(
    name: str, y: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...], broadcast: tuple[int, ...]
) -> Tensor:
    """weight * y + bias, both of ``shape``, laid out as ``broadcast`` against y; either may be left out."""
    for what, t in (("weight", weight), ("bias", bias)):
        if t is not None and t.shape != shape:
            raise InputError(f"{name}: {what} {t.shape} must be {shape}")
    if weight is not None:
        y = y * weight.reshape(broadcast)
    return y if bias is None else y + bias.reshape(broadcast)
