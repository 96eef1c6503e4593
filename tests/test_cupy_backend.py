"""Every CUDA kernel against the reference backend: on a GPU where there is one, else compiled for the CPU."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fake_cupy
import numpy as np
import pytest
from playing import trainer_of

from minigan import backend as backends
from minigan import gan, nn, ops
from minigan.backend import ConvGeometry, Kept
from minigan.backend.cupy import backend as cupy_backend
from minigan.backend.cupy import blas, launch
from minigan.backend.updates import SGD, Adam, RMSprop
from minigan.errors import InputError
from minigan.runs.report import write_report
from minigan.tensor import Tensor, grad

WHY_NOT = backends.available()["cupy"]
on_gpu = not WHY_NOT and not fake_cupy.installed
on_stand_in = pytest.mark.skipif(not fake_cupy.installed, reason="looks into the stand-in, and here is a GPU")
pytestmark = [pytest.mark.gpu] if on_gpu else [pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]

ROOT = Path(__file__).parent.parent
DTYPES = [(np.float64, 1e-12), (np.float32, 1e-5)]
reference = backends.get("reference")


@pytest.fixture
def cupy():
    return backends.get("cupy")


@pytest.fixture
def force(cupy, monkeypatch):
    """Choose the way of convolving by hand; None leaves it to the backend."""
    own = cupy.choose
    return lambda way: monkeypatch.setattr(cupy, "choose", own if way is None else lambda *sizes: way)


def assert_close(result, expected, tolerance):
    """Equal but for rounding, relative to the largest element; of the same shape, and channels-last."""
    if result.ndim == 4:
        assert result.transpose(0, 2, 3, 1).flags.c_contiguous
    own, right = backends.backend_of(result).to_numpy(result), np.asarray(expected)
    assert own.shape == right.shape and np.isfinite(own).all() == np.isfinite(right).all()
    if right.size:
        assert np.abs(own - right).max() <= tolerance * max(np.abs(right).max(), 1e-30)


def assert_same(results, expected, tolerance):
    for result, right in zip(results, expected, strict=True):
        assert_close(result, right, tolerance)


def layouts(rng, shape, dtype=np.float64):
    """Host arrays of one shape, with a way to give them another place in memory once they are on the device."""
    values = rng.standard_normal(shape).astype(dtype)
    n, c, h, w = shape
    yield "channels-last", lambda place: place.asarray(values)
    yield "NCHW", lambda place: place.asarray(values.reshape(-1)).reshape(shape)
    wide = rng.standard_normal((n, c + 2, h + 3, 2 * w)).astype(dtype)
    yield "sliced", lambda place: place.asarray(wide)[:, 1:-1, 2:-1, ::2]
    yield "reversed", lambda place: place.asarray(values)[::-1, :, ::-1, ::-1]
    yield "broadcast", lambda place: place.xp.broadcast_to(place.asarray(values)[:, :1, :1], shape)


# ---- convolution -----------------------------------------------------------------------------------------------------

GEOMETRIES = [
    ConvGeometry((1, 1), (1, 1)),
    ConvGeometry((7, 6), (1, 1), (2, 2)),
    ConvGeometry((7, 7), (3, 3), (1, 1), (1, 1)),
    ConvGeometry((8, 6), (4, 4), (2, 2), (1, 1)),
    ConvGeometry((9, 7), (3, 2), (2, 3), (2, 0)),  # strides that leave a remainder
    ConvGeometry((2, 5), (1, 1), (3, 3)),  # rows of x that no window sees
    ConvGeometry((5, 5), (2, 2), (4, 4)),  # a stride larger than the kernel: phases without a tap
    ConvGeometry((9, 9), (3, 3), (1, 1), (0, 0), (4, 4)),
    ConvGeometry((11, 8), (3, 4), (2, 4), (3, 2), (3, 2)),  # stride and dilation with a common divisor, and without
    ConvGeometry((1, 1), (4, 4), (1, 1), (3, 3)),  # most windows see padding only
    ConvGeometry((4, 4), (4, 4)),  # one window covers the image
    ConvGeometry((3, 40), (3, 3), (1, 1), (1, 1)),
    ConvGeometry((5, 4), (2, 3), (7, 5), (4, 4)),  # strides larger than the image
]


def conv_arrays(rng, geometry, n, c, f, dtype=np.float64):
    shapes = (n, c, *geometry.in_hw), (f, c, *geometry.kernel_hw), (n, f, *geometry.out_hw)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def conv_kernels(place, x, w, g, geometry):
    x, w, g = map(place.asarray, (x, w, g))
    return (
        place.conv2d(x, w, geometry, {}),
        place.conv2d_input(g, w, geometry, {}),
        place.conv2d_weight(x, g, geometry, {}),
    )


@pytest.mark.parametrize("dtype, tolerance", DTYPES)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_conv_matches_reference(geometry, dtype, tolerance, cupy, force, rng):
    for n, c, f in ((2, 3, 17), (3, 17, 1), (1, 1, 3)):
        arrays = conv_arrays(rng, geometry, n, c, f, dtype)
        expected = conv_kernels(reference, *(a.astype(np.float64) for a in arrays), geometry)
        for way in (None, "implicit", "im2col", *["direct"] * (c <= cupy_backend.FEW)):
            force(way)
            assert_same(conv_kernels(cupy, *arrays, geometry), expected, tolerance)


@pytest.mark.parametrize("dtype, tolerance", DTYPES)
@pytest.mark.parametrize("n, c, f", [(5, 1, 70), (40, 2, 33), (9, 3, 128), (3, 4, 5)])
def test_conv_of_pictures(n, c, f, dtype, tolerance, cupy, force, rng):
    """Several blocks each way, cut off at the edges; long sums are split."""
    for geometry in (ConvGeometry((14, 14), (4, 4), (2, 2), (1, 1)), ConvGeometry((9, 11), (5, 3), (1, 2), (2, 1))):
        arrays = conv_arrays(rng, geometry, n, c, f, dtype)
        assert cupy.choose(geometry, n, c, f) == "direct"
        expected = conv_kernels(reference, *(a.astype(np.float64) for a in arrays), geometry)
        assert_same(conv_kernels(cupy, *arrays, geometry), expected, tolerance)


# ---- tensor cores ----------------------------------------------------------------------------------------------------


@pytest.fixture
def tf32(cupy):
    if not cupy.tensor_cores:
        pytest.skip("this GPU has no tensor cores that know TF32: they begin with compute capability 8.0")
    cupy.tf32 = True
    yield
    cupy.tf32 = False


def to_tf32(array):
    """To the nearest number of 10 bits of mantissa, ties away from zero."""
    return ((array.astype(np.float32).view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)


def assert_is_that_of_rounded_factors(cupy, geometry, arrays):
    expected = conv_kernels(reference, *(to_tf32(a).astype(np.float64) for a in arrays), geometry)
    assert_same(conv_kernels(cupy, *arrays, geometry), expected, 1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_tensor_cores_match_reference(geometry, cupy, tf32, force, rng):
    force("implicit")
    for n, c, f in ((2, 8, 20), (3, 20, 4)):
        assert_is_that_of_rounded_factors(cupy, geometry, conv_arrays(rng, geometry, n, c, f, np.float32))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("n, c, f", [(1, 132, 68), (5, 64, 128), (7, 200, 136)])
def test_tensor_cores_with_many_channels(n, c, f, wide, cupy, tf32, monkeypatch, rng):
    """Several tiles each way, cut off at the edges, and sums that are split."""
    monkeypatch.setattr(cupy_backend, "ENOUGH_WIDE", 0 if wide else 10**9)
    geometry = ConvGeometry((6, 5), (4, 4), (2, 2), (1, 1))
    assert cupy.choose(geometry, n, c, f) == "implicit"
    assert_is_that_of_rounded_factors(cupy, geometry, conv_arrays(rng, geometry, n, c, f, np.float32))


@on_stand_in
def test_who_multiplies_on_tensor_cores(cupy, tf32, monkeypatch, rng):
    geometry, launched = ConvGeometry((6, 5), (4, 4), (2, 2), (1, 1)), []
    monkeypatch.setattr(cupy.xp.RawKernel, "_launched", launched)
    monkeypatch.setattr(
        cupy, "launch", lambda kernel, *args, launch=cupy.launch: (launched.append(kernel), launch(kernel, *args))
    )

    def kernels(c, f, dtype=np.float32, shift=0):
        x, w, _ = conv_arrays(rng, geometry, 2, c, f, dtype)
        flat = cupy.xp.empty(x.size + shift, dtype)
        view = flat[shift:].reshape(2, 6, 5, c).transpose(0, 3, 1, 2)
        view[...] = cupy.asarray(x)
        launched.clear()
        cupy.conv2d(view, cupy.asarray(w), geometry)
        return [name for name in launched if "." in name]

    assert kernels(36, 40)[0] == "tensor.conv2d"
    assert kernels(36, 40, np.float64)[0] == "conv.im2col_by_4"
    assert kernels(36, 40, shift=1)[0] == "conv.conv2d"  # 16 bytes that do not begin at a multiple of 16
    assert kernels(35, 40)[0] == "conv.im2col" and kernels(35, 39)[0] == "conv.im2col"
    monkeypatch.setattr(cupy, "tensor_cores", False)
    assert kernels(36, 40)[0] == "conv.im2col_by_4"
    monkeypatch.setattr(cupy, "tensor_cores", True)
    cupy.tf32 = False
    assert kernels(36, 40)[0] == "conv.im2col_by_4"


@pytest.mark.parametrize("dtype, tolerance", DTYPES)
@pytest.mark.parametrize("n, c, f", [(1, 131, 67), (5, 64, 128), (2, 200, 3), (33, 16, 16)])
def test_conv_of_many_channels(n, c, f, dtype, tolerance, cupy, force, rng):
    """Several tiles each way, cut off at the edges, and sums that are split."""
    geometry = ConvGeometry((6, 5), (4, 4), (2, 2), (1, 1))
    arrays = conv_arrays(rng, geometry, n, c, f, dtype)
    expected = conv_kernels(reference, *(a.astype(np.float64) for a in arrays), geometry)
    for way in ("implicit", "im2col"):
        force(way)
        assert_same(conv_kernels(cupy, *arrays, geometry), expected, tolerance)


@pytest.mark.parametrize("way", ["implicit", "im2col"])
def test_conv_takes_any_layout(way, cupy, force, rng):
    geometry = ConvGeometry((8, 6), (4, 4), (2, 2), (1, 1))
    force(way)
    shapes = (3, 5, 8, 6), (7, 5, 4, 4), (3, 7, 4, 3)
    for x, w, g in zip(*(layouts(rng, shape) for shape in shapes), strict=True):
        results = conv_kernels(cupy, *(make(cupy) for _, make in (x, w, g)), geometry)
        assert_same(results, conv_kernels(reference, *(make(reference) for _, make in (x, w, g)), geometry), 1e-12)


def test_the_way_of_convolving_depends_on_the_sizes(cupy):
    narrow, halving = ConvGeometry((28, 28), (1, 1)), ConvGeometry((14, 14), (4, 4), (2, 2), (1, 1))
    assert cupy.choose(narrow, 128, 64, 64) == "product"
    assert cupy.choose(ConvGeometry((4, 4), (4, 4)), 128, 512, 1) == "product"
    assert cupy.choose(halving, 128, 128, 256) == "im2col"
    assert cupy.choose(halving, 128, 1, 128) == "direct"
    assert cupy.choose(halving, 128, 3, 1000) == "implicit"  # more weights than a block can keep
    assert cupy.choose(halving, 128, 16, 128) == "implicit"  # no use in many windows of few channels
    assert cupy.choose(halving, 128 * 1024, 128, 256) == "implicit"  # the windows would fill the memory


@on_stand_in
def test_the_windows_of_a_gradient_are_written_once(cupy, monkeypatch, rng):
    """In the backward of a transposed convolution two kernels read them; a forward keeps none."""
    x = Tensor(cupy.asarray(rng.standard_normal((2, 40, 4, 4))), requires_grad=True)
    w = Tensor(cupy.asarray(rng.standard_normal((40, 36, 4, 4))), requires_grad=True)
    launched = []
    monkeypatch.setattr(cupy.xp.RawKernel, "_launched", launched)
    y = ops.conv_transpose2d(x, w, stride=2, padding=1)
    assert launched == ["col2im_by_4"]
    launched.clear()
    own = grad((y * y).sum(), [x, w])
    assert [name for name in launched if "im2col" in name] == ["im2col_by_4"]
    launched.clear()
    kept = Kept()
    cupy.conv2d(y.data, w.data, ConvGeometry((8, 8), (4, 4), (2, 2), (1, 1)), kept)
    assert launched == ["im2col_by_4"] and not kept.of(y.data)
    a, b = (Tensor(t.numpy(), requires_grad=True) for t in (x, w))
    y = ops.conv_transpose2d(a, b, stride=2, padding=1)
    for one, other in zip(own, grad((y * y).sum(), [a, b]), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10)


def test_too_many_pixels_are_refused(cupy):
    with pytest.raises(InputError, match=r"2097152 images of \(64, 64\) are too many for one convolution"):
        cupy_backend.conv_sizes(ConvGeometry((64, 64), (1, 1)), 2**21, 1, 1)


# ---- pooling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_pooling_matches_reference(geometry, cupy, rng):
    for dtype, tolerance in DTYPES:
        x, _, g = conv_arrays(rng, geometry, 2, 5, 5, dtype)
        for name, array in (("sum_pool", x), ("spread", g)):
            result = getattr(cupy, name)(cupy.asarray(array), geometry)
            assert_close(result, getattr(reference, name)(reference.asarray(array, np.float64), geometry), tolerance)


# ---- batch norm, sums ------------------------------------------------------------------------------------------------


def batch_norm(place, x, g, weight, bias, eps, slope):
    y, mean, var = place.batch_norm(x, weight, bias, eps, slope)
    return y, mean, var, *place.batch_norm_backward(g, x, y, weight, mean, var, eps, slope)


@pytest.mark.parametrize("shape", [(1, 1, 2, 1), (2, 3, 5, 7), (37, 17, 4, 4), (5, 256, 3, 3), (300, 2, 3, 1)], ids=str)
@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
def test_batch_norm_matches_reference(shape, slope, cupy, rng):
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 3e-5)):  # dx cancels: it is small beside its terms
        x, g = rng.standard_normal((2, *shape)).astype(dtype)
        weight, bias = rng.standard_normal((2, shape[1])).astype(dtype)
        results = batch_norm(cupy, *map(cupy.asarray, (x, g, weight, bias)), 1e-3, slope)
        exact = (reference.asarray(a, np.float64) for a in (x, g, weight, bias))
        assert_same(results, batch_norm(reference, *exact, 1e-3, slope), tolerance)


def test_running_statistics_match_reference(cupy, rng):
    for dtype, tolerance in DTYPES:
        x = rng.standard_normal((37, 17, 4, 4)).astype(dtype)
        weight, bias, mean, var = rng.uniform(0.5, 1, (4, 17)).astype(dtype)
        found = []
        for place, kind in ((cupy, dtype), (reference, np.float64)):
            arrays = [place.asarray(np.array(a, kind)) for a in (x, weight, bias, mean, var)]
            y, *_ = place.batch_norm_tracked(*arrays, 0.1, 1e-5, 0.2)
            found.append((y, *arrays[3:]))
        assert_same(*found, tolerance)


@on_stand_in
def test_batch_norm_takes_two_launches_each_way(cupy, monkeypatch, rng):
    layer, launched = nn.BatchNorm2d(6).to(cupy), []
    x = Tensor(cupy.asarray(rng.standard_normal((4, 6, 5, 5), np.float32)), requires_grad=True)
    g = Tensor(cupy.asarray(rng.standard_normal((4, 6, 5, 5), np.float32)))
    monkeypatch.setattr(cupy.xp.RawKernel, "_launched", launched)
    y = layer(x, negative_slope=0.2)
    grad([y], [x, *layer.parameters()], [g])
    forward, backward = ["moments", "apply"], ["backward_sums", "backward_apply"]
    assert launched == [f"batch_norm_{name}" for name in forward + backward]


def test_batch_norm_takes_any_layout(cupy, rng):
    weight, bias = rng.standard_normal((2, 5))
    for x, g in zip(layouts(rng, (4, 5, 6, 3)), layouts(rng, (4, 5, 6, 3)), strict=True):
        results, expected = (
            batch_norm(place, x[1](place), g[1](place), place.asarray(weight), place.asarray(bias), 1e-5, 0.2)
            for place in (cupy, reference)
        )
        assert_same(results, expected, 1e-10)


def test_batch_norm_with_a_mean_far_from_zero(cupy, rng):
    """|mean| = 1000 std: float32 still has 4 digits, and none may be lost by the formula."""
    x = (1000 + rng.standard_normal((64, 8, 9, 9))).astype(np.float32)
    y, mean, var = cupy.batch_norm(*map(cupy.asarray, (x, np.ones(8, np.float32), np.zeros(8, np.float32))), 1e-5)
    exact = reference.batch_norm(reference.asarray(x, np.float64), np.ones(8), np.zeros(8), 1e-5)
    assert_close(mean, exact[1], 1e-7)
    assert_close(var, exact[2], 1e-5)
    assert np.abs(cupy.to_numpy(y) - exact[0]).max() < 1e-4


@pytest.mark.parametrize(
    "shape, axes",
    [
        ((6, 50, 12, 12), (0, 2, 3)),
        ((6, 5, 40, 40), (3, 0, 2)),
        ((6, 50, 3, 2), (0,)),
        ((6, 50, 3, 2), (0, 1, 2, 3)),
        ((20000,), (0,)),
        ((300, 100), (0,)),
        ((300, 100), (1,)),
        ((20000, 1), (0,)),
        ((3, 4, 5), (0, 1, 2)),
        ((), ()),
        ((0, 3), (0,)),
    ],
)
def test_sum_matches_numpy(shape, axes, cupy, rng):
    for dtype, tolerance in DTYPES:
        x = rng.uniform(0.5, 1, shape).astype(dtype)
        for keepdims in (False, True):
            result = cupy.sum(cupy.asarray(x), axes, keepdims)
            expected = np.asarray(x.astype(np.float64).sum(axes, keepdims=keepdims))
            assert type(result) is cupy.array_type and result.dtype == dtype
            np.testing.assert_allclose(cupy.to_numpy(result), expected, rtol=tolerance)


# ---- element-wise ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (0,), (5, 16, 3, 2), (300, 3)])
def test_activations_match_reference(shape, dtype, cupy, rng):
    x, g = (30 * rng.standard_normal((2, *shape))).astype(dtype)
    if x.size > 4:
        x.reshape(-1)[:5] = 0, -0.0, 1000, -1000, np.finfo(dtype).tiny
    for slope in (0.0, 0.2, 1.0, 2.0, -0.5):
        for name, arrays in (("leaky_relu", (x,)), ("leaky_relu_gate", (g, x))):
            result = getattr(cupy, name)(*map(cupy.asarray, arrays), slope)
            assert result.dtype == dtype and type(result) is cupy.array_type
            expected = getattr(reference, name)(*map(reference.asarray, arrays), slope)
            np.testing.assert_array_equal(cupy.to_numpy(result), expected)
    for name in ("tanh", "softplus", "sigmoid"):
        result = cupy.to_numpy(getattr(cupy, name)(cupy.asarray(x)))
        expected = getattr(reference, name)(x.astype(np.float64))
        assert result.dtype == dtype and result.shape == x.shape
        np.testing.assert_allclose(result, expected, rtol=5e-6 if dtype == np.float32 else 1e-13, atol=1e-37)


def test_nan_and_infinity_pass_through(cupy):
    x = cupy.asarray(np.array([np.nan, np.inf, -np.inf]))
    np.testing.assert_array_equal(cupy.to_numpy(cupy.softplus(x)), [np.nan, np.inf, 0])
    np.testing.assert_array_equal(cupy.to_numpy(cupy.sigmoid(x)), [np.nan, 1, 0])
    np.testing.assert_array_equal(cupy.to_numpy(cupy.leaky_relu(x, 0.5)), [np.nan, np.inf, -np.inf])


def test_results_keep_the_order_of_memory(cupy, rng):
    """CuPy's own arithmetic gives C order whatever comes in; the next convolution would have to copy it."""
    for name, make in layouts(rng, (2, 3, 4, 5)):
        x = cupy.elementwise(lambda a, b: a + b, make(cupy), make(cupy))
        expected = make(reference) + make(reference)
        np.testing.assert_array_equal(cupy.to_numpy(x), expected, err_msg=name)
    assert cupy.elementwise(lambda x: -x, cupy.empty((2, 3, 4, 5), np.float32)).transpose(0, 2, 3, 1).flags.c_contiguous


