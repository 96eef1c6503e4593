"""Inception score: are the samples recognisable, each by itself, and different, all together?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .inputs import features_matrix


class InceptionScore(NamedTuple):
    mean: float  # 1 (nothing recognised, or one class only) to the number of classes
    std: float  # over the splits


def inception_score(probabilities: np.ndarray, splits: int = 10) -> InceptionScore:
    """exp(mean over x of KL(p(y|x) || p(y))), p(y) = mean over x of p(y|x), for each split. Salimans et al. 2016.

    ``probabilities`` (N, K) is a classifier's softmax over K classes, a sample a row, in the order drawn: shuffle
    samples that are sorted by class, for the splits are cut as they stand. Knows nothing of the real data: a generator
    of one perfect image a class has the best score there is.

    Raises InputError for rows that are no probabilities and for fewer samples than splits.

    >>> inception_score(np.eye(4), splits=1)
    InceptionScore(mean=4.0, std=0.0)
    """
    p = features_matrix(probabilities, "probabilities")
    sums = p.sum(axis=1)
    if p.min() < 0 or np.abs(sums - 1).max() > 1e-3:
        raise InputError(
            f"probabilities: rows must be >= 0 with sum 1; the smallest entry is {p.min():.3g} and the sums lie "
            f"between {sums.min():.4g} and {sums.max():.4g}; take the classifier's softmax"
        )
    if not 1 <= splits <= len(p):
        raise InputError(f"inception_score: splits {splits} must be between 1 and the {len(p)} samples")
    p /= sums[:, None]  # float32 softmax sums to 1 within 1e-7 only
    scores = [_score(split) for split in np.array_split(p, splits)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _score(p: np.ndarray) -> float:
    ratio = np.divide(p, p.mean(axis=0), out=np.ones_like(p), where=p > 0)  # 0 log 0 = 0
    return float(np.exp(np.sum(p * np.log(ratio)) / len(p)))
