"""Pictures: a grid in one PNG file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import viz
from .medium import Medium


class Pictures(Medium):
    """Images (N, C, H, W) in [-1, 1]"""

    noun, suffix = "images", ".png"

    def picture(self, samples: np.ndarray, columns: int | None = None) -> viz.Picture:
        return viz.grid(samples, columns)

    def one(self, sample: np.ndarray) -> viz.Picture:
        return viz.grid(sample[None], padding=0)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        viz.save_png(path, self.picture(samples, columns))
        return [path]
