"""DnCNN (Zhang et al. 2017): plain 3x3 convolutions that learn the noise, not the picture. The one to start with.

As in FFDNet (Zhang et al. 2018) they work on the picture with ``shuffle`` x ``shuffle`` pixels as channels of one: a
quarter of the work for 2, and each sees twice as far. No batch norm: what it was needed for is done by the way the
weights start.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ... import nn
from ...tensor import Tensor
from .paired import Networks, PairedModel, Residual, calm_, detective, he_, whole
from .pix2pix import mirrored


class Shuffled(nn.Module):
    """``network`` on squares of ``r`` x ``r`` pixels; a picture whose sides are no multiples of ``step`` (default: r),
    which the network wants, is mirrored at its border."""

    def __init__(self, network: nn.Module, r: int, step: int | None = None) -> None:
        self.network, self.step = network, step or r
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(r), nn.PixelShuffle(r)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        filled = self.unshuffle(mirrored(x, -height % self.step, -width % self.step))
        y = self.shuffle(self.network(filled))
        return y if y.shape[2:] == (height, width) else y[:, :, :height, :width]


def dncnn(
    *,
    rng: np.random.Generator,
    channels: int = 3,
    source_channels: int = 3,
    width: int | None = None,
    d_width: int = 32,
    depth: int = 7,
    shuffle: int = 2,
) -> Networks:
    """source (N, source_channels, H, W) -> picture (N, channels, H, W); pictures, sources -> logits (N, patches).

    ``width`` channels (default: 64) between ``depth`` convolutions.
    """
    width = width or 64
    whole("dncnn", width=width, d_width=d_width, depth=depth, shuffle=shuffle)
    cells = shuffle * shuffle
    widths = [source_channels * cells, *[width] * (depth - 1)]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, rng=rng), nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(widths[-1], channels * cells, 3, padding=1, rng=rng))
    body = nn.Sequential(*layers)
    he_(body, rng)
    calm_(layers[-1])
    network = body if shuffle == 1 else Shuffled(body, shuffle)
    return Residual(network, channels), detective(channels + source_channels, d_width, rng)


MODEL = PairedModel(
    name="dncnn",
    summary="plain convolutions that learn what is to be taken away",
    paper="Zhang et al. 2017, arXiv:1608.03981",
    networks=dncnn,
    reach=16,
    step=2,
    g_lr=1e-3,
    betas=(0.9, 0.999),
)