def test_other_dtypes_are_inherited(cupy, rng):
    geometry = ConvGeometry((4, 4), (3, 3), (1, 1), (1, 1))
    arrays = conv_arrays(rng, geometry, 2, 3, 4, np.float16)
    results = conv_kernels(cupy, *arrays, geometry)
    assert all(result.dtype == np.float16 for result in results)
    assert_same(results, conv_kernels(reference, *(a.astype(np.float64) for a in arrays), geometry), 1e-2)
    x = cupy.asarray(arrays[0])
    assert cupy.leaky_relu(x, 0.2).dtype == cupy.tanh(x).dtype == cupy.sum(x, (0, 2, 3), False).dtype == np.float16


# ---- indexing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_put_item_adds_up_repeated_places(dtype, cupy, rng):
    rows, columns = rng.integers(0, 5, 300), rng.integers(0, 4, 300)
    whole = slice(None)
    for index, shape in [
        ((rows,), (5, 4)),
        ((rows, columns), (5, 4)),
        ((slice(1, 3), columns), (5, 4, 2)),
        ((whole, columns), (3, 4, 2)),
        ((whole, whole, rows), (2, 3, 5, 2)),
        ((whole, rows.reshape(20, 15)), (2, 5, 3)),
    ]:
        g = np.zeros(shape)[index]
        g = (rng.integers(0, 9, g.shape)).astype(dtype)
        expected = np.zeros(shape, dtype)
        np.add.at(expected, index, g)
        on_device = tuple(part if isinstance(part, slice) else cupy.asarray(part) for part in index)
        for where in (index, on_device):
            result = cupy.put_item(cupy.asarray(g), where, shape)
            assert result.dtype == dtype
            np.testing.assert_array_equal(cupy.to_numpy(result), expected)
            read = cupy.get_item(cupy.asarray(expected), where)
            np.testing.assert_array_equal(cupy.to_numpy(read), expected[index])


