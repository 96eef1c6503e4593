"""Leaky ReLU and the softmaxes, also where exponentials overflow."""

import numpy as np
import pytest

from minigan.ops import leaky_relu, log_softmax, relu, softmax
from minigan.tensor import grad

X = [-1e4, -2.0, -0.0, 0.0, 0.5, 1e4]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("slope", [0.01, 0.2, 0.0, 1.5])
def test_leaky_relu_and_its_gate(slope, dtype, tensor):
    x = tensor(X, dtype, requires_grad=True)
    y = leaky_relu(x, slope)
    g = np.arange(1.0, 7.0)
    (dx,) = grad(y, [x], tensor(g, dtype))
    positive = np.array(X) > 0  # at 0 the slope is the negative side's
    np.testing.assert_allclose(y.numpy(), np.where(positive, X, slope * np.array(X)), rtol=1e-6)
    np.testing.assert_allclose(dx.numpy(), np.where(positive, g, slope * g), rtol=1e-6)
    assert y.dtype == dx.dtype == dtype


def test_relu_is_slope_0_and_the_default_is_a_hundredth(tensor):
    np.testing.assert_array_equal(relu(tensor(X)).numpy(), np.maximum(X, 0))
    assert leaky_relu(tensor(-1.0)).item() == -0.01


@pytest.mark.parametrize("f", [leaky_relu, relu])
def test_not_a_number_stays_one(f, tensor):
    assert np.isnan(f(tensor(np.nan)).item())


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_is_its_formula(axis, tensor, rng):
    x = rng.standard_normal((3, 4, 2))
    expected = np.exp(x) / np.exp(x).sum(axis, keepdims=True)
    np.testing.assert_allclose(softmax(tensor(x), axis).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(log_softmax(tensor(x), axis).numpy(), np.log(expected), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_far_out(dtype, tensor):
    """Neither overflow nor log 0: warnings are errors here."""
    x = tensor([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]], dtype, requires_grad=True)
    np.testing.assert_allclose(softmax(x).numpy(), [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)
    y = log_softmax(x)
    np.testing.assert_allclose(y.numpy(), [[0, -1e4, -2e4], [-np.log(3)] * 3], rtol=1e-6)
    (dx,) = grad(y[:, 0].sum(), [x])
    np.testing.assert_allclose(dx.numpy(), [[0, 0, 0], [2 / 3, -1 / 3, -1 / 3]], rtol=1e-5)
