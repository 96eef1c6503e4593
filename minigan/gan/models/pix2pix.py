"""pix2pix (Isola et al. 2017): a U-Net, which sees the whole and keeps the detail, and a PatchGAN, which judges detail.

The U-Net halves the picture again and again and doubles it back; each map on the way up is shown the one of its size on
the way down. Without batch norm and dropout, and its output is added to the source (see ``Residual``).
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from ... import nn, ops
from ...backend.host import from_host
from ...tensor import Tensor
from .paired import Networks, PairedModel, Residual, calm_, detective, he_, whole


class UNet(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H, W), for any size: it is mirrored up to one that can be halved so often."""

    def __init__(self, inputs: int, outputs: int, widths: list[int], rng: np.random.Generator) -> None:
        self.enter = nn.Conv2d(inputs, widths[0], 3, padding=1, rng=rng)
        self.down = nn.ModuleList(
            nn.Conv2d(wide, wider, 4, stride=2, padding=1, rng=rng) for wide, wider in pairwise(widths)
        )
        self.middle = nn.Conv2d(widths[-1], widths[-1], 3, padding=1, rng=rng)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(wider, wide, 4, stride=2, padding=1, rng=rng)
            for wide, wider in reversed(list(pairwise(widths)))
        )
        self.join = nn.ModuleList(nn.Conv2d(2 * wide, wide, 3, padding=1, rng=rng) for wide in reversed(widths[:-1]))
        he_(self, rng)
        self.leave = nn.Conv2d(widths[0], outputs, 3, padding=1, rng=rng)
        calm_(self.leave)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        whole_hw = 2 ** len(self.down)
        x = mirrored(x, -height % whole_hw, -width % whole_hw)
        maps = [ops.leaky_relu(self.enter(x), 0.2)]
        for down in self.down:
            maps.append(ops.leaky_relu(down(maps[-1]), 0.2))
        y = ops.leaky_relu(self.middle(maps.pop()), 0.2)
        for up, join in zip(self.up, self.join, strict=True):
            y = ops.leaky_relu(join(ops.concat([ops.leaky_relu(up(y), 0.2), maps.pop()], axis=1)), 0.2)
        y = self.leave(y)
        return y if y.shape[2:] == (height, width) else y[:, :, :height, :width]


def mirrored(x: Tensor, bottom: int, right: int) -> Tensor:
    """The picture with so many more rows and columns, mirrored at its border."""
    for axis, more in ((2, bottom), (3, right)):
        if more:
            side = x.shape[axis]
            there_and_back = np.r_[np.arange(side), np.arange(side - 2, 0, -1)]  # 0 1 2 1 0 1 2 ...
            places = from_host(x.backend, partial(np.resize, there_and_back, side + more))
            x = x[(slice(None),) * axis + (places,)]
    return x


def pix2pix(
    *,
    rng: np.random.Generator,
    channels: int = 3,
    source_channels: int = 3,
    width: int | None = None,
    d_width: int = 32,
    halvings: int = 4,
) -> Networks:
    """source (N, source_channels, H, W) -> picture (N, channels, H, W); pictures, sources -> logits (N, patches).

    ``width`` channels next to the pixels (default: 16; the paper's 64), twice as many after each of the ``halvings`` up
    to 4 times (the paper's 8 times, and 8 halvings).
    """
    width = width or 16
    whole("pix2pix", width=width, d_width=d_width, halvings=halvings)
    widths = [width * min(2**number, 4) for number in range(halvings + 1)]
    unet = UNet(source_channels, channels, widths, rng)
    return Residual(unet, channels), detective(channels + source_channels, d_width, rng)


MODEL = PairedModel(
    name="pix2pix",
    summary="any picture into any other: a U-Net, and an adversary that judges patches",
    paper="Isola et al. 2017, arXiv:1611.07004",
    networks=pix2pix,
    reach=96,
    step=16,
    g_lr=3e-4,  # with 1e-3 the loss explodes within some hundred steps, and G then does nothing for good
    betas=(0.5, 0.999),
)
