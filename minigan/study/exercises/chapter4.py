"""Batch norm."""

import numpy as np

from ... import nn, ops
from ...tensor import Tensor, grad
from .exercise import Exercise, Wrong, close


def forward(answer):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 3)) * [1, 5, 0.1] + [0, 2, -1]
    one, zero = Tensor(np.ones(3)), Tensor(np.zeros(3))
    close(answer.normalise(x, 1e-5), ops.batch_norm(Tensor(x), one, zero).numpy(), "normalise")


def backward(answer):
    rng = np.random.default_rng(1)
    x, g = Tensor(rng.standard_normal((8, 3)) * [1, 5, 0.1], requires_grad=True), rng.standard_normal((8, 3))
    y = ops.batch_norm(x, Tensor(np.ones(3)), Tensor(np.zeros(3)))
    (expected,) = grad(y, [x], [Tensor(g)])
    found = answer.normalise_vjp(g, x.numpy(), 1e-5)
    if isinstance(found, np.ndarray) and found.shape == (8, 3):
        std = np.sqrt(x.numpy().var(0) + 1e-5)
        if np.allclose(found, g / std):
            raise Wrong("this takes mean and spread for constants: they depend on x too")
        if np.allclose(found, (g - g.mean(0)) / std):
            raise Wrong("this takes the spread for a constant: a term with mean(g xhat) is missing")
    close(found, expected.numpy(), "normalise_vjp")


def running(answer):
    rng = np.random.default_rng(2)
    layer = nn.BatchNorm1d(3, momentum=0.2).to(dtype=np.float64)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = rng.standard_normal((6, 3)) * 2 + 1
        layer(Tensor(x))
        found = answer.update(mean, var, x, 0.2)
        if not isinstance(found, tuple) or len(found) != 2:
            raise Wrong(f"update is {found!r}, expected (mean, variance)")
        close(found[0], layer.running_mean, "the running mean")
        close(found[1], layer.running_var, "the running variance (of 6 samples, divide by 5)")
        mean, var = found


EXERCISES = (
    Exercise("4.1", "Forward", '''
import numpy as np


def normalise(x, eps):
    """xhat = (x - mean) / sqrt(var + eps), mean and (biased) variance over the batch, for each of the columns of x."""
    return ...
''', forward),
    Exercise("4.2", "Backward: three ways", '''
import numpy as np


def normalise_vjp(g, x, eps):
    """The gradient of x for the gradient g of ``normalise(x, eps)``. x moves the result, the mean and the spread."""
    return ...
''', backward),
    Exercise("4.3", "What is used when there is no batch", '''
import numpy as np


def update(running_mean, running_var, x, momentum):
    """Return both, moved towards the batch x by its share ``momentum``. The variance is the unbiased one."""
    return ...
''', running),
)  # fmt: skip
