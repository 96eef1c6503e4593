"""The inception score in cases that can be computed by hand, and its bounds."""

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import inception_score


def test_one_sure_image_of_each_class_is_the_best():
    assert inception_score(np.eye(10), splits=1).mean == pytest.approx(10, rel=1e-14)
    assert inception_score(np.tile(np.eye(10), (5, 1)), splits=5) == pytest.approx((10, 0))


@pytest.mark.parametrize("row", [[0.1] * 10, [1.0] + [0.0] * 9, [0.5, 0.3, 0.2] + [0.0] * 7])
def test_always_the_same_prediction_is_the_worst(row):
    mean, std = inception_score(np.tile(row, (40, 1)), splits=4)
    assert mean == pytest.approx(1, rel=1e-14)
    assert std == pytest.approx(0, abs=1e-14)


def test_by_hand():
    """p(y) = (3/4, 1/4): KL of (1, 0) is log 4/3, KL of (1/2, 1/2) is 1/2 log 2/3 + 1/2 log 2 = 1/2 log 4/3."""
    found = inception_score(np.array([[1.0, 0.0], [0.5, 0.5]]), splits=1)
    assert found.mean == pytest.approx((4 / 3) ** 0.75, rel=1e-14)
    assert found.std == 0


def test_mean_and_standard_deviation_over_splits_in_order():
    """Two classes in the first half, one in the second: scores 2 and 1, so sorted samples must be shuffled before."""
    p = np.eye(2)[[0, 1, 0, 1, 0, 0, 0, 0]]
    assert inception_score(p, splits=2) == pytest.approx((1.5, 0.5))


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 10.0, 1000.0])
def test_between_one_and_the_number_of_classes(sharpness, rng):
    logits = sharpness * rng.standard_normal((103, 7))
    p = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float32)
    p /= p.sum(axis=1, keepdims=True)
    mean, std = inception_score(p)
    assert 1 <= mean <= 7
    assert std > 0


@pytest.mark.parametrize(
    ("p", "splits", "message"),
    [
        (np.ones((4, 3)), 1, "rows must be >= 0 with sum 1; .* the sums lie between 3 and 3"),
        (np.array([[1.5, -0.5]]), 1, "the smallest entry is -0.5"),
        (np.eye(3), 4, "splits 4 must be between 1 and the 3 samples"),
        (np.eye(3), 0, "splits 0 must be"),
        (np.full((2, 2), np.nan), 1, "probabilities: 2 of 2 rows hold NaN"),
        (np.ones(4), 1, r"probabilities: shape \(4,\)"),
    ],
)
def test_refused(p, splits, message):
    with pytest.raises(InputError, match=message):
        inception_score(p, splits)
