"""What a run is looked at by: the same inputs again and again, so that its pictures show how it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import viz
from ..gan import generate
from ..gan.trainer import Trainer


class Looks(Protocol):
    """Draws what the networks of a trainer make of the same inputs, at any time; a game of another kind has its own."""

    def grid(self, trainer: Trainer[Any]) -> np.ndarray:
        """A picture, as ``viz.grid`` makes it."""
        ...

    def finish(self, trainer: Trainer[Any], out: Path) -> None:
        """Write whatever is to be seen at the end."""
        ...


class Latents:
    """A generator on the same latents: a grid, with a column for each class of a conditional one, and walks."""

    def __init__(self, z_dim: int, rng: np.random.Generator, classes: int = 0) -> None:
        self.columns = classes or 8
        self.z = rng.standard_normal((8 * self.columns, z_dim))
        self.labels = np.arange(len(self.z)) % self.columns if classes else None

    def grid(self, trainer: Trainer[Any]) -> np.ndarray:
        return viz.grid(generate(trainer.result(), self.z, self.labels), columns=self.columns)

    def finish(self, trainer: Trainer[Any], out: Path) -> None:
        """interpolation.png: walks between two latents, a row each."""
        labels = None if self.labels is None else self.labels[:8]
        viz.save_png(out / "interpolation.png", viz.walks(trainer.result(), self.z[:16], labels=labels))
