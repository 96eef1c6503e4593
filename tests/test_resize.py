"""Resizing, pixel shuffling and reflection padding: linear maps, held against PyTorch's."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import nn, ops
from minigan.errors import InputError
from minigan.tensor import Tensor, grad


@pytest.fixture
def F():  # noqa: N802 (the field's name)
    return pytest.importorskip("torch.nn.functional")


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(5, 7), (10, 14), (3, 4), (1, 1), (11, 3), (5, 2), (8, 7)])
def test_resize_is_pytorchs(mode, size, F, backend, rng):  # noqa: N803
    x = rng.standard_normal((7, 5, 3, 2)).transpose(3, 2, 1, 0)[:, ::-1]
    assert_twins(
        lambda x: ops.resize(x, size, mode=mode) ** 2,
        lambda x: F.interpolate(x, size=size, mode=mode) ** 2,
        x,
        backend=backend,
    )


def test_nearest_picks_pytorchs_pixel_for_every_size(F):  # noqa: N803
    """Where i * in / out is a whole number, float32 may round it down. PyTorch's does, so must ours. (PyTorch's float64
    does it too, for some layouts only.)"""
    torch = pytest.importorskip("torch")
    for size in range(1, 50):
        x = np.arange(size, dtype=np.float32).reshape(1, 1, 1, size)
        for out in range(1, 130):
            expected = F.interpolate(torch.from_numpy(x), size=(1, out), mode="nearest").numpy()
            assert np.array_equal(ops.resize(Tensor(x), (1, out)).numpy(), expected), (size, out)


def test_resizing_by_whole_factors_is_upsample(tensor, rng):
    x = tensor(rng.standard_normal((2, 3, 4, 5)))
    np.testing.assert_array_equal(ops.resize(x, (8, 15)).numpy(), ops.upsample(x, (2, 3)).numpy())
    np.testing.assert_array_equal(nn.Upsample((2, 3))(x).numpy(), nn.Resize((8, 15))(x).numpy())
    a, b = nn.Upsample(2, mode="bilinear")(x), nn.Resize((8, 10), mode="bilinear")(x)
    np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("r", [1, 2, 3])
def test_pixel_shuffle_is_pytorchs_and_has_an_inverse(r, F, backend, rng):  # noqa: N803
    x = rng.standard_normal((5, 4, 2 * r * r, 3)).transpose(3, 2, 1, 0)
    assert_twins(lambda x: ops.pixel_shuffle(x, r) ** 2, lambda x: F.pixel_shuffle(x, r) ** 2, x, backend=backend)
    y = ops.pixel_shuffle(Tensor(backend.asarray(x)), r)
    np.testing.assert_array_equal(ops.pixel_unshuffle(y, r).numpy(), x)
    assert_twins(
        lambda x: ops.pixel_unshuffle(x, r) ** 2, lambda x: F.pixel_unshuffle(x, r) ** 2, y.numpy(), backend=backend
    )


@pytest.mark.parametrize("padding", [1, (0, 2, 3, 1), (4, 4, 0, 0), 0])
def test_reflection_pad_is_pytorchs(padding, F, backend, rng):  # noqa: N803
    x = rng.standard_normal((2, 3, 4, 5))
    sides = (padding,) * 4 if isinstance(padding, int) else padding
    layer = nn.ReflectionPad2d(padding)
    assert_twins(lambda x: layer(x) ** 2, lambda x: F.pad(x, sides, mode="reflect") ** 2, x, backend=backend)


def test_reflection_pad_is_numpys(tensor, rng):
    x, padding = rng.standard_normal((3, 4, 2)), [(2, 0), (1, 3), (1, 1)]
    np.testing.assert_array_equal(ops.reflection_pad(tensor(x), padding).numpy(), np.pad(x, padding, mode="reflect"))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ops.resize(x, (3, 9)),
        lambda x: ops.resize(x, (3, 9), mode="bilinear"),
        lambda x: ops.resize(x, 4),
        lambda x: ops.reflection_pad(x, [(0, 0), (0, 0), (1, 1), (2, 2)]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_and_dtype(f, dtype, backend, tensor, rng):
    y = f(tensor(rng.standard_normal((2, 4, 4, 4)), dtype))
    assert y.dtype == dtype
    assert ops.pixel_shuffle(y, 2).dtype == dtype
    assert backend.channels_last(y.data) is y.data or y.shape == (2, 4, 4, 4)


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: ops.resize(x[0], 2), r"resize: input \(3, 4, 6\) must be \(N, C, H, W\)"),
        (lambda x: ops.resize(x, (0, 2)), r"resize: size = \(0, 2\) must be"),
        (lambda x: ops.resize(x, 2, mode="cubic"), "resize: mode 'cubic' must be one of nearest, bilinear"),
        (lambda x: ops.pixel_shuffle(x, 2), "pixel_shuffle: 3 channels cannot be divided into 2x2 pixels each"),
        (lambda x: ops.pixel_shuffle(x, 0), "pixel_shuffle: upscale_factor = 0 must be"),
        (lambda x: ops.pixel_shuffle(x[0], 1), r"pixel_shuffle: input \(3, 4, 6\)"),
        (lambda x: ops.pixel_unshuffle(x, 4), "pixel_unshuffle: 4x6 pixels cannot be divided into squares of 4x4"),
        (lambda x: ops.reflection_pad(x, [(1, 1)]), r"reflection_pad: \[\(1, 1\)\] must be pairs .* \(2, 3, 4, 6\)"),
        (lambda x: nn.ReflectionPad2d(4)(x), "less than the size of its axis"),
        (lambda x: nn.ReflectionPad2d((0, 6, 0, 0))(x), "less than the size of its axis"),
        (
            lambda x: nn.ReflectionPad2d((1, 2)),
            r"ReflectionPad2d: padding = \(1, 2\) must be .* 4 of them",
        ),
        (lambda x: nn.ReflectionPad2d(-1), "padding = -1"),
        (lambda x: nn.PixelShuffle(0), "PixelShuffle: upscale_factor = 0"),
        (lambda x: nn.PixelUnshuffle(0), "PixelUnshuffle: downscale_factor = 0"),
        (lambda x: nn.Upsample(2, mode="bicubic"), "Upsample: mode 'bicubic' must be one of nearest, bilinear"),
        (lambda x: nn.Resize((4, 0)), r"Resize: size = \(4, 0\)"),
    ],
)
def test_bad_input_says_what_is_wrong(f, message, tensor):
    with pytest.raises(InputError, match=message):
        f(tensor(np.ones((2, 3, 4, 6))))


@np.errstate(invalid="ignore")
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_an_infinite_pixel_stays_where_it_is(mode, tensor):
    """Pixels are picked: a product with zeros would turn its whole row and column into NaN."""
    x = np.ones((1, 2, 6, 6))
    x[0, 0, 2, 3] = np.inf
    t = tensor(x, requires_grad=True)
    y = ops.resize(t, (12, 9), mode=mode).numpy()
    assert np.isfinite(y[0, 0, 9:]).all() and np.isfinite(y[0, 1]).all() and not np.isfinite(y[0, 0]).all()
    g = np.ones((1, 2, 12, 9))
    g[0, 0, 0, 0] = np.inf
    (dx,) = grad(ops.resize(t, (12, 9), mode=mode), [t], tensor(g))
    assert np.isfinite(dx.numpy()[0, 0, 2:]).all() and np.isinf(dx.numpy()[0, 0, 0, 0])
