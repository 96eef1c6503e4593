"""Activations and sums over large arrays, in chunks that stay in cache.

A formula such as softplus, max(x, 0) + log1p(exp(-|x|)), is five NumPy calls. On whole arrays each call reads and
writes memory; on chunks only the first reads it and the last writes it. Threads share the chunks out.

How large a chunk? One that fits the L2 cache is the fastest on one thread. But each NumPy call ends by asking for
the interpreter lock, and a thread that finds it taken sleeps for longer than a short call lasts: with calls of 3 us
two threads are slower than one. At 256k elements a call takes 30 us, two threads are 1.6 times as fast as one, and
the L3 cache is good enough.

Forms that are worth knowing. A select costs ten times what arithmetic costs (``np.where`` 0.3, ``np.multiply`` 10
thousand million elements a second), so leaky ReLU is max(x, slope x), its gate multiplies by max([x > 0], slope), and
what is 0 or x is x's bits under a mask. And a sum over the rows of a matrix is a product with a row of ones, which BLAS
does at the speed of memory.

Functions here take flat arrays, except ``column_sums``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from . import scratch, threads

CHUNK = 1 << 18  # elements


def over_chunks(function: Callable[..., None], *arrays: np.ndarray, chunk: int = CHUNK) -> None:
    """Call ``function`` on matching chunks of flat arrays, the last of which is its output."""
    size = arrays[0].size

    def task(index: int) -> None:
        part = slice(index * chunk, (index + 1) * chunk)
        function(*(array[part] for array in arrays))

    threads.run(task, -(-size // chunk), cost=4 * size)


def leaky_relu(x: np.ndarray, out: np.ndarray, negative_slope: float) -> None:
    """out = x where x > 0, else negative_slope * x. ``out`` may be x."""
    if negative_slope == 0:
        np.maximum(x, constant(0, x), out=out)
    elif 0 < negative_slope <= 1:
        np.maximum(x, np.multiply(x, negative_slope, out=scratch.local("scaled", x.shape, x.dtype)), out=out)
    else:
        out[...] = np.where(x > 0, x, x * negative_slope)


def leaky_relu_gate(g: np.ndarray, x: np.ndarray, out: np.ndarray, negative_slope: float) -> None:
    """out = g where x > 0, else negative_slope * g"""
    if negative_slope == 0:
        lower = np.less_equal(x, 0, out=scratch.local("positive", x.shape, np.bool_))
        keep(g, np.logical_not(lower, out=lower), out)
        return
    if not 0 < negative_slope <= 1:
        out[...] = np.where(x > 0, g, g * negative_slope)
        return
    positive = np.greater(x, 0, out=scratch.local("positive", x.shape, np.bool_))
    factor = scratch.local("factor", x.shape, x.dtype)
    factor[...] = positive
    np.maximum(factor, constant(negative_slope, x), out=factor)
    np.multiply(g, factor, out=out)


def keep(x: np.ndarray, mask: np.ndarray, out: np.ndarray) -> None:
    """out = x where the mask is true, else 0. Its bits meet all ones or none: x * 0 would be NaN for an infinite x."""
    bits = np.dtype(f"i{x.itemsize}")
    ones = np.negative(mask.view(np.int8), out=scratch.local("ones", x.shape, np.int8))
    wide = scratch.local("wide", x.shape, bits)
    wide[...] = ones
    np.bitwise_and(x.view(bits), wide, out=out.view(bits))


def softplus(x: np.ndarray, out: np.ndarray) -> None:
    """out = log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))"""
    small = scratch.local("small", x.shape, x.dtype)
    np.log1p(_exp_of_minus_abs(x, small), out=small)
    np.maximum(x, constant(0, x), out=out)
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


def constant(value: float, like: np.ndarray) -> np.ndarray:
    """``value`` in the shape of ``like``: quicker to combine with than the number, for which NumPy has slower loops."""
    size = 1 << max(12, (like.size - 1).bit_length())
    return _constant(float(value), like.dtype, size)[: like.size].reshape(like.shape)


@lru_cache(maxsize=32)
def _constant(value: float, dtype: np.dtype, size: int) -> np.ndarray:
    return np.full(size, value, dtype)


def column_sums(x: np.ndarray) -> np.ndarray:
    """x (rows, C) -> (C,)"""
    rows, channels = x.shape
    step = max(1, CHUNK // channels)
    partials = np.empty((-(-rows // step), channels), x.dtype)

    def task(index: int) -> None:
        sum_rows(x[index * step : (index + 1) * step], out=partials[index])

    threads.run(task, len(partials), cost=4 * x.size)
    return partials.sum(0)


def sum_rows(x: np.ndarray, out: np.ndarray) -> None:
    """out (C,) = the sum of the rows of x (rows, C). A long sum is cut in 64, which keeps its rounding errors small."""
    rows, channels = x.shape
    if rows <= 4096:
        np.matmul(constant(1, x[:, 0]), x, out=out)
        return
    whole = rows - rows % 64
    sums = np.matmul(constant(1, x[:64, 0]), x[:whole].reshape(64, -1))
    sum_rows(sums.reshape(-1, channels), out)
    out += x[whole:].sum(0)
