"""The Frechet distance against closed forms, and where near-singular covariances cost other forms their digits."""

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import Gaussian, frechet_distance


def orthogonal(dim, rng):
    return np.linalg.qr(rng.standard_normal((dim, dim)))[0]


def gaussian(mean, covariance):
    return Gaussian(np.asarray(mean, np.float64), np.asarray(covariance, np.float64), count=1000)


@pytest.mark.parametrize("dim", [1, 3, 40])
def test_diagonal_covariances(dim, rng):
    """sum (m_a - m_b)^2 + (s_a - s_b)^2"""
    means, stds = rng.standard_normal((2, dim)), rng.uniform(0, 3, (2, dim))
    a, b = (gaussian(mean, np.diag(std**2)) for mean, std in zip(means, stds, strict=True))
    wanted = np.sum((means[0] - means[1]) ** 2 + (stds[0] - stds[1]) ** 2)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-13)


def test_covariances_that_commute(rng):
    """With the same eigenvectors it is the diagonal case in another basis, of eigenvalues over twelve decades."""
    basis = orthogonal(30, rng)
    stds = 10.0 ** rng.uniform(-6, 0, (2, 30))
    a, b = (gaussian(np.zeros(30), (basis * std**2) @ basis.T) for std in stds)
    assert frechet_distance(a, b) == pytest.approx(np.sum((stds[0] - stds[1]) ** 2), rel=1e-10)


def test_two_by_two(rng):
    """tr (S_a^1/2 S_b S_a^1/2)^1/2 = sqrt(tr S_a S_b + 2 sqrt(det S_a S_b)) in two dimensions."""
    for _ in range(20):
        x, y = rng.standard_normal((2, 2, 2))
        s, t = x @ x.T, y @ y.T
        root = np.sqrt(np.trace(s @ t) + 2 * np.sqrt(np.linalg.det(s) * np.linalg.det(t)))
        wanted = np.trace(s) + np.trace(t) - 2 * root
        assert frechet_distance(gaussian([0, 0], s), gaussian([0, 0], t)) == pytest.approx(wanted, rel=1e-9, abs=1e-14)


def test_any_two_covariances_against_the_formula(rng):
    """S_a S_b has the eigenvalues of S_a^1/2 S_b S_a^1/2. Well conditioned, so that the formula keeps its digits."""
    x, y = rng.standard_normal((400, 20)), rng.standard_normal((400, 20)) @ rng.standard_normal((20, 20)) + 1
    a, b = Gaussian.of(x), Gaussian.of(y)
    roots = np.sqrt(np.linalg.eigvals(a.covariance @ b.covariance).real)
    wanted = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance + b.covariance) - 2 * roots.sum()
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-11)
    assert frechet_distance(x, y) == frechet_distance(a, b)


@pytest.mark.parametrize("rank", [20, 5])
def test_equal_covariances_give_the_distance_of_the_means(rank, rng):
    x = rng.standard_normal((200, rank)) @ rng.standard_normal((rank, 20))
    a = Gaussian.of(x)
    b = gaussian(a.mean + rng.standard_normal(20), a.covariance)
    assert frechet_distance(a, b) == pytest.approx(np.sum((a.mean - b.mean) ** 2), rel=1e-13)


@pytest.mark.parametrize("rank", [20, 5])
def test_identical_sets_are_at_zero_in_any_order(rank, rng):
    """By traces, the rank 5 would come out at about 1e-6, of either sign."""
    x = rng.standard_normal((200, rank)) @ rng.standard_normal((rank, 20))
    for y in (x, rng.permutation(x)):
        assert 0 <= frechet_distance(x, y) < 1e-12


def test_tiny_distances_keep_their_digits(rng):
    """Features scaled by 1 + t: t^2 (tr S + |mean|^2), which the difference of traces cannot see at t = 1e-8."""
    x = rng.standard_normal((200, 10))
    a = Gaussian.of(x)
    wanted = 1e-16 * (np.trace(a.covariance) + a.mean @ a.mean)
    assert frechet_distance(a, gaussian(a.mean * (1 + 1e-8), a.covariance * (1 + 1e-8) ** 2)) == pytest.approx(
        wanted, rel=1e-6
    )


def test_symmetric_and_never_negative(rng):
    for dim in (1, 2, 7, 30):
        x, y = (rng.standard_normal((40, rank)) @ rng.standard_normal((rank, dim)) for rank in (dim, max(1, dim // 2)))
        there, back = frechet_distance(x, y), frechet_distance(y, x)
        assert there >= 0
        assert there == pytest.approx(back, rel=1e-9)


def test_dead_features(rng):
    """A feature that is 0 for every picture, as ReLU makes them, changes nothing."""
    x, y = rng.standard_normal((2, 50, 4)) + [[[0.0]], [[1.0]]]
    dead = np.zeros((50, 3))
    with_dead = frechet_distance(np.hstack([x, dead]), np.hstack([y, dead]))
    assert with_dead == pytest.approx(frechet_distance(x, y), rel=1e-12)
    assert frechet_distance(np.zeros((5, 2)), np.ones((5, 2))) == 2


def test_moments_are_float64_and_unbiased(rng):
    """Of float32 features far from 0, where float32 moments would be noise."""
    x = (rng.standard_normal((500, 3)) + 1e4).astype(np.float32)
    found = Gaussian.of(x)
    assert found.count == 500
    np.testing.assert_allclose(found.mean, x.astype(np.float64).mean(0), rtol=1e-15)
    np.testing.assert_allclose(found.covariance, np.cov(x.astype(np.float64), rowvar=False), rtol=1e-12, atol=1e-15)


def test_the_features_given_are_not_changed(rng):
    x = rng.standard_normal((10, 2))
    before = x.copy()
    Gaussian.of(x)
    np.testing.assert_array_equal(x, before)


def test_too_few_samples_are_refused(rng):
    with pytest.raises(InputError, match="real: a covariance of 5 dimensions needs at least 6 samples, not 5"):
        Gaussian.of(rng.standard_normal((5, 5)), "real")
    assert Gaussian.of(rng.standard_normal((6, 5))).count == 6


def test_features_that_cannot_be_used(rng):
    good = rng.standard_normal((9, 3))
    with pytest.raises(InputError, match="Gaussians of 3 and 2 dimensions"):
        frechet_distance(good, good[:, :2])
    bad = good.copy()
    bad[4, 1] = np.nan
    with pytest.raises(InputError, match="1 of 9 rows hold NaN or infinity, the first is row 4"):
        frechet_distance(good, bad)


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        ([0, 0], np.eye(3), r"mean \(2,\) and covariance \(3, 3\) must be \(d,\) and \(d, d\)"),
        ([0, np.inf], np.eye(2), "NaN or infinity"),
        ([0, 0], [[1, 0.5], [0, 1]], "not symmetric"),
        ([0, 0], [[1, 0], [0, -1]], "negative eigenvalue -1"),
    ],
)
def test_moments_that_are_none(mean, covariance, message):
    with pytest.raises(InputError, match=message):
        frechet_distance(gaussian(mean, covariance), gaussian([0, 0], np.eye(2)))
