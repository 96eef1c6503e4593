"""Double backward."""

import numpy as np

from ... import nn, ops
from ...tensor import Tensor, grad
from .exercise import Exercise, Wrong, close


def curvature(answer):
    for f, second in ((lambda x: x * x * x, lambda x: 6 * x), (ops.exp, np.exp), (lambda x: x * 3, lambda x: 0 * x)):
        x = np.array([0.5, -1.0, 2.0])
        close(answer.second_derivative(f, x), second(x), "second_derivative")


def between(answer):
    rng = np.random.default_rng(0)
    real, fake = rng.standard_normal((5, 1, 2, 2)), rng.standard_normal((5, 1, 2, 2))
    found = answer.between(real, fake, np.random.default_rng(1))
    if not isinstance(found, np.ndarray) or found.shape != real.shape:
        raise Wrong(f"between is {getattr(found, 'shape', found)!r}, expected an array of {real.shape}")
    share = ((found - fake) / (real - fake)).reshape(5, -1)
    if np.ptp(share, axis=1).max() > 1e-9:
        raise Wrong(
            "the pixels of one picture have different shares: draw one number for each picture, and broadcast it"
        )
    if np.ptp(share[:, 0]) < 1e-9:
        raise Wrong("all pictures have the same share: draw one number for each")
    if not (share.min() >= 0 and share.max() <= 1):
        raise Wrong("a share is not between 0 and 1")


def penalty(answer):
    critic = nn.Sequential(
        nn.Linear(4, 8, rng=np.random.default_rng(0)), nn.Tanh(), nn.Linear(8, 1, rng=np.random.default_rng(1))
    )
    critic.to(dtype=np.float64)
    x = np.random.default_rng(2).standard_normal((6, 4))
    t = Tensor(x, requires_grad=True)
    (slope,) = grad(critic(t).sum(), [t], create_graph=True)
    expected = (((slope * slope).sum(1) ** 0.5 - 1) ** 2).mean() * 10
    found = answer.gradient_penalty(critic, x)
    close(found, expected.numpy(), "gradient_penalty")
    wanted = grad(expected, critic.parameters()[:1])[0].numpy()
    try:
        (own,) = grad(found, critic.parameters()[:1])
    except (RuntimeError, TypeError, ValueError):
        raise Wrong(
            "the penalty's value is right, but nothing can be learned from it: create_graph=True keeps the graph"
        ) from None
    close(own, wanted, "the penalty's gradient")


EXERCISES = (
    Exercise("6.1", "A gradient of a gradient", '''
from minigan import Tensor, grad


def second_derivative(f, x):
    """f'' at each element of the array x, as an array. f works on Tensors, element by element."""
    return ...
''', curvature),
    Exercise("6.2", "Between real and forged", '''
import numpy as np


def between(real, fake, rng):
    """For each pair of pictures (N, C, H, W) a point on the line between them: share * real + (1 - share) * fake, the
    share drawn from U(0, 1), one for each picture.
    """
    return ...
''', between),
    Exercise("6.3", "The gradient penalty", '''
from minigan import Tensor, grad


def gradient_penalty(critic, x):
    """10 times the mean over the samples x (N, 4) of (|slope of critic| - 1)^2: a Tensor to be learned from."""
    return ...
''', penalty),
)  # fmt: skip
