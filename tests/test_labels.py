"""Label statistics in cases that can be counted by hand."""

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import LabelStatistics, label_statistics


def test_every_digit_evenly():
    assert label_statistics(np.tile(np.arange(10), 7), 10) == LabelStatistics(10, 10, 0.0, None)


@pytest.mark.parametrize("classes", [10, 1000])
def test_one_mode_only(classes):
    found = label_statistics(np.full(50, 3), classes)
    assert (found.modes_found, found.modes) == (1, classes)
    assert found.reverse_kl == pytest.approx(np.log(classes), rel=1e-14)


def test_stacked_digits(rng):
    """1,000 modes, three digits each; the floor of the reverse KL is about (classes - 1) / 2N."""
    hundreds, tens, ones = rng.integers(10, size=(3, 26_000))
    found = label_statistics(100 * hundreds + 10 * tens + ones, 1000)
    assert found.modes_found == 1000
    assert found.reverse_kl == pytest.approx(999 / 52_000, rel=0.15)


def test_uneven_shares():
    """1/2, 1/4, 1/4, 0 against 1/4 each."""
    found = label_statistics(np.array([0, 0, 1, 2]), 4)
    assert found.modes_found == 3
    assert found.reverse_kl == pytest.approx(np.log(2) / 2, rel=1e-14)


def test_what_was_asked_for():
    labels = np.array([0, 1, 2, 2], np.uint8)
    assert label_statistics(labels, 3, wanted=np.array([0, 1, 2, 1])).accuracy == 0.75
    assert label_statistics(labels, 3, wanted=labels).accuracy == 1
    assert label_statistics(labels, 3, wanted=(labels + 1) % 3).accuracy == 0


def test_shown_as_a_line():
    assert str(LabelStatistics(9, 10, 0.1234, None)) == "9/10 modes, reverse KL 0.123"
    assert str(LabelStatistics(9, 10, 0.1234, 0.975)) == "9/10 modes, reverse KL 0.123, 97.5 % as asked"


@pytest.mark.parametrize(
    ("labels", "wanted", "message"),
    [
        (np.array([0, 3]), None, r"labels: 3 is not one of the 3 classes 0 \.\. 2"),
        (np.array([-1, 0]), None, "labels: -1 is not one of"),
        (np.array([0.0, 1.0]), None, r"labels: must be integers \(N,\), not float64 \(2,\)"),
        (np.zeros((2, 3), int), None, r"not int64 \(2, 3\)"),
        (np.zeros(0, int), None, r"not int64 \(0,\)"),
        (np.array([0, 1]), np.array([0]), "2 labels but 1 wanted"),
        (np.array([0, 1]), np.array([0, 7]), "wanted: 7 is not one of"),
    ],
)
def test_refused(labels, wanted, message):
    with pytest.raises(InputError, match=message):
        label_statistics(labels, 3, wanted)
