"""Adam over every parameter at once, in place.

    m <- b1 m + (1 - b1) g     v <- b2 v + (1 - b2) g^2     p <- p - lr (m / c1) / (sqrt(v / c2) + eps),  c = 1 - b^step

**Slow:** the formula on whole arrays, a dozen passes over memory and as many temporaries for each parameter.
**Here:** all parameters are one list of chunks; on a chunk, every operation happens in cache, so memory is read and
written once. The two corrections are folded into the step size and eps, which saves two operations:

    p <- p - (lr sqrt(c2) / c1) m / (sqrt(v) + eps sqrt(c2))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..updates import Adam
from . import scratch, threads

CHUNK = 1 << 17  # elements; a chunk has four arrays and a temporary. See elementwise.py for the size


def flat_views(arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """The arrays as flat views in the memory order of the first, or None where that takes a copy."""
    order = sorted(range(arrays[0].ndim), key=lambda axis: -abs(arrays[0].strides[axis]))
    ordered = [array.transpose(order) for array in arrays]
    if all(array.flags.c_contiguous for array in ordered):
        return [array.reshape(-1) for array in ordered]
    return None


def over_chunks(update: Callable[..., None], groups: Sequence[Sequence[np.ndarray]], *settings: float) -> None:
    """``update(p, g, *state, *settings)`` on chunks of every parameter, the settings as numbers of its dtype."""
    tasks: list[list[list[np.ndarray]]] = [[]]
    filled = 0
    for arrays in groups:
        for start in range(0, arrays[0].size, CHUNK):
            if filled >= CHUNK // 2:  # small parameters share a task
                tasks.append([])
                filled = 0
            tasks[-1].append([array[start : start + CHUNK] for array in arrays])
            filled += tasks[-1][-1][0].size
    numbers = {dtype: [dtype.type(number) for number in settings] for dtype in {group[0].dtype for group in groups}}

    def task(index: int) -> None:
        for arrays in tasks[index]:
            update(*arrays, *numbers[arrays[0].dtype])

    threads.run(task, len(tasks), cost=28 * sum(arrays[0].size for arrays in groups))


def folded(rule: Adam) -> tuple[float, float]:
    """The step size and the eps that the corrections are folded into."""
    root = math.sqrt(1 - rule.betas[1] ** rule.step)
    return rule.lr * root / (1 - rule.betas[0] ** rule.step), rule.eps * root


def adam(rule: Adam, groups: Sequence[Sequence[np.ndarray]]) -> None:
    """``groups`` holds flat (p, g, m, v) of each parameter; p, m and v are updated in place."""
    (b1, b2), (rate, eps) = rule.betas, folded(rule)

    def update(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray) -> None:
        t = scratch.local("adam", p.shape, p.dtype)
        if rule.decay:
            p *= 1 - rule.lr * rule.decay
        if rule.l2:
            g = np.add(g, np.multiply(p, rule.l2, out=t), out=scratch.local("adam g", p.shape, p.dtype))
        np.subtract(g, m, out=t)
        t *= 1 - b1
        m += t
        np.multiply(g, g, out=t)
        t -= v
        t *= 1 - b2
        v += t
        np.sqrt(v, out=t)
        t += eps
        np.divide(m, t, out=t)
        t *= rate
        p -= t

    over_chunks(update, groups)
