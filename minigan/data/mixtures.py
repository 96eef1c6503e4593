"""Gaussians in the plane: the smallest data on which a GAN can be seen to win, to oscillate or to collapse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..backend import Array, ArrayBackend


@dataclass(frozen=True, eq=False)
class Mixture:
    """Equally likely Gaussians N(centre, std^2 I);  centres (modes, 2)

    >>> grid_of_gaussians().centres.shape, ring_of_gaussians().std
    ((25, 2), 0.01)
    """

    centres: np.ndarray
    std: float

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """``count`` points (count, 2), float64."""
        return self.centres[rng.integers(len(self.centres), size=count)] + self.std * rng.standard_normal((count, 2))

    def batches(
        self, count: int, batch_size: int, *, backend: ArrayBackend, rng: np.random.Generator
    ) -> Iterator[Array]:
        """``count`` fresh batches (batch_size, 2), float32, for ``Trainer.steps``."""
        for _ in range(count):
            yield backend.asarray(self.sample(batch_size, rng).astype(np.float32))


def grid_of_gaussians(side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Mixture:
    """side x side modes around the origin (Dumoulin et al. 2017; 5, 2 and 0.05 in VEEGAN and PacGAN)."""
    ticks = spacing * (np.arange(side) - (side - 1) / 2)
    return Mixture(np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2), std)


def ring_of_gaussians(modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Mixture:
    """Modes evenly on a circle (Metz et al. 2017; 8, 1 and 0.01 in VEEGAN and PacGAN)."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return Mixture(radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), std)