def test_an_index_outside_of_its_axis_is_refused(cupy):
    """CuPy alone takes it modulo the size of the axis."""
    x, mask = cupy.asarray(np.arange(24.0).reshape(2, 3, 4)), np.array([True, False])
    for index, axis, size in [
        ([2], 0, 2),
        (np.array([0, -3]), 0, 2),
        ((slice(None), np.array([3])), 1, 3),
        ((..., np.array([[4]])), 2, 4),
        ((None, 1, ..., None, [1, -5]), 2, 4),
        ((mask, np.array([3])), 1, 3),
    ]:
        for read in (lambda index=index: cupy.get_item(x, index), lambda index=index: Tensor(x)[index]):
            with pytest.raises(IndexError, match=rf"is out of bounds for axis {axis} with size {size}"):
                read()
        with pytest.raises(IndexError, match=rf"is out of bounds for axis {axis} with size {size}"):
            cupy.put_item(x, index, x.shape)
    for index in ([-2, 1], (..., np.array([-4, 3])), np.empty(0, np.int64), mask):
        np.testing.assert_array_equal(cupy.to_numpy(cupy.get_item(x, index)), cupy.to_numpy(x)[index])


# ---- optimizers ------------------------------------------------------------------------------------------------------

UPDATES = {
    "adam": (2, Adam(lr=0.1, betas=(0.5, 0.999), step=2)),
    "adam, decay": (2, Adam(lr=0.1, betas=(0.5, 0.9), step=1, l2=0.1, decay=0.2)),
    "sgd": (1, SGD(lr=0.1, momentum=0.9, l2=0.01)),
    "rmsprop": (1, RMSprop(lr=0.1, alpha=0.9)),
}


