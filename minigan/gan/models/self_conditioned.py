"""A self-conditioned GAN: pictures are sorted into clusters, without labels, and both players are told the cluster.

Labels help a GAN more than anything else: what a class looks like is easier to learn than what all of them look like,
and G need not cross from one to the next without a gap. Where nobody has labelled the pictures, clusters of alike ones
do nearly as well (Sage et al. 2018; Liu et al. 2020): ``data.clustered`` finds them by k-means.

G draws from a cluster as often as the data do: the first number of z chooses it, so that one calls generator(z) as if
there were no clusters. The networks are DCGAN's, but for D's end: no batch norm, so that R1 may hold its slope; a
minibatch standard deviation, by which it notices pictures that are too much alike; one hidden layer that sees the whole
picture, and a projection head that is told the cluster (Miyato & Koyama 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import NormalDist

import numpy as np

from ... import nn
from ...backend import Array
from ...errors import InputError
from ...ops import concat
from ...tensor import Tensor
from ..penalties import R1
from . import dcgan
from .model import Model, Networks
from .sizes import ImageSize, halvings

EMBEDDING = 50  # numbers that tell G the cluster
HIDDEN = 256  # units of D's last hidden layer
GROUP = 4  # pictures that the minibatch standard deviation compares


class SelfConditionedGenerator(nn.Module):
    """generator(z) -> images; generator(z, clusters) draws from these clusters, (N,) whole numbers.

    ``counts`` are how many of the data are in each cluster. ``mapping`` is the first half, up to the vector that the
    convolutions grow a picture from.
    """

    def __init__(self, network: nn.Module, counts: Sequence[int], dim: int, rng: np.random.Generator) -> None:
        self.network = network
        self.embedding = nn.Embedding(len(counts), dim, rng=rng)
        shares = [so_far / sum(counts) for so_far in accumulate(counts)]
        self.choose = Choose([NormalDist().inv_cdf(share) for share in shares[:-1] if 0 < share < 1])

    def forward(self, z: Tensor, clusters: Array | None = None) -> Tensor:
        return self.network(self.mapping(z, clusters))

    def mapping(self, z: Tensor, clusters: Array | None = None) -> Tensor:
        """z (N, z_dim) -> (N, z_dim - 1 + dim): the cluster's vector in place of the number that chose it"""
        if clusters is None:
            clusters = self.choose(z)
        return concat([z[:, 1:], self.embedding(clusters)], axis=1)


class Choose(nn.Module):
    """The cluster (N,) that each z asks for: as many of them as there are, where z[:, 0] is N(0, 1)."""

    def __init__(self, thresholds: Sequence[float]) -> None:
        self.thresholds = tuple(thresholds)

    def forward(self, z: Tensor) -> Array:
        return (z.data[:, :1] > z.backend.asarray(np.array(self.thresholds, z.dtype))).sum(axis=1)


class SelfConditionedDiscriminator(nn.Module):
    """discriminator(x, clusters) -> logits (N, 1); where there is but one cluster, discriminator(x) too"""

    def __init__(self, body: nn.Module, clusters: int, rng: np.random.Generator) -> None:
        self.body, self.clusters = body, clusters
        self.head = nn.ProjectionHead(HIDDEN, num_classes=clusters, rng=rng)

    def forward(self, x: Tensor, clusters: Array | None = None) -> Tensor:
        if clusters is None:
            if self.clusters > 1:
                raise InputError("this discriminator has to be told each picture's cluster: see data.clustered")
            clusters = x.backend.xp.zeros(len(x), np.int64)
        return self.head(self.body(x), clusters)


def self_conditioned(
    *,
    rng: np.random.Generator,
    clusters: Sequence[int] = (1,),
    image_size: ImageSize = 28,
    channels: int = 1,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) -> images (N, channels, height, width) in [-1, 1]; images, clusters (N,) -> logits (N, 1).

    ``clusters`` says how many pictures of the data are in each. With a single one this is a GAN like others. ``width``
    is the number of channels next to the pixels (default: 32).
    """
    counts = counted(clusters)
    if z_dim < 2:
        raise InputError(f"z_dim = {z_dim} must be at least 2: the first number chooses the cluster")
    width = width or 32
    network = dcgan.generator(rng, image_size, channels, z_dim - 1 + EMBEDDING, width)
    generator = SelfConditionedGenerator(network, counts, EMBEDDING, rng)

    return generator, told(features(rng, image_size, channels, width), len(counts), rng)


def features(rng: np.random.Generator, image_size: ImageSize, channels: int, width: int) -> nn.Module:
    """D without its head: images (N, channels, height, width) -> (N, HIDDEN)"""
    shrink = dcgan.shrinking(rng, image_size, channels, width, batch_norm=False, bias=True)
    (rows, columns), deepest = halvings(image_size)[-1], dcgan.widths(image_size, width)[-1]
    body = nn.Sequential(
        *shrink,
        nn.MinibatchStd(group_size=GROUP),
        nn.Flatten(),
        nn.Linear((deepest + 1) * rows * columns, HIDDEN, rng=rng),
        nn.LeakyReLU(0.2),
    )
    nn.init.dcgan_(body, rng)
    return body


def told(body: nn.Module, clusters: int, rng: np.random.Generator) -> SelfConditionedDiscriminator:
    """D of what ``body`` sees, and of the cluster."""
    discriminator = SelfConditionedDiscriminator(body, clusters, rng)
    for parameter in (discriminator.head.psi.weight, discriminator.head.embed.weight):
        nn.init.normal_(parameter, rng, std=0.02)
    return discriminator


def counted(clusters: Sequence[int]) -> list[int]:
    """How many of the data are in each cluster, once that has been found to be so."""
    counts = [int(count) for count in clusters]
    if not counts or min(counts) < 1:
        raise InputError(f"clusters = {clusters}: give each cluster's number of pictures, at least 1")
    return counts


MODEL = Model(
    name="self_conditioned",
    summary="told which cluster of alike pictures it sees, no labels needed; R1; the default",
    paper="Liu et al. 2020, arXiv:2006.10728; Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406",
    networks=self_conditioned,
    clusters=50,
    penalties=(R1(gamma=1.0, every=8),),
    gamma_pixels=32 * 32,
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.0, 0.99),
    ema=0.998,
    batch_size=64,
)
