"""The layers most networks are made of. Each holds the parameters of one op; defaults and initial distributions are
PyTorch's.

Parameters start on the NumPy backend in float32, drawn from ``rng`` (a fresh generator when none is given); a model
moves as a whole with ``model.to(backend, dtype)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..backend import get
from ..errors import InputError
from ..sizes import Size, size, sizes
from ..tensor import Tensor
from . import init
from .module import Module, Parameter

Rng = np.random.Generator | None


class Affine(Module):
    """A weight and a bias, both drawn from U(-b, b), b = 1 / sqrt(fan_in)."""

    def __init__(self, shape: tuple[int, ...], outputs: int, fan_in: int, bias: bool, rng: Rng) -> None:
        rng = rng or np.random.default_rng()
        self.weight = new_parameter(shape)
        bound = 1 / math.sqrt(fan_in)
        init.uniform_(self.weight, rng, low=-bound, high=bound)
        self.bias = new_parameter((outputs,)) if bias else None
        if self.bias is not None:
            init.uniform_(self.bias, rng, low=-bound, high=bound)


class Linear(Affine):
    """y = x W^T + b;  weight (out, in), x (N, ..., in) -> y (N, ..., out)"""

    settings = ("in_features", "out_features", "bias=")

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True, rng: Rng = None) -> None:
        self.in_features = size("Linear: in_features", in_features)
        self.out_features = size("Linear: out_features", out_features)
        super().__init__((self.out_features, self.in_features), self.out_features, self.in_features, bias, rng)

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.weight, self.bias)


class Convolution(Affine):
    """Base of the convolutions: their settings are one number, or one for each of the ``dims`` axes of a picture."""

    settings = ("in_channels", "out_channels", "kernel_size=", "stride=", "padding=")
    op: Callable[..., Tensor]  # what the layer applies
    dims = 2
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        bias: bool = True,
        rng: Rng = None,
    ) -> None:
        name = type(self).__name__
        inputs, outputs = size(f"{name}: in_channels", in_channels), size(f"{name}: out_channels", out_channels)
        kernel = sizes(f"{name}: kernel_size", kernel_size, self.dims)
        # PyTorch takes fan_in from the weight's second axis, for a transposed convolution too.
        shape = (inputs, outputs, *kernel) if self.transposed else (outputs, inputs, *kernel)
        super().__init__(shape, outputs, math.prod(shape[1:]), bias, rng)
        self.in_channels, self.out_channels = inputs, outputs
        self.kernel_size = self._each("kernel_size", kernel_size)
        self.stride, self.dilation = self._each("stride", stride), self._each("dilation", dilation)
        self.padding = self._each("padding", padding, least=0)

    def _each(self, setting: str, value: Size, least: int = 1) -> Any:
        """A setting as one number for each axis; of a single axis the number itself."""
        read = sizes(f"{type(self).__name__}: {setting}", value, self.dims, least=least)
        return read if self.dims > 1 else read[0]

    def forward(self, x: Tensor) -> Tensor:
        settings = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        return self.op(x, self.weight, self.bias, **settings)


class TransposedConvolution(Convolution):
    """Base of the transposed convolutions; their weight begins with the inputs."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        bias: bool = True,
        rng: Rng = None,
    ) -> None:
        settings: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
        super().__init__(in_channels, out_channels, kernel_size, bias=bias, rng=rng, **settings)
        self.output_padding = self._each("output_padding", output_padding, least=0)

    def forward(self, x: Tensor) -> Tensor:
        settings = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        return self.op(x, self.weight, self.bias, output_padding=self.output_padding, **settings)


