"""Convolution."""

import numpy as np

from ... import ops
from ...tensor import Tensor, grad
from .exercise import Exercise, close

CASES = (((5, 5), (3, 3), 1, 0), ((6, 7), (4, 4), 2, 1), ((5, 4), (2, 3), 1, 1), ((7, 7), (3, 3), 3, 2))


def size(answer):
    for n, k, stride, padding in ((28, 4, 2, 1), (14, 4, 2, 1), (5, 3, 1, 0), (7, 3, 3, 2), (8, 3, 2, 0)):
        x, w = Tensor(np.zeros((1, 1, n, n))), Tensor(np.zeros((1, 1, k, k)))
        expected = ops.conv2d(x, w, stride=stride, padding=padding).shape[2]
        close(answer.output_size(n, k, stride, padding), expected, f"output_size({n}, {k}, {stride}, {padding})")


def conv(answer):
    rng = np.random.default_rng(0)
    for hw, k, stride, padding in CASES:
        x, w = rng.standard_normal((2, 3, *hw)), rng.standard_normal((4, 3, *k))
        expected = ops.conv2d(Tensor(x), Tensor(w), stride=stride, padding=padding).numpy()
        close(
            answer.conv2d(x, w, stride, padding),
            expected,
            f"a {hw} picture, kernel {k}, stride {stride}, padding {padding}",
        )


def stamp(answer):
    rng = np.random.default_rng(1)
    for hw, k, stride, padding in CASES:
        x, w = Tensor(rng.standard_normal((2, 3, *hw)), requires_grad=True), Tensor(rng.standard_normal((4, 3, *k)))
        y = ops.conv2d(x, w, stride=stride, padding=padding)
        g = rng.standard_normal(y.shape)
        (expected,) = grad(y, [x], [Tensor(g)])
        close(
            answer.conv2d_input(g, w.numpy(), hw, stride, padding),
            expected.numpy(),
            f"a {hw} picture, kernel {k}, stride {stride}, padding {padding}",
        )


EXERCISES = (
    Exercise("3.1", "How large is the output?", '''
def output_size(n, k, stride, padding):
    """Places that a window of k finds on a side of n pixels, padded at both ends, when it moves by ``stride``."""
    return ...
''', size),
    Exercise("3.2", "Looking: a convolution in loops", '''
import numpy as np


def conv2d(x, w, stride, padding):
    """y[n,f,i,j] = sum over c, a, b of x[n, c, s*i + a - p, s*j + b - p] * w[f,c,a,b], zeros around the picture.

    x (N, C, H, W), w (F, C, kh, kw) -> y (N, F, oh, ow). np.pad helps; so does one einsum for each place (i, j).
    """
    return ...
''', conv),
    Exercise("3.3", "Stamping: its adjoint", '''
import numpy as np


def conv2d_input(g, w, hw, stride, padding):
    """The gradient of conv2d's x, a picture of hw = (H, W): each g[n,f,i,j] stamps w[f] onto the place it looked at.

    g (N, F, oh, ow), w (F, C, kh, kw) -> (N, C, H, W). Stamp onto a padded picture, then cut off the padding.
    """
    return ...
''', stamp),
)  # fmt: skip
