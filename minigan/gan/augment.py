"""What D is shown instead of the plain images: noise that blurs both sides, and augmentations that G can feel through.

An augmentation takes images (N, C, H, W), a host generator and the number of the step, and returns images. It is
applied to real and generated images alike, and made of ops: G's gradient flows through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..ops.drawn import drawn
from ..ops.translate import translate
from ..tensor import Tensor

Augmentation = Callable[[Tensor, np.random.Generator, int], Tensor]


@dataclass(frozen=True)
class InstanceNoise:
    """x + N(0, std^2), the std falling linearly to 0 within ``steps`` (Sonderby et al. 2017; Arjovsky & Bottou 2017).

    With noise on both, real and generated images overlap from the start, and D cannot be sure too early.
    """

    std: float = 0.1
    steps: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.std < math.inf or (self.steps is not None and self.steps < 1):
            raise InputError(f"InstanceNoise: std = {self.std} must be at least 0, steps = {self.steps} at least 1")

    def __call__(self, x: Tensor, rng: np.random.Generator, step: int) -> Tensor:
        if not self.kind(step):
            return x
        return x + drawn(
            lambda n, step: self.std_at(step) * rng.standard_normal((n, *x.shape[1:])), x, step, rows=len(x)
        )

    def std_at(self, step: int) -> float:
        return self.std if self.steps is None else self.std * max(0.0, 1 - step / self.steps)

    def kind(self, step: int) -> bool:
        """Whether there is noise: what a captured step (see gan/capture.py) is captured anew for."""
        return self.std_at(step) > 0


@dataclass(frozen=True)
class DiffAugment:
    """Differentiable augmentation (Zhao et al. 2020), for training on few images: any of "color,translation,cutout".

    color: brightness + U(-1/2, 1/2); saturation, the distance from the mean over channels, times U(0, 2); contrast, the
    distance from the image's mean, times U(1/2, 3/2). translation: by up to 1/8 of each side, zeros coming in. cutout:
    a square of half the side set to 0.
    """

    policy: str = "color,translation,cutout"

    def __post_init__(self) -> None:
        names = self.policy.split(",")
        if len(set(names)) < len(names):
            raise InputError(f"DiffAugment: {self.policy!r} names one twice")
        unknown = [name for name in names if name not in POLICIES]
        if unknown:
            raise InputError(f"DiffAugment: unknown {', '.join(map(repr, unknown))}; choose of {', '.join(POLICIES)}")

    def __call__(self, x: Tensor, rng: np.random.Generator, step: int) -> Tensor:
        for name in self.policy.split(","):
            x = POLICIES[name](x, rng)
        return x


def color(x: Tensor, rng: np.random.Generator) -> Tensor:
    def drawn_factor(low: float, high: float) -> Tensor:
        return drawn(lambda n: low + (high - low) * rng.random((n, 1, 1, 1)), x, rows=len(x))

    x = x + drawn_factor(-0.5, 0.5)
    grey = x.mean(1, keepdims=True)
    x = (x - grey) * drawn_factor(0, 2) + grey
    mean = x.mean((1, 2, 3), keepdims=True)
    return (x - mean) * drawn_factor(0.5, 1.5) + mean


def translation(x: Tensor, rng: np.random.Generator) -> Tensor:
    reach = [round(side / 8) for side in x.shape[2:]]

    def offsets(n: int) -> np.ndarray:
        return np.stack([rng.integers(-r, r + 1, n) for r in reach], axis=1)

    return translate(x, drawn(offsets, x, rows=len(x), dtype=np.int64).data)


def cutout(x: Tensor, rng: np.random.Generator) -> Tensor:
    height, width = x.shape[2:]
    h, w = round(height / 2), round(width / 2)

    def kept(n: int) -> np.ndarray:
        keep = np.ones((n, 1, height, width))
        tops, lefts = rng.integers(0, height + 1, n) - h // 2, rng.integers(0, width + 1, n) - w // 2
        for image, top, left in zip(keep, tops, lefts, strict=True):
            image[:, max(0, top) : max(0, top + h), max(0, left) : max(0, left + w)] = 0
        return keep

    return x * drawn(kept, x, rows=len(x))


POLICIES = {"color": color, "translation": translation, "cutout": cutout}
