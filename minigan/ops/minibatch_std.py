"""Minibatch standard deviation (Karras et al. 2018): D is told how much the images of a batch differ."""

from __future__ import annotations

from ..errors import InputError
from ..sizes import size as read_size
from ..tensor import Tensor
from .across import gathered, own
from .elementwise import sqrt
from .shape import concat


def minibatch_std(x: Tensor, *, group_size: int = 4, num_channels: int = 1, eps: float = 1e-8) -> Tensor:
    """``num_channels`` more channels, which hold the images' standard deviation within their group, averaged.

    x (N, C, H, W) -> y (N, C + num_channels, H, W). For every channel and pixel the (biased) standard deviation
    sqrt(var + eps) over the images of a group; its mean over the pixels and a ``num_channels``-th of the channels is
    one number, and a whole channel of each of these images is filled with it. A batch smaller than ``group_size`` is
    one group. Image n belongs to group n mod (N / group_size), as in StyleGAN. Of a batch that is split over processes
    the groups are the whole batch's.
    """
    if x.ndim != 4:
        raise InputError(f"minibatch_std: input {x.shape} must be (N, C, H, W)")
    own_x, x = x, gathered(x)
    n, c, h, w = x.shape
    size = min(read_size("minibatch_std: group_size", group_size), n)
    num_channels = read_size("minibatch_std: num_channels", num_channels)
    if size < 1 or n % size:
        raise InputError(f"minibatch_std: a batch of {n} cannot be divided into groups of {group_size}")
    if c % num_channels:
        raise InputError(f"minibatch_std: {c} channels cannot be divided among num_channels = {num_channels}")
    groups = x.reshape(size, n // size, num_channels, c // num_channels, h, w)
    centred = groups - groups.mean(0, keepdims=True)
    std = sqrt((centred * centred).mean(0, keepdims=True) + eps)
    told = std.mean((3, 4, 5), keepdims=True).broadcast_to((size, n // size, num_channels, 1, h, w))
    return concat([own_x, own(told.reshape(n, num_channels, h, w))], axis=1)
