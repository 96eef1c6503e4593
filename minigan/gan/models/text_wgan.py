"""A WGAN-GP that writes (Gulrajani et al. 2017, section 5.3): residual 1-D convolutions over characters.

Characters are discrete: G cannot move a letter a little, so a gradient has nothing to say. Here G gives probabilities
of the characters at each place, all at once, and D sees these beside the one-hot letters of texts. A D that classifies
would know G by its doubts and teach it nothing else; a critic with a bounded slope measures how far the doubts are from
certainty, and that distance has a gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import data, nn, ops
from ...data.text import WHERE
from ...errors import InputError
from ...tensor import Tensor
from ..objectives import Wasserstein
from ..penalties import GradientPenalty
from .model import Model, Networks

KERNEL = 5


class TextBlock(nn.Module):
    """y = x + 0.3 conv(relu(conv(relu x)))"""

    def __init__(self, width: int, rng: np.random.Generator) -> None:
        self.first = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, rng=rng)
        self.second = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(ops.relu(self.first(ops.relu(x)))) * 0.3


class Characters(nn.Module):
    """Logits (N, characters, length) -> probabilities of the characters at each place."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.softmax(x, axis=1)


def writer(
    rng: np.random.Generator, characters: int, length: int, z_dim: int, width: int, blocks: int, last: nn.Module
) -> nn.Module:
    """z (N, z_dim) -> (N, characters, length)"""
    return nn.Sequential(
        nn.Linear(z_dim, width * length, rng=rng),
        nn.Reshape(width, length),
        *(TextBlock(width, rng) for _ in range(blocks)),
        nn.Conv1d(width, characters, 1, rng=rng),
        last,
    )


def reader(rng: np.random.Generator, characters: int, length: int, width: int, blocks: int) -> nn.Module:
    """(N, characters, length) -> (N, 1)"""
    return nn.Sequential(
        nn.Conv1d(characters, width, 1, rng=rng),
        *(TextBlock(width, rng) for _ in range(blocks)),
        nn.Flatten(),
        nn.Linear(width * length, 1, rng=rng),
    )


def text_wgan(
    *,
    rng: np.random.Generator,
    alphabet: str,
    length: int,
    z_dim: int = 128,
    width: int | None = None,
    blocks: int = 2,
) -> Networks:
    """z (N, z_dim) -> probabilities (N, characters, length) -> scores (N, 1), for texts of so many of the alphabet.

    ``width`` channels (default: 96; the paper's 512) and so many ``blocks`` (the paper's 5).
    """
    width = width or 96
    letters = len(checked(alphabet))
    last = Characters()
    return writer(rng, letters, length, z_dim, width, blocks, last), reader(rng, letters, length, width, blocks)


def checked(alphabet: Any) -> str:
    """That it is one: different characters, two at least."""
    if not isinstance(alphabet, str) or len(set(alphabet)) != len(alphabet) or len(alphabet) < 2:
        raise InputError(f"alphabet = {alphabet!r} must be a string of different characters")
    return alphabet


def open_text(source: str) -> data.Text:
    """What a model learns from: a file that the user names."""
    if source == "mnist":
        raise InputError(f"this model learns from text: {WHERE}")
    return data.text(source)


MODEL = Model(
    name="text_wgan",
    summary="writes: characters by 1-D convolutions, a critic with a gradient penalty",
    paper="Gulrajani et al. 2017, arXiv:1704.00028",
    networks=text_wgan,
    objective=Wasserstein(),
    penalties=(GradientPenalty(weight=10.0),),
    z_dim=128,
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.5, 0.9),
    n_critic=5,
    batch_size=64,
    steps=1000,
    medium="text",
    open_data=open_text,
)
