"""Convolution along one axis, as layers."""

from __future__ import annotations

from .. import ops
from ..tensor import Tensor
from .layers import Affine, Rng


class Conv1d(Affine):
    """Convolution, see ``ops.conv1d``;  weight (out, in, k)"""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        rng: Rng = None,
    ) -> None:
        super().__init__((out_channels, in_channels, kernel_size), out_channels, in_channels * kernel_size, bias, rng)
        self.stride, self.padding, self.dilation = stride, padding, dilation

    def forward(self, x: Tensor) -> Tensor:
        settings = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        return ops.conv1d(x, self.weight, self.bias, **settings)

    def extra_repr(self) -> str:
        outputs, inputs, kernel = self.weight.shape
        return f"{inputs}, {outputs}, kernel_size={kernel}, stride={self.stride}, padding={self.padding}"


class ConvTranspose1d(Affine):
    """Transposed convolution, see ``ops.conv_transpose1d``;  weight (in, out, k)"""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        output_padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        rng: Rng = None,
    ) -> None:
        # PyTorch takes fan_in from the weight's second axis, for a transposed convolution too.
        super().__init__((in_channels, out_channels, kernel_size), out_channels, out_channels * kernel_size, bias, rng)
        self.stride, self.padding, self.output_padding, self.dilation = stride, padding, output_padding, dilation

    def forward(self, x: Tensor) -> Tensor:
        settings = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        return ops.conv_transpose1d(x, self.weight, self.bias, output_padding=self.output_padding, **settings)

    def extra_repr(self) -> str:
        inputs, outputs, kernel = self.weight.shape
        return f"{inputs}, {outputs}, kernel_size={kernel}, stride={self.stride}, padding={self.padding}"
