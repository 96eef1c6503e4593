"""Drawing a class in a way that a gradient can flow through: for generators of discrete things."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..tensor import Tensor
from .activation import softmax
from .drawn import drawn
from .straight_through import straight_through


def gumbel_softmax(
    logits: Tensor, tau: float = 1.0, *, rng: np.random.Generator, hard: bool = False, axis: int = -1
) -> Tensor:
    """softmax((logits + noise) / tau) along ``axis``, the noise -log(-log u), u ~ U(0, 1) (Jang, Gu & Poole 2017).

    The largest entry is class k with the probability softmax(logits)[k]; the colder ``tau``, the nearer the others are
    to 0. ``hard`` gives exactly that 0-or-1 draw, with the gradient of the soft one (straight-through).
    """
    if not tau > 0:
        raise InputError(f"gumbel_softmax: tau = {tau} must be above 0")
    noise = drawn(lambda n: rng.gumbel(size=(n, *logits.shape[1:])), logits, rows=len(logits))
    soft = softmax((logits + noise) * (1 / tau), axis)
    if not hard:
        return soft
    chosen = soft.data == soft.data.max(axis, keepdims=True)
    return straight_through(Tensor(chosen.astype(soft.dtype)), soft)
