"""MiFID: the Frechet distance of generators that may have learnt their training images by heart."""

from __future__ import annotations

import math

import numpy as np

from ..errors import InputError
from .inputs import features_matrix, same_width
from .memorisation import nearest_neighbours

EPSILON = 1e-14  # the competition's: a set of exact copies gets a huge number instead of a division by zero


def memorisation_distance(train: np.ndarray, fake: np.ndarray) -> float:
    """mean over the fakes of min over the training images of 1 - cos(fake, train). Bai et al. 2021, arXiv:2106.03062.

    ``train`` (N, dim), ``fake`` (M, dim). 0: every fake is a copy, up to its feature vector's length. Rows of zeros
    have no direction and are left out, as the competition's code does.

    Raises InputError when nothing but rows of zeros is left.
    """
    train, fake = _directions(train, "train"), _directions(fake, "fake")
    same_width(train=train, fake=fake)
    distances, _ = nearest_neighbours(fake, train)
    return float(np.mean(distances**2) / 2)  # 1 - cos = |u - v|^2 / 2 for unit vectors, and exact where they meet


def mifid(frechet: float, memorisation: float, threshold: float) -> float:
    """frechet / (memorisation + 1e-14) when memorisation < threshold, else frechet, as Kaggle's Generative Dog Images.

    That is, a generator further from its training images than ``threshold`` is not punished, and one below it at
    least 1 / threshold times. The competition's 0.1 belongs to Inception features. With other features, measure
    ``memorisation_distance(train, test)`` first: a threshold above it would punish real images.

    Raises InputError unless 0 <= frechet, 0 <= memorisation <= 2, 0 < threshold <= 1.

    >>> mifid(30.0, memorisation=0.25, threshold=0.1), round(mifid(30.0, memorisation=0.05, threshold=0.1))
    (30.0, 600)
    """
    if not (0 <= frechet < math.inf and 0 <= memorisation <= 2 and 0 < threshold <= 1):
        raise InputError(
            f"mifid: frechet {frechet} must be >= 0, memorisation {memorisation} between 0 and 2, "
            f"threshold {threshold} above 0 and at most 1"
        )
    return frechet / (memorisation + EPSILON) if memorisation < threshold else frechet


def _directions(features: np.ndarray, name: str) -> np.ndarray:
    """The rows scaled to length 1, without rows of zeros."""
    features = features_matrix(features, name)
    features = features[features.any(axis=1)]
    if not len(features):
        raise InputError(f"{name}: every row is zero, so that no angle is defined; look at the extractor's input")
    features /= np.abs(features).max(axis=1, keepdims=True)  # so that no square underflows
    return features / np.linalg.norm(features, axis=1, keepdims=True)
