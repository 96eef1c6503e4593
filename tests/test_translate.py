"""Moving each image of a batch by its own whole number of pixels."""

import numpy as np
import pytest

from minigan import InputError
from minigan.gradcheck import check_grad
from minigan.ops.translate import translate
from minigan.tensor import grad

OFFSETS = [(0, 0), (1, 0), (-1, 0), (0, 2), (0, -2), (2, -1), (-3, 3), (3, 0), (4, 0), (9, 1), (0, -9), (-4, -4)]


def moved(x, offsets):
    """y[n, c, i, j] = x[n, c, i - down, j - right], pixel by pixel as the docstring says."""
    y = np.zeros_like(x)
    for n, c, i, j in np.ndindex(x.shape):
        a, b = i - offsets[n][0], j - offsets[n][1]
        if 0 <= a < x.shape[2] and 0 <= b < x.shape[3]:
            y[n, c, i, j] = x[n, c, a, b]
    return y


@pytest.mark.parametrize("shape", [(4, 3), (1, 5), (3, 1)])
def test_values(tensor, rng, shape):
    x = rng.standard_normal((len(OFFSETS), 2, *shape))
    y = translate(tensor(x), np.array(OFFSETS))
    np.testing.assert_array_equal(y.numpy(), moved(x, OFFSETS))


def test_the_dtype_stays(tensor, rng):
    x = tensor(rng.standard_normal((2, 1, 3, 3)), np.float32)
    assert translate(x, np.array([[1, 1], [0, 0]])).dtype == np.float32


def test_input_is_untouched(tensor, rng):
    values = rng.standard_normal((2, 1, 3, 3))
    x = tensor(values)
    y = translate(x, np.zeros((2, 2), int))
    np.testing.assert_array_equal(y.numpy(), values)
    y.data[...] = 0
    np.testing.assert_array_equal(x.numpy(), values)


@pytest.mark.parametrize("layout", ["channels_last", "plain"])
def test_gradients(backend, tensor, rng, layout):
    offsets = np.array([(1, -2), (0, 0), (-9, 1), (2, 2)])
    x = tensor(rng.standard_normal((4, 2, 4, 3)))
    if layout == "channels_last":
        x.data = backend.channels_last(x.data)
    check_grad(lambda x: translate(x, offsets), x, order=2)


def test_the_adjoint_is_the_move_back(tensor, rng):
    """<translate(x), g> = <x, translate back(g)>: the gradient at x is g, moved back."""
    offsets = np.array(OFFSETS)
    x = tensor(rng.standard_normal((len(OFFSETS), 2, 4, 3)), requires_grad=True)
    g = rng.standard_normal(x.shape)
    (found,) = grad(translate(x, offsets), [x], [tensor(g)])
    np.testing.assert_array_equal(found.numpy(), moved(g, -offsets))


@pytest.mark.parametrize(
    ("shape", "offsets"),
    [
        ((2, 1, 3), np.zeros((2, 2), int)),
        ((2, 1, 3, 3), np.zeros((3, 2), int)),
        ((2, 1, 3, 3), np.zeros((2, 3), int)),
        ((2, 1, 3, 3), np.zeros(2, int)),
        ((2, 1, 3, 3), np.zeros((2, 2))),
        ((2, 1, 3, 3), np.zeros((2, 2), bool)),
    ],
)
def test_offsets_that_do_not_fit_are_refused_with_the_sizes(tensor, shape, offsets):
    with pytest.raises(
        InputError, match=rf"translate: offsets {offsets.dtype}\({len(offsets)},.* must be whole numbers"
    ):
        translate(tensor(np.zeros(shape)), offsets)
