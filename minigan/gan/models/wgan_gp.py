"""WGAN-GP (Gulrajani et al. 2017): a critic whose slope between real and generated images is held near 1."""

from __future__ import annotations

import numpy as np

from ..objectives import Wasserstein
from ..penalties import GradientPenalty
from . import dcgan
from .model import Model, Networks
from .sizes import ImageSize


def wgan_gp(
    *,
    rng: np.random.Generator,
    image_size: ImageSize = 28,
    channels: int = 1,
    z_dim: int = 128,
    width: int | None = None,
) -> Networks:
    """DCGAN's networks, without batch norm in the critic: the penalty is on the gradient for each image alone."""
    generator = dcgan.generator(rng, image_size, channels, z_dim, width)
    return generator, dcgan.discriminator(rng, image_size, channels, width, batch_norm=False)


MODEL = Model(
    name="wgan_gp",
    summary="a critic with a gradient penalty, through double backward",
    paper="Gulrajani et al. 2017, arXiv:1704.00028",
    networks=wgan_gp,
    objective=Wasserstein(),
    penalties=(GradientPenalty(weight=10.0),),
    z_dim=128,
    g_lr=1e-4,
    d_lr=1e-4,
    betas=(0.0, 0.9),
    n_critic=5,
)
