"""The game."""

import numpy as np

from ... import gan
from ...tensor import Tensor, grad
from .exercise import Exercise, Wrong, close


def belief(answer):
    p, q = np.array([0.2, 0.5, 0.0, 0.3]), np.array([0.2, 0.1, 0.4, 0.9])
    close(answer.best_belief(p, q), p / (p + q), "best_belief")


def stable(answer):
    logits = np.array([-2000.0, -3.0, 0.0, 2.0, 2000.0])
    with np.errstate(all="ignore"):
        found = answer.g_loss(logits)
    if isinstance(found, np.ndarray) and not np.isfinite(found).all():
        raise Wrong(f"g_loss is {found} at the logits {logits}: sigmoid is 0 or 1 there, so take no logarithm of it")
    close(found, np.logaddexp(0, -logits), "g_loss")


def slopes(answer):
    logits = np.array([-6.0, -1.0, 0.0, 3.0])
    found = answer.slopes(logits)
    if not isinstance(found, tuple) or len(found) != 2:
        raise Wrong(f"slopes is {found!r}, expected (minimax, non-saturating)")
    for name, objective, own in (
        ("minimax", gan.Minimax(), found[0]),
        ("non-saturating", gan.NonSaturating(), found[1]),
    ):
        x = Tensor(logits[:, None], requires_grad=True)
        (expected,) = grad(objective.g_loss(x) * float(len(logits)), [x])
        close(own, expected.numpy()[:, 0], f"the {name} slope")


EXERCISES = (
    Exercise("5.1", "The best belief", '''
import numpy as np


def best_belief(p, q):
    """Where real pictures have density p and forgeries q: the D in [0, 1] with the largest p log D + q log(1 - D)."""
    return ...
''', belief),
    Exercise("5.2", "A loss that does not overflow", '''
import numpy as np


def g_loss(logits):
    """-log sigmoid(logit) for each, also for logits of -2000 and 2000. ``np.logaddexp`` is a friend."""
    return ...
''', stable),
    Exercise("5.3", "Who still has a slope?", '''
import numpy as np


def slopes(logits):
    """Of G's two losses the derivative with respect to each logit l: (minimax, non-saturating), that is, of
    log(1 - sigmoid(l)) and of -log sigmoid(l). Look at both where G is losing: at l = -6.
    """
    return ...
''', slopes),
)  # fmt: skip
