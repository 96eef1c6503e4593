"""Are two sets of runs equal? Two one-sided tests for "the means differ by less than a margin", and their power.

A difference that is not significant proves nothing: with few runs nothing is. So the burden is turned round: the
hypothesis to be refuted is that the means differ by the margin or more (Schuirmann 1987). The margin is one standard
deviation of the reference's runs, a rule that is fixed before any run; its value is taken from the runs themselves,
and ``pass_rate`` draws whole experiments, margin and all, to say how often the test is then passed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from minigan.errors import InputError

LEVEL = 0.05
PERMUTATIONS = EXPERIMENTS = 20_000


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` finds. Two runs of one engine with other seeds differ by sqrt(2) margins, root mean square."""

    difference: float  # mean(runs) - mean(reference)
    low: float  # the 90 % interval of the difference: within the margin exactly when ``equal_p`` < 0.05
    high: float
    margin: float
    equal_p: float  # of the two one-sided tests: small when the means differ by less than the margin
    differ_p: float  # of Welch's test: small when they differ at all
    permutation_p: float  # the same question without assuming normal distributions

    @property
    def verdict(self) -> str:
        """equal: shown to differ by less than the margin. different: shown to differ. undecided: neither."""
        if self.equal_p < LEVEL:
            return "equal"
        return "different" if self.differ_p < LEVEL else "undecided"


def compare(runs: np.ndarray, reference: np.ndarray, seed: int = 0) -> Comparison:
    """Hold ``runs`` (n,) against ``reference`` (m,), without assuming equal variances (Welch 1947).

    TOST: p = the larger one of the p-values of "difference <= -margin" and "difference >= margin".

    Raises InputError for fewer than two runs of either, or runs that are all alike.

    >>> compare(np.array([1.0, 2.0, 3.0, 4.0]), np.array([11.0, 12.0, 13.0, 14.0])).verdict
    'different'
    """
    runs, reference = np.asarray(runs, np.float64), np.asarray(reference, np.float64)
    if len(runs) < 2 or len(reference) < 2:
        raise InputError(f"compare: {len(runs)} and {len(reference)} runs, at least 2 of each are needed")
    difference, error, freedom, margin = _welch(runs, reference)
    if not error > 0:
        raise InputError("compare: the runs are all alike, so that there is no spread to judge a difference by")
    half = stats.t.ppf(1 - LEVEL, freedom) * error
    return Comparison(
        difference=float(difference),
        low=float(difference - half),
        high=float(difference + half),
        margin=float(margin),
        equal_p=float(_tost_p(difference, error, freedom, margin)),
        differ_p=float(2 * stats.t.sf(abs(difference) / error, freedom)),
        permutation_p=_permutation_p(runs, reference, np.random.default_rng(seed)),
    )


def pass_rate(n: int, m: int, shift: float = 0.0, seed: int = 0) -> float:
    """How often ``n`` runs are found equal to a reference's ``m``, with means ``shift`` standard deviations apart.

    With shift 0 it is the power, with 1 the share of false passes. By drawing EXPERIMENTS of them, normal with equal
    variances.
    """
    rng = np.random.default_rng(seed)
    runs, reference = rng.standard_normal((EXPERIMENTS, n)) + shift, rng.standard_normal((EXPERIMENTS, m))
    return float(np.mean(_tost_p(*_welch(runs, reference)) < LEVEL))


def _welch(runs: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, ...]:
    """Along the last axis: difference of the means, its standard error, the error's degrees of freedom, the margin."""
    difference = runs.mean(-1) - reference.mean(-1)
    n, m = runs.shape[-1], reference.shape[-1]
    a, b = runs.var(-1, ddof=1) / n, reference.var(-1, ddof=1) / m
    freedom = (a + b) ** 2 / np.maximum(a**2 / (n - 1) + b**2 / (m - 1), np.finfo(float).tiny)
    return difference, np.sqrt(a + b), freedom, reference.std(-1, ddof=1)


def _tost_p(difference: np.ndarray, error: np.ndarray, freedom: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """max of P(T > (margin + difference) / error) and P(T > (margin - difference) / error)"""
    return stats.t.sf((margin - np.abs(difference)) / error, freedom)


def _permutation_p(runs: np.ndarray, reference: np.ndarray, rng: np.random.Generator) -> float:
    """The share of random relabellings of all runs whose means differ at least as much. The real one counts too."""
    both = np.concatenate([runs, reference])
    shuffled = rng.permuted(np.tile(both, (PERMUTATIONS, 1)), axis=1)
    differences = shuffled[:, : len(runs)].mean(1) - shuffled[:, len(runs) :].mean(1)
    seen = abs(runs.mean() - reference.mean()) * (1 - 1e-12)  # rounding must not break ties
    return float((1 + np.sum(np.abs(differences) >= seen)) / (1 + PERMUTATIONS))
