"""The memorisation distance and MiFID as the competition defines them."""

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import memorisation_distance, mifid


def test_against_the_definition(rng):
    train, fake = rng.standard_normal((30, 5)), rng.standard_normal((20, 5))
    cosines = (fake @ train.T) / np.outer(np.linalg.norm(fake, axis=1), np.linalg.norm(train, axis=1))
    assert memorisation_distance(train, fake) == pytest.approx(np.mean(np.min(1 - cosines, axis=1)), rel=1e-12)


def test_by_hand():
    """Angles of 60 and 90 degrees to the nearest: (1/2 + 1) / 2. The mean is over the fakes, the minimum over train."""
    train = np.array([[5.0, 0.0], [-1.0, 0.0], [0.0, -3.0]])
    fake = np.array([[0.5, np.sqrt(0.75)], [0.0, 2.0]])
    assert memorisation_distance(train, fake) == pytest.approx(0.75, rel=1e-14)
    opposite = memorisation_distance(np.array([[1.0, 0.0]]), np.array([[-3.0, 0.0]]))
    assert opposite == pytest.approx(2, rel=1e-14)


def test_copies_are_at_exactly_zero(rng):
    train = rng.standard_normal((30, 64))
    assert memorisation_distance(train, train[::-2]) == 0
    assert memorisation_distance(train, 7 * train[:3]) < 1e-30  # length does not matter


def test_nearly_copies_keep_their_digits(rng):
    """1 - cos is t^2 / 2 at the angle t: 5e-19 here, where 1 - 0.999... would be 0 or 1e-16."""
    assert memorisation_distance(np.array([[1.0, 0.0]]), np.array([[1.0, 1e-9]])) == pytest.approx(5e-19, rel=1e-6)


def test_tiny_and_huge_features():
    train = np.array([[1e-200, 0.0], [0.0, 1e200]])
    assert memorisation_distance(train, np.array([[1e-300, 1e-300]])) == pytest.approx(1 - np.sqrt(0.5), rel=1e-12)


def test_rows_of_zeros_have_no_direction(rng):
    train, fake = rng.standard_normal((30, 5)), rng.standard_normal((20, 5))
    zeros = np.zeros((3, 5))
    found = memorisation_distance(np.concatenate([zeros, train]), np.concatenate([fake, zeros]))
    assert found == memorisation_distance(train, fake)


@pytest.mark.parametrize(
    ("memorisation", "threshold", "wanted"),
    [
        (0.0, 0.1, 30e14),
        (0.05, 0.1, 600.0),
        (0.0999, 0.1, 30 / 0.0999),
        (0.1, 0.1, 30.0),
        (1.7, 0.1, 30.0),
        (0.05, 0.04, 30.0),
    ],
)
def test_the_penalty_is_thresholded(memorisation, threshold, wanted):
    assert mifid(30.0, memorisation, threshold) == pytest.approx(wanted, rel=1e-9)


def test_no_distance_stays_none():
    assert mifid(0.0, 0.0, 0.1) == 0


@pytest.mark.parametrize("numbers", [(-1, 0.5, 0.1), (np.nan, 0.5, 0.1), (1, -0.1, 0.1), (1, 2.1, 0.1), (1, 0.5, 0)])
def test_numbers_that_cannot_be(numbers):
    with pytest.raises(InputError, match=r"mifid: frechet .* must be >= 0, memorisation .* threshold"):
        mifid(*numbers)


def test_refused():
    with pytest.raises(InputError, match="fake: every row is zero"):
        memorisation_distance(np.ones((3, 2)), np.zeros((3, 2)))
    with pytest.raises(InputError, match="different widths: train 2, fake 3"):
        memorisation_distance(np.ones((3, 2)), np.ones((3, 3)))
