"""The kernel distance against its formula in loops, and its standard error against what repeated draws really do."""

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import kernel_distance
from minigan.metrics.kernel import squared_mmd


def in_loops(x, y):
    """The formula of Gretton et al. 2012, equation 3, a pair at a time."""

    def k(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    def among(points):
        pairs = [(i, j) for i in range(len(points)) for j in range(len(points)) if i != j]
        return sum(k(points[i], points[j]) for i, j in pairs) / len(pairs)

    return among(x) + among(y) - 2 * sum(k(a, b) for a in x for b in y) / (len(x) * len(y))


@pytest.mark.parametrize(("n", "m", "dim"), [(2, 2, 1), (7, 7, 3), (6, 9, 4)])
def test_one_subset_against_loops(n, m, dim, rng):
    x, y = rng.standard_normal((n, dim)), rng.standard_normal((m, dim)) + 0.5
    assert squared_mmd(x, y) == pytest.approx(in_loops(x.tolist(), y.tolist()), rel=1e-12)


def test_subsets_of_one_round_are_disjoint():
    """A round halves {0, 0, 1, 1} into {0, 0} and {1, 1}, estimates 7 and 0, or into {0, 1} twice, both 0."""
    x, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.ones((4, 1))
    found = [kernel_distance(x, y, np.random.default_rng(seed), subsets=2, size=2) for seed in range(50)]
    assert {one.value for one in found} == {0, 3.5}  # {0, 0} twice would be 7
    for one in found:
        assert one.standard_error == pytest.approx(one.value)  # of 7 and 0: sqrt(24.5 / 2)


def test_subsets_come_in_whole_rounds(rng):
    found = kernel_distance(np.ones((9, 1)), np.full((8, 1), 2.0), rng, subsets=11, size=4)
    assert found.value == pytest.approx(2**3 + 5**3 - 2 * 3**3)
    assert (found.standard_error, found.subsets, found.size) == (0, 12, 4)


def test_unbiased_and_as_wide_as_it_says(rng):
    """40 pairs of samples of one distribution: their mean is 0, their spread what each calls its standard error."""
    found = [kernel_distance(*rng.standard_normal((2, 200, 5)), rng, subsets=8, size=25) for _ in range(40)]
    values, errors = (np.array([getattr(one, name) for one in found]) for name in ("value", "standard_error"))
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert 0.7 < np.sqrt(np.mean(errors**2)) / values.std() < 1.5


def test_the_standard_error_holds_for_distributions_that_differ(rng):
    """s / sqrt(all 40 subsets) would be less than half of it: the rounds see the same samples over and over."""
    found = [
        kernel_distance(rng.standard_normal((200, 5)), rng.standard_normal((200, 5)) * 1.5, rng, subsets=40, size=25)
        for _ in range(40)
    ]
    values, errors = (np.array([getattr(one, name) for one in found]) for name in ("value", "standard_error"))
    assert found[0].subsets == 40
    assert 0.7 < np.sqrt(np.mean(errors**2)) / values.std() < 1.5


def test_closed_form_for_gaussians_in_one_dimension(rng):
    """E k for N(0,1) and N(mu,1): E (xy + 1)^3 = sum of binomials times moments; with mu = 1 the distance is 9.

    x, x' in N(0,1): E = 1 + 3 E(xx')^2 = 4. In N(1,1), moments 1, 2, 4: 1 + 3 + 3*4 + 16 = 32.
    Between them: 1 + 0 + 3*1*2 + 0 = 7. Together 4 + 32 - 14 = 22.
    """
    found = kernel_distance(rng.standard_normal((20_000, 1)), rng.standard_normal((20_000, 1)) + 1, rng, size=100)
    assert abs(found.value - 22) < 4 * found.standard_error < 4


def test_float64_inside(rng):
    """float32 features give what the same numbers in float64 give."""
    x, y = rng.standard_normal((2, 40, 6)).astype(np.float32)
    found = [kernel_distance(*pair, np.random.default_rng(1), 5, 10) for pair in ((x, y), (x * 1.0, y.astype(float)))]
    assert found[0] == found[1]


def test_the_same_generator_state_gives_the_same_value(rng):
    x, y = rng.standard_normal((2, 40, 3))
    first, same, other = (kernel_distance(x, y, np.random.default_rng(seed), size=10) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_small_sets_get_smaller_subsets(rng):
    found = kernel_distance(rng.standard_normal((50, 3)), rng.standard_normal((31, 3)), rng)
    assert (found.size, found.subsets) == (15, 100)
    assert found.standard_error > 0


def test_shown_with_its_error(rng):
    x, y = rng.standard_normal((2, 40, 3))
    found = kernel_distance(x, y, rng)
    assert str(found) == f"{found.value:.3g} +- {found.standard_error:.1g}"


@pytest.mark.parametrize(
    ("real", "fake", "options", "message"),
    [
        ((3, 2), (9, 2), {}, "needs at least 4 samples of each set, not 3 and 9"),
        ((9, 2), (9, 3), {}, "features of different widths: real 2, fake 3"),
        ((9, 2), (9, 2), {"size": 1}, "subsets 100 and size 1 must both be at least 2"),
        ((9, 2), (9, 2), {"subsets": 1}, "subsets 1 and size 1000 must both be at least 2"),
        ((9,), (9, 2), {}, r"real: shape \(9,\) must be \(N, dim\)"),
    ],
)
def test_refused(real, fake, options, message, rng):
    with pytest.raises(InputError, match=message):
        kernel_distance(np.ones(real), np.ones(fake), rng, **options)
