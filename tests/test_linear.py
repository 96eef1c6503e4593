"""The affine map, the table look-up, dropout."""

import numpy as np
import pytest

from minigan import backend as backends
from minigan.errors import InputError
from minigan.ops import dropout, embedding, linear
from minigan.tensor import Tensor, grad


@pytest.mark.parametrize("lead", [(5,), (2, 3), (1,)])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_linear_is_its_formula(lead, dtype, tolerance, tensor, rng):
    x, w, b = (rng.standard_normal(s) for s in ((*lead, 4), (3, 4), (3,)))
    y = linear(tensor(x, dtype), tensor(w, dtype), tensor(b, dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), np.einsum("...i,oi->...o", x, w) + b, rtol=0, atol=tolerance)
    without = linear(tensor(x, dtype), tensor(w, dtype)).numpy()
    np.testing.assert_allclose(without, y.numpy() - b.astype(dtype), rtol=0, atol=tolerance)


def test_linear_says_what_does_not_fit(tensor):
    with pytest.raises(InputError, match=r"linear: input \(2, 3\) does not fit weight \(3, 4\), which is \(out, in\)"):
        linear(tensor(np.ones((2, 3))), tensor(np.ones((3, 4))))
    with pytest.raises(InputError, match=r"linear: bias \(1,\) does not fit weight \(3, 4\), which is \(out, in\)"):
        linear(tensor(np.ones((2, 4))), tensor(np.ones((3, 4))), tensor(np.ones(1)))
    with pytest.raises(InputError, match=r"linear: input \(4,\) does not fit"):
        linear(tensor(np.ones(4)), tensor(np.ones((3, 4))))
    with pytest.raises(TypeError, match="linear have dtypes float64 and float64 and float32: convert one"):
        linear(tensor(np.ones((2, 4))), tensor(np.ones((3, 4))), tensor(np.ones(3), np.float32))


def test_embedding_looks_rows_up_and_adds_their_gradients(tensor):
    table = tensor([[1, 2], [3, 4], [5, 6]], requires_grad=True)
    index = np.array([[2, 0], [2, 2]])
    y = embedding(index, table)
    np.testing.assert_array_equal(y.numpy(), [[[5, 6], [1, 2]], [[5, 6], [5, 6]]])
    (g,) = grad(y, [table], tensor([[[1, 10], [2, 20]], [[3, 30], [4, 40]]]))
    np.testing.assert_array_equal(g.numpy(), [[2, 20], [0, 0], [8, 80]])


@pytest.mark.parametrize(
    "index, message",
    [
        ([0.0, 1.0], "the index must be whole numbers, not float64"),
        ([0, 3], r"index 0\.\.3 is outside the table of 3 rows"),
        ([-1, 0], r"index -1\.\.0 is outside"),  # NumPy would silently take the last row
    ],
)
def test_embedding_refuses_what_is_no_row(index, message, tensor):
    with pytest.raises(InputError, match=message):
        embedding(np.array(index), tensor(np.ones((3, 2))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_drops_and_scales(dtype, tensor):
    x = tensor(np.full((100, 100), 3.0), dtype, requires_grad=True)
    y = dropout(x, 0.4, np.random.default_rng(0))
    kept = y.numpy() != 0
    assert y.dtype == dtype
    assert abs(kept.mean() - 0.6) < 0.02  # four standard deviations
    np.testing.assert_allclose(y.numpy()[kept], 3 / 0.6, rtol=1e-6)
    (g,) = grad(y.sum(), [x])
    np.testing.assert_allclose(g.numpy(), kept / 0.6, rtol=1e-6)


def test_every_backend_drops_the_same_elements():
    masks = [
        dropout(Tensor(backends.get(name).asarray(np.ones((4, 5)))), 0.5, np.random.default_rng(3)).numpy()
        for name in ("reference", "numpy")
    ]
    np.testing.assert_array_equal(*masks)
    assert 0 < (masks[0] == 0).sum() < 20


def test_dropout_that_does_nothing_draws_nothing(tensor):
    x, rng = tensor([1.0, 2.0]), np.random.default_rng(0)
    assert dropout(x, 0.5, rng, training=False) is x
    assert dropout(x, 0.0, rng) is x
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_dropout_checks_its_probability(p, tensor):
    with pytest.raises(InputError, match=f"dropout: p = {p} must be at least 0 and below 1"):
        dropout(tensor([1.0]), p, np.random.default_rng(0))


def test_dropout_of_integers_is_refused(tensor):
    """1 / (1 - p) would be cut off to 1."""
    with pytest.raises(InputError, match="fractions would be cut off for a tensor of int64: convert it first"):
        dropout(tensor([1, 2], np.int64), 0.3, np.random.default_rng(0))
