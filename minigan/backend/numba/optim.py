"""Optimizers, as loops over flat parameters p, gradients g and what each remembers. All but g are updated in place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..numpy.optim import folded, over_chunks
from ..updates import SGD, Adam, RMSprop
from .compile import compiled

Groups = Sequence[Sequence[np.ndarray]]  # for each parameter p, g and its state, flat


@compiled
def adam_loop(p, g, m, v, c1, c2, rate, eps, l2, shrink):
    """m <- m + c1 (g - m),  v <- v + c2 (g^2 - v),  p <- p - rate m / (sqrt(v) + eps);  c = 1 - beta"""
    for i in range(p.size):
        p_i = shrink * p[i]
        g_i = g[i] + l2 * p_i
        m[i] += c1 * (g_i - m[i])
        v[i] += c2 * (g_i * g_i - v[i])
        p[i] = p_i - rate * m[i] / (math.sqrt(v[i]) + eps)


@compiled
def sgd_loop(p, g, b, rate, momentum, l2):
    """b <- momentum b + g + l2 p,  p <- p - rate b"""
    for i in range(p.size):
        b[i] = momentum * b[i] + g[i] + l2 * p[i]
        p[i] -= rate * b[i]


@compiled
def rmsprop_loop(p, g, v, rate, c, eps):
    """v <- v + c (g^2 - v),  p <- p - rate g / (sqrt(v) + eps);  c = 1 - alpha"""
    for i in range(p.size):
        v[i] += c * (g[i] * g[i] - v[i])
        p[i] -= rate * g[i] / (math.sqrt(v[i]) + eps)


@compiled
def average_loop(a, p, c):
    """a <- a + c (p - a)"""
    for i in range(a.size):
        a[i] += c * (p[i] - a[i])


# ---- who calls them ------------------------------------------------------------------------------


def adam(rule: Adam, groups: Groups) -> None:
    over_chunks(adam_loop, groups, 1 - rule.betas[0], 1 - rule.betas[1], *folded(rule), rule.l2,
                1 - rule.lr * rule.decay)  # fmt: skip


def sgd(rule: SGD, groups: Groups) -> None:
    over_chunks(sgd_loop, groups, rule.lr, rule.momentum, rule.l2)


def rmsprop(rule: RMSprop, groups: Groups) -> None:
    over_chunks(rmsprop_loop, groups, rule.lr, 1 - rule.alpha, rule.eps)


def average(share: float, groups: Groups) -> None:
    over_chunks(average_loop, groups, share)
