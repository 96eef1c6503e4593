"""ACGAN (Odena, Olah & Shlens 2017): D is not told the class, it has to name it; G is to be named right.

Two things keep G from drawing one picture for each class, and a wrong one: the class scales z instead of standing
beside it, so that G cannot look at the class and not at z; and D learns names from real images alone.
"""

from __future__ import annotations

import numpy as np

from ... import nn
from ...backend import Array
from ...tensor import Tensor
from ..objectives import AuxiliaryClassifier
from . import dcgan
from .model import Model, Networks
from .sizes import ImageSize, check_sizes


class ScaledGenerator(nn.Module):
    """generator(z, labels): each element of z is multiplied by a number that is learned for the class."""

    def __init__(self, network: nn.Module, classes: int, z_dim: int, rng: np.random.Generator) -> None:
        self.network = network
        self.embedding = nn.Embedding(classes, z_dim, rng=rng)

    def forward(self, z: Tensor, labels: Array) -> Tensor:
        return self.network(z * self.embedding(labels))


class ClassifyingDiscriminator(nn.Module):
    """discriminator(x, labels) -> (N, 1 + classes): the logit, then the class logits. The labels are not looked at."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def forward(self, x: Tensor, labels: Array) -> Tensor:
        return self.network(x)


def acgan(
    *,
    rng: np.random.Generator,
    classes: int,
    image_size: ImageSize = 28,
    channels: int = 1,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim), labels (N,) -> images (N, channels, height, width) in [-1, 1] -> (N, 1 + classes)."""
    check_sizes(classes, z_dim)
    generator = dcgan.generator(rng, image_size, channels, z_dim, width)
    discriminator = dcgan.discriminator(rng, image_size, channels, width, outputs=1 + classes)
    return ScaledGenerator(generator, classes, z_dim, rng), ClassifyingDiscriminator(discriminator)


MODEL = Model(
    name="acgan",
    summary="draws the class it is asked for: D names the class of what it sees",
    paper="Odena, Olah & Shlens 2017, arXiv:1610.09585",
    networks=acgan,
    conditional=True,
    objective=AuxiliaryClassifier(fakes=False),
)
