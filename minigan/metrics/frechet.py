"""Frechet distance: how far apart two sets of features are, each taken for a Gaussian. With Inception features, FID."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import InputError
from .inputs import features_matrix


def frechet_distance(a: Gaussian | np.ndarray, b: Gaussian | np.ndarray) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2), the squared Wasserstein-2 distance of Gaussians.

    ``a`` and ``b`` are Gaussians or features (N, dim), N > dim. Dowson & Landau 1982; as a measure of GANs, Heusel et
    al. 2017. It shrinks with more samples (its bias goes with 1/N), so compare only at equal sample counts.

    The formula subtracts traces that nearly cancel, and its inner root is one of squares: near-singular covariances,
    as features have, lose half their digits. So this is the same minimum as Procrustes' problem: with S = R^T R,
    the trace term is min over orthogonal Q of |R_a - Q R_b|^2 (summed squares of the entries), reached by the polar
    factor Q of R_a R_b^T. A sum of squares is never negative, nothing in it can turn complex, and it vanishes with
    equal covariances.

    Raises InputError for features that make no Gaussian or have different widths.

    >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    >>> round(frechet_distance(x, x + [3.0, 4.0]), 9)
    25.0
    """
    a = a if isinstance(a, Gaussian) else Gaussian.of(a)
    b = b if isinstance(b, Gaussian) else Gaussian.of(b)
    if len(a.mean) != len(b.mean):
        raise InputError(
            f"frechet_distance: Gaussians of {len(a.mean)} and {len(b.mean)} dimensions; "
            "take both from the same extractor"
        )
    left, _, right = np.linalg.svd(a.root @ b.root.T)
    return float(np.sum((a.mean - b.mean) ** 2) + np.sum((a.root - (left @ right) @ b.root) ** 2))


@dataclass(frozen=True, eq=False)
class Gaussian:
    """What the Frechet distance keeps of a set of features: float64 moments."""

    mean: np.ndarray  # (d,)
    covariance: np.ndarray  # (d, d), unbiased: divided by count - 1
    count: int  # of samples

    @classmethod
    def of(cls, features: np.ndarray, name: str = "features") -> Gaussian:
        """Of features (N, d). Raises InputError for N <= d, where the covariance would be singular by lack of data."""
        features = features_matrix(features, name)
        count, dim = features.shape
        if count <= dim:
            raise InputError(
                f"{name}: a covariance of {dim} dimensions needs at least {dim + 1} samples, not {count}; "
                "take more samples or an extractor with fewer features"
            )
        mean = features.mean(axis=0)
        features -= mean
        return cls(mean, features.T @ features / (count - 1), count)

    def __post_init__(self):
        mean, covariance = np.asarray(self.mean, np.float64), np.asarray(self.covariance, np.float64)
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
            raise InputError(f"Gaussian: mean {mean.shape} and covariance {covariance.shape} must be (d,) and (d, d)")
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise InputError("Gaussian: mean or covariance hold NaN or infinity")
        if not np.allclose(covariance, covariance.T, rtol=1e-5, atol=1e-6 * np.abs(covariance).max(initial=0)):
            raise InputError("Gaussian: the covariance is not symmetric")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "covariance", covariance)

    @cached_property
    def root(self) -> np.ndarray:
        """R (d, d) with R^T R = covariance, through its eigenvalues, which may be 0."""
        values, vectors = np.linalg.eigh(self.covariance)
        if values[0] < -1e-5 * max(values[-1], 0):
            raise InputError(f"Gaussian: the covariance has the negative eigenvalue {values[0]:.3g}")
        return np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
