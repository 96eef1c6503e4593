"""DCGAN (Radford, Metz & Chintala 2016): strided 4x4 convolutions, batch norm, and nothing else. The one to start with.

G turns z into a small map and doubles its sides until it is a picture; D is its mirror. Batch norm everywhere but next
to the pixels, ReLU in G, leaky ReLU (0.2) in D, tanh out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ... import nn
from .model import Model, Networks
from .sizes import ImageSize, halvings

HALF: dict[str, Any] = {
    "stride": 2,
    "padding": 1,
    "bias": False,
}  # of a 4x4 convolution: halves the side; transposed, doubles it
WIDEST = 8  # times the width next to the pixels: a 64-pixel network's innermost layer, and a larger one's inner ones


def dcgan(
    *,
    rng: np.random.Generator,
    image_size: ImageSize = 28,
    channels: int = 1,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) -> images (N, channels, height, width) in [-1, 1] -> logits (N, 1), for pictures of any size.

    The sides are halved down to a map of 4 to 7 pixels (see ``halvings``). ``width`` is the number of channels next to
    the pixels (default: 128 for 28 pixels, else 64); it doubles with each halving, up to eightfold. 32 and 64 pixels
    are PyTorch's DCGAN example.
    """
    return generator(rng, image_size, channels, z_dim, width), discriminator(rng, image_size, channels, width)


def generator(
    rng: np.random.Generator, image_size: ImageSize, channels: int, z_dim: int, width: int | None = None
) -> nn.Module:
    maps, wide_to_narrow = halvings(image_size), widths(image_size, width)[::-1]
    if maps[-1] == (4, 4):
        start: list[nn.Module] = [
            nn.Reshape(z_dim, 1, 1),
            nn.ConvTranspose2d(z_dim, wide_to_narrow[0], 4, bias=False, rng=rng),
        ]
    else:
        rows, columns = maps[-1]
        start = [
            nn.Linear(z_dim, wide_to_narrow[0] * rows * columns, bias=False, rng=rng),
            nn.Reshape(wide_to_narrow[0], rows, columns),
        ]
    grow: list[nn.Module] = []
    for (wide, narrow), (height, side) in zip(pairwise([*wide_to_narrow, channels]), maps[-2::-1], strict=True):
        odd = height % 2, side % 2
        up = nn.ConvTranspose2d(wide, narrow, 4, **HALF, output_padding=odd, rng=rng)
        grow += [nn.BatchNorm2d(wide), nn.ReLU(), up]
    network = nn.Sequential(*start, *grow, nn.Tanh())
    nn.init.dcgan_(network, rng)
    return network


def discriminator(
    rng: np.random.Generator,
    image_size: ImageSize,
    channels: int,
    width: int | None = None,
    *,
    outputs: int = 1,
    batch_norm: bool = True,
) -> nn.Module:
    """``batch_norm=False`` makes it a critic fit for gradient penalties; ``outputs`` > 1 adds class logits."""
    shrink = shrinking(rng, image_size, channels, width, batch_norm=batch_norm)
    (rows, columns), features = halvings(image_size)[-1], widths(image_size, width)[-1]
    if (rows, columns) == (4, 4):
        end: list[nn.Module] = [nn.Conv2d(features, outputs, 4, bias=False, rng=rng), nn.Flatten()]
    else:
        end = [nn.Flatten(), nn.Linear(features * rows * columns, outputs, bias=False, rng=rng)]
    network = nn.Sequential(*shrink, *end)
    nn.init.dcgan_(network, rng)
    return network


def shrinking(
    rng: np.random.Generator,
    image_size: ImageSize,
    channels: int,
    width: int | None = None,
    *,
    batch_norm: bool = True,
    bias: bool = False,
) -> list[nn.Module]:
    """D's convolutions: (N, channels, height, width) -> (N, the last of ``widths``, the last map's sides)"""
    half = {**HALF, "bias": bias}
    layers: list[nn.Module] = []
    for number, (narrow, wide) in enumerate(pairwise([channels, *widths(image_size, width)])):
        norm = [nn.BatchNorm2d(wide)] if batch_norm and number else []  # never next to the pixels
        layers += [nn.Conv2d(narrow, wide, 4, **half, rng=rng), *norm, nn.LeakyReLU(0.2)]
    return layers


def widths(image_size: ImageSize, width: int | None) -> list[int]:
    """Channels from the pixels inwards, one for each halving."""
    first = width or (128 if image_size == 28 else 64)
    return [first * min(2**i, WIDEST) for i in range(len(halvings(image_size)) - 1)]


MODEL = Model(
    name="dcgan",
    summary="strided convolutions and batch norm; the one to start with",
    paper="Radford, Metz & Chintala 2016, arXiv:1511.06434",
    networks=dcgan,
)
