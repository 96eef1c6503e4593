# minigan learn 2.1: The sum behind a broadcast
import numpy as np


def sum_to(g, shape):
    """x of ``shape`` was broadcast to g.shape. Return the gradient of x: g summed over every axis that was repeated."""
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(a for a, n in enumerate(shape) if n == 1), keepdims=True)