class Conv2d(Convolution):
    """Convolution, see ``ops.conv2d``;  weight (out, in, kh, kw)"""

    op = staticmethod(ops.conv2d)


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution, see ``ops.conv_transpose2d``;  weight (in, out, kh, kw)"""

    op = staticmethod(ops.conv_transpose2d)


class BatchNorm(Module):
    """What BatchNorm1d and BatchNorm2d share: all but the shapes that they take."""

    axes = ""  # what x may be, by its number of axes, for a message
    ndims: tuple[int, ...] = ()
    buffer_names = ("running_mean", "running_var", "num_batches_tracked")
    settings = ("num_features", "eps=", "momentum=")

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        num_features = size(f"{type(self).__name__}: num_features", num_features)
        check_norm(self, eps, momentum)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight, self.bias = new_parameter((num_features,), 1), new_parameter((num_features,), 0)
        self.running_mean, self.running_var = np.zeros(num_features, np.float32), np.ones(num_features, np.float32)
        self.num_batches_tracked = np.zeros((), np.int64)  # unused here; PyTorch's files carry it

    def forward(self, x: Tensor, negative_slope: float = 1.0) -> Tensor:
        name, features = type(self).__name__, self.num_features
        if x.ndim not in self.ndims:
            raise InputError(f"{name}: input {x.shape} must be {self.axes}")
        if x.shape[1] != features:
            raise InputError(f"{name}: input {x.shape} has {x.shape[1]} channels, this layer has {features}")
        if self.training:
            self.num_batches_tracked[...] += 1
        return ops.batch_norm(
            x,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
            negative_slope=negative_slope,
        )


class BatchNorm1d(BatchNorm):
    """Batch normalisation over (N, L), see ``ops.batch_norm``;  x (N, C, L) or (N, C)"""

    fuses_activation = True  # that of a (leaky) ReLU behind it, see Sequential
    axes, ndims = "(N, C, L) or (N, C); pictures (N, C, H, W) take BatchNorm2d", (2, 3)


class BatchNorm2d(BatchNorm):
    """Batch normalisation over (N, H, W), see ``ops.batch_norm``;  x (N, C, H, W) or (N, C)"""

    fuses_activation = True
    axes, ndims = "(N, C, H, W) or (N, C); sequences (N, C, L) take BatchNorm1d", (2, 4)


def check_norm(layer: Module, eps: float, momentum: float = 0.0) -> None:
    """That the settings of a normalisation make sense."""
    name = type(layer).__name__
    if not 0 <= eps < math.inf:
        raise InputError(f"{name}: eps = {eps} must be at least 0, and finite")
    if not 0 <= momentum <= 1:
        raise InputError(f"{name}: momentum = {momentum} must be from 0 to 1: it is the new batch's share")


class Flatten(Module):
    """(N, C, H, W) -> (N, C*H*W)"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.flatten(x)


class Reshape(Module):
    """(N, ...) -> (N, *shape)"""

    def __init__(self, *shape: int) -> None:
        self.shape = sizes("Reshape: shape", shape, least=-1)

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.shape))


class Dropout(Module):
    """Zeroes each element with probability ``p`` while training; draws from its own ``rng``."""

    settings = ("p",)

    def __init__(self, p: float = 0.5, *, rng: Rng = None) -> None:
        if not 0 <= p < 1:
            raise InputError(f"Dropout: p = {p} must be at least 0 and below 1")
        self.p, self.rng = p, rng or np.random.default_rng()

    def forward(self, x: Tensor) -> Tensor:
        return ops.dropout(x, self.p, self.rng, self.training)


class Embedding(Module):
    """A table of vectors looked up by number;  index (...) -> (..., dim). Entries start as N(0, 1)."""

    takes_arrays = True

    settings = ("num_embeddings", "embedding_dim")

    def __init__(self, num_embeddings: int, embedding_dim: int, *, rng: Rng = None) -> None:
        self.num_embeddings = size("Embedding: num_embeddings", num_embeddings)
        self.embedding_dim = size("Embedding: embedding_dim", embedding_dim)
        self.weight = new_parameter((self.num_embeddings, self.embedding_dim))
        init.normal_(self.weight, rng or np.random.default_rng())

    def forward(self, index: np.ndarray) -> Tensor:
        return ops.embedding(index, self.weight)


def new_parameter(shape: tuple[int, ...], value: float = 0.0) -> Parameter:
    """A parameter filled with ``value``, where all of them start: on the NumPy backend, in float32."""
    data = get("numpy").empty(shape, np.float32)
    data[...] = value
    return Parameter(data)
