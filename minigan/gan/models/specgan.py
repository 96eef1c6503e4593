"""SpecGAN (Donahue, McAuley & Puckette 2019): sounds drawn as pictures, their log spectrograms, and heard again.

Any GAN of pictures can learn a spectrogram; this one has DCGAN's networks, as the paper's. Where the sounds have labels
both players are told them: G by a vector beside z, D by a projection head (Miyato & Koyama 2018). D has no batch norm,
so that R1 may hold its slope where the paper has WGAN-GP, which takes five steps of D for one of G.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import nn
from ...backend import Array
from ...data import Drawn, audio, spectrograms
from ...data.sounds import WHERE
from ...errors import InputError
from ...tensor import Tensor
from ..penalties import R1
from . import dcgan
from .cgan import ConditionalGenerator
from .model import Model, Networks
from .sizes import ImageSize, check_sizes, halvings

EMBEDDING = 50  # numbers that tell G the label
HIDDEN = 256  # units of D's last hidden layer


class ProjectionDiscriminator(nn.Module):
    """discriminator(x, labels) -> logits (N, 1): psi(h) + <embed(label), h>, with h = body(x) (N, features)"""

    def __init__(self, body: nn.Module, features: int, classes: int, rng: np.random.Generator) -> None:
        self.body, self.head = body, nn.ProjectionHead(features, num_classes=classes, rng=rng)

    def forward(self, x: Tensor, labels: Array) -> Tensor:
        return self.head(self.body(x), labels)


def specgan(
    *,
    rng: np.random.Generator,
    classes: int | None = None,
    image_size: ImageSize = 32,
    spectrogram: Mapping[str, Any] | None = None,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) and, where there are ``classes``, labels (N,) -> spectrograms (N, 1, bands, frames) in [-1, 1];
    these and the labels -> logits (N, 1).

    ``image_size`` is (bands, frames), ``spectrogram`` the scale by which they are heard, which the networks do not look
    at. ``width`` is the number of channels next to the picture (default: 32).
    """
    check_sizes(1 if classes is None else classes, z_dim)
    width = width or 32
    network = dcgan.generator(rng, image_size, 1, z_dim + (0 if classes is None else EMBEDDING), width)
    (rows, columns), channels = halvings(image_size)[-1], dcgan.widths(image_size, width)[-1]
    body = nn.Sequential(
        *dcgan.shrinking(rng, image_size, 1, width, batch_norm=False, bias=True),
        nn.MinibatchStd(),
        nn.Flatten(),
        nn.Linear((channels + 1) * rows * columns, HIDDEN, rng=rng),
        nn.LeakyReLU(0.2),
    )
    nn.init.dcgan_(body, rng)
    return told(network, body, HIDDEN, classes, rng)


def told(network: nn.Module, body: nn.Module, features: int, classes: int | None, rng: np.random.Generator) -> Networks:
    """Both players, who are told the label where there are ``classes``; ``body`` ends in (N, features)."""
    if classes is None:
        end = nn.Linear(features, 1, rng=rng)
        nn.init.normal_(end.weight, rng, std=0.02)
        return network, nn.Sequential(body, end)
    judge = ProjectionDiscriminator(body, features, classes, rng)
    for parameter in (judge.head.psi.weight, judge.head.embed.weight):
        nn.init.normal_(parameter, rng, std=0.02)
    return ConditionalGenerator(network, classes, EMBEDDING, rng), judge


def open_sounds(source: str) -> Any:
    if source == "mnist":
        raise InputError(f"this model learns from sounds: {WHERE}")
    return audio(source)


def open_spectrograms(source: str) -> Drawn:
    return spectrograms(open_sounds(source))


MODEL = Model(
    name="specgan",
    summary="sounds: log spectrograms as pictures, told the label where there is one; R1",
    paper="Donahue, McAuley & Puckette 2019, arXiv:1802.04208",
    networks=specgan,
    conditional=True,
    labels_optional=True,
    penalties=(R1(gamma=1.0, every=8),),
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.0, 0.99),
    ema=0.998,
    batch_size=64,
    steps=2000,
    medium="spectrograms",
    open_data=open_spectrograms,
)
