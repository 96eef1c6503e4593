"""Batch norm: values, running statistics, eval mode, and the fused backward against the composed one."""

import numpy as np
import pytest

from minigan.errors import InputError
from minigan.ops import batch_norm
from minigan.tensor import grad, no_grad

SHAPES = [(4, 3, 2, 5), (2, 3, 1, 1), (6, 3)]
PARAMETERS = np.array([[1.5, -0.5, 2.0], [0.3, -0.2, 0.1]])  # weight and bias of three channels


def closed_form(x, weight, bias, mean, var, slope=1.0, eps=1e-5):
    shape = (1, -1) + (1,) * (x.ndim - 2)
    weight, bias, mean, var = (t.reshape(shape) for t in (weight, bias, mean, var))
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    return np.where(y > 0, y, slope * y)


def others(x):
    """Every axis but the channels'."""
    return (0, *range(2, x.ndim))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_training_normalises_with_the_batch(shape, slope, dtype, tolerance, tensor, rng):
    x = (2 + 3 * rng.standard_normal(shape)).astype(dtype)
    y = batch_norm(tensor(x, dtype), *(tensor(p, dtype) for p in PARAMETERS), negative_slope=slope)
    expected = closed_form(x, *PARAMETERS, x.mean(others(x)), x.var(others(x)), slope)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=tolerance)
    if x.ndim == 4:
        assert y.data.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("shape", SHAPES)
def test_running_statistics_move_towards_the_batch(shape, backend, tensor, rng):
    x = rng.standard_normal(shape)
    mean, var = backend.asarray(np.array([1.0, 2.0, 3.0])), backend.asarray(np.array([4.0, 5.0, 6.0]))
    batch_norm(tensor(x), *map(tensor, PARAMETERS), mean, var, momentum=0.3)
    np.testing.assert_allclose(backend.to_numpy(mean), 0.7 * np.array([1, 2, 3]) + 0.3 * x.mean(others(x)))
    unbiased = x.var(others(x), ddof=1)
    np.testing.assert_allclose(backend.to_numpy(var), 0.7 * np.array([4, 5, 6]) + 0.3 * unbiased)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("slope", [1.0, 0.2])
def test_eval_uses_the_running_statistics_and_leaves_them(shape, slope, backend, tensor, rng):
    x, mean, var = rng.standard_normal(shape), np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    running = backend.asarray(mean.copy()), backend.asarray(var.copy())
    y = batch_norm(tensor(x), *map(tensor, PARAMETERS), *running, training=False, negative_slope=slope)
    np.testing.assert_allclose(y.numpy(), closed_form(x, *PARAMETERS, mean, var, slope), rtol=1e-12)
    np.testing.assert_array_equal(backend.to_numpy(running[0]), mean)
    np.testing.assert_array_equal(backend.to_numpy(running[1]), var)


def test_a_graph_made_in_eval_mode_keeps_its_statistics(backend, tensor, rng):
    """A later forward in training moves the running arrays in place; the earlier graph must not see it."""
    x = tensor(rng.standard_normal((4, 3)), requires_grad=True)
    weight, bias = (tensor(p, requires_grad=True) for p in PARAMETERS)
    running = backend.asarray(np.array([1.0, 2.0, 3.0])), backend.asarray(np.array([4.0, 5.0, 6.0]))
    y = batch_norm(x, weight, bias, *running, training=False)
    before = grad((y * y).sum(), [x, weight, bias], retain_graph=True)
    with no_grad():
        batch_norm(x, weight, bias, *running)
    for g, kept in zip(grad((y * y).sum(), [x, weight, bias]), before, strict=True):
        np.testing.assert_array_equal(g.numpy(), kept.numpy())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_the_fused_backward_is_the_composed_one(shape, slope, dtype, tolerance, backend, tensor, rng, monkeypatch):
    fused_kernel, calls = backend.batch_norm_backward, []
    monkeypatch.setattr(backend, "batch_norm_backward", lambda *args: calls.append(1) or fused_kernel(*args))
    leaves = [tensor(t, dtype, requires_grad=True) for t in (rng.standard_normal(shape), *PARAMETERS)]
    y = batch_norm(*leaves, negative_slope=slope)
    g = tensor(rng.standard_normal(shape), dtype)
    composed = grad(y, leaves, g, create_graph=True)
    assert calls == []
    fused = grad(y, leaves, g)
    assert calls == [1]  # one launch for all three
    for a, b in zip(fused, composed, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=tolerance)


def test_the_input_gradient_is_orthogonal_to_shift_and_scale(tensor, rng):
    """The output does not change when x is shifted or (but for eps) scaled, so the gradient cannot point there."""
    x = tensor(rng.standard_normal((4, 3, 2, 2)), requires_grad=True)
    y = batch_norm(x, *map(tensor, PARAMETERS), eps=1e-12)
    (dx,) = grad(y, [x], tensor(rng.standard_normal(y.shape)))
    assert np.abs(dx.numpy()).max() > 0.1
    np.testing.assert_allclose(dx.numpy().sum((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose((dx.numpy() * x.numpy()).sum((0, 2, 3)), 0, atol=1e-9)


def test_a_large_mean_does_not_drown_the_variance(tensor, rng):
    x = (1000 + rng.standard_normal((64, 3, 4, 4))).astype(np.float32)
    y = batch_norm(tensor(x, np.float32), tensor(np.ones(3), np.float32), tensor(np.zeros(3), np.float32)).numpy()
    exact = x.astype(np.float64)
    expected = closed_form(exact, np.ones(3), np.zeros(3), exact.mean((0, 2, 3)), exact.var((0, 2, 3)))
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-3)  # the last bit of 1000 is 6e-5


def test_a_constant_channel_gives_its_bias(tensor):
    y = batch_norm(tensor(np.full((4, 3), 7.0)), *map(tensor, PARAMETERS))
    np.testing.assert_array_equal(y.numpy(), np.broadcast_to(PARAMETERS[1], (4, 3)))


@pytest.mark.parametrize(
    "x, channels, options, message",
    [
        ((4, 3), 2, {}, r"weight \(2,\) and bias \(2,\) do not fit input \(4, 3, 1, 1\)"),
        ((4, 3, 2), 2, {}, r"weight \(2,\) and bias \(2,\) do not fit input \(4, 3, 2, 1\)"),
        ((4,), 4, {}, r"input \(4,\) must be \(N, C\), \(N, C, L\) or \(N, C, H, W\)"),
        ((1, 3), 3, {}, "one value per channel, so no variance: use a larger batch"),
        ((4, 3), 3, {"training": False}, "training=False needs running_mean and running_var"),
        ((4, 3), 3, {"negative_slope": -0.1}, "negative_slope -0.1 must be between 0"),
        ((4, 3), 3, {"negative_slope": 1.1}, "negative_slope 1.1 must be between 0"),
    ],
)
def test_bad_input_says_what_is_wrong(x, channels, options, message, tensor):
    with pytest.raises(InputError, match=message):
        batch_norm(tensor(np.ones(x)), tensor(np.ones(channels)), tensor(np.ones(channels)), **options)
