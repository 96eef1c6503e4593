"""SNGAN (Miyato et al. 2018): residual networks, and spectral norm, which bounds the slope of D."""

from __future__ import annotations

import numpy as np

from ... import nn, ops
from ...errors import InputError
from ...tensor import Tensor
from ..objectives import Hinge
from .model import Model, Networks


class UpBlock(nn.Module):
    """(N, in, H, W) -> (N, out, 2H, 2W): two convolutions, the first on the enlarged map, beside an enlarged skip."""

    def __init__(self, in_channels: int, out_channels: int, rng: np.random.Generator) -> None:
        self.body = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(),
            nn.Upsample(2),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, rng=rng),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, rng=rng),
        )
        self.skip = nn.Sequential(nn.Upsample(2), nn.Conv2d(in_channels, out_channels, 1, rng=rng))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(x)


class DownBlock(nn.Module):
    """(N, in, H, W) -> (N, out, H/2, W/2), or the same size with ``shrink=False``.

    ``first`` is for the block that sees the pixels themselves: no ReLU before it.
    """

    def __init__(
        self, in_channels: int, out_channels: int, rng: np.random.Generator, *, first: bool = False, shrink: bool = True
    ) -> None:
        def conv(inputs: int, outputs: int, kernel: int) -> nn.Module:
            return nn.spectral_norm(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, rng=rng), rng=rng)

        self.first, self.shrink = first, shrink
        self.conv1, self.conv2 = conv(in_channels, out_channels, 3), conv(out_channels, out_channels, 3)
        self.skip = conv(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(ops.relu(self.conv1(x if self.first else ops.relu(x))))
        y = h + self.skip(x)
        return ops.avg_pool2d(y, 2) if self.shrink else y


class Critic(nn.Module):
    """Blocks, ReLU, the sum over all positions, one linear map."""

    def __init__(self, channels: int, width: int, halvings: int, rng: np.random.Generator) -> None:
        blocks = [DownBlock(channels, width, rng, first=True)]
        blocks += [DownBlock(width, width, rng, shrink=i < halvings - 1) for i in range(halvings + 1)]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.spectral_norm(nn.Linear(width, 1, rng=rng), rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(ops.relu(self.blocks(x)).sum((2, 3)))


def sngan(
    *, rng: np.random.Generator, image_size: int = 32, channels: int = 3, z_dim: int = 128, width: int | None = None
) -> Networks:
    """z (N, z_dim) -> images (N, channels, size, size) in [-1, 1] -> scores (N, 1), for 28, 32 or 64 pixels.

    ``width`` is the number of channels in D (default: the paper's 128); G has twice as many.
    """
    starts = {28: (7, 2), 32: (4, 3), 64: (4, 4)}  # the first map's side, and how often it doubles
    if image_size not in starts:
        raise InputError(f"image_size {image_size} is not one of 28, 32, 64: resize the images to one of these")
    side, doublings = starts[image_size]
    width = width or 128
    wide = 2 * width
    generator = nn.Sequential(
        nn.Linear(z_dim, wide * side * side, rng=rng),
        nn.Reshape(wide, side, side),
        *(UpBlock(wide, wide, rng) for _ in range(doublings)),
        nn.BatchNorm2d(wide),
        nn.ReLU(),
        nn.Conv2d(wide, channels, 3, padding=1, rng=rng),
        nn.Tanh(),
    )
    for parameter in generator.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter, rng)
    return generator, Critic(channels, width, 2, rng)


MODEL = Model(
    name="sngan",
    summary="residual networks; spectral norm bounds D's slope; hinge loss",
    paper="Miyato et al. 2018, arXiv:1802.05957",
    networks=sngan,
    objective=Hinge(),
    z_dim=128,
    betas=(0.0, 0.9),
    n_critic=5,
)
