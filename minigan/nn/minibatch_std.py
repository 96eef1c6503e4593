"""Minibatch standard deviation as a layer."""

from __future__ import annotations

from .. import ops
from ..sizes import size
from ..tensor import Tensor
from .module import Module


class MinibatchStd(Module):
    """Appends how much the images of a group differ, see ``ops.minibatch_std``: (N, C, H, W) -> (N, C + n, H, W)"""

    settings = ("group_size=", "num_channels=")

    def __init__(self, *, group_size: int = 4, num_channels: int = 1) -> None:
        self.group_size = size("MinibatchStd: group_size", group_size)
        self.num_channels = size("MinibatchStd: num_channels", num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return ops.minibatch_std(x, group_size=self.group_size, num_channels=self.num_channels)
