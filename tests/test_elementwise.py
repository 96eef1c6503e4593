"""Functions of one number against Python's own, and far out, where a naive formula overflows."""

import math

import numpy as np
import pytest

from minigan import ops
from minigan.tensor import grad

FUNCTIONS = {  # the function and its derivative
    "exp": (math.exp, math.exp),
    "log": (math.log, lambda x: 1 / x),
    "sqrt": (math.sqrt, lambda x: 0.5 / math.sqrt(x)),
    "abs": (abs, lambda x: math.copysign(1, x)),
    "tanh": (math.tanh, lambda x: 1 / math.cosh(x) ** 2),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2),
    "softplus": (lambda x: math.log1p(math.exp(x)), lambda x: 1 / (1 + math.exp(-x))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_value_and_slope(name, dtype, tolerance, tensor):
    points = [0.1, 0.9, 2.0, 7.0] + ([] if name in ("log", "sqrt") else [-0.1, -3.0, -7.0])
    f, slope = FUNCTIONS[name]
    x = tensor(points, dtype, requires_grad=True)
    y = getattr(ops, name)(x)
    (dx,) = grad(y.sum(), [x])
    exact = x.numpy().astype(np.float64)
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_allclose(y.numpy(), [f(p) for p in exact], rtol=tolerance)
    np.testing.assert_allclose(dx.numpy(), [slope(p) for p in exact], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "name, values, slopes",
    [
        ("softplus", [0, math.log(2), 1e4], [0, 0.5, 1]),
        ("sigmoid", [0, 0.5, 1], [0, 0.25, 0]),
        ("tanh", [-1, 0, 1], [0, 1, 0]),
        ("abs", [1e4, 0, 1e4], [-1, 0, 1]),
    ],
)
def test_far_out(name, values, slopes, dtype, tensor):
    """No overflow on the way, in value, slope or the slope's slope: warnings are errors here."""
    x = tensor([-1e4, 0, 1e4], dtype, requires_grad=True)
    y = getattr(ops, name)(x)
    (dx,) = grad(y.sum(), [x], create_graph=True)
    np.testing.assert_allclose(y.numpy(), values, rtol=1e-6)
    np.testing.assert_allclose(dx.numpy(), slopes, rtol=1e-6)
    if name != "abs":
        (d2x,) = grad(dx.sum(), [x])
        assert np.isfinite(d2x.numpy()).all()


def test_softplus_keeps_small_numbers(tensor):
    """log(1 + e^-40) is e^-40, which 1 + e^-40 alone would round away."""
    np.testing.assert_allclose(ops.softplus(tensor(-40.0)).item(), math.exp(-40), rtol=1e-12)


def test_the_edge_of_a_domain_is_numpys(tensor):
    with np.errstate(divide="ignore", invalid="ignore"):
        values = ops.log(tensor([0.0, -1.0])).numpy()
    assert values[0] == -np.inf and np.isnan(values[1])


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64])
@pytest.mark.parametrize(
    "name",
    ["exp", "log", "sqrt", "tanh", "sigmoid", "softplus", "erf", "gelu", "silu", "elu", "leaky_relu", "softmax",
     "log_softmax"],
)  # fmt: skip
def test_of_whole_numbers_it_is_float32(name, dtype, tensor):
    """As of a quotient: bytes, which NumPy makes float16 of, and labels, which it makes float64 of."""
    numbers = np.array([1, 1, 1] if dtype is np.bool_ else [1, 2, 80], dtype)
    y = getattr(ops, name)(tensor(numbers, dtype))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.numpy(), getattr(ops, name)(tensor(numbers, np.float32)).numpy())
