"""What every extractor makes of pictures, and what the metrics ask of one."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np


class Features(NamedTuple):
    """What an extractor makes of N pictures."""

    features: np.ndarray  # (N, d)
    probabilities: np.ndarray  # (N, classes): how sure it is of each class


class Extractor(Protocol):
    """Pictures to features, always the same way: in evaluation mode, so that a picture's do not depend on others."""

    name: str
    dimensions: int
    classes: tuple[str, ...]

    def __call__(self, images: np.ndarray, batch_size: int = 500) -> Features:
        """Of images (N, C, H, W), uint8 or in [-1, 1]; the latter are rounded to bytes, as real ones are."""

    def describe(self) -> str:
        """A line that says which it is, to stand beside every number that it led to."""
