"""Nearest neighbours against all differences, and generators that copy, that do not, and that are far away."""

import math

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import memorisation_check, nearest_neighbours, pairwise
from minigan.metrics.memorisation import mann_whitney_z


@pytest.mark.parametrize("k", [1, 2, 17])
@pytest.mark.parametrize("tile", [50, 1 << 20])
def test_neighbours_against_all_differences(k, tile, rng, monkeypatch):
    monkeypatch.setattr(pairwise, "TILE", tile)
    queries, references = rng.standard_normal((23, 4)) + 50, rng.standard_normal((17, 4)) + 50
    wanted = np.linalg.norm(queries[:, None] - references, axis=2)
    distances, indices = nearest_neighbours(queries, references, k)
    np.testing.assert_array_equal(indices, np.argsort(wanted, axis=1)[:, :k])
    np.testing.assert_allclose(distances, np.sort(wanted, axis=1)[:, :k], rtol=1e-14)


def test_copies_are_found_at_exactly_zero(rng):
    references = rng.standard_normal((40, 30)).astype(np.float32)
    distances, indices = nearest_neighbours(references[[7, 3]], references)
    assert distances.tolist() == [[0], [0]]
    assert indices.tolist() == [[7], [3]]


def test_pictures_as_bytes(rng):
    """uint8 must not wrap around: 0 and 255 are far apart."""
    _, indices = nearest_neighbours(np.array([[250]], np.uint8), np.array([[5], [200]], np.uint8))
    assert indices.tolist() == [[1]]


@pytest.fixture
def sets(rng):
    """Training and held-out samples of one distribution."""
    return rng.standard_normal((300, 3)), rng.standard_normal((400, 3))


def test_an_honest_generator_looks_like_held_out_samples(sets, rng):
    train, test = sets
    found = memorisation_check(rng.standard_normal((500, 3)), train, test, percentile=10)
    assert found.share_below == pytest.approx(0.1, abs=0.05)
    assert found.median_ratio == pytest.approx(1, abs=0.15)
    assert abs(found.z) < 3


def test_z_is_standard_normal_for_honest_generators(rng):
    """Given the training set, which both distances refer to."""
    train = rng.standard_normal((100, 2))
    z = [memorisation_check(*(rng.standard_normal((80, 2)), train, rng.standard_normal((80, 2)))).z for _ in range(200)]
    assert abs(np.mean(z)) < 3 / np.sqrt(200)
    assert np.std(z) == pytest.approx(1, abs=0.15)


def test_a_generator_that_copies(sets, rng):
    train, test = sets
    chosen = rng.integers(len(train), size=200)
    found = memorisation_check(train[chosen] + 1e-3 * rng.standard_normal((200, 3)), train, test)
    assert found.share_below > 0.9
    assert found.median_ratio < 0.05
    assert found.z < -15
    assert np.mean(found.nearest == chosen) > 0.95
    np.testing.assert_allclose(found.distances, nearest_neighbours(train[chosen], train)[0][:, 0], atol=0.01)


def test_a_few_copies_among_strangers_show_in_the_share_only(sets, rng):
    train, test = sets
    fake = np.concatenate([train[:20], rng.standard_normal((180, 3)) + 6])
    found = memorisation_check(fake, train, test)
    assert found.share_below == 0.1
    assert found.z > 3
    assert sorted(found.nearest[np.argsort(found.distances)[:20]]) == list(range(20))


def test_in_detail_by_hand():
    """Distances 1, 3, 3 of the fakes beside 2, 3, 4, 5 of held-out samples: U = 0 + 1.5 + 1.5 of 12 pairs."""
    train = np.array([[0.0], [100.0]])
    found = memorisation_check(
        np.array([[1.0], [103.0], [-3.0]]), train, np.array([[2.0], [3.0], [-4.0], [105.0]]), percentile=50
    )
    assert found.nearest.tolist() == [0, 1, 0]
    assert found.distances.tolist() == [1, 3, 3]
    assert found.test_distances.tolist() == [2, 3, 4, 5]
    assert found.share_below == 1
    assert found.median_ratio == pytest.approx(3 / 3.5)
    ties = (3**3 - 3) / (7 * 6)
    assert found.z == pytest.approx((3 - 6) / math.sqrt(12 / 12 * (8 - ties)))


def test_mann_whitney_against_all_pairs(rng):
    """U in loops; its variance without ties is nm(n + m + 1)/12."""
    a, b = rng.standard_normal(31), rng.standard_normal(20) + 0.5
    u = sum(x > y for x in a for y in b)
    assert mann_whitney_z(a, b) == pytest.approx((u - 310) / math.sqrt(31 * 20 * 52 / 12), rel=1e-12)
    assert mann_whitney_z(a, b) == pytest.approx(-mann_whitney_z(b, a), rel=1e-12)
    assert mann_whitney_z(np.ones(3), np.ones(5)) == 0


def test_shown_as_a_line():
    train, test = np.array([[0.0], [9.0]]), np.array([[1.0], [2.0]])
    found = memorisation_check(np.array([[0.0], [0.5]]), train, test)
    assert str(found) == (
        "100.0 % of the fakes nearer than 1 % of held-out images, median distance 0.17 of theirs, z -1.5"
    )


@pytest.mark.parametrize("k", [0, 4])
def test_neighbours_that_do_not_exist(k):
    with pytest.raises(InputError, match=f"k {k} must be between 1 and the 3 references"):
        nearest_neighbours(np.ones((2, 2)), np.ones((3, 2)), k)


def test_refused(rng):
    x = rng.standard_normal((5, 2))
    with pytest.raises(InputError, match="percentile 100 must lie between 0 and 100"):
        memorisation_check(x, x, x + 1, percentile=100)
    with pytest.raises(InputError, match="most test images are copies of training images"):
        memorisation_check(x + 1, x, x)
    with pytest.raises(InputError, match="different widths: fake 2, train 2, test 1"):
        memorisation_check(x, x, x[:, :1])
    with pytest.raises(InputError, match="test: 5 of 5 rows hold NaN"):
        memorisation_check(x, x, x * np.nan)
