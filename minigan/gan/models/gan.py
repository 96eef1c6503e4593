"""The first GAN (Goodfellow et al. 2014): fully connected layers, maxout and dropout in the detective."""

from __future__ import annotations

import numpy as np

from ... import nn
from .model import Model, Networks
from .sizes import ImageSize, height_width


def gan(
    *,
    rng: np.random.Generator,
    image_size: ImageSize = 28,
    channels: int = 1,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) -> images (N, channels, height, width) in [-1, 1] -> logits (N, 1).

    ``width`` is the number of hidden units in G (default: the paper's 1200); D has a fifth, each the largest of 5.
    """
    hidden = width or 1200
    pieces, units = 5, max(1, hidden // 5)
    rows, columns = height_width(image_size, smallest=1)
    pixels = channels * rows * columns
    generator = nn.Sequential(
        nn.Linear(z_dim, hidden, rng=rng),
        nn.ReLU(),
        nn.Linear(hidden, hidden, rng=rng),
        nn.ReLU(),
        nn.Linear(hidden, pixels, rng=rng),
        nn.Tanh(),
        nn.Reshape(channels, rows, columns),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, units * pieces, rng=rng),
        nn.Maxout(pieces),
        nn.Dropout(0.5, rng=rng),
        nn.Linear(units, units * pieces, rng=rng),
        nn.Maxout(pieces),
        nn.Dropout(0.5, rng=rng),
        nn.Linear(units, 1, rng=rng),
    )
    return generator, discriminator


MODEL = Model(
    name="gan",
    summary="the first one: fully connected layers",
    paper="Goodfellow et al. 2014, arXiv:1406.2661",
    networks=gan,
)
