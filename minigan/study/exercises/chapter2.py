"""Broadcasting."""

import numpy as np

from .exercise import Exercise, Wrong, close


def sum_to(answer):
    rng = np.random.default_rng(0)
    for big, small in (((4, 3), (3,)), ((4, 3), (1, 3)), ((2, 4, 3), (4, 1)), ((2, 3), (2, 3)), ((2, 3), ())):
        g = rng.standard_normal(big)
        x, step = rng.standard_normal(small), 1e-6
        moved = [np.broadcast_to(x + step * d.reshape(small), big) for d in np.eye(x.size)]
        slope = np.array([((y - np.broadcast_to(x, big)) * g).sum() / step for y in moved]).reshape(small)
        close(answer.sum_to(g, small), slope, f"sum_to of {big} to {small}", 1e-5)


def cumsum(answer):
    rng = np.random.default_rng(1)
    for n in (1, 4, 7):
        x, g = rng.standard_normal(n), rng.standard_normal(n)
        found = answer.cumsum_adjoint(g)
        matrix = np.tril(np.ones((n, n)))
        close(
            found,
            matrix.T @ g,
            f"cumsum_adjoint of {n} numbers: <g, A x> = {g @ np.cumsum(x):.4f} must be <A^T g, x>; it",
        )


def dot(answer):
    rng = np.random.default_rng(2)
    a = rng.standard_normal((4, 6))
    right = answer.dot_test(lambda x: a @ x, lambda g: a.T @ g, 6, 4, np.random.default_rng(3))
    if right is None or right is ...:
        raise Wrong("dot_test returns nothing yet: fill the gap")
    if not 0 <= right < 1e-9:
        raise Wrong(f"dot_test of A and its transpose is {right}, expected 0 but for rounding")
    wrong = answer.dot_test(lambda x: a @ x, lambda g: 1.1 * (a.T @ g), 6, 4, np.random.default_rng(3))
    if not wrong > 1e-3:
        raise Wrong(f"dot_test of A and 1.1 times its transpose is {wrong}: it must see the difference")
    ones = answer.dot_test(lambda x: x, lambda g: g[::-1], 6, 6, np.random.default_rng(4))
    if not ones > 1e-3:
        raise Wrong("dot_test takes a reversal for the identity's adjoint: are x and g random, and of their own each?")


EXERCISES = (
    Exercise("2.1", "The sum behind a broadcast", '''
import numpy as np


def sum_to(g, shape):
    """x of ``shape`` was broadcast to g.shape. Return the gradient of x: g summed over every axis that was repeated."""
    return ...
''', sum_to),
    Exercise("2.2", "The adjoint of a running sum", '''
import numpy as np


def cumsum_adjoint(g):
    """y = np.cumsum(x) adds up x from the left. Return A^T g. Which y does the first x have a part in? The last?"""
    return ...
''', cumsum),
    Exercise("2.3", "A test for any adjoint", '''
import numpy as np


def dot_test(f, f_adjoint, inputs, outputs, rng):
    """f takes ``inputs`` numbers to ``outputs``. Return |<g, f(x)> - <f_adjoint(g), x>| for random x and g."""
    return ...
''', dot),
)  # fmt: skip
