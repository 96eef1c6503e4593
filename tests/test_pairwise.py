"""Tiled distances, and what every metric asks of its features."""

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import pairwise
from minigan.metrics.inputs import features_matrix


def whole(x, y):
    tiles = list(pairwise.squared_distance_tiles(x, y))
    covered = np.concatenate([np.arange(len(x))[rows] for rows, _ in tiles])
    np.testing.assert_array_equal(covered, np.arange(len(x)))
    return np.concatenate([tile for _, tile in tiles])


@pytest.mark.parametrize("tile", [1, 70, 10_000])
@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
def test_against_differences(tile, offset, rng, monkeypatch):
    monkeypatch.setattr(pairwise, "TILE", tile)
    x, y = rng.standard_normal((23, 6)) + offset, rng.standard_normal((14, 6)) + offset
    wanted = np.sum((x[:, None] - y) ** 2, axis=2)
    np.testing.assert_allclose(whole(x, y), wanted, atol=1e-13 * 6)


def test_memory_is_bounded(rng, monkeypatch):
    """No tile is larger than said, whatever the sets' sizes and the features' width."""
    monkeypatch.setattr(pairwise, "TILE", 10_000)
    for n, m, dim in ((500, 300, 2), (10, 3, 5000)):
        for _, tile in pairwise.squared_distance_tiles(rng.standard_normal((n, dim)), rng.standard_normal((m, dim))):
            assert tile.size <= pairwise.TILE
            assert len(tile) * dim <= pairwise.TILE


@pytest.mark.parametrize("dim", [1, 64, 700])
@pytest.mark.parametrize("offset", [0, 1e6])
def test_copies_are_at_zero(dim, offset, rng):
    """Also of points of very different scales."""
    x = rng.standard_normal((50, dim)) * 10.0 ** rng.uniform(-3, 3, dim) + offset
    order = rng.permutation(50)
    assert not whole(x, x[order])[np.arange(50), np.argsort(order)].any()
    assert not whole(np.repeat(x[:1], 5, axis=0), np.repeat(x[:1], 7, axis=0)).any()


def test_small_distances_are_not_taken_for_zero(rng):
    x = rng.standard_normal((50, 20))
    found = np.diag(whole(x, x + 1e-5 * rng.standard_normal((50, 20))))
    assert (found > 0).all()
    assert found == pytest.approx(20e-10, rel=1)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([[1.0, 2.0]], "x: must be a NumPy array of real numbers, not list"),
        (np.ones((2, 2), complex), "x: must be a NumPy array of real numbers, not complex128"),
        (np.array([["a"]]), "not <U1"),
        (np.ones(3), r"x: shape \(3,\) must be \(N, dim\), neither of them 0"),
        (np.ones((0, 3)), r"x: shape \(0, 3\)"),
        (np.ones((3, 0)), r"x: shape \(3, 0\)"),
        (np.array([[1.0, 0.0], [np.inf, 1.0], [np.nan, 1.0]]), "2 of 3 rows hold NaN or infinity, the first is row 1"),
    ],
)
def test_features_that_are_none(features, message):
    with pytest.raises(InputError, match=message):
        features_matrix(features, "x")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, np.int64, bool])
def test_features_become_a_float64_copy(dtype):
    given = np.array([[1, 0], [0, 1]], dtype)
    found = features_matrix(given, "x")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, given)
    assert not np.shares_memory(found, given)
