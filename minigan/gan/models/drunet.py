"""DRUNet (Zhang et al. 2021): a U-Net of residual blocks, the one to take for noise.

What a plain network (``dncnn``) must carry through every layer, the picture itself, goes past the blocks here, so that
they learn sooner; and the blocks on the halved map see far for little work. As in ``dncnn`` it works on ``shuffle`` x
``shuffle`` pixels at a time. The paper's is larger, is told the strength of the noise, and has no biases; and its maps
go over to the other side before the blocks have worked on them.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ... import nn
from ...tensor import Tensor
from .dncnn import Shuffled
from .paired import Networks, PairedModel, Residual, calm_, detective, he_, whole
from .pix2pix import mirrored
from .srgan import Block


class BlockUNet(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H, W): residual blocks on the way down and up, the maps of a size added."""

    def __init__(self, inputs: int, outputs: int, widths: list[int], blocks: int, rng: np.random.Generator) -> None:
        def work(width: int) -> nn.Module:
            return nn.Sequential(*(Block(width, rng) for _ in range(blocks)))

        steps = list(pairwise(widths))
        self.enter = nn.Conv2d(inputs, widths[0], 3, padding=1, rng=rng)
        self.before = nn.ModuleList(work(wide) for wide, _ in steps)
        self.down = nn.ModuleList(nn.Conv2d(wide, wider, 2, stride=2, rng=rng) for wide, wider in steps)
        self.middle = work(widths[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(wider, wide, 2, stride=2, rng=rng) for wide, wider in steps[::-1])
        self.after = nn.ModuleList(work(wide) for wide, _ in steps[::-1])
        self.leave = nn.Conv2d(widths[0], outputs, 3, padding=1, rng=rng)
        for layer in (self.enter, *self.down, *self.up, self.leave):
            he_(layer, rng)
        calm_(self.leave)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        whole_hw = 2 ** len(self.down)
        y, maps = self.enter(mirrored(x, -height % whole_hw, -width % whole_hw)), []
        for before, down in zip(self.before, self.down, strict=True):
            maps.append(before(y))
            y = down(maps[-1])
        y = self.middle(y)
        for up, after in zip(self.up, self.after, strict=True):
            y = after(up(y) + maps.pop())
        y = self.leave(y)
        return y if y.shape[2:] == (height, width) else y[:, :, :height, :width]


def drunet(
    *,
    rng: np.random.Generator,
    channels: int = 3,
    source_channels: int = 3,
    width: int | None = None,
    d_width: int = 32,
    blocks: int = 2,
    halvings: int = 1,
    shuffle: int = 2,
) -> Networks:
    """source (N, source_channels, H, W) -> picture (N, channels, H, W); pictures, sources -> logits (N, patches).

    ``width`` channels (default: 40; the paper's 64), twice as many after each of the ``halvings`` (the paper's 3);
    ``blocks`` at each size on each side (the paper's 4).
    """
    width = width or 40
    whole("drunet", width=width, d_width=d_width, blocks=blocks, halvings=halvings, shuffle=shuffle)
    cells = shuffle * shuffle
    widths = [width * 2**number for number in range(halvings + 1)]
    body = BlockUNet(source_channels * cells, channels * cells, widths, blocks, rng)
    network = body if shuffle == 1 else Shuffled(body, shuffle, shuffle * 2**halvings)
    return Residual(network, channels), detective(channels + source_channels, d_width, rng)


MODEL = PairedModel(
    name="drunet",
    summary="cleans: a U-Net of residual blocks",
    paper="Zhang et al. 2021, arXiv:2008.13751",
    networks=drunet,
    reach=40,
    step=4,
    g_lr=1e-3,
    betas=(0.9, 0.999),
)
