"""Kernel distance: a distance between two sets of features without bias. With Inception features, KID."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .inputs import features_matrix, same_width


@dataclass(frozen=True)
class KernelDistance:
    value: float  # 0 in expectation for samples of one distribution; may come out a little below 0
    standard_error: float  # of the value, over other samples of the same size
    subsets: int  # over how many subsets the value is the mean
    size: int  # samples of each set in one subset

    def __str__(self) -> str:
        return f"{self.value:.3g} +- {self.standard_error:.1g}"


def kernel_distance(
    real: np.ndarray, fake: np.ndarray, rng: np.random.Generator, subsets: int = 100, size: int = 1000
) -> KernelDistance:
    """The mean over subsets of the unbiased MMD^2 with k(x, y) = (x.y / dim + 1)^3, in float64. Binkowski et al. 2018.

    ``real`` (N, dim), ``fake`` (M, dim). The subsets come in rounds. In a round both sets are shuffled and cut into
    as many disjoint subsets as they hold (10 of 1,000 in 10,000 samples); rounds follow until there are at least
    ``subsets``. No estimate depends on ``size`` in expectation, so sets smaller than two subsets get smaller ones.

    Standard error: the subsets' standard deviation s within a round, divided by sqrt(subsets in a round). Divided by
    sqrt(all subsets), as often published, it would count the same samples again and again as if they were new ones.

    Raises InputError for fewer than 4 samples.
    """
    real, fake = features_matrix(real, "real"), features_matrix(fake, "fake")
    same_width(real=real, fake=fake)
    fewest = min(len(real), len(fake))
    if fewest < 4:
        raise InputError(f"kernel_distance: needs at least 4 samples of each set, not {len(real)} and {len(fake)}")
    if subsets < 2 or size < 2:
        raise InputError(f"kernel_distance: subsets {subsets} and size {size} must both be at least 2")
    size = min(size, fewest // 2)
    in_a_round = min(subsets, fewest // size)
    rounds = -(-subsets // in_a_round)
    estimates = np.empty((rounds, in_a_round))
    for one_round in estimates:
        chosen = zip(_subsets(real, in_a_round, size, rng), _subsets(fake, in_a_round, size, rng), strict=True)
        one_round[:] = [squared_mmd(x, y) for x, y in chosen]
    spread = np.sqrt(estimates.var(axis=1, ddof=1).mean())
    return KernelDistance(float(estimates.mean()), float(spread / np.sqrt(in_a_round)), estimates.size, size)


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """mean over i != j of k(x_i, x_j) + k(y_i, y_j), minus 2 mean over i, j of k(x_i, y_j). Gretton et al. 2012."""
    return float(_mean_off_diagonal(_kernel(x, x)) + _mean_off_diagonal(_kernel(y, y)) - 2 * _kernel(x, y).mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    products = x @ y.T / x.shape[1] + 1
    return products * products * products  # many times faster than ** 3


def _mean_off_diagonal(square: np.ndarray) -> float:
    return (square.sum() - square.trace()) / (len(square) * (len(square) - 1))


def _subsets(features: np.ndarray, number: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """(number, size, dim): disjoint subsets, drawn without replacement."""
    return features[rng.permutation(len(features))[: number * size]].reshape(number, size, -1)
