"""DCGAN (Radford, Metz & Chintala 2016): strided 4x4 convolutions, batch norm, and nothing else. The one to start with.

G turns z into a small map and doubles its side until it is a picture; D is its mirror. Batch norm everywhere but next
to the pixels, ReLU in G, leaky ReLU (0.2) in D, tanh out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ... import nn
from ...errors import InputError
from .model import Model, Networks

HALF: dict[str, Any] = {
    "stride": 2,
    "padding": 1,
    "bias": False,
}  # of a 4x4 convolution: halves the side; transposed, doubles it


def dcgan(
    *, rng: np.random.Generator, image_size: int = 28, channels: int = 1, z_dim: int = 100, width: int | None = None
) -> Networks:
    """z (N, z_dim) -> images (N, channels, size, size) in [-1, 1] -> logits (N, 1), for 28, 32 or 64 pixels.

    ``width`` is the number of channels next to the pixels (default: 128 for 28 pixels, else 64); it doubles with each
    halving of the side. 32 and 64 pixels are PyTorch's DCGAN example.
    """
    return generator(rng, image_size, channels, z_dim, width), discriminator(rng, image_size, channels, width)


def generator(
    rng: np.random.Generator, image_size: int, channels: int, z_dim: int, width: int | None = None
) -> nn.Module:
    widths = _widths(image_size, width)
    if image_size == 28:
        start: list[nn.Module] = [
            nn.Linear(z_dim, widths[-1] * 7 * 7, bias=False, rng=rng),
            nn.Reshape(widths[-1], 7, 7),
        ]
    else:
        start = [nn.Reshape(z_dim, 1, 1), nn.ConvTranspose2d(z_dim, widths[-1], 4, bias=False, rng=rng)]
    grow: list[nn.Module] = []
    for wide, narrow in pairwise([*widths[::-1], channels]):
        grow += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, **HALF, rng=rng)]
    network = nn.Sequential(*start, *grow, nn.Tanh())
    nn.init.dcgan_(network, rng)
    return network


def discriminator(
    rng: np.random.Generator,
    image_size: int,
    channels: int,
    width: int | None = None,
    *,
    outputs: int = 1,
    batch_norm: bool = True,
) -> nn.Module:
    """``batch_norm=False`` makes it a critic fit for gradient penalties; ``outputs`` > 1 adds class logits."""
    widths = _widths(image_size, width)
    shrink: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, **HALF, rng=rng), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        norm = [nn.BatchNorm2d(wide)] if batch_norm else []
        shrink += [nn.Conv2d(narrow, wide, 4, **HALF, rng=rng), *norm, nn.LeakyReLU(0.2)]
    if image_size == 28:
        end: list[nn.Module] = [nn.Flatten(), nn.Linear(widths[-1] * 7 * 7, outputs, bias=False, rng=rng)]
    else:
        end = [nn.Conv2d(widths[-1], outputs, 4, bias=False, rng=rng), nn.Flatten()]
    network = nn.Sequential(*shrink, *end)
    nn.init.dcgan_(network, rng)
    return network


def _widths(image_size: int, width: int | None) -> list[int]:
    """Channels from the pixels inwards: down to a 7x7 map for 28 pixels, to 4x4 for the others."""
    depths = {28: 2, 32: 3, 64: 4}
    if image_size not in depths:
        raise InputError(f"image_size {image_size} is not one of 28, 32, 64: resize the images to one of these")
    first = width or (128 if image_size == 28 else 64)
    return [first * 2**i for i in range(depths[image_size])]


MODEL = Model(
    name="dcgan",
    summary="strided convolutions and batch norm; the one to start with",
    paper="Radford, Metz & Chintala 2016, arXiv:1511.06434",
    networks=dcgan,
)