@pytest.mark.parametrize("dtype, tolerance", DTYPES)
@pytest.mark.parametrize("name", UPDATES)
def test_optimizers_match_reference(name, dtype, tolerance, cupy, rng):
    slots, rule = UPDATES[name]
    shapes = [(300, 20), (64,), (), (0,), (32, 3, 4, 4), (3, 2, 4, 4), *[(2,)] * 70]  # more than one launch takes
    host = [[np.asarray(rng.uniform(0.1, 1, s), dtype) for s in shapes] for _ in range(2 + slots)]
    device = [[cupy.asarray(array) for array in arrays] for arrays in host]
    device[1][4] = cupy.xp.ascontiguousarray(device[1][4])  # a gradient that lies otherwise than its parameter
    strided = cupy.asarray(rng.uniform(0.1, 1, (10, 8)).astype(dtype))[::2, ::2]  # a parameter with gaps
    for arrays, copies in zip(device, host, strict=True):
        arrays.append(strided if arrays is device[0] else cupy.asarray(np.full((5, 4), 0.5, dtype)))
        copies.append(cupy.to_numpy(arrays[-1]))
    expected = [[reference.asarray(array.astype(np.float64)) for array in arrays] for arrays in host]
    cupy.update(lambda: rule, *device)
    reference.update(lambda: rule, *expected)
    for arrays, rights in zip(device, expected, strict=True):
        for array, right in zip(arrays, rights, strict=True):
            np.testing.assert_allclose(cupy.to_numpy(array), right, rtol=tolerance, atol=tolerance)


