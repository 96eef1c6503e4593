"""Convolution along one axis, as layers."""

from __future__ import annotations

from .. import ops
from .layers import Convolution, Rng


class Conv1d(Convolution):
    """Convolution, see ``ops.conv1d``;  weight (out, in, k)"""

    op = staticmethod(ops.conv1d)
    dims = 1

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
        settings = {"stride": stride, "padding": padding, "dilation": dilation}
        super().__init__(in_channels, out_channels, kernel_size, bias, rng, **settings)


class ConvTranspose1d(Convolution):
    """Transposed convolution, see ``ops.conv_transpose1d``;  weight (in, out, k)"""

    op = staticmethod(ops.conv_transpose1d)
    dims = 1
    transposed = True
    settings = ("stride", "padding", "output_padding", "dilation")

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
        settings = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
        super().__init__(in_channels, out_channels, kernel_size, bias, rng, **settings)
