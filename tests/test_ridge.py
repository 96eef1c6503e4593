"""The ridge judge: its normal equations, what it tells apart, what it refuses."""

import numpy as np
import pytest

from minigan import metrics
from minigan.errors import InputError


def test_it_is_the_minimum_of_its_loss(rng):
    x, labels = rng.standard_normal((30, 6)), rng.integers(0, 3, 30)
    judge = metrics.ridge(x, labels, 3, strength=2.0)
    y = np.eye(3)[labels]

    def loss(weight):
        return ((((x - judge.mean) @ weight + judge.bias) - y) ** 2).sum() + 2.0 * (weight**2).sum()

    lowest = loss(judge.weight)
    for _ in range(20):
        assert loss(judge.weight + 1e-3 * rng.standard_normal(judge.weight.shape)) > lowest
    np.testing.assert_allclose(judge.mean, x.mean(axis=0))
    np.testing.assert_allclose(judge.bias, y.mean(axis=0))


def test_it_tells_clusters_apart_and_takes_pictures(rng):
    centres, labels = 3 * rng.standard_normal((4, 2, 5)), rng.integers(0, 4, 400)
    x = centres[labels] + rng.standard_normal((400, 2, 5))
    judge = metrics.ridge(x[:200], labels[:200], 4)
    assert (judge(x[200:]) == labels[200:]).mean() > 0.95


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: metrics.ridge(np.ones((3, 2)), np.array([0, 1]), 2), "3 samples but 2 labels"),
        (lambda: metrics.ridge(np.ones((2, 2)), np.array([0, 2]), 2), "2 is not one of the 2 classes"),
        (lambda: metrics.ridge(np.ones((2, 2)), np.array([0, 1]), 2, strength=0), "strength = 0 must be above 0"),
        (lambda: metrics.ridge(np.full((2, 2), np.nan), np.array([0, 1]), 2), "NaN or infinity"),
        (lambda: metrics.ridge(np.eye(2), np.array([0, 1]), 2)(np.eye(3)), "knows features of width 2, these have 3"),
    ],
)
def test_bad_input_says_what_is_wrong(call, said):
    with pytest.raises(InputError, match=said):
        call()
