"""Concatenating, flattening and padding, against NumPy."""

import numpy as np
import pytest

from minigan.errors import InputError
from minigan.ops import concat, flatten, pad
from minigan.tensor import grad


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_concat_and_its_gradient(axis, tensor, rng):
    shapes = [[2, 3, 4] for _ in range(3)]
    for size, shape in zip((1, 2, 5), shapes, strict=True):
        shape[axis] = size
    parts = [rng.standard_normal(shape) for shape in shapes]
    tensors = [tensor(part, requires_grad=True) for part in parts]
    y = concat(tensors, axis)
    np.testing.assert_array_equal(y.numpy(), np.concatenate(parts, axis))
    for g, part in zip(grad((y * y).sum(), tensors), parts, strict=True):
        np.testing.assert_array_equal(g.numpy(), 2 * part)


def test_concat_of_pictures_is_channels_last(tensor):
    y = concat([tensor(np.ones((2, 3, 4, 4)), np.float32), tensor(np.ones((2, 1, 4, 4)), np.float32)], axis=1)
    assert y.data.transpose(0, 2, 3, 1).flags.c_contiguous and y.dtype == np.float32


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((2, 3), (2, 3, 1))])
def test_concat_says_what_differs(shapes, tensor):
    with pytest.raises(InputError, match=r"concat: shapes \(2, 3\) and .* differ outside axis 0"):
        concat([tensor(np.ones(shape)) for shape in shapes])


def test_flatten_goes_row_by_row_whatever_the_memory_layout(backend, tensor, rng):
    x = rng.standard_normal((2, 3, 2, 2))
    for t in (tensor(x), tensor(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)):
        np.testing.assert_array_equal(flatten(t).numpy(), x.reshape(2, 12))
        np.testing.assert_array_equal(flatten(t, 2).numpy(), x.reshape(2, 3, 4))
        np.testing.assert_array_equal(flatten(t, 0).numpy(), x.reshape(24))


def test_flatten_of_an_empty_batch(tensor):
    assert flatten(tensor(np.ones((0, 3, 2, 2)))).shape == (0, 12)


@pytest.mark.parametrize("padding", [[(1, 0), (0, 2)], [(0, 0), (0, 0)], [(2, 2), (1, 1)]])
def test_pad_is_numpys(padding, tensor, rng):
    x = rng.standard_normal((2, 3))
    t = tensor(x, requires_grad=True)
    y = pad(t, padding)
    np.testing.assert_array_equal(y.numpy(), np.pad(x, padding))
    weights = rng.standard_normal(y.shape)
    (g,) = grad(y, [t], tensor(weights))
    (top, _), (left, _) = padding
    np.testing.assert_array_equal(g.numpy(), weights[top : top + 2, left : left + 3])


@pytest.mark.parametrize(
    "padding, said",
    [
        ([(1, 1)], r"pad: .* must be pairs \(before, after\), one for each axis"),
        ([(1, 1), (0, -1)], r"pad: \(before, after\) = \(0, -1\) must be .*, at least 0"),
        ([(1, 1), 2], r"pad: .* must be pairs"),
        ([(1, 1), (0.5, 1)], "must be one whole number"),
    ],
)
def test_pad_refuses_what_does_not_fit(padding, said, tensor):
    with pytest.raises(InputError, match=said):
        pad(tensor(np.ones((2, 3))), padding)


@pytest.mark.parametrize("part", [slice(None), slice(0, 2), 1, np.array(1), None, ...], ids=repr)
def test_an_array_beside_any_other_part_of_an_index(part, tensor, rng):
    a, numbers = rng.standard_normal((3, 200, 3)), np.array([2, 0])
    x = tensor(a, requires_grad=True)
    for index in ((part, numbers), (numbers, part), (part, numbers, slice(None)), (np.array([0, 0]), numbers)):
        y = x[index]
        np.testing.assert_array_equal(y.numpy(), a[index])
        expected = np.zeros_like(a)
        np.add.at(expected, index, 1)
        np.testing.assert_array_equal(grad(y.sum(), [x])[0].numpy(), expected)