@on_stand_in
def test_one_launch_updates_all_parameters(cupy, monkeypatch):
    launched = []
    monkeypatch.setattr(cupy.xp.RawKernel, "_launched", launched)
    arrays = [[cupy.asarray(np.ones(3))] * 20 for _ in range(4)]
    cupy.update(lambda: UPDATES["adam"][1], *arrays)
    assert launched == ["adam"]


# ---- the same bits each time -----------------------------------------------------------------------------------------


def every_kernel(cupy, rng):
    results = []
    for way in ("implicit", "im2col"):
        cupy.choose, chosen = (lambda *sizes, way=way: way), cupy.choose
        try:
            for n, c, f in ((5, 40, 70), (3, 1, 32)):
                geometry = ConvGeometry((14, 14), (4, 4), (2, 2), (1, 1))
                results += conv_kernels(cupy, *conv_arrays(rng, geometry, n, c, f, np.float32), geometry)
        finally:
            del cupy.choose
            assert cupy.choose == chosen
    geometry = ConvGeometry((14, 14), (4, 4), (2, 2), (1, 1))
    cupy.tf32 = True
    try:
        results += conv_kernels(cupy, *conv_arrays(rng, geometry, 3, 40, 72, np.float32), geometry)
    finally:
        cupy.tf32 = False
    results += conv_kernels(cupy, *conv_arrays(rng, geometry, 9, 3, 40, np.float32), geometry)
    x, g = (cupy.asarray(a) for a in rng.standard_normal((2, 9, 30, 14, 14), np.float32))
    weight, bias = (cupy.asarray(a) for a in rng.standard_normal((2, 30), np.float32))
    results += batch_norm(cupy, x, g, weight, bias, 1e-5, 0.2)
    results += [cupy.leaky_relu(x, 0.2), cupy.leaky_relu_gate(g, x, 0.2), cupy.tanh(x), cupy.softplus(x)]
    results += [cupy.sum(x, (0, 2, 3), False), cupy.sum(x, (0, 1, 2, 3), False)]
    results += [cupy.put_item(cupy.asarray(rng.standard_normal((500, 3))), rng.integers(0, 7, 500), (7, 3))]
    results += [cupy.sum_pool(x, ConvGeometry((14, 14), (3, 3), (2, 2), (1, 1)))]
    return [cupy.to_numpy(result) for result in results]


