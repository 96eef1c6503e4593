"""The error function to the last digits, and GELU against PyTorch's."""

import math

import numpy as np
import pytest
from twins import assert_twins

from minigan import ops
from minigan.errors import InputError

FAR_AND_NEAR = np.concatenate([np.linspace(-8, 8, 4001), np.logspace(-300, 0, 500), -np.logspace(-20, 0.9, 500)])


def test_erf_is_the_maths_librarys(tensor):
    expected = [math.erf(x) for x in FAR_AND_NEAR]
    np.testing.assert_allclose(ops.erf(tensor(FAR_AND_NEAR)).numpy(), expected, rtol=1e-14, atol=0)
    single = np.float32(FAR_AND_NEAR)
    y = ops.erf(tensor(single, np.float32))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), [math.erf(x) for x in single], rtol=1e-6, atol=1e-37)


def test_erf_at_the_ends(tensor):
    y = ops.erf(tensor([-np.inf, -6.0, 0.0, 6.0, 1e308, np.inf])).numpy()
    np.testing.assert_array_equal(y, [-1, -1, 0, 1, 1, 1])
    assert np.isnan(ops.erf(tensor(np.nan)).item())
    assert ops.erf(tensor(0.5)).shape == ()


def test_erf_and_gelu_are_pytorchs(backend, rng):
    torch = pytest.importorskip("torch")
    gelu = torch.nn.functional.gelu
    x = np.concatenate([[0.0, -20.0, 20.0], 3 * rng.standard_normal(40)])[::-1]
    assert_twins(ops.erf, torch.erf, x, backend=backend)
    assert_twins(ops.gelu, gelu, x, backend=backend)
    assert_twins(lambda x: ops.gelu(x, "tanh"), lambda x: gelu(x, approximate="tanh"), x, backend=backend)


def test_an_unknown_approximation(tensor):
    with pytest.raises(InputError, match='gelu: approximate \'sigmoid\' must be "none" or "tanh"'):
        ops.gelu(tensor(1.0), "sigmoid")
