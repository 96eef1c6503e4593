"""Precision, recall, density, coverage: is each sample believable, and is everything covered?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .inputs import features_matrix, same_width
from .pairwise import squared_distance_tiles


@dataclass(frozen=True)
class PrecisionRecall:
    """Each as a share. Two samples of the same distribution do not have 1: see the anchors in ``precision_recall``."""

    precision: float  # fakes that lie in the ball of some real sample
    recall: float  # real samples that lie in the ball of some fake
    density: float  # in how many balls a fake lies, over k: expectation 1 for equal distributions, may exceed 1
    coverage: float  # real samples whose ball holds some fake

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f}, recall {self.recall:.3f}, "
            f"density {self.density:.3f}, coverage {self.coverage:.3f}"
        )


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 5) -> PrecisionRecall:
    """Of features ``real`` (N, dim) and ``fake`` (M, dim). Kynkaanniemi et al. 2019; Naeem et al. 2020.

    A sample's ball reaches to its k-th nearest neighbour in its own set, itself not counted, and is closed: a
    neighbour on its surface lies inside. Copies of a sample count as neighbours, at distance 0.

    Two samples of 10,000 of N(0, I_1000), k = 5: precision and recall .48, density 1, coverage .97.

    Raises InputError for k outside 1 .. min(N, M) - 1.
    """
    real, fake = features_matrix(real, "real"), features_matrix(fake, "fake")
    same_width(real=real, fake=fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise InputError(
            f"precision_recall: k {k} must be at least 1 and less than the sample counts, {len(real)} and {len(fake)}"
        )
    real_radii, fake_radii = _squared_radii(real, k), _squared_radii(fake, k)
    balls_around = np.zeros(len(fake), np.int64)  # each fake: in how many real balls it lies
    recalled = covered = 0
    for rows, tile in squared_distance_tiles(real, fake):
        inside = tile <= real_radii[rows, None]
        balls_around += inside.sum(axis=0)
        covered += inside.any(axis=1).sum()
        recalled += (tile <= fake_radii).any(axis=1).sum()
    return PrecisionRecall(
        precision=float(np.mean(balls_around > 0)),
        recall=float(recalled / len(real)),
        density=float(balls_around.mean() / k),
        coverage=float(covered / len(real)),
    )


def _squared_radii(points: np.ndarray, k: int) -> np.ndarray:
    """(N,): each point's squared distance to its k-th neighbour. In sorted order the point itself comes first, at 0.

    A billionth longer, so that rounding does not decide whether a neighbour on the surface lies inside.
    """
    radii = np.empty(len(points))
    for rows, tile in squared_distance_tiles(points, points):
        radii[rows] = np.partition(tile, k, axis=1)[:, k]
    return radii * (1 + 1e-9)
