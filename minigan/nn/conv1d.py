"""Convolution along one axis, as layers."""

from __future__ import annotations

from .. import ops
from .layers import Convolution, TransposedConvolution


class Conv1d(Convolution):
    """Convolution, see ``ops.conv1d``;  weight (out, in, k)"""

    op = staticmethod(ops.conv1d)
    dims = 1


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution, see ``ops.conv_transpose1d``;  weight (in, out, k)"""

    op = staticmethod(ops.conv_transpose1d)
    dims = 1