def test_results_repeat_bit_for_bit(cupy):
    first, second = (every_kernel(cupy, np.random.default_rng(1)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@on_stand_in
def test_results_do_not_depend_on_the_order_of_the_threads(cupy, monkeypatch):
    """Threads that run in ascending and in descending order would tell of a barrier that is missing."""
    first = every_kernel(cupy, np.random.default_rng(1))
    monkeypatch.setattr(cupy.xp.RawKernel, "_descending", True)
    for a, b in zip(first, every_kernel(cupy, np.random.default_rng(1)), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- whole runs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["dcgan", "cgan", "acgan", "wgan_gp", "sngan"])
def test_training_is_that_of_the_numpy_backend(model, rng):
    """The same losses, step by step, in float64, with labels and penalties."""
    images, labels = rng.uniform(-1, 1, (3, 4, 1, 28, 28)), rng.integers(0, 10, (3, 4))
    conditional = gan.MODELS[model].conditional

    def losses(name):
        place = backends.get(name)
        architecture = {"model": model, "image_size": 28, "channels": 1, "width": 2, "z_dim": 5}
        if conditional:
            architecture["classes"] = 10
        networks = (net.to(place, np.float64) for net in gan.build(architecture, np.random.default_rng(0)))
        trainer = gan.MODELS[model].trainer(*networks, z_dim=5, rng=np.random.default_rng(1), n_critic=1)
        batches = ((place.asarray(x), place.asarray(y)) if conditional else place.asarray(x) for x, y in pairs)
        return [(record.d_loss, record.g_loss, record.d_real, record.d_fake) for record in trainer.steps(batches)]

    pairs = list(zip(images, labels, strict=True))
    np.testing.assert_allclose(losses("cupy"), losses("numpy"), rtol=1e-8)


def test_mnist_example_runs(tmp_path):
    path = os.pathsep.join([str(ROOT), *([str(fake_cupy.FOLDER)] if fake_cupy.installed else [])])
    command = [sys.executable, "-W", "error", ROOT / "examples/mnist_gan.py", "--recipe", "dcgan2016", "--width", "2"]
    command += [
        "--steps",
        "2",
        "--batch-size",
        "8",
        "--quiet",
        "--out",
        tmp_path / "out",
        "--backend",
        "cupy",
        "--tf32",
    ]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/model.safetensors").exists()
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert {line["precision"] for line in lines} == {"TF32"}


def test_tensors_of_two_backends_do_not_mix(cupy):
    with pytest.raises(TypeError, match=r"different backends \(cupy, numpy\)"):
        Tensor(cupy.asarray(np.ones((2, 2)))) @ Tensor(np.ones((2, 2)))


def test_tf32_is_an_explicit_choice(cupy):
    assert not cupy.tf32 and cupy.precision(np.float32) == "float32"
    try:
        cupy.tf32 = True
        assert cupy.tf32
        assert cupy.precision(np.float32) == "TF32" and cupy.precision(np.float64) == "float64"
    finally:
        cupy.tf32 = False
    assert not cupy.tf32


def test_tf32_on_the_command_line(cupy, tmp_path):
    """It is felt, it is part of what a resumed training must have, and other backends have none."""
    start = [sys.executable, "-m", "minigan", "train", "--model", "dcgan", "--width", "2", "--steps", "2"]
    path = os.pathsep.join([str(ROOT), *([str(fake_cupy.FOLDER)] if fake_cupy.installed else [])])

    def run(*more):
        settings = ["--batch-size", "4", "--quiet", "--out", str(tmp_path / "out"), *more]
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.run([*start, *settings], env=environment, capture_output=True, text=True, check=False)

    refused = run("--tf32")
    assert refused.returncode == 2
    assert (
        "error: backend 'numpy' has no TF32, which is arithmetic of NVIDIA GPUs: use --backend cupy" in refused.stderr
    )
    done = run("--backend", "cupy", "--tf32")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert [line["precision"] for line in lines] == ["TF32"] * 2
    write_report(tmp_path / "out", tmp_path / "report.html")
    assert "<tr><th>precision<td>TF32" in (tmp_path / "report.html").read_text()
    again = run("--backend", "cupy", "--resume")
    assert again.returncode == 2 and "tf32 was True, now None" in again.stderr


PRODUCTS = [((5, 3), (3, 4)), ((1, 3), (3, 1)), ((5, 1), (1, 4)), ((5, 3), (3,))]
PRODUCTS += [
    ((2, 2, 5, 3), (3, 4)),
    ((2, 5, 3), (2, 3, 4)),
    ((5, 3), (2, 3, 4)),
    ((2, 5, 3), (3, 4)),
    ((1, 5, 3), (1, 3, 1)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shapes", PRODUCTS)
def test_products_of_any_layout(shapes, dtype, cupy, rng):
    """By cuBLAS itself, which wants to know how each factor lies."""

    def laid_out(shape):
        values = rng.standard_normal(shape).astype(dtype)
        swapped = (*range(values.ndim - 2), values.ndim - 1, values.ndim - 2) if values.ndim > 1 else (0,)
        wide = np.concatenate([values, values], -1)
        yield values, cupy.asarray(values)
        yield values, cupy.asarray(np.ascontiguousarray(values.transpose(swapped))).transpose(swapped)
        yield values, cupy.asarray(wide)[..., : shape[-1]]
        yield np.repeat(values, 2, -1)[..., ::2], cupy.asarray(np.repeat(values, 2, -1))[..., ::2]
        yield np.broadcast_to(values[:1], shape), cupy.xp.broadcast_to(cupy.asarray(values)[:1], shape)
        yield values[::-1], cupy.asarray(values)[::-1]

    for a, own_a in laid_out(shapes[0]):
        for b, own_b in laid_out(shapes[1]):
            result = cupy.to_numpy(cupy.matmul(own_a, own_b))
            assert result.dtype == dtype
            np.testing.assert_allclose(result, np.matmul(a, b), rtol=1e-5, atol=1e-5)


def test_products_without_elements_or_of_other_dtypes(cupy):
    assert cupy.matmul(cupy.asarray(np.ones((3, 0))), cupy.asarray(np.ones((0, 2)))).shape == (3, 2)
    half = cupy.asarray(np.ones((2, 2), np.float16))
    assert cupy.to_numpy(cupy.matmul(half, half)).tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize("count", [1, 64, 65])
def test_lone_numbers_come_to_the_host_at_once(count, cupy):
    for dtype in (np.float32, np.float64):
        scalars = [cupy.asarray(dtype(number / 7)) for number in range(count)]
        assert cupy.read(cupy.pack(scalars)) == [float(dtype(number / 7)) for number in range(count)]


def test_constants_are_made_once(cupy):
    assert cupy.constant(0.5, np.float32) is cupy.constant(0.5, np.float32)
    assert cupy.constant(0.5, np.float64).dtype == np.float64
    assert np.signbit(cupy.to_numpy(cupy.constant(-0.0, np.float32))) and not np.signbit(
        cupy.to_numpy(cupy.constant(0.0, np.float32))
    )


# ---- what can go wrong -----------------------------------------------------------------------------------------------


def test_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(InputError, match=r'needs CuPy, which is not installed: pip install "minigan\[cuda13\]"'):
        launch.import_cupy()


def test_a_cupy_that_cannot_be_imported(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text('raise ImportError("libcudart.so.13: cannot open shared object file")')
    monkeypatch.delitem(sys.modules, "cupy")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"cannot be imported \(libcudart.so.13: .*pip install --force-reinstall"):
        launch.import_cupy()


@pytest.mark.parametrize(
    "driver, runtime, message",
    [
        (0, 13020, "found no NVIDIA driver: install one"),
        (12040, 13020, r'built for CUDA 13.2, .* knows CUDA up to 12.4: update .* "minigan\[cuda12\]"'),
        (13020, 13000, r"cannot use the GPU \(cudaErrorSystemDriverMismatch.*\): see nvidia-smi"),
    ],
)
@on_stand_in
def test_without_a_usable_driver(driver, runtime, message, cupy, monkeypatch):
    def fail():
        raise cupy.xp.cuda.runtime.CUDARuntimeError(803)

    monkeypatch.setattr(cupy.xp.cuda.runtime, "getDeviceCount", fail)
    monkeypatch.setattr(cupy.xp.cuda.runtime, "driverGetVersion", lambda: driver)
    monkeypatch.setattr(cupy.xp.cuda.runtime, "runtimeGetVersion", lambda: runtime)
    with pytest.raises(InputError, match=message):
        launch.import_cupy()


@on_stand_in
def test_without_a_gpu(cupy, monkeypatch):
    monkeypatch.setattr(cupy.xp.cuda.runtime, "getDeviceCount", lambda: 0)
    with pytest.raises(InputError, match="found no NVIDIA GPU"):
        launch.import_cupy()


@pytest.mark.parametrize("how", ["compile", "load"])
def test_kernels_that_cannot_be_compiled(how, cupy, monkeypatch):
    if how == "compile":
        monkeypatch.setattr(launch, "source", lambda file: "void kernel(\n")
        message = r"CUDA could not compile norm.cu \(.*error.*\): pip install --force-reinstall"
    else:

        class Module:
            def __init__(self, **options):
                pass

            def compile(self):
                raise RuntimeError('Failure finding "libnvrtc.so"\nand more')

        monkeypatch.setattr(cupy.xp, "RawModule", Module)
        message = r'CUDA could not load the kernels of norm.cu \(Failure finding "libnvrtc.so"\): pip install'
    kernels = launch.Kernels.__new__(launch.Kernels)
    kernels.cupy = cupy.xp
    with pytest.raises(InputError, match=message):
        kernels._compile("norm", np.dtype(np.float32))


@on_stand_in
def test_without_cublas(cupy, monkeypatch):
    monkeypatch.setattr(cupy.xp.cuda.cublas, "__file__", "libcublas.so.0")
    with pytest.raises(InputError, match=r"CuPy cannot load cuBLAS \(libcublas.so.0: .*\): pip install --force-reinst"):
        blas.Blas(cupy.xp)


@on_stand_in
def test_where_cublas_cannot_be_called_directly_cupy_calls_it(cupy, monkeypatch, rng):
    """Nothing can be captured then, and the reason is CuPy's."""
    monkeypatch.setattr(cupy.xp.cuda.cublas, "__file__", None)  # this very program, which has no cuBLAS in it
    monkeypatch.setattr(cupy, "_blas", blas.Blas(cupy.xp))
    a, b = rng.standard_normal((2, 4, 4))
    np.testing.assert_array_equal(cupy.to_numpy(cupy.matmul(cupy.asarray(a), cupy.asarray(b))), a @ b)
    networks = (net.to(cupy) for net in gan.build({"model": "gan", "width": 10, "z_dim": 5}, rng))
    trainer = trainer_of(*networks, z_dim=5, rng=rng)
    with pytest.warns(RuntimeWarning, match="calling cuBLAS API during stream capture is currently unsupported"):
        list(trainer.steps([cupy.asarray(np.zeros((2, 1, 28, 28), np.float32))] * 4))
    assert "calling cuBLAS" in trainer.capture_reason


def test_full_memory_is_one_clear_error(cupy):
    pool = cupy.xp.get_default_memory_pool()
    pool.free_all_blocks()  # or a free one might be large enough
    pool.set_limit(size=pool.used_bytes() + 2**20)
    try:
        with pytest.raises(InputError, match=r"memory is full \(Out of memory allocating .*\): use a smaller --batch"):
            cupy.empty((2**20,), np.float64)
    finally:
        pool.set_limit(size=0)
    with pytest.raises(MemoryError):
        raise launch.DeviceMemoryError("is a MemoryError, too")


# ---- compilers -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc here: install the CUDA toolkit")
@pytest.mark.parametrize(
    "file, dtype, architecture",
    [
        (*unit, architecture)
        for unit in launch.units()
        for architecture in ("sm_90", *(("sm_75", "sm_120") if unit == ("tensor", np.float32) else ()))
    ],
    ids=str,
)
def test_nvcc_compiles_every_kernel_without_a_warning(file, dtype, architecture, tmp_path):
    path = tmp_path / f"{file}.cu"
    path.write_text(launch.source(file))
    command = ["nvcc", *launch.options(dtype), f"-arch={architecture}", "-Werror", "all-warnings", "-cubin"]
    done = subprocess.run([*command, "-o", tmp_path / "out", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
