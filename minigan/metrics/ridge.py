"""Ridge regression as a judge: a linear classifier in closed form, for data that no trained network knows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .inputs import features_matrix
from .labels import _checked


@dataclass(frozen=True)
class Ridge:
    """label(x) = argmax_k (x - mean) W[:, k] + b[k], with W = (X^T X + strength I)^-1 X^T (Y - b)

    X (N, dim) are centred features, Y (N, classes) is 1 where a sample has the class and else 0, b its mean. It has one
    minimum, which is found at once: the same data make the same judge. Made by ``ridge``.
    """

    mean: np.ndarray  # (dim,)
    weight: np.ndarray  # (dim, classes)
    bias: np.ndarray  # (classes,)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """The class (N,) of each sample: features (N, ...), all but the first axis taken as one."""
        x = features_matrix(features.reshape(len(features), -1), "features")
        if x.shape[1] != len(self.mean):
            raise InputError(f"this judge knows features of width {len(self.mean)}, these have {x.shape[1]}")
        return ((x - self.mean) @ self.weight + self.bias).argmax(axis=1)


def ridge(features: np.ndarray, labels: np.ndarray, classes: int, strength: float = 10.0) -> Ridge:
    """The judge that features (N, ...) and labels (N,) make.

    Raises InputError for what does not fit together, and for a strength that is not above 0.

    >>> judge = ridge(np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1]), classes=2)
    >>> judge(np.array([[2.0], [3.0]]))
    array([0, 1])
    """
    x = features_matrix(features.reshape(len(features), -1), "features")
    labels = _checked(labels, "labels", classes)
    if len(labels) != len(x):
        raise InputError(f"ridge: {len(x)} samples but {len(labels)} labels")
    if not 0 < strength < math.inf:
        raise InputError(f"ridge: strength = {strength} must be above 0, and finite")
    mean = x.mean(axis=0)
    x = x - mean
    y = np.eye(classes)[labels]
    bias = y.mean(axis=0)
    weight = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (y - bias))
    return Ridge(mean, weight, bias)
