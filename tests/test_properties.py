"""What must hold for any shape, stride, padding and dilation, on random geometries (Hypothesis).

Adjoint means <A x, y> = <x, A^T y>. Sums of products are compared relative to the sum of their absolute values, so that
cancellation does not count as an error.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan import backend as backends
from minigan import ops
from minigan.backend import ConvGeometry
from minigan.tensor import Tensor, grad

CASES = settings(max_examples=60, deadline=None, derandomize=True)
BACKENDS = [backends.get("reference"), backends.get("numpy")]
each_backend = pytest.mark.parametrize("place", BACKENDS, ids=lambda place: place.name)


@st.composite
def geometries(draw, most=9):
    """Any convolution whose kernel fits, the sides drawn independently of each other."""
    sides = []
    for _ in range(2):
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        padding, stride = draw(st.integers(0, 4)), draw(st.integers(1, 3))
        span = dilation * (kernel - 1) + 1
        size = draw(st.integers(max(1, span - 2 * padding), max(most, span)))
        sides.append((size, kernel, stride, padding, dilation))
    return ConvGeometry(*zip(*sides, strict=True))


counts = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)


def arrays(seed, *shapes):
    """Random arrays, every other one not contiguous."""
    rng = np.random.default_rng(seed)
    made = []
    for number, shape in enumerate(shapes):
        if number % 2:
            wide = rng.standard_normal(tuple(2 * n for n in shape))
            made.append(wide[tuple(slice(None, None, -2) for _ in shape)])
        else:
            made.append(rng.standard_normal(shape))
    return made


def assert_same_number(pairs, tolerance=1e-12):
    """sum(a * b) is one number for all the ``pairs`` (a, b)."""
    sums = [float(np.sum(np.asarray(a) * np.asarray(b))) for a, b in pairs]
    scale = max(float(np.sum(np.abs(np.asarray(a) * np.asarray(b)))) for a, b in pairs)
    assert np.ptp(sums) <= tolerance * max(scale, 1e-300), f"{sums} differ by {np.ptp(sums) / scale:.1e}"


# ---- convolution ---------------------------------------------------------------------------------


@each_backend
@CASES
@given(geometry=geometries(), n=counts, c=counts, f=counts, seed=seeds)
def test_conv2d_and_its_two_partners_are_one_trilinear_form(place, geometry, n, c, f, seed):
    x, w, y = map(
        place.asarray, arrays(seed, (n, c, *geometry.in_hw), (f, c, *geometry.kernel_hw), (n, f, *geometry.out_hw))
    )
    assert_same_number(
        [
            (place.conv2d(x, w, geometry), y),
            (x, place.conv2d_input(y, w, geometry)),
            (w, place.conv2d_weight(x, y, geometry)),
        ]
    )


@settings(CASES, max_examples=15)
@given(geometry=geometries(most=14), n=counts, seed=seeds, side=st.sampled_from([(16, 16), (17, 24), (32, 16)]))
def test_the_same_with_many_channels(geometry, n, seed, side):
    """Enough channels for the fast backend to choose its other algorithm."""
    place, (c, f) = backends.get("numpy"), side
    x, w, y = arrays(seed, (n, c, *geometry.in_hw), (f, c, *geometry.kernel_hw), (n, f, *geometry.out_hw))
    assert_same_number(
        [
            (place.conv2d(x, w, geometry), y),
            (x, place.conv2d_input(y, w, geometry)),
            (w, place.conv2d_weight(x, y, geometry)),
        ]
    )


@each_backend
@CASES
@given(geometry=geometries(), n=counts, c=counts, f=counts, seed=seeds)
def test_conv2d_is_linear_in_each_argument(place, geometry, n, c, f, seed):
    x_shape, w_shape = (n, c, *geometry.in_hw), (f, c, *geometry.kernel_hw)
    x1, x2, w1, w2 = map(place.asarray, arrays(seed, x_shape, x_shape, w_shape, w_shape))

    def conv(x, w):
        return np.asarray(place.conv2d(x, w, geometry))

    np.testing.assert_allclose(conv(2 * x1 - x2, w1), 2 * conv(x1, w1) - conv(x2, w1), atol=1e-11)
    np.testing.assert_allclose(conv(x1, w1 + 3 * w2), conv(x1, w1) + 3 * conv(x1, w2), atol=1e-11)


@CASES
@given(geometry=geometries(), n=counts, c=counts, f=counts, seed=seeds)
def test_backends_agree_on_convolutions(geometry, n, c, f, seed):
    shapes = (n, c, *geometry.in_hw), (f, c, *geometry.kernel_hw), (n, f, *geometry.out_hw)
    results = []
    for place in BACKENDS:
        x, w, y = map(place.asarray, arrays(seed, *shapes))
        results.append(
            [place.conv2d(x, w, geometry), place.conv2d_input(y, w, geometry), place.conv2d_weight(x, y, geometry)]
        )
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


# ---- pooling and resizing ------------------------------------------------------------------------


@each_backend
@CASES
@given(geometry=geometries(), n=counts, c=counts, seed=seeds)
def test_sum_pool_and_spread_are_adjoint(place, geometry, n, c, seed):
    x, y = map(place.asarray, arrays(seed, (n, c, *geometry.in_hw), (n, c, *geometry.out_hw)))
    assert_same_number([(place.sum_pool(x, geometry), y), (x, place.spread(y, geometry))])
    ones = place.asarray(np.einsum("fc,hw->fchw", np.eye(c), np.ones(geometry.kernel_hw)))
    np.testing.assert_allclose(place.sum_pool(x, geometry), place.conv2d(x, ones, geometry), atol=1e-12)


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@each_backend
@CASES
@given(
    n=counts,
    c=counts,
    size=sizes,
    to=sizes,
    mode=st.sampled_from(["nearest", "bilinear", "shuffle", "pad"]),
    seed=seeds,
)
def test_resize_shuffle_and_pad_are_linear_and_their_gradient_is_the_adjoint(place, n, c, size, to, mode, seed):
    def f(x):
        if mode == "shuffle":
            return ops.pixel_shuffle(x, 2)
        if mode == "pad":
            (h, w), (a, b) = size, to
            return ops.reflection_pad(x, [(0, 0), (0, 0), (min(a, h - 1), min(b, h - 1)), (min(b, w - 1), 0)])
        return ops.resize(x, to, mode=mode)

    shape = (n, 4 * c, *size)
    a, b = map(place.asarray, arrays(seed, shape, shape))
    x = Tensor(a, requires_grad=True)
    y = f(x)
    g = Tensor(place.asarray(np.random.default_rng(seed).standard_normal(y.shape)))
    (dx,) = grad(y, [x], g)
    assert_same_number([(y.data, g.data), (x.data, dx.data)])
    np.testing.assert_allclose(f(Tensor(2 * a - b)).numpy(), 2 * y.numpy() - f(Tensor(b)).numpy(), atol=1e-12)


# ---- batch norm ----------------------------------------------------------------------------------


@st.composite
def batches(draw):
    """Shapes (N, C, H, W) with two values per channel or more, and the settings of a batch norm."""
    n, c, h, w = draw(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)))
    return (n + (n * h * w < 2), c, h, w), {
        "eps": draw(st.sampled_from([1e-5, 1e-2])),
        "negative_slope": draw(st.sampled_from([0.0, 0.2, 1.0])),
    }


def batch_norm_gradients(place, shape, options, seed, create_graph):
    x, w, b, g = map(place.asarray, arrays(seed, shape, shape[1:2], shape[1:2], shape))
    leaves = [Tensor(t, requires_grad=True) for t in (x, w, b)]
    y = ops.batch_norm(*leaves, **options)
    return [y, *grad(y, leaves, Tensor(g), create_graph=create_graph)]


@each_backend
@CASES
@given(batch=batches(), seed=seeds)
def test_fused_batch_norm_backward_is_the_composed_one(place, batch, seed):
    fused, composed = (batch_norm_gradients(place, *batch, seed, create_graph) for create_graph in (False, True))
    for one, other in zip(fused, composed, strict=True):
        scale = max(1.0, np.abs(np.asarray(other.numpy())).max())
        np.testing.assert_allclose(one.numpy() / scale, other.numpy() / scale, rtol=0, atol=1e-10)


@CASES
@given(batch=batches(), seed=seeds)
def test_backends_agree_on_batch_norm(batch, seed):
    for one, other in zip(*(batch_norm_gradients(place, *batch, seed, False) for place in BACKENDS), strict=True):
        scale = max(1.0, np.abs(np.asarray(other.numpy())).max())
        np.testing.assert_allclose(one.numpy() / scale, other.numpy() / scale, rtol=0, atol=1e-10)


# ---- element by element --------------------------------------------------------------------------


@CASES
@given(shape=st.lists(st.integers(1, 9), min_size=1, max_size=4), seed=seeds, slope=st.sampled_from([0.0, 0.2, 1.0]))
def test_backends_agree_on_activations(shape, seed, slope):
    functions = [ops.tanh, ops.sigmoid, ops.softplus, ops.gelu, ops.silu, lambda x: ops.leaky_relu(x, slope)]
    for f in functions:
        results = []
        for place in BACKENDS:
            _, x, g = map(place.asarray, arrays(seed, (1,), shape, shape))
            leaf = Tensor(3 * x, requires_grad=True)
            y = f(leaf)
            results.append([y, *grad(y, [leaf], Tensor(g))])
        for one, other in zip(*results, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-10)
