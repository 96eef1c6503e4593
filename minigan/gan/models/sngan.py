"""SNGAN (Miyato et al. 2018): residual networks, and spectral norm, which bounds the slope of D."""

from __future__ import annotations

import numpy as np

from ... import nn, ops
from ...tensor import Tensor
from ..objectives import Hinge
from .model import Model, Networks
from .sizes import ImageSize, Side, halvings

LARGEST_SUMMED = 16  # pixels a side of the map that D sums over


class UpBlock(nn.Module):
    """(N, in, H, W) -> (N, out, *to): two convolutions, the first on the enlarged map, beside an enlarged skip.

    ``to`` is (2H, 2W), or one more where a picture's side cannot be halved.
    """

    def __init__(self, in_channels: int, out_channels: int, to: Side, rng: np.random.Generator) -> None:
        def enlarge() -> nn.Module:
            return nn.Resize(to) if to[0] % 2 or to[1] % 2 else nn.Upsample(2)

        self.body = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(),
            enlarge(),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, rng=rng),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, rng=rng),
        )
        self.skip = nn.Sequential(enlarge(), nn.Conv2d(in_channels, out_channels, 1, rng=rng))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(x)


class DownBlock(nn.Module):
    """(N, in, H, W) -> (N, out, H // 2, W // 2), or the same size with ``shrink=False``.

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
    *,
    rng: np.random.Generator,
    image_size: ImageSize = 32,
    channels: int = 3,
    z_dim: int = 128,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) -> images (N, channels, height, width) in [-1, 1] -> scores (N, 1), for pictures of any size.

    G has a block for each halving of the sides (see ``halvings``). D halves them twice as in the paper, and on until no
    side is above 16. ``width`` is the number of channels in D (default: the paper's 128); G has twice as many.
    """
    maps = halvings(image_size)
    rows, columns = maps[-1]
    in_d = 2 + sum(max(sides) > LARGEST_SUMMED for sides in maps[2:])
    width = width or 128
    wide = 2 * width
    generator = nn.Sequential(
        nn.Linear(z_dim, wide * rows * columns, rng=rng),
        nn.Reshape(wide, rows, columns),
        *(UpBlock(wide, wide, sides, rng) for sides in maps[-2::-1]),
        nn.BatchNorm2d(wide),
        nn.ReLU(),
        nn.Conv2d(wide, channels, 3, padding=1, rng=rng),
        nn.Tanh(),
    )
    for parameter in generator.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter, rng)
    return generator, Critic(channels, width, in_d, rng)


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
