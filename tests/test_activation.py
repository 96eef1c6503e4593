"""Leaky ReLU and the softmaxes, also where exponentials overflow."""

import numpy as np
import pytest

from minigan import ops
from minigan.ops import leaky_relu, log_softmax, relu, softmax
from minigan.tensor import Tensor, grad

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


# ---- what is not finite: PyTorch's values and gradients, in small arrays and in large ones -------

EDGES = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 2.0, -2.0])
ACTIVATIONS = {
    "relu": ops.relu,
    "leaky_relu": lambda x: ops.leaky_relu(x, 0.2),
    "leaky_relu, negative": lambda x: ops.leaky_relu(x, -0.5),
    "leaky_relu, steep": lambda x: ops.leaky_relu(x, 1.5),
    "elu": lambda x: ops.elu(x, 0.5),
    "prelu": lambda x: ops.prelu(x, Tensor(x.backend.asarray(np.full(1, 0.2, x.dtype)))),
    "abs": ops.abs,
    "softplus": ops.softplus,
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
}
SLOPES = {  # at EDGES; NaN in places where PyTorch has it
    "relu": [1, 0, 1, 0, 0, 1, 0],
    "leaky_relu": [1, 0.2, 0.2, 0.2, 0.2, 1, 0.2],
    "leaky_relu, negative": [1, -0.5, -0.5, -0.5, -0.5, 1, -0.5],
    "leaky_relu, steep": [1, 1.5, 1.5, 1.5, 1.5, 1, 1.5],
    "elu": [1, 0, 1, 0.5, 0.5, 1, 0.5 * np.exp(-2)],
    "prelu": [1, 0.2, 0.2, 0.2, 0.2, 1, 0.2],
    "abs": [1, -1, 0, 0, 0, 1, -1],
    "softplus": [1, 0, np.nan, 0.5, 0.5, 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))],
    "sigmoid": [0, 0, np.nan, 0.25, 0.25, *[np.exp(-2) / (1 + np.exp(-2)) ** 2] * 2],
    "tanh": [0, 0, np.nan, 1, 1, *[1 - np.tanh(2) ** 2] * 2],
}
VALUES = {
    "relu": lambda x: np.where(x <= 0, 0, x),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "leaky_relu, negative": lambda x: np.where(x > 0, x, -0.5 * x),
    "leaky_relu, steep": lambda x: np.where(x > 0, x, 1.5 * x),
    "elu": lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0))),
    "prelu": lambda x: np.where(x > 0, x, 0.2 * x),
    "abs": np.abs,
    "softplus": lambda x: np.logaddexp(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


@pytest.mark.parametrize("times", [1, 3000], ids=["small", "large"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_not_finite(name, times, tensor):
    data = np.tile(EDGES, times)
    x = tensor(data, np.float32, requires_grad=True)
    y = ACTIVATIONS[name](x)
    (slope,) = grad(y, [x], tensor(np.ones_like(data), np.float32))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(y.numpy(), VALUES[name](data), rtol=1e-6)
    np.testing.assert_allclose(slope.numpy(), np.tile(SLOPES[name], times), rtol=1e-6)


@pytest.mark.parametrize("times", [1, 3000], ids=["small", "large"])
@pytest.mark.parametrize("g", [np.inf, np.nan])
def test_what_relu_cuts_off_is_cut_off_from_any_gradient(times, g, tensor):
    x = tensor(np.tile([-1.0, 0.0, 1.0], times), np.float32, requires_grad=True)
    cotangent = tensor(np.full(3 * times, g), np.float32)
    np.testing.assert_array_equal(grad(ops.relu(x), [x], cotangent)[0].numpy(), np.tile([0, 0, g], times))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "abs", "softplus", "sigmoid", "tanh"])
def test_what_is_not_finite_is_pytorchs(name):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    theirs = (
        {
            "relu": torch.relu,
            "leaky_relu": lambda x: torch.nn.functional.leaky_relu(x, 0.2),
            "elu": lambda x: torch.nn.functional.elu(x, 0.5),
        }.get(name)
        or getattr(torch, name, None)
        or getattr(torch.nn.functional, name)
    )
    for data in (EDGES[[0, 1, 3, 4, 5, 6]], np.tile(EDGES[[0, 1, 3, 4, 5, 6]], 2000)):
        x, t = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
        y, u = ACTIVATIONS[name](x), theirs(t)
        (g,), (h,) = grad(y, [x], Tensor(np.ones_like(data))), torch.autograd.grad(u, [t], torch.ones_like(u))
        np.testing.assert_allclose(y.numpy(), u.detach().numpy(), rtol=1e-7)
        np.testing.assert_allclose(g.numpy(), h.numpy(), rtol=1e-7)
