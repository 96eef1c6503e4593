"""Choices that a gradient gets through: 0 or 1 forwards, the slope of something smooth backwards."""

from __future__ import annotations

import math

from ..backend import Array, ArrayBackend
from ..errors import InputError
from ..tensor import Gradients, Op, Tensor, apply
from .activation import amax, relu, softmax
from .elementwise import log, sigmoid, softplus

STEEP = 1e6  # slope of the ramps that stand for steps: between 0 and 1 they pass in a millionth


def straight_through(hard: Tensor, smooth: Tensor) -> Tensor:
    """The value of ``hard`` with the gradient of ``smooth``, of every order (Bengio, Leonard & Courville 2013).

    It is not the gradient of what is computed, which is 0 almost everywhere, but points where ``smooth`` would go.
    """
    if hard.shape != smooth.shape:
        raise InputError(f"straight_through: a value {hard.shape} cannot have the gradient of {smooth.shape}")
    return apply(StraightThrough(), hard.detach(), smooth)


class StraightThrough(Op):
    """y = hard;  d smooth = g"""

    reads_inputs = False
    makes_view = True

    def forward(self, backend: ArrayBackend, hard: Array, smooth: Array) -> Array:
        return hard

    def vjp(self, g: Tensor, y: Tensor, hard: Tensor, smooth: Tensor) -> Gradients:
        return None, lambda: g


def step(x: Tensor) -> Tensor:
    """1 where x >= 0, else 0, as a ramp from -1e-6 to 0: exporters know what it is made of.

    >>> step(Tensor([-2.0, -0.001, 0.0, 0.5]))
    Tensor([0., 0., 1., 1.], dtype=float32)
    """
    return relu(1 - relu(x * -STEEP))


def one_hot_max(x: Tensor, axis: int = -1) -> Tensor:
    """1 at the largest along ``axis`` and 0 elsewhere, but for what comes within 1e-6 of it.

    >>> one_hot_max(Tensor([[0.0, 3.0, 2.0]]))
    Tensor([[0., 1., 0.]], dtype=float32)
    """
    return step(x - amax(x, axis, keepdims=True))


def binary_neuron(logits: Tensor, *, training: bool = True) -> Tensor:
    """1 where logits >= 0, else 0; the gradient is that of sigmoid(logits). A deterministic binary neuron.

    (Dong & Yang 2018, "Convolutional generative adversarial networks with binary neurons", arXiv:1804.09399.) Without
    ``training`` there is no gradient, and nothing in it that an exporter does not know.
    """
    if not training:
        return step(logits)
    return straight_through(Tensor((logits.data >= 0).astype(logits.dtype)), sigmoid(logits))


def one_hot_neuron(logits: Tensor, axis: int = -1, *, training: bool = True) -> Tensor:
    """1 at the largest of the logits along ``axis``, else 0; the gradient is that of their softmax."""
    if not training:
        return one_hot_max(logits, axis)
    largest = logits.data == logits.data.max(axis, keepdims=True)
    return straight_through(Tensor(largest.astype(logits.dtype)), softmax(logits, axis))


def logistic_noise(x: Tensor) -> Tensor:
    """Of a standard normal x, a number of the logistic distribution: log(p / (1 - p)) of its p = Phi(x), to 3e-4.

    1 where logit + noise > 0 is 1 with the probability sigmoid(logit).
    """
    return (x + x**3 * 0.044715) * (2 * math.sqrt(2 / math.pi))


def gumbel_noise(x: Tensor) -> Tensor:
    """Of a standard normal x, a number of the Gumbel distribution: -log(-log Phi(x)).

    The largest of logits + noise is entry k with the probability softmax(logits)[k].
    """
    return -log(softplus(-logistic_noise(x)))
