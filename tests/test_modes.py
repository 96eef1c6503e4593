"""Mode statistics in cases that can be counted by hand."""

import numpy as np
import pytest

from minigan import InputError
from minigan.data.mixtures import grid_of_gaussians
from minigan.metrics import ModeStatistics, mode_statistics

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def at(*numbers):
    return CENTRES[list(numbers)]


def test_all_modes_evenly():
    assert mode_statistics(at(0, 1, 2, 3), CENTRES, 0.1) == ModeStatistics(4, 4, 1.0, 0.0)


def test_everything_in_one_mode():
    found = mode_statistics(at(2, 2, 2), CENTRES, 0.1)
    assert (found.modes_found, found.high_quality) == (1, 1.0)
    assert found.reverse_kl == pytest.approx(np.log(4), rel=1e-14)


def test_uneven_shares():
    """Shares 1/2, 1/4, 1/4, 0 against 1/4 each: KL = 1/2 log 2 + 1/4 log 1 + 1/4 log 1."""
    found = mode_statistics(at(0, 0, 1, 2), CENTRES, 0.1)
    assert found.modes_found == 3
    assert found.reverse_kl == pytest.approx(np.log(2) / 2, rel=1e-14)


def test_the_reverse_kl_is_that_of_the_shares():
    counts = np.array([1, 7, 2, 90])
    q = counts / 100
    found = mode_statistics(np.repeat(CENTRES, counts, axis=0), CENTRES, 0.1)
    assert found.reverse_kl == pytest.approx(np.sum(q * np.log(q / 0.25)), rel=1e-12)


@pytest.mark.parametrize(("distance", "good"), [(0.0, True), (0.299, True), (0.301, False), (4.0, False)])
def test_high_quality_is_within_three_standard_deviations(distance, good):
    """In any direction, by Euclidean distance. A sample that is not near still counts for its mode's share."""
    sample = CENTRES[:1] + distance * np.array([[0.6, 0.8]])
    found = mode_statistics(np.concatenate([sample, at(1, 2, 3)]), CENTRES, 0.1)
    assert found.modes_found == (4 if good else 3)
    assert found.high_quality == (1.0 if good else 0.75)
    assert found.reverse_kl == 0


def test_exactly_three_standard_deviations_is_near():
    assert mode_statistics(np.array([[3.0, 0.0]]), CENTRES, 1.0).high_quality == 1


def test_samples_of_the_mixture_itself(rng):
    """Of a Gaussian in the plane 1 - exp(-9/2) lies within three standard deviations."""
    mixture = grid_of_gaussians()
    found = mode_statistics(mixture.sample(20_000, rng), mixture.centres, mixture.std)
    assert (found.modes_found, found.modes) == (25, 25)
    assert found.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.003)
    assert 0 <= found.reverse_kl < 0.005


def test_float32_samples_of_any_dimension():
    centres = np.eye(5)
    found = mode_statistics(np.eye(5, dtype=np.float32)[[0, 1]], centres, 0.01)
    assert (found.modes_found, found.modes, found.high_quality) == (2, 5, 1.0)
    assert found.reverse_kl == pytest.approx(np.log(5 / 2))


def test_shown_as_a_line():
    assert str(ModeStatistics(23, 25, 0.954, 0.123)) == "23/25 modes, 95 % high quality, reverse KL 0.12"


@pytest.mark.parametrize(
    ("samples", "centres"),
    [((0, 2), (4, 2)), ((3, 3), (4, 2)), ((3,), (4, 2)), ((3, 2), (2,)), ((3, 2, 1), (4, 2))],
)
def test_shapes_that_do_not_fit_are_refused(samples, centres):
    with pytest.raises(InputError, match=r"must be \(N, dim\)|samples .* and centres .* differ in width"):
        mode_statistics(np.zeros(samples), np.zeros(centres), 0.1)


def test_what_is_not_finite_belongs_to_no_mode():
    """Nor to the first one, which is where argmin finds NaN."""
    with pytest.raises(InputError, match="samples: 1 of 2 rows hold NaN or infinity"):
        mode_statistics(np.array([[0.0, 0.0], [np.nan, 0.0]]), CENTRES, 0.1)


@pytest.mark.parametrize("std", [0.0, -0.1, np.nan, np.inf])
def test_a_width_that_is_none_is_refused(std):
    with pytest.raises(InputError, match=f"std = {std} must be above 0, and finite"):
        mode_statistics(at(0), CENTRES, std)
