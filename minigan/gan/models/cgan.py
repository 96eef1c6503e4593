"""The conditional GAN (Mirza & Osindero 2014), on DCGAN's networks: both players are told the class."""

from __future__ import annotations

import numpy as np

from ... import nn
from ...backend import Array
from ...ops import concat
from ...tensor import Tensor
from . import dcgan
from .model import Model, Networks
from .sizes import ImageSize, check_sizes, height_width


class ConditionalGenerator(nn.Module):
    """generator(z, labels): a learned vector for the class is appended to z."""

    def __init__(self, network: nn.Module, classes: int, dim: int, rng: np.random.Generator) -> None:
        self.network = network
        self.embedding = nn.Embedding(classes, dim, rng=rng)

    def forward(self, z: Tensor, labels: Array) -> Tensor:
        return self.network(concat([z, self.embedding(labels)], axis=1))


class ConditionalDiscriminator(nn.Module):
    """discriminator(x, labels): a learned picture for the class is appended to x as one more channel."""

    def __init__(self, network: nn.Module, classes: int, image_size: ImageSize, rng: np.random.Generator) -> None:
        self.network, (self.height, self.width) = network, height_width(image_size)
        self.embedding = nn.Embedding(classes, self.height * self.width, rng=rng)

    def forward(self, x: Tensor, labels: Array) -> Tensor:
        told = self.embedding(labels).reshape(len(x), 1, self.height, self.width)
        return self.network(concat([x, told], axis=1))


def cgan(
    *,
    rng: np.random.Generator,
    classes: int,
    image_size: ImageSize = 28,
    channels: int = 1,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim), labels (N,) -> images (N, channels, height, width) in [-1, 1]; images, labels -> logits (N, 1)."""
    check_sizes(classes, z_dim)
    dim = 50
    generator = dcgan.generator(rng, image_size, channels, z_dim + dim, width)
    discriminator = dcgan.discriminator(rng, image_size, channels + 1, width)
    return (
        ConditionalGenerator(generator, classes, dim, rng),
        ConditionalDiscriminator(discriminator, classes, image_size, rng),
    )


MODEL = Model(
    name="cgan",
    summary="draws the class it is asked for: both players are told it",
    paper="Mirza & Osindero 2014, arXiv:1411.1784",
    networks=cgan,
    conditional=True,
)
