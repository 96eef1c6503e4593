"""Pictures to pictures."""

import numpy as np

from ... import metrics, ops
from ...tensor import Tensor, grad
from .exercise import Exercise, Wrong, close


def guesses(answer):
    for values in (np.array([-1.0, -1.0, 1.0]), np.array([0.2, -1.0, 1.0, 0.9, 0.1])):
        found = answer.best_guesses(values)
        if not isinstance(found, tuple) or len(found) != 2:
            raise Wrong(f"best_guesses is {found!r}, expected (by squares, by distances)")
        close(found[0], values.mean(), f"the best guess by squares for {values}")
        close(found[1], np.median(values), f"the best guess by distances for {values}")


def psnr(answer):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    for noise in (60, 2):
        picture = np.clip(truth + noise * rng.standard_normal(truth.shape), 0, 255).astype(np.uint8)
        close(answer.psnr(picture, truth), metrics.psnr(picture, truth), f"psnr, with noise of {noise}")


def reach(answer):
    for layers in ([(3, 1)], [(3, 1), (3, 2), (5, 1)], [(7, 1), (3, 4)], [(1, 1), (3, 8)]):
        x = Tensor(np.zeros((1, 1, 1, 65)), requires_grad=True)
        y = x
        for kernel, dilation in layers:
            weight = Tensor(np.ones((1, 1, 1, kernel)))
            y = ops.conv2d(y, weight, padding=(0, (kernel - 1) * dilation // 2), dilation=(1, dilation))
        (seen,) = grad(y[0, 0, 0, 32], [x])
        expected = 32 - int(np.flatnonzero(seen.numpy())[0])
        close(answer.reach(layers), expected, f"reach({layers})")


EXERCISES = (
    Exercise("7.1", "Three guesses", '''
import numpy as np


def best_guesses(values):
    """A pixel has been each of ``values`` once. Return the guess with the least mean squared distance to them, and the
    one with the least mean distance. The chapter says what they are called.
    """
    return ...
''', guesses),
    Exercise("7.2", "How near, in decibels", '''
import numpy as np


def psnr(picture, truth):
    """10 log10 of 255^2 over the mean squared error, of uint8 pictures. Mind what a byte minus a byte is."""
    return ...
''', psnr),
    Exercise("7.3", "How far does a network see?", '''
def reach(layers):
    """Convolutions of stride 1, one on the other: ``layers`` are their (kernel, dilation), kernels odd. How many pixels
    to the left of its own can an output see? That is how much two tiles of a picture have to overlap.
    """
    return ...
''', reach),
)  # fmt: skip
