"""The fast CPU kernels, NumPy's and the compiled ones, against the reference: values, layouts, threads, memory."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

from minigan import backend as backends
from minigan.backend.geometry import ConvGeometry
from minigan.backend.kept import Kept
from minigan.backend.numpy import backend as numpy_backend
from minigan.backend.numpy import blas, elementwise, filtering, scratch, threads
from minigan.backend.updates import Adam

reference = backends.get("reference")

# The error of each algorithm in float32, relative to the largest element of the float64 result.
FLOAT32_BOUND = {0: 2e-6, 2: 4e-6, 3: 4e-6, 4: 2e-5, 6: 1e-4}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def force(monkeypatch):
    """Choose the convolution algorithm by hand: 0 for im2col, m for filtering with tiles of m."""
    return lambda tile: monkeypatch.setattr(numpy_backend, "choose", lambda *sizes: tile)


@pytest.fixture
def thread_count():
    """Set the number of threads, and put it back."""
    before = threads.get_num_threads()
    yield threads.set_num_threads
    threads.set_num_threads(before)


def conv_arrays(rng, geometry, n, c, f, dtype=np.float64):
    x = rng.standard_normal((n, c, *geometry.in_hw)).astype(dtype)
    w = rng.standard_normal((f, c, *geometry.kernel_hw)).astype(dtype)
    g = rng.standard_normal((n, f, *geometry.out_hw)).astype(dtype)
    return x, w, g


def conv_kernels(backend, x, w, g, geometry, kept=None):
    x, w, g = (backend.asarray(a) for a in (x, w, g))
    y = backend.conv2d(x, w, geometry, kept)
    dx = backend.conv2d_input(g, w, geometry, kept)
    dw = backend.conv2d_weight(x, g, geometry, kept)
    return y, dx, dw


def relative_error(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape
    return np.abs(a - b).max() / max(np.abs(b).max(), 1e-300)


def assert_channels_last(*arrays):
    for array in arrays:
        assert type(array) is np.ndarray
        assert array.transpose(0, 2, 3, 1).flags.c_contiguous


def algorithms(geometry):
    return [0, 2, 3, 4, 6] if filtering.applies(geometry) else [0]


GEOMETRIES = [
    ConvGeometry(in_hw, kernel_hw, stride, padding, dilation)
    for in_hw in ((4, 4), (7, 7), (14, 9))
    for kernel_hw in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (3, 4))
    for stride in ((1, 1), (2, 2), (3, 2))
    for padding in ((0, 0), (1, 1), (2, 0))
    for dilation in ((1, 1), (2, 1))
    if all(i + 2 * p >= d * (k - 1) + 1 for i, k, p, d in zip(in_hw, kernel_hw, padding, dilation, strict=True))
]
ODD = [
    ConvGeometry((1, 1), (4, 4), (1, 1), (3, 3)),  # padding that reaches further than the image
    ConvGeometry((2, 5), (1, 1), (3, 3)),  # rows of x that no window sees
    ConvGeometry((5, 5), (2, 2), (4, 4)),
    ConvGeometry((9, 9), (3, 3), (1, 1), (0, 0), (4, 4)),
    ConvGeometry((4, 4), (4, 4)),  # one window covers the image
    ConvGeometry((1, 1), (1, 1)),
    ConvGeometry((3, 50), (3, 3), (1, 1), (1, 1)),
]


# ---- convolution ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES + ODD, ids=str)
def test_conv_matches_reference(fast, geometry, rng, force):
    for n, c, f in ((1, 1, 3), (2, 3, 17), (5, 17, 1)):
        x, w, g = conv_arrays(rng, geometry, n, c, f)
        expected = conv_kernels(reference, x, w, g, geometry)
        for tile in algorithms(geometry):
            force(tile)
            for kept in (None, Kept()):
                results = conv_kernels(fast, x, w, g, geometry, kept)
                assert_channels_last(*results)
                for result, right in zip(results, expected, strict=True):
                    assert relative_error(result, right) < 1e-10, f"tile {tile}, N {n}, C {c}, F {f}"


@pytest.mark.parametrize("geometry", GEOMETRIES[::3], ids=str)
def test_conv_chosen_by_itself(fast, geometry, rng):
    x, w, g = conv_arrays(rng, geometry, 37, 17, 16)
    expected = conv_kernels(reference, x, w, g, geometry)
    for result, right in zip(conv_kernels(fast, x, w, g, geometry, {}), expected, strict=True):
        assert relative_error(result, right) < 1e-10


@pytest.mark.parametrize("kernel_hw", [(1, 1), (3, 3), (40, 41)])
def test_maps_that_are_cut_in_bands(fast, kernel_hw, rng):
    """One sample's columns are more than a tile may hold."""
    geometry = ConvGeometry((40, 41), kernel_hw)
    x, w, g = conv_arrays(rng, geometry, 2, 130, 5)
    for result, right in zip(
        conv_kernels(fast, x, w, g, geometry, {}), conv_kernels(reference, x, w, g, geometry), strict=True
    ):
        assert relative_error(result, right) < 1e-10


