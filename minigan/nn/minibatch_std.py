"""Minibatch standard deviation as a layer."""

from __future__ import annotations

from .. import ops
from ..errors import InputError
from ..tensor import Tensor
from .module import Module


class MinibatchStd(Module):
    """Appends how much the images of a group differ, see ``ops.minibatch_std``: (N, C, H, W) -> (N, C + n, H, W)"""

    def __init__(self, *, group_size: int = 4, num_channels: int = 1) -> None:
        if group_size < 1 or num_channels < 1:
            raise InputError(
                f"MinibatchStd: group_size {group_size} and num_channels {num_channels} must be at least 1"
            )
        self.group_size, self.num_channels = group_size, num_channels

    def forward(self, x: Tensor) -> Tensor:
        return ops.minibatch_std(x, group_size=self.group_size, num_channels=self.num_channels)

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}, num_channels={self.num_channels}"
