"""Penalties on the discriminator's slope. Each is made of a gradient that is then differentiated again.

With v = dD/dx, the gradient of D's logit with respect to an image, a penalty is a function of |v|, the norm over *all*
of an image's pixels, and its own gradient with respect to D's weights goes through v: a double backward.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import InputError
from ..nn import ConditionalBatchNorm2d, Module
from ..nn.layers import BatchNorm
from ..ops import sqrt
from ..ops.across import gathered
from ..ops.drawn import drawn
from ..sizes import size
from ..tensor import Tensor, enable_grad, grad

Critic = Callable[[Tensor], Tensor]  # images (N, ...) to logits; the first column is the one that counts


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """A term to add to the discriminator's loss, ``weight`` included.

    ``every`` = k applies it in each k-th step only, k times as strong (lazy regularisation, Karras et al. 2020).
    ``at`` is "real" or "fake" where the slope is taken at the very images that D's loss looks at: then these require a
    gradient, and asking the critic about them again costs nothing.
    """

    every: int = 1
    at: ClassVar[str] = ""

    def __post_init__(self) -> None:
        size(f"{type(self).__name__}: every", self.every)
        for name in ("weight", "gamma"):
            value = getattr(self, name, 0)
            if not 0 <= value < math.inf:
                raise InputError(f"{type(self).__name__}: {name} = {value} must be at least 0, and finite")

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, rng: np.random.Generator) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.__call__")

    def check(self, discriminator: Module) -> None:
        """Warn of a discriminator that this penalty does not fit."""


@dataclass(frozen=True, kw_only=True)
class GradientPenalty(Penalty):
    """WGAN-GP (Gulrajani et al. 2017): weight * E (|dD/dx| - 1)^2 between the real and the generated images.

    x = a real + (1 - a) fake, with a ~ U(0, 1) per sample."""

    weight: float = 10.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, rng: np.random.Generator) -> Tensor:
        a = _per_sample(rng, real)
        return _towards_one(critic, fake + (real - fake) * a) * self.weight

    def check(self, discriminator: Module) -> None:
        if any(isinstance(module, BatchNorm | ConditionalBatchNorm2d) for module in discriminator.modules()):
            warnings.warn(
                "the gradient penalty wants a gradient for each image alone, but batch norm in the discriminator mixes "
                "the images of a batch: use layer norm, instance norm or none there",
                stacklevel=3,
            )


@dataclass(frozen=True, kw_only=True)
class Dragan(GradientPenalty):
    """DRAGAN (Kodali et al. 2017): weight * E (|dD/dx| - 1)^2 around the data only.

    x = real + a * 0.5 * std(real) * u, with u ~ U(0, 1) per pixel and a ~ U(0, 1) per sample.
    """

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, rng: np.random.Generator) -> Tensor:
        a = _per_sample(rng, real)
        u = drawn(lambda n: rng.random((n, *real.shape[1:])), real, rows=len(real))
        half = real.backend.asarray(0.5 * real.backend.xp.std(gathered(real).data, dtype=np.float64), real.dtype)
        return _towards_one(critic, real + u * a * Tensor(half)) * self.weight


@dataclass(frozen=True, kw_only=True)
class R1(Penalty):
    """R1 (Mescheder, Geiger & Nowozin 2018): gamma / 2 * E |dD/dx|^2 on real images."""

    gamma: float = 10.0
    at: ClassVar[str] = "real"

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, rng: np.random.Generator) -> Tensor:
        return squared_slope(critic, real).mean() * (self.gamma / 2)


@dataclass(frozen=True, kw_only=True)
class R2(R1):
    """R2 (ibid.): gamma / 2 * E |dD/dx|^2 on generated images."""

    at: ClassVar[str] = "fake"

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, rng: np.random.Generator) -> Tensor:
        return super().__call__(critic, fake, real, rng)


def squared_slope(critic: Critic, x: Tensor) -> Tensor:
    """|dD/dx|^2 over all pixels of each sample: x (N, ...) -> (N,), recorded for a second backward.

    An x that requires a gradient of its own is handed to the critic as it is: that may know its logits already.
    """
    if x.node is not None or not x.requires_grad:
        x = Tensor(x.data, requires_grad=True)
    with enable_grad():  # also within no_grad, where a penalty is only looked at: the slope needs the graph
        logits = critic(x)
        if logits.ndim != 2:
            raise InputError(f"a penalty needs a critic that makes logits (N, 1), not {logits.shape}")
        (v,) = grad(logits[:, 0].sum(), [x], create_graph=True)
    return (v * v).sum(tuple(range(1, v.ndim)))


def _towards_one(critic: Critic, x: Tensor) -> Tensor:
    # The root's slope is infinite at 0, where a critic that is flat somewhere would get NaN.
    norm = sqrt(squared_slope(critic, x) + 1e-12)
    return ((norm - 1) ** 2).mean()


def _per_sample(rng: np.random.Generator, like: Tensor) -> Tensor:
    """a ~ U(0, 1), (N, 1, ...)"""
    return drawn(lambda n: rng.random((n, *[1] * (like.ndim - 1))), like, rows=len(like))


PENALTIES: dict[str, type[Penalty]] = {"gradient_penalty": GradientPenalty, "dragan": Dragan, "r1": R1, "r2": R2}
