"""Precision, recall, density and coverage against their definitions in loops and their expectations."""

import math

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import PrecisionRecall, pairwise, precision_recall


def in_loops(real, fake, k):
    """Kynkaanniemi et al. 2019, equations 1 and 2; Naeem et al. 2020, equations 3 and 4."""

    def radius(i, points):
        return sorted(math.dist(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]

    real_radii = [radius(i, real) for i in range(len(real))]
    fake_radii = [radius(j, fake) for j in range(len(fake))]
    inside = [[math.dist(x, y) <= r for y in fake] for x, r in zip(real, real_radii, strict=True)]
    return PrecisionRecall(
        precision=sum(any(row[j] for row in inside) for j in range(len(fake))) / len(fake),
        recall=sum(any(math.dist(x, y) <= r for y, r in zip(fake, fake_radii, strict=True)) for x in real) / len(real),
        density=sum(map(sum, inside)) / (k * len(fake)),
        coverage=sum(map(any, inside)) / len(real),
    )


def assert_equal(found, wanted):
    for name, value in vars(wanted).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m", "dim"), [(30, 30, 2), (25, 40, 3), (40, 17, 10)])
def test_against_loops(n, m, dim, k, rng):
    real, fake = rng.standard_normal((n, dim)), rng.standard_normal((m, dim)) * 0.8 + 0.3
    assert_equal(precision_recall(real, fake, k), in_loops(real.tolist(), fake.tolist(), k))


def test_tiles_do_not_change_it(rng, monkeypatch):
    real, fake = rng.standard_normal((50, 4)), rng.standard_normal((33, 4))
    whole = precision_recall(real, fake)
    monkeypatch.setattr(pairwise, "TILE", 200)
    assert precision_recall(real, fake) == whole


def test_far_from_the_origin(rng):
    """Features around 1e6 would lose all digits of |x|^2 + |y|^2 - 2 x.y without taking off the mean."""
    real, fake = rng.standard_normal((60, 3)), rng.standard_normal((60, 3))
    assert precision_recall(real + 1e6, fake + 1e6) == precision_recall(real, fake)


def test_expectations_for_samples_of_one_distribution(rng):
    """Density 1 exactly; coverage 1 - prod_{i=1..k} (n - i) / (2n - i), Naeem et al. 2020, equation 8, any dimension.

    Of n + n exchangeable samples, the k nearest to a real one are all real with that product's probability.
    """
    n, k = 60, 3
    found = [precision_recall(*rng.standard_normal((2, n, 4)), k) for _ in range(100)]
    coverage = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    for name, wanted in (("density", 1), ("coverage", coverage)):
        values = np.array([getattr(one, name) for one in found])
        assert abs(values.mean() - wanted) < 3 * values.std() / 10, name
    assert np.mean([one.precision - one.recall for one in found]) == pytest.approx(0, abs=0.03)


def test_identical_sets_are_believable_and_covered(rng):
    x = rng.standard_normal((40, 3))
    found = precision_recall(x, rng.permutation(x))
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density == pytest.approx(1 + 1 / 5)  # the k neighbours, and the copy of the sample itself


def test_what_each_of_them_sees(rng):
    """Two clusters. Fakes in one of them only: believable, half covered. Fakes far away: nothing."""
    real = rng.standard_normal((80, 2)) + np.repeat([[0.0, 0.0], [100.0, 0.0]], 40, axis=0)
    dropped = precision_recall(real, rng.standard_normal((80, 2)))
    assert dropped.precision > 0.8
    assert 0.3 < dropped.recall <= 0.5
    assert 0.4 < dropped.coverage <= 0.5
    assert_equal(precision_recall(real, real + 1000), PrecisionRecall(0, 0, 0, 0))


def test_one_outlier_fools_precision_but_not_density(rng):
    """Naeem et al. 2020, figure 1: a real outlier's huge ball makes every fake near it believable."""
    real = np.concatenate([rng.standard_normal((50, 2)), [[30.0, 0.0]]])
    found = precision_recall(real, np.array([20.0, 0.0]) + rng.standard_normal((50, 2)))
    assert found.precision == 1
    assert found.density == pytest.approx(1 / 5)
    assert found.coverage == pytest.approx(1 / 51)


def test_copies_count_as_neighbours_at_distance_zero(rng):
    """A collapsed generator, and data on which every point comes twice: no ball has a negative or a noisy radius."""
    real = np.repeat(rng.standard_normal((20, 7)), 2, axis=0)
    assert_equal(precision_recall(real, real, k=1), PrecisionRecall(1, 1, 2, 1))
    collapsed = precision_recall(real, np.repeat(real[:1], 30, axis=0), k=1)
    assert_equal(collapsed, PrecisionRecall(1, 2 / 40, 2, 2 / 40))


def test_float32_features(rng):
    real, fake = rng.standard_normal((2, 40, 5)).astype(np.float32)
    assert precision_recall(real, fake) == precision_recall(real.astype(float), fake.astype(float))


def test_shown_as_a_line():
    assert str(PrecisionRecall(0.5, 0.25, 1.125, 1)) == "precision 0.500, recall 0.250, density 1.125, coverage 1.000"


@pytest.mark.parametrize(
    ("real", "fake", "k", "message"),
    [
        ((9, 2), (5, 2), 5, "k 5 must be at least 1 and less than the sample counts, 9 and 5"),
        ((9, 2), (9, 2), 0, "k 0 must be"),
        ((9, 2), (9, 3), 1, "features of different widths: real 2, fake 3"),
        ((9, 1, 4, 4), (9, 2), 1, r"real: shape \(9, 1, 4, 4\) must be \(N, dim\).* flatten pictures"),
        ((9, 2), (0, 2), 1, r"fake: shape \(0, 2\)"),
    ],
)
def test_refused(real, fake, k, message):
    with pytest.raises(InputError, match=message):
        precision_recall(np.ones(real), np.ones(fake), k)
