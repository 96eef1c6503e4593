"""Average pooling and nearest upsampling."""

import numpy as np
import pytest

from minigan.errors import InputError
from minigan.ops import avg_pool2d, upsample


def test_avg_pool_by_hand(tensor):
    x = tensor(np.arange(20.0).reshape(1, 1, 4, 5))
    np.testing.assert_array_equal(avg_pool2d(x, 2).numpy(), [[[[3, 5], [13, 15]]]])  # the last column is left over
    np.testing.assert_array_equal(avg_pool2d(x, (1, 2), stride=(2, 3)).numpy(), [[[[0.5, 3.5], [10.5, 13.5]]]])


def test_avg_pool_overlapping_and_padded(tensor):
    x = tensor(np.ones((1, 1, 3, 3)))
    y = avg_pool2d(x, 3, stride=1, padding=1)  # the zeros of the padding count
    np.testing.assert_allclose(y.numpy()[0, 0] * 9, [[4, 6, 4], [6, 9, 6], [4, 6, 4]])


def test_upsample_repeats(tensor, rng):
    x = rng.standard_normal((2, 3, 2, 4))
    y = upsample(tensor(x), (3, 2))
    np.testing.assert_array_equal(y.numpy(), x.repeat(3, axis=2).repeat(2, axis=3))


@pytest.mark.parametrize("f", [lambda x: avg_pool2d(x, 2), lambda x: upsample(x, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_and_dtype(f, dtype, tensor, rng):
    y = f(tensor(rng.standard_normal((2, 3, 4, 6)), dtype))
    assert y.dtype == dtype
    assert y.data.transpose(0, 2, 3, 1).flags.c_contiguous


def test_pooling_undoes_upsampling(tensor, rng):
    x = rng.standard_normal((2, 3, 2, 4))
    np.testing.assert_allclose(avg_pool2d(upsample(tensor(x), (2, 3)), (2, 3)).numpy(), x, rtol=1e-12)


@pytest.mark.parametrize(
    "f, shape, message",
    [
        (lambda x: avg_pool2d(x, 2), (3, 4), r"avg_pool2d: input \(3, 4\) must be \(N, C, H, W\)"),
        (lambda x: avg_pool2d(x, 5), (1, 1, 4, 4), r"does not fit an input of \(4, 4\)"),
        (lambda x: upsample(x, 2), (3, 4), r"upsample: input \(3, 4\) must be"),
        (
            lambda x: upsample(x, 0),
            (1, 1, 4, 4),
            "upsample: scale_factor = 0 must be .*, at least 1",
        ),
    ],
)
def test_bad_input_says_what_is_wrong(f, shape, message, tensor):
    with pytest.raises(InputError, match=message):
        f(tensor(np.ones(shape)))
