"""PReLU, ELU, SiLU, the maximum and maxout."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import nn, ops
from minigan.errors import InputError
from minigan.tensor import Tensor, grad


@pytest.mark.parametrize(
    "shape, slopes", [((), 1), ((5,), 1), ((4, 3), 1), ((4, 3), 3), ((2, 3, 4, 5), 3), ((2, 3, 5), 1)]
)
def test_prelu_is_pytorchs(shape, slopes, backend, rng):
    F = pytest.importorskip("torch.nn.functional")  # noqa: N806
    x, slopes = np.array(rng.standard_normal(shape)), rng.standard_normal(slopes)
    assert_twins(ops.prelu, F.prelu, x, slopes, backend=backend)
    x.flat[0] = 0  # the gradient there is the negative side's
    assert_twins(ops.prelu, F.prelu, x, slopes, backend=backend, order=1)


def test_elu_and_silu_are_pytorchs(backend, rng):
    F = pytest.importorskip("torch.nn.functional")  # noqa: N806
    x = np.concatenate([[0.0, -300.0, 300.0], rng.standard_normal(20)])[::-1]
    assert_twins(lambda x: ops.elu(x, 0.7), lambda x: F.elu(x, 0.7), x, backend=backend, order=1)
    assert_twins(ops.elu, F.elu, x[x != 0], backend=backend)
    assert_twins(ops.silu, F.silu, x, backend=backend)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("keepdims", [True, False])
def test_amax_is_pytorchs(axis, keepdims, backend, rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((4, 3, 10)).transpose(1, 0, 2)[:, :, ::-2]
    assert_twins(
        lambda x: ops.amax(x, axis, keepdims) ** 2, lambda x: torch.amax(x, axis, keepdims) ** 2, x, backend=backend
    )


def test_equals_share_the_gradient(tensor):
    x = tensor([[1.0, 3.0, 3.0, 2.0], [2.0, 2.0, 2.0, 2.0]], requires_grad=True)
    (dx,) = grad(ops.amax(x, 1), [x], tensor([5.0, 8.0]))
    np.testing.assert_array_equal(dx.numpy(), [[0, 2.5, 2.5, 0], [2, 2, 2, 2]])


def test_maxout_takes_neighbouring_channels(tensor, rng):
    x = rng.standard_normal((2, 6, 3, 5))
    y = ops.maxout(tensor(x), 3).numpy()
    np.testing.assert_array_equal(y, np.stack([x[:, :3].max(1), x[:, 3:].max(1)], 1))
    np.testing.assert_array_equal(ops.maxout(tensor(x[:, :, 0, 0]), 6).numpy(), x[:, :, :1, 0].max(1))
    np.testing.assert_array_equal(nn.Maxout(1)(tensor(x)).numpy(), x)


def test_maxout_learns_an_absolute_value(tensor):
    x = tensor([[-2.0], [3.0]])
    pieces = tensor([[1.0], [-1.0]])
    np.testing.assert_array_equal(ops.maxout(ops.linear(x, pieces), 2).numpy(), [[2], [3]])


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: ops.prelu(x, Tensor(np.ones(2))), r"prelu: weight \(2,\) must be \(1,\) or one .* \(4, 3\)"),
        (lambda x: ops.prelu(x, Tensor(np.ones((1, 3)))), r"prelu: weight \(1, 3\)"),
        (lambda x: ops.maxout(x, 2), r"maxout: the channels of input \(4, 3\) cannot be divided into groups of 2"),
        (lambda x: ops.maxout(x, 0), "maxout: pieces = 0 must be"),
        (lambda x: ops.maxout(x[0], 3), r"input \(3,\)"),
        (lambda x: nn.Maxout(0), "Maxout: pieces = 0 must be a whole number of at least 1"),
        (lambda x: nn.PReLU(0), "PReLU: num_parameters = 0"),
        (lambda x: nn.GELU("erf"), "GELU: approximate 'erf'"),
    ],
)
def test_bad_input_says_what_is_wrong(f, message):
    with pytest.raises(InputError, match=message):
        f(Tensor(np.ones((4, 3))))
