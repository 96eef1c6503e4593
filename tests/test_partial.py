"""What a convolution's kernel keeps of an operand saves work and is never stale."""

import numpy as np
import pytest

from minigan import Tensor, grad, nn, ops
from minigan.backend.numpy import filtering

SETTINGS = {"stride": 2, "padding": 1}


@pytest.fixture
def operands(backend, rng):
    """Enough channels for a backend that transforms its operands."""
    x = Tensor(backend.asarray(rng.standard_normal((8, 32, 8, 8))), requires_grad=True)
    w = nn.Parameter(backend.asarray(rng.standard_normal((32, 32, 4, 4))))
    return x, w


def test_a_second_order_through_an_updated_parameter_is_refused(operands):
    x, w = operands
    (dx,) = grad(ops.conv2d(x, w, **SETTINGS).sum(), [x], create_graph=True)
    w.assign(w.numpy() * 2)
    with pytest.raises(RuntimeError, match="updated since"):
        grad((dx * dx).sum(), [w])
    y = ops.conv2d(x, w, **SETTINGS)
    w.assign(w.numpy() / 2)
    half = ops.conv2d(x, w, **SETTINGS)
    np.testing.assert_allclose(half.numpy(), y.numpy() / 2, rtol=1e-10, atol=1e-10)


def test_nothing_is_handed_on_of_an_array_that_may_have_changed(operands):
    """The second order below knows x only as a cotangent: no version of it is checked."""
    x, w = operands
    (dx,) = grad(ops.conv2d(x, w, **SETTINGS).sum(), [x], create_graph=True)
    x.data[...] = x.backend.asarray(x.numpy() * 3)
    x.bump()
    for cotangent in (Tensor(x.data), Tensor(x.backend.asarray(x.numpy().copy()))):
        (dw,) = grad(dx, [w], cotangent, retain_graph=True)
        expected = ops.conv.Conv2dWeight(dx.node.op.geometry).forward(x.backend, x.data, dx.node.inputs[0].data)
        np.testing.assert_allclose(dw.numpy(), x.backend.to_numpy(expected), rtol=1e-10, atol=1e-8)


def test_a_transform_too_large_to_be_kept_is_made_again(fast, rng, monkeypatch):
    """The same bits, at both orders."""
    x = Tensor(fast.asarray(rng.standard_normal((4, 64, 16, 16))), requires_grad=True)
    w = Tensor(fast.asarray(rng.standard_normal((64, 64, 3, 3))), requires_grad=True)
    kept_of = []
    points = filtering._points
    monkeypatch.setattr(
        filtering, "_points", lambda image, kept, *rest: kept_of.append(kept) or points(image, kept, *rest)
    )

    def everything():
        y = ops.conv2d(x, w, padding=1)
        first = grad((y * y * y).sum(), [x, w], create_graph=True)
        return [y, *first, *grad(sum((g * g).sum() for g in first), [x, w])]

    kept = everything()
    keeps = [bool(held) for held in kept_of]
    kept_of.clear()
    monkeypatch.setattr(filtering, "KEEP_BYTES", 0)
    for a, b in zip(kept, everything(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert keeps and all(keeps) and kept_of and not any(map(bool, kept_of))
