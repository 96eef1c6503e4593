"""A GAN that writes letter by letter (Kusner & Hernandez-Lobato 2016): Gumbel-softmax.

To draw a letter, add Gumbel noise to the logits and take the largest: that is a draw from their softmax. So the noise
can come first, and G be a function of it, z; and where the choice has no slope, it is given that of the softmax. Each
letter is chosen in view of those before it, which a generator that writes all letters at once has to guess.
D sees one-hot letters only, of texts and of G alike, so any objective will do. Here it is the non-saturating one, R1 on
D. The paper has LSTMs where this has the last few letters, and leaves the draws soft; its noise is drawn anew, this
one's is read from z.
"""

from __future__ import annotations

import numpy as np

from ... import nn, ops
from ...ops.straight_through import gumbel_noise, one_hot_neuron
from ...tensor import Tensor
from ..penalties import R1
from .model import Model, Networks
from .text_wgan import checked, open_text

REACH, EMBEDDING = 6, 24  # letters that are looked back upon, and numbers that each of them becomes


class Directions(nn.Module):
    """z (N, z_dim) -> (N, count): how far z goes in directions that are fixed, at random. All are standard normal.

    Where there are more of them than z has dimensions, they are independent but nearly.
    """

    buffer_names = ("unit",)

    def __init__(self, z_dim: int, count: int, rng: np.random.Generator) -> None:
        unit = rng.standard_normal((count, z_dim))
        self.unit = (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32)

    def forward(self, z: Tensor) -> Tensor:
        return ops.linear(z, Tensor(self.unit))


class Speller(nn.Module):
    """z (N, z_dim) -> one-hot letters (N, characters, length), each chosen in view of the last few, and of z."""

    def __init__(self, characters: int, length: int, z_dim: int, width: int, rng: np.random.Generator) -> None:
        self.characters, self.length = characters, length
        self.directions = Directions(z_dim, length * characters, rng)
        self.code = nn.Linear(z_dim, width, rng=rng)
        self.before = nn.Linear(z_dim, REACH * EMBEDDING, rng=rng)  # what was written before the first letter
        self.embed = nn.Linear(characters, EMBEDDING, bias=False, rng=rng)
        self.first = nn.Linear(REACH * EMBEDDING, width, rng=rng)
        self.second = nn.Linear(width, width, rng=rng)
        self.last = nn.Linear(width, characters, rng=rng)

    def forward(self, z: Tensor) -> Tensor:
        noise, code, count = gumbel_noise(self.directions(z)), self.code(z), self.characters
        seen, written = self.before(z), []
        for place in range(0, self.length * count, count):
            h = ops.relu(self.first(seen) + code)
            logits = self.last(ops.relu(self.second(h)))
            letter = one_hot_neuron(logits + noise[:, place : place + count], axis=1, training=self.training)
            seen = ops.concat([seen[:, EMBEDDING:], self.embed(letter)], axis=1)
            written.append(letter.reshape(-1, count, 1))
        return ops.concat(written, axis=2)


class Reader(nn.Module):
    """(N, characters, length) -> (N, 1): looks at seven letters at a time, and sums what it finds over all places."""

    def __init__(self, characters: int, channels: int, rng: np.random.Generator) -> None:
        self.body = nn.Sequential(
            nn.Conv1d(characters, channels, 5, padding=2, rng=rng),
            nn.LeakyReLU(0.2),
            nn.Conv1d(channels, channels, 3, padding=1, rng=rng),
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(channels, 1, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).sum(2))


def text_gumbel(
    *, rng: np.random.Generator, alphabet: str, length: int, z_dim: int = 128, width: int | None = None
) -> Networks:
    """z (N, z_dim) -> one-hot letters (N, characters, length) -> logits (N, 1), for texts of so many of the alphabet.

    ``width`` units in G's layers, three quarters as many channels in D's (default: 128).
    """
    width, characters = width or 128, len(checked(alphabet))
    return Speller(characters, length, z_dim, width, rng), Reader(characters, max(width * 3 // 4, 1), rng)


MODEL = Model(
    name="text_gumbel",
    summary="writes letter by letter, drawn by Gumbel-softmax from z; R1",
    paper="Kusner & Hernandez-Lobato 2016, arXiv:1611.04051",
    networks=text_gumbel,
    penalties=(R1(gamma=0.02, every=8),),
    z_dim=128,
    g_lr=2e-3,
    d_lr=2e-3,
    betas=(0.0, 0.99),
    ema=0.995,
    batch_size=64,
    steps=2000,
    medium="text",
    open_data=open_text,
)
