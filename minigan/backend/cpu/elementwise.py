"""Activations and sums over large arrays, in chunks that stay in a core's cache.

A formula such as softplus, max(x, 0) + log1p(exp(-|x|)), is five NumPy calls. On whole arrays each call reads and writes memory;
on chunks only the first reads it and the last writes it. Threads share the chunks out.

Two forms that are worth knowing. A select costs ten times what arithmetic costs (``np.where`` 0.3, ``np.multiply`` 10 thousand
million elements a second), so leaky ReLU is max(x, slope x), and its gate multiplies by max([x > 0], slope). And a sum over
the rows of a matrix is a product with a row of ones, which BLAS does at the speed of memory.

Functions here take flat arrays, except ``column_sums``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import scratch, threads

CHUNK = 32768  # elements


def over_chunks(function: Callable[..., None], *arrays: np.ndarray) -> None:
    """Call ``function`` on matching chunks of flat arrays, the last of which is its output."""
    size = arrays[0].size

    def task(index: int) -> None:
        part = slice(index * CHUNK, (index + 1) * CHUNK)
        function(*(array[part] for array in arrays))

    threads.run(task, -(-size // CHUNK), cost=4 * size)


def leaky_relu(x: np.ndarray, out: np.ndarray, negative_slope: float) -> None:
    """out = x where x > 0, else negative_slope * x. ``out`` may be x."""
    if negative_slope == 0:
        np.maximum(x, _filled("zero", x, 0), out=out)
    elif 0 < negative_slope <= 1:
        np.maximum(x, np.multiply(x, negative_slope, out=scratch.local("scaled", x.shape, x.dtype)), out=out)
    else:
        out[...] = np.where(x > 0, x, x * negative_slope)


def leaky_relu_gate(g: np.ndarray, x: np.ndarray, out: np.ndarray, negative_slope: float) -> None:
    """out = g where x > 0, else negative_slope * g"""
    if not 0 <= negative_slope <= 1:
        out[...] = np.where(x > 0, g, g * negative_slope)
        return
    factor = scratch.local("factor", x.shape, x.dtype)
    factor[...] = np.greater(x, 0, out=scratch.local("positive", x.shape, np.bool_))
    if negative_slope:
        np.maximum(factor, _filled("slope", x, negative_slope), out=factor)
    np.multiply(g, factor, out=out)


def softplus(x: np.ndarray, out: np.ndarray) -> None:
    """out = log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))"""
    small = scratch.local("small", x.shape, x.dtype)
    np.log1p(_exp_of_minus_abs(x, small), out=small)
    np.maximum(x, _filled("zero", x, 0), out=out)
    out += small


def sigmoid(x: np.ndarray, out: np.ndarray) -> None:
    """out = 1 / (1 + exp(-x)) = max(exp(-|x|), [x >= 0]) / (1 + exp(-|x|))"""
    small = _exp_of_minus_abs(x, scratch.local("small", x.shape, x.dtype))
    upper = scratch.local("upper", x.shape, x.dtype)
    upper[...] = np.greater_equal(x, 0, out=scratch.local("positive", x.shape, np.bool_))
    np.maximum(upper, small, out=upper)
    small += 1
    np.divide(upper, small, out=out)


def _exp_of_minus_abs(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.abs(x, out=out)
    np.negative(out, out=out)
    return np.exp(out, out=out)


def _filled(name: str, like: np.ndarray, value: float) -> np.ndarray:
    """An array of one value: faster to combine with than the number itself, for which NumPy has slower loops."""
    array = scratch.local(name, like.shape, like.dtype)
    array.fill(value)
    return array


def column_sums(x: np.ndarray) -> np.ndarray:
    """x (rows, C) -> (C,)"""
    rows, channels = x.shape
    step = max(1, CHUNK // channels)
    partials = np.empty((-(-rows // step), channels), x.dtype)

    def task(index: int) -> None:
        part = x[index * step : (index + 1) * step]
        np.matmul(_filled("ones", part[:, :1].reshape(-1), 1), part, out=partials[index])

    threads.run(task, len(partials), cost=4 * x.size)
    return partials.sum(0)
