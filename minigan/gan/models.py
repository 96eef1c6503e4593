"""The networks that play, built by name from a configuration that fits in a file's metadata."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from .. import nn
from ..errors import InputError

Networks = tuple[nn.Module, nn.Module]


def dcgan(
    *, rng: np.random.Generator, image_size: int = 28, channels: int = 1, z_dim: int = 100, width: int | None = None
) -> Networks:
    """DCGAN (Radford, Metz & Chintala 2016) for 28, 32 or 64 pixels: generator and discriminator.

    Strided 4x4 convolutions only, batch norm except next to the pixels, ReLU in G, leaky ReLU (0.2) in D, tanh out.
    z (N, z_dim) -> images (N, channels, size, size) in [-1, 1] -> logits (N, 1). ``width`` is the number of channels
    next to the pixels (default 128 for 28 pixels, 64 for others); it doubles with each halving of the size.
    """
    if image_size == 28:
        networks = _dcgan28(channels, z_dim, width or 128, rng)
    elif image_size in (32, 64):
        networks = _dcgan_power_of_two(image_size, channels, z_dim, width or 64, rng)
    else:
        raise InputError(f"dcgan: image_size {image_size} is not one of 28, 32, 64: resize the images to one of these")
    for network in networks:
        nn.init.dcgan_(network, rng)
    return networks


def _dcgan28(channels: int, z_dim: int, width: int, rng: np.random.Generator) -> Networks:
    """G: z -> 7x7x2w -> 14x14xw -> 28x28; D is its mirror."""
    half: dict[str, Any] = {"stride": 2, "padding": 1, "bias": False, "rng": rng}
    generator = nn.Sequential(
        nn.Linear(z_dim, 2 * width * 7 * 7, bias=False, rng=rng),
        nn.Reshape(2 * width, 7, 7),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, **half),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, **half),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(channels, width, 4, **half),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, **half),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * width * 7 * 7, 1, bias=False, rng=rng),
    )
    return generator, discriminator


def _dcgan_power_of_two(size: int, channels: int, z_dim: int, width: int, rng: np.random.Generator) -> Networks:
    """PyTorch's DCGAN example: G starts from 4x4 and doubles, D halves down to 4x4 (8w channels there, for 64)."""
    half: dict[str, Any] = {"stride": 2, "padding": 1, "bias": False, "rng": rng}
    widths = [width]
    while 4 * 2 ** len(widths) < size:
        widths.append(2 * widths[-1])

    up: list[nn.Module] = [nn.Reshape(z_dim, 1, 1), nn.ConvTranspose2d(z_dim, widths[-1], 4, bias=False, rng=rng)]
    for wide, narrow in pairwise(widths[::-1]):
        up += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, **half)]
    up += [nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, channels, 4, **half), nn.Tanh()]

    down: list[nn.Module] = [nn.Conv2d(channels, width, 4, **half), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        down += [nn.Conv2d(narrow, wide, 4, **half), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
    down += [nn.Conv2d(widths[-1], 1, 4, bias=False, rng=rng), nn.Flatten()]
    return nn.Sequential(*up), nn.Sequential(*down)


MODELS: dict[str, Callable[..., Networks]] = {"dcgan": dcgan}


def build(architecture: dict[str, Any], rng: np.random.Generator) -> Networks:
    """Generator and discriminator from ``{"model": name, setting: value, ...}``."""
    settings = dict(architecture)
    name = settings.pop("model", None)
    if name not in MODELS:
        raise InputError(f"unknown model {name!r}: choose one of {', '.join(MODELS)}")
    try:
        return MODELS[name](rng=rng, **settings)
    except TypeError as error:
        raise InputError(f"model {name}: the settings {settings} do not fit ({error})") from None