@pytest.mark.parametrize("channels", [3, 20])
def test_convolution_of_nothing(fast, channels, rng):
    geometry = ConvGeometry((8, 8), (4, 4), (2, 2), (1, 1))
    x, w, g = conv_arrays(rng, geometry, 0, channels, 20)
    for result, right in zip(
        conv_kernels(fast, x, w, g, geometry, {}), conv_kernels(reference, x, w, g, geometry), strict=True
    ):
        assert result.shape == right.shape and not result.any()


@pytest.mark.parametrize(
    "geometry",
    [ConvGeometry((14, 14), (4, 4), (2, 2), (1, 1)), ConvGeometry((13, 13), (3, 3), (1, 1), (1, 1))],
    ids=str,
)
def test_conv_float32_error(fast, geometry, rng, force):
    x, w, g = conv_arrays(rng, geometry, 5, 40, 48, np.float32)
    expected = conv_kernels(reference, *(a.astype(np.float64) for a in (x, w, g)), geometry)
    for tile in algorithms(geometry):
        force(tile)
        for result, right in zip(conv_kernels(fast, x, w, g, geometry, {}), expected, strict=True):
            assert result.dtype == np.float32
            assert relative_error(result, right) < FLOAT32_BOUND[tile], f"tile {tile}"


def strided_variants(rng, shape):
    """Arrays of one shape, laid out in memory in different ways."""
    n, c, h, w = shape
    values = rng.standard_normal(shape)
    yield "NCHW", np.ascontiguousarray(values)
    yield "channels-last", np.ascontiguousarray(values.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    wide = rng.standard_normal((n, c + 2, h + 3, 2 * w))
    yield "sliced", wide[:, 1:-1, 2:-1, ::2]
    yield "reversed", values[::-1, :, ::-1, ::-1]
    yield "broadcast", np.broadcast_to(values[:, :1, :1], shape)


@pytest.mark.parametrize("tile", [0, 3])
def test_conv_takes_any_strides(fast, tile, rng, force):
    geometry = ConvGeometry((8, 6), (4, 4), (2, 2), (1, 1))
    force(tile)
    shapes = (3, 5, 8, 6), (7, 5, 4, 4), (3, 7, 4, 3)
    for (name, x), (_, w), (_, g) in zip(*(strided_variants(rng, shape) for shape in shapes), strict=True):
        expected = conv_kernels(reference, x, w, g, geometry)
        for result, right in zip(conv_kernels(fast, x, w, g, geometry, {}), expected, strict=True):
            assert relative_error(result, right) < 1e-10, name


@pytest.mark.parametrize("tile", [0, 2, 4])
def test_conv_kernels_are_adjoint(fast, tile, rng, force):
    """<g, conv(x, w)> = <conv_input(g, w), x> = <conv_weight(x, g), w>"""
    force(tile)
    geometry = ConvGeometry((15, 12), (4, 4), (2, 2), (1, 1))
    x, w, g = conv_arrays(rng, geometry, 6, 20, 24)
    y, dx, dw = conv_kernels(fast, x, w, g, geometry)
    form = np.vdot(g, y)
    assert np.vdot(dx, x) == pytest.approx(form, rel=1e-11)
    assert np.vdot(dw, w) == pytest.approx(form, rel=1e-11)


def test_transforms_are_kept_for_kernels_in_any_order(fast, rng, force):
    force(4)
    geometry = ConvGeometry((8, 8), (4, 4), (2, 2), (1, 1))
    x, w, g = (fast.asarray(a) for a in conv_arrays(rng, geometry, 2, 3, 5))
    expected = conv_kernels(fast, x, w, g, geometry)
    kept = Kept()
    dw = fast.conv2d_weight(x, g, geometry, kept)
    assert [len(kept.of(a)) for a in (x, g, w)] == [1, 1, 0]
    (transform,) = kept.of(x).values()
    y = fast.conv2d(x, w, geometry, kept)
    dx = fast.conv2d_input(g, w, geometry, kept)
    assert [len(kept.of(a)) for a in (x, g, w)] == [1, 1, 1] and next(iter(kept.of(x).values())) is transform
    for result, right in zip((y, dx, dw), expected, strict=True):
        np.testing.assert_array_equal(result, right)


def test_one_array_in_two_roles(fast, rng, force):
    """What is kept of it as a picture is not taken for what is kept of it as a kernel."""
    force(2)
    geometry = ConvGeometry((4, 4), (4, 4), (2, 2), (1, 1))
    both = fast.asarray(rng.standard_normal((3, 2, 4, 4)))
    kept = Kept()
    y = fast.conv2d(both, both, geometry, kept)
    assert len(kept.of(both)) == 2
    np.testing.assert_allclose(y, reference.conv2d(reference.asarray(both), reference.asarray(both), geometry))


def test_filters_of_toom_cook():
    """y = A [(G w) * (B x)] is the filter, for each tile length."""
    for taps in (2, 3):
        for m in range(1, 8 - taps + 1):
            a, g, b = filtering.toom_cook(m, taps, filtering.POINTS[m + taps - 2] if m + taps > 2 else ())
            x, w = np.random.default_rng(m).standard_normal((2, m + taps - 1))
            y = a @ ((g @ w[:taps]) * (b @ x))
            np.testing.assert_allclose(y, np.convolve(x, w[:taps][::-1], "valid"), rtol=1e-11, atol=1e-11)


def test_choice_depends_on_size():
    geometry = ConvGeometry((14, 14), (4, 4), (2, 2), (1, 1))
    assert numpy_backend.choose(geometry, 128, 128, 256) > 0
    assert numpy_backend.choose(geometry, 128, 1, 256) == 0
    assert numpy_backend.choose(geometry, 1, 128, 256) == 0
    assert numpy_backend.choose(ConvGeometry((14, 14), (5, 5), (2, 2), (2, 2)), 128, 128, 256) == 0


def test_verbose_prints_each_choice_once(monkeypatch, capsys):
    monkeypatch.setenv("MINIGAN_VERBOSE", "1")
    numpy_backend.choose.cache_clear()
    for _ in range(2):
        numpy_backend.choose(ConvGeometry((8, 8), (4, 4), (2, 2), (1, 1)), 64, 32, 64)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "N=64 C=32 F=64" in lines[0] and "filtering" in lines[0]


def test_other_dtypes_are_inherited(fast, rng):
    geometry = ConvGeometry((4, 4), (3, 3), (1, 1), (1, 1))
    x, w, g = conv_arrays(rng, geometry, 2, 3, 4, np.float16)
    expected = conv_kernels(reference, *(a.astype(np.float64) for a in (x, w, g)), geometry)
    for result, right in zip(conv_kernels(fast, x, w, g, geometry), expected, strict=True):
        assert result.dtype == np.float16
        assert relative_error(result, right) < 1e-2


# ---- batch norm ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1, 2, 1), (2, 3, 5, 7), (37, 17, 4, 4), (5, 256, 7, 7), (3, 3000, 3, 1)])
@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
def test_batch_norm_matches_reference(fast, shape, slope, rng):
    for (name, x), (_, g) in zip(strided_variants(rng, shape), strided_variants(rng, shape), strict=True):
        weight, bias = rng.standard_normal((2, shape[1]))
        arguments = [reference.asarray(a) for a in (x, weight, bias)]
        expected = reference.batch_norm(*arguments, 1e-5, slope)
        results = fast.batch_norm(x, weight, bias, 1e-5, slope)
        assert_channels_last(results[0])
        for result, right in zip(results, expected, strict=True):
            assert relative_error(result, right) < 1e-10, name

        y, mean, var = results
        expected = reference.batch_norm_backward(g, x, y, weight, mean, var, 1e-5, slope)
        results = fast.batch_norm_backward(g, x, y, weight, mean, var, 1e-5, slope)
        assert_channels_last(results[0])
        scale = np.abs(g).max() * np.abs(weight).max() / np.sqrt(var.min() + 1e-5)  # dx may cancel to nothing
        assert np.abs(results[0] - expected[0]).max() < 1e-10 * scale, name
        for result, right in zip(results[1:], expected[1:], strict=True):
            assert np.abs(result - right).max() < 1e-10 * np.abs(g).sum(), name


def test_batch_norm_with_a_mean_far_from_zero(fast, rng):
    """|mean| = 1000 std: float32 still has 4 digits, and none may be lost by the formula."""
    x = (1000 + rng.standard_normal((64, 8, 9, 9))).astype(np.float32)
    g = rng.standard_normal(x.shape).astype(np.float32)
    weight, bias = np.ones(8, np.float32), np.zeros(8, np.float32)
    y, mean, var = fast.batch_norm(x, weight, bias, 1e-5)
    exact = [reference.asarray(a, np.float64) for a in (x, weight, bias)]
    y64, mean64, var64 = reference.batch_norm(*exact, 1e-5)
    assert relative_error(mean, mean64) < 1e-7
    assert relative_error(var, var64) < 1e-5
    assert np.abs(y - y64).max() < 1e-4
    dx, dweight, dbias = fast.batch_norm_backward(g, x, y, weight, mean, var, 1e-5, 1.0)
    exact = reference.batch_norm_backward(g.astype(np.float64), exact[0], y64, exact[1], mean64, var64, 1e-5, 1.0)
    assert relative_error(dx, exact[0]) < 1e-4
    assert np.abs(dweight - exact[1]).max() < 1e-4 * np.sqrt(x.size / 8) * 10
    assert np.abs(dbias - exact[2]).max() < 1e-4 * np.sqrt(x.size / 8)


def test_batch_norm_of_a_constant(fast):
    x = np.full((4, 3, 5, 5), 7.1, np.float32)
    y, mean, var = fast.batch_norm(x, np.ones(3, np.float32), np.zeros(3, np.float32), 1e-5)
    np.testing.assert_allclose(mean, 7.1, rtol=1e-6)
    assert (var >= 0).all() and var.max() < 1e-10 and np.abs(y).max() < 1e-3


# ---- element-wise --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (0,), (5, 16, 3, 2), (3, 40, 17, 19), (300, 301)])
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, 2.0, -0.5])
def test_leaky_relu_and_gate(fast, shape, slope, rng):
    x, g = rng.standard_normal((2, *shape))
    if x.size > 4:
        x.reshape(-1)[:4] = 0.0, -0.0, 1e-310, -1e-310
    y = fast.leaky_relu(x, slope)
    u = fast.leaky_relu_gate(g, x, slope)
    np.testing.assert_array_equal(y, np.where(x > 0, x, slope * x))
    np.testing.assert_array_equal(u, np.where(x > 0, g, slope * g))


