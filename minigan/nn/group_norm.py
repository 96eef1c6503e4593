"""Layer, group and instance norm as layers: the same in training and in evaluation, no state beside the parameters."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ops
from ..errors import InputError
from ..sizes import size, sizes
from ..tensor import Tensor
from .layers import check_norm, new_parameter
from .module import Module


class LayerNorm(Module):
    """Normalisation over the trailing axes, see ``ops.layer_norm``;  weight and bias (*normalized_shape)"""

    settings = ("normalized_shape", "eps=", "elementwise_affine=")

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        *,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        shape = sizes("LayerNorm: normalized_shape", normalized_shape)
        if not shape:
            raise InputError("LayerNorm: normalized_shape () must have one size or more")
        check_norm(self, eps)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.weight = new_parameter(shape, 1) if elementwise_affine else None
        self.bias = new_parameter(shape, 0) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.layer_norm(x, self.normalized_shape, self.weight, self.bias, eps=self.eps)


class GroupNorm(Module):
    """Normalisation over groups of channels, see ``ops.group_norm``;  weight and bias (C,)"""

    settings = ("num_groups", "num_channels", "eps=", "affine=")

    def __init__(self, num_groups: int, num_channels: int, *, eps: float = 1e-5, affine: bool = True) -> None:
        num_groups, num_channels = (
            size("GroupNorm: num_groups", num_groups),
            size("GroupNorm: num_channels", num_channels),
        )
        if num_channels % num_groups:
            raise InputError(f"GroupNorm: {num_channels} channels cannot be divided into {num_groups} groups")
        check_norm(self, eps)
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = new_parameter((num_channels,), 1) if affine else None
        self.bias = new_parameter((num_channels,), 0) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        _check_channels(self, x, self.num_channels)
        return ops.group_norm(x, self.num_groups, self.weight, self.bias, eps=self.eps)


class InstanceNorm2d(Module):
    """Normalisation of each channel of each sample, see ``ops.instance_norm``;  weight and bias (C,) if ``affine``"""

    settings = ("num_features", "eps=", "affine=")

    def __init__(self, num_features: int, *, eps: float = 1e-5, affine: bool = False) -> None:
        num_features = size("InstanceNorm2d: num_features", num_features)
        check_norm(self, eps)
        self.num_features, self.eps, self.affine = num_features, eps, affine
        self.weight = new_parameter((num_features,), 1) if affine else None
        self.bias = new_parameter((num_features,), 0) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        _check_channels(self, x, self.num_features)
        return ops.instance_norm(x, self.weight, self.bias, eps=self.eps)


def _check_channels(layer: Module, x: Tensor, channels: int) -> None:
    if x.ndim < 2 or x.shape[1] != channels:
        raise InputError(f"{type(layer).__name__}: input {x.shape} does not have the layer's {channels} channels")
