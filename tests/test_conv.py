"""Convolutions against the sums their docstrings state, written out as loops."""

import itertools

import numpy as np
import pytest

from minigan.errors import InputError
from minigan.ops import conv2d, conv_transpose2d
from minigan.tensor import grad


def taps(in_hw, kernel_hw, out_hw, stride, padding, dilation):
    """Every (i, j, a, b, row, column) where output (i, j) meets input (row, column) by way of kernel tap (a, b)."""
    for i, j, a, b in itertools.product(*map(range, (*out_hw, *kernel_hw))):
        row, column = (
            s * o + d * k - p for s, o, d, k, p in zip(stride, (i, j), dilation, (a, b), padding, strict=True)
        )
        if 0 <= row < in_hw[0] and 0 <= column < in_hw[1]:
            yield i, j, a, b, row, column


def convolve(x, w, stride, padding, dilation):
    out_hw = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)
    ]
    y = np.zeros((len(x), len(w), *out_hw))
    for i, j, a, b, row, column in taps(x.shape[2:], w.shape[2:], out_hw, stride, padding, dilation):
        for n, f, c in itertools.product(range(len(x)), range(len(w)), range(x.shape[1])):
            y[n, f, i, j] += x[n, c, row, column] * w[f, c, a, b]
    return y


def scatter(x, w, out_hw, stride, padding, dilation):
    y = np.zeros((len(x), w.shape[1], *out_hw))
    for i, j, a, b, row, column in taps(out_hw, w.shape[2:], x.shape[2:], stride, padding, dilation):
        for n, f, c in itertools.product(range(len(x)), range(len(w)), range(w.shape[1])):
            y[n, c, row, column] += x[n, f, i, j] * w[f, c, a, b]
    return y


def is_channels_last(t):
    return t.data.transpose(0, 2, 3, 1).flags.c_contiguous


GEOMETRIES = [  # input, kernel, stride, padding, dilation
    ((3, 4), (3, 3), (1, 1), (0, 0), (1, 1)),
    ((6, 5), (4, 4), (2, 2), (1, 1), (1, 1)),
    ((7, 8), (3, 2), (2, 3), (0, 2), (1, 1)),  # strides that leave a remainder
    ((5, 5), (1, 1), (2, 2), (0, 0), (1, 1)),
    ((6, 7), (2, 3), (1, 2), (1, 0), (3, 2)),
    ((1, 1), (2, 2), (1, 1), (3, 3), (1, 1)),  # most windows see padding only
]


@pytest.mark.parametrize("in_hw, kernel_hw, stride, padding, dilation", GEOMETRIES)
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_conv2d_is_its_formula(in_hw, kernel_hw, stride, padding, dilation, dtype, tolerance, tensor, rng):
    x, w, b = (rng.standard_normal(s).astype(dtype) for s in ((2, 3, *in_hw), (4, 3, *kernel_hw), (4,)))
    y = conv2d(*(tensor(t, dtype) for t in (x, w, b)), stride=stride, padding=padding, dilation=dilation)
    expected = convolve(x, w, stride, padding, dilation) + b[:, None, None]
    assert y.shape == expected.shape and y.dtype == dtype and is_channels_last(y)
    np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("in_hw, kernel_hw, stride, padding, dilation", GEOMETRIES[:5])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_conv_transpose2d_is_its_formula(in_hw, kernel_hw, stride, padding, dilation, dtype, tolerance, tensor, rng):
    for extra in itertools.product(*(range(max(s, d)) for s, d in zip(stride, dilation, strict=True))):
        out_hw = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1 + e
            for n, k, s, p, d, e in zip(in_hw, kernel_hw, stride, padding, dilation, extra, strict=True)
        ]
        x, w, b = (rng.standard_normal(s).astype(dtype) for s in ((2, 3, *in_hw), (3, 4, *kernel_hw), (4,)))
        options = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": extra}
        y = conv_transpose2d(*(tensor(t, dtype) for t in (x, w, b)), **options)
        expected = scatter(x, w, out_hw, stride, padding, dilation) + b[:, None, None]
        assert y.shape == expected.shape and y.dtype == dtype and is_channels_last(y)
        np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_each_is_the_adjoint_of_the_other(stride, tensor, rng):
    """<conv(x, w), g> = <x, conv_transpose(g, w)>, also when rows of x are left over."""
    x, w = tensor(rng.standard_normal((2, 3, 8, 7))), tensor(rng.standard_normal((4, 3, 3, 3)))
    y = conv2d(x, w, stride=stride)
    g = tensor(rng.standard_normal(y.shape))
    left = [(n - 3) % stride for n in (8, 7)]
    back = conv_transpose2d(g, w, stride=stride, output_padding=left)
    assert back.shape == x.shape
    np.testing.assert_allclose((y * g).sum().item(), (x * back).sum().item(), rtol=1e-12)