@pytest.mark.parametrize("name", ["tanh", "softplus", "sigmoid"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smooth_activations(fast, name, dtype, rng):
    for shape in ((), (7,), (3, 40, 17, 19)):
        x = np.asarray(rng.standard_normal(shape) * 30, dtype)
        if x.size > 4:
            x.reshape(-1)[:4] = 1000, -1000, 0, -0.0
        result, right = getattr(fast, name)(x), getattr(reference, name)(x.astype(np.float64))
        assert result.dtype == dtype and result.shape == x.shape
        np.testing.assert_allclose(result, right, rtol=5e-6 if dtype == np.float32 else 1e-13, atol=1e-37)


def test_elementwise_takes_any_strides(fast, rng):
    for name, x in strided_variants(rng, (4, 30, 20, 10)):
        assert x.size >= numpy_backend.SMALL
        result = fast.leaky_relu(x, 0.2)
        assert_channels_last(result)
        np.testing.assert_array_equal(result, np.where(x > 0, x, 0.2 * x), err_msg=name)
        g = np.ascontiguousarray(x[::-1])
        np.testing.assert_array_equal(fast.leaky_relu_gate(g, x, 0.2), np.where(x > 0, g, 0.2 * g), err_msg=name)
        np.testing.assert_allclose(fast.sum(x, (0, 2, 3), False), x.sum((0, 2, 3)), rtol=1e-11, atol=1e-11)


def test_arithmetic_in_chunks(fast, rng):
    """Of large pictures, with whatever is broadcast to their shape; the bits are those of one NumPy call."""
    shape = (7, 32, 40, 40)
    x, g = (fast.channels_last(rng.standard_normal(shape)) for _ in range(2))
    bias = np.broadcast_to(rng.standard_normal((1, 32, 1, 1)), shape)
    for f in (operator.add, operator.sub, operator.mul, operator.truediv):
        for other in (g, bias, rng.standard_normal(shape)):
            for a, b in ((x, other), (other, x)):
                result = fast.elementwise(f, a, b)
                assert_channels_last(result)
                np.testing.assert_array_equal(result, f(a, b))
    np.testing.assert_array_equal(fast.elementwise(operator.neg, x), -x)
    np.testing.assert_array_equal(fast.elementwise(np.exp, x), np.exp(x))
    np.testing.assert_array_equal(fast.elementwise(lambda x: x * x, x), x * x)


def test_sum(fast, rng):
    for shape, axes in (
        ((6, 50, 12, 12), (0, 2, 3)),
        ((6, 50, 12, 12), (3, 0, 2)),
        ((6, 50, 12, 12), (0,)),
        ((6, 50, 12, 12), (1,)),
        ((6, 50, 12, 12), (0, 1, 2, 3)),
        ((300, 100), (0,)),
        ((300, 100), (1,)),
        ((20000, 1), (0,)),
        ((5,), (0,)),
    ):
        x = rng.standard_normal(shape)
        for keepdims in (False, True):
            result = fast.sum(x, axes, keepdims)
            np.testing.assert_allclose(result, x.sum(axes, keepdims=keepdims), rtol=1e-10, atol=1e-11)
            assert np.shape(result) == np.shape(x.sum(axes, keepdims=keepdims))


def test_matmul(fast, rng):
    for n, k, m in ((1, 1, 1), (3, 0, 2), (0, 3, 2), (128, 100, 1000), (700, 64, 3)):
        a, b = rng.standard_normal((n, k)), rng.standard_normal((m, k)).T
        np.testing.assert_allclose(fast.matmul(a, b), a @ b, rtol=1e-10, atol=1e-10)
    a, b = rng.standard_normal((2, 5, 6)), rng.standard_normal((2, 6, 3))
    np.testing.assert_allclose(fast.matmul(a, b), a @ b)


def test_a_product_tells_of_nan_by_nan_alone(fast):
    """BLAS's warnings of invalid values cannot be told from false ones; warnings are errors here."""
    a, b = np.array([[np.inf, 1], [1, 2]], np.float32), np.array([[0], [1]], np.float32)
    for backend in (fast, reference):
        np.testing.assert_array_equal(backend.matmul(a, b), [[np.nan], [2]])
        np.testing.assert_array_equal(backend.matmul(a, b[:, 0]), [np.nan, 2])
    geometry = ConvGeometry((1, 1), (1, 1), (1, 1), (0, 0))
    y = fast.conv2d(a.reshape(2, 2, 1, 1), b.reshape(1, 2, 1, 1), geometry)
    np.testing.assert_array_equal(y.reshape(2), [np.nan, 2])


# ---- Adam ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("l2, decay", [(0.0, 0.0), (0.1, 0.0), (0.0, 0.1)])
def test_adam_matches_reference(fast, l2, decay, rng):
    def make(shape, layout):
        array = np.asarray(rng.standard_normal(shape))
        return array if layout == "C" else np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)

    kinds = [((300, 200), "C"), ((64,), "C"), ((), "C"), ((32, 30, 4, 4), "CL"), ((3, 2, 4, 4), "C")]
    params, grads = ([make(*kind) for kind in kinds] for _ in range(2))
    grads[-2] = np.ascontiguousarray(grads[-2])  # a gradient laid out otherwise than its parameter
    params.append(rng.standard_normal((10, 8))[::2, ::2])  # not dense
    grads.append(rng.standard_normal((5, 4)))
    zeros = [[np.zeros_like(p) for p in params] for _ in range(2)]
    copies = [[a.copy(order="K") for a in arrays] for arrays in (params, *zeros)]
    untouched = [g.copy() for g in grads]
    for step in (1, 2, 3):
        rule = Adam(lr=0.1, betas=(0.5, 0.999), step=step, l2=l2, decay=decay)
        fast.adam(rule, params, grads, *zeros)
        reference.adam(rule, copies[0], grads, *copies[1:])
    for arrays, rights in zip((params, *zeros), copies, strict=True):
        for array, right in zip(arrays, rights, strict=True):
            np.testing.assert_allclose(array, right, rtol=1e-10, atol=1e-13)
    for g, before in zip(grads, untouched, strict=True):
        np.testing.assert_array_equal(g, before)


# ---- threads -------------------------------------------------------------------------------------------------------


def every_kernel(fast, rng):
    """Results of every kernel on arrays large enough for several tiles and threads."""
    geometry = ConvGeometry((14, 14), (4, 4), (2, 2), (1, 1))
    results = []
    for tile in (0, 2, 4):
        numpy_backend.choose, chosen = (lambda *sizes, tile=tile: tile), numpy_backend.choose
        try:
            for n, c, f in ((24, 32, 48), (40, 1, 32)):
                results += conv_kernels(fast, *conv_arrays(rng, geometry, n, c, f, np.float32), geometry, {})
        finally:
            numpy_backend.choose = chosen
    x, g = rng.standard_normal((2, 40, 30, 14, 14), np.float32)
    weight, bias = rng.standard_normal((2, 30), np.float32)
    y, mean, var = fast.batch_norm(x, weight, bias, 1e-5, 0.2)
    results += [y, mean, var, *fast.batch_norm_backward(g, x, y, weight, mean, var, 1e-5, 0.2)]
    results += [fast.leaky_relu(x, 0.2), fast.leaky_relu_gate(g, x, 0.2), fast.tanh(x), fast.softplus(x)]
    results += [fast.sigmoid(x), fast.sum(x, (0, 2, 3), False)]
    a, b = rng.standard_normal((400, 300), np.float32), rng.standard_normal((300, 500), np.float32)
    results.append(fast.matmul(a, b))
    p, m, v = a.copy(), np.zeros_like(a), np.zeros_like(a)
    fast.adam(Adam(lr=0.1, betas=(0.5, 0.999), step=1), [p], [a], [m], [v])
    return [*results, p, m, v]


def test_results_do_not_depend_on_threads(fast, thread_count):
    """To the last bit, for 1, 2 and 3 threads."""
    thread_count(1)
    expected = every_kernel(fast, np.random.default_rng(1))
    for count in (2, 3):
        thread_count(count)
        for result, right in zip(every_kernel(fast, np.random.default_rng(1)), expected, strict=True):
            np.testing.assert_array_equal(result, right)


def test_two_callers_at_once(fast, thread_count):
    thread_count(2)
    expected = every_kernel(fast, np.random.default_rng(1))
    right = []

    def work():
        results = [fast.batch_norm(e, np.ones(e.shape[1], e.dtype), np.zeros(e.shape[1], e.dtype), 1e-5)[0]
                   for e in expected if e.ndim == 4]  # fmt: skip
        right.append(results)

    callers = [threading.Thread(target=work) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for results in right[1:]:
        for a, b in zip(results, right[0], strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(right) == 3


def test_inputs_stay_as_they_are(fast, monkeypatch, rng):
    geometry = ConvGeometry((8, 8), (4, 4), (2, 2), (1, 1))
    x, w, g = conv_arrays(rng, geometry, 3, 4, 5)
    weight, bias = rng.standard_normal((2, 4))
    for array in (x, w, g, weight, bias):
        array.flags.writeable = False
    for tile in (0, 3):
        monkeypatch.setattr(numpy_backend, "choose", lambda *sizes, tile=tile: tile)
        conv_kernels(fast, x, w, g, geometry, {})
    y, mean, var = fast.batch_norm(x, weight, bias, 1e-5, 0.2)
    y.flags.writeable = False
    fast.batch_norm_backward(x, x, y, weight, mean, var, 1e-5, 0.2)


def test_run_covers_every_tile_once_and_raises(thread_count):
    thread_count(3)
    for tiles in (0, 1, 2, 50):
        seen = []
        threads.run(seen.append, tiles)
        assert sorted(seen) == list(range(tiles))

    def fail(index):
        if index == 7:
            raise KeyError("tile 7")

    with pytest.raises(KeyError, match="tile 7"):
        threads.run(fail, 20)

    inner = []
    threads.run(lambda i: threads.run(lambda j: inner.append((i, j)), 3), 4)  # a kernel called from a tile
    assert len(set(inner)) == 12
    with pytest.raises(ValueError, match="at least 1"):
        threads.set_num_threads(0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers that interrupt here")
@pytest.mark.skipif(not blas.libraries(), reason="no pool of threads beside this BLAS")
def test_an_interrupt_waits_for_tiles_under_way(thread_count):
    thread_count(2)
    begun, ended = threading.Event(), []

    def task(tile):
        if threading.current_thread() is threading.main_thread():
            assert begun.wait(60)
            signal.setitimer(signal.ITIMER_REAL, 0.1)  # comes while the main thread waits for the other one
        else:
            begun.set()
            time.sleep(0.5)
            ended.append(tile)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            threads.run(task, 2)
        assert len(ended) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_blas_gets_its_threads_back():
    before = [library.get_num_threads() for library in blas.libraries()]
    inside = []
    threads.run(lambda i: inside.extend(library.get_num_threads() for library in blas.libraries()), 3)
    assert set(inside) <= {1}
    with pytest.raises(ZeroDivisionError):
        threads.run(lambda i: 1 / 0, 2)
    assert [library.get_num_threads() for library in blas.libraries()] == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_its_own_pool():
    code = """
import os, numpy as np
from minigan import backend
from minigan.backend.numpy import threads
threads.set_num_threads(2)
numpy = backend.get("numpy")
x = np.ones((64, 32, 16, 16), np.float32)
numpy.leaky_relu(x, 0.2)
child = os.fork()
if child == 0:
    numpy.leaky_relu(x, 0.2)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_without_blas_control_there_is_no_pool(monkeypatch, rng):
    monkeypatch.setattr(blas, "libraries", lambda: [])
    monkeypatch.setattr(threads, "_threads", None)
    assert threads.get_num_threads() == 1
    who = set()
    threads.run(lambda i: who.add(threading.get_ident()), 10)
    assert who == {threading.get_ident()}


# ---- memory --------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow(fast, monkeypatch, rng):
    monkeypatch.setattr(threads, "_threads", 1)  # a second one may come to its first tile, and its scratch, late
    every_kernel(fast, rng)
    held = scratch.scratch_bytes()
    assert 0 < held < 1 << 28
    tracemalloc.start()
    try:
        every_kernel(fast, rng)
        first = tracemalloc.get_traced_memory()[0]
        for _ in range(3):
            every_kernel(fast, rng)
        assert tracemalloc.get_traced_memory()[0] < first + 100_000
    finally:
        tracemalloc.stop()
    assert scratch.scratch_bytes() <= 1.5 * held
    scratch.clear()
    assert scratch.scratch_bytes() == 0


@pytest.mark.parametrize("axes", [(0, 2, 3), (2, 3)])
def test_a_long_sum_is_as_exact_as_a_short_one(fast, axes, rng):
    """Where channels lie side by side, NumPy's own sum of pixels rounds as often as there are pixels."""
    x = fast.channels_last(rng.uniform(0.5, 1, (2, 3, 200, 200)).astype(np.float32))
    np.testing.assert_allclose(fast.sum(x, axes, True), x.sum(axes, np.float64, keepdims=True), rtol=1e-6)


def test_sums_of_a_chunk_more_or_less():
    for rows in (elementwise.CHUNK // 64 + d for d in (-1, 0, 1)):
        np.testing.assert_array_equal(elementwise.column_sums(np.ones((rows, 64), np.float32)), rows)