def test_a_kernel_of_one_tap_moves_the_picture(tensor, rng):
    x = rng.standard_normal((1, 1, 4, 5))
    w = np.zeros((1, 1, 3, 3))
    w[0, 0, 0, 2] = 1  # y[i, j] = x[i - 1, j + 1]: correlation, not mirrored
    expected = np.zeros_like(x)
    expected[..., 1:, :-1] = x[..., :-1, 1:]
    np.testing.assert_array_equal(conv2d(tensor(x), tensor(w), padding=1).numpy(), expected)


def test_gradients_are_channels_last(tensor, rng):
    x = tensor(rng.standard_normal((2, 3, 6, 6)), requires_grad=True)
    w = tensor(rng.standard_normal((4, 3, 4, 4)), requires_grad=True)
    dx, dw = grad(conv2d(x, w, stride=2, padding=1).sum(), [x, w])
    assert is_channels_last(dx) and dx.shape == x.shape and dw.shape == w.shape


def test_memory_layout_does_not_change_the_values(tensor, rng):
    x, w = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((4, 3, 3, 3))
    expected = conv2d(tensor(x), tensor(w)).numpy()
    wide = tensor(np.repeat(x, 2, axis=-1))[..., ::2]
    backwards = tensor(w[:, :, ::-1])[:, :, ::-1]
    np.testing.assert_allclose(conv2d(wide, backwards).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "conv, x, w, options, message",
    [
        (conv2d, (2, 3, 4), (4, 3, 3, 3), {}, r"conv2d: input \(2, 3, 4\) must be \(N, C, H, W\)"),
        (conv2d, (2, 3, 4, 4), (4, 2, 3, 3), {}, r"does not have the 2 channels of weight \(4, 2, 3, 3\)"),
        (conv_transpose2d, (2, 3, 4, 4), (4, 3, 3, 3), {}, r"does not have the 4 channels of weight .* \(in, out"),
        (conv2d, (2, 3, 4, 4), (4, 3, 5, 5), {}, r"a 5x5 kernel window .* does not fit an input of \(4, 4\)"),
        (conv2d, (2, 3, 4, 4), (4, 3, 3, 3), {"dilation": 2}, r"a 5x5 kernel window .*dilation \(2, 2\)"),
        (conv2d, (2, 3, 4, 4), (4, 3, 3, 3), {"stride": 0}, "conv2d: stride = 0 must be .*, at least 1"),
        (conv2d, (2, 3, 4, 4), (4, 3, 3, 3), {"padding": -1}, "conv2d: padding = -1 must be .*, at least 0"),
        (conv_transpose2d, (2, 3, 1, 1), (3, 2, 2, 2), {"padding": 1}, "leave an output of .*: use less padding"),
        (
            conv_transpose2d,
            (2, 3, 4, 4),
            (3, 2, 4, 4),
            {"stride": 2, "output_padding": 2},
            r"output_padding \(2, 2\) must be smaller than stride \(2, 2\)",
        ),
    ],
)
def test_impossible_geometry_says_what_is_wrong(conv, x, w, options, message, tensor):
    with pytest.raises(InputError, match=message):
        conv(tensor(np.ones(x)), tensor(np.ones(w)), **options)


def test_mixed_dtypes_are_refused(tensor):
    with pytest.raises(TypeError, match="conv2d have dtypes float64 and float32: convert one"):
        conv2d(tensor(np.ones((1, 1, 3, 3))), tensor(np.ones((1, 1, 2, 2)), np.float32))
