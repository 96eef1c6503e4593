"""Batch norm and the leaky ReLU that follows it, in two passes over memory each way.

    y = leaky_relu(weight * (x - mean) / sqrt(var + eps) + bias)         mean and var over the rows of x (N H W, C)

**Slow:** one NumPy call per operation of the formula, each through memory: a dozen passes.
**Here:** one pass for the statistics, one for the result; within a pass a tile is read once and all its operations
happen in cache.

The variance is not E[x^2] - E[x]^2, which loses every digit when |mean| >> std. Each tile t is centred at c_t, the
mean of its first eighth; so its mean is at most sqrt(8) of its own standard deviations away from c_t, and little
cancels:

    mean_t = c_t + sum (x - c_t) / n_t            M_t = sum (x - c_t)^2 - (sum (x - c_t))^2 / n_t

Tiles are put together (Chan, Golub & LeVeque 1979) in double precision and always in the same order:

    mean = sum n_t mean_t / n                     n var = sum M_t + n_t (mean_t - mean)^2

Backward, with u = the gradient before the activation and r = 1 / sqrt(var + eps):

    dbias = sum u                                 dweight = r sum u (x - mean)
    dx = weight r (u  -  r dweight / n (x - mean)  -  dbias / n)

The first pass leaves u in dx, and sums; the second finishes dx in place.
"""

from __future__ import annotations

import math

import numpy as np

from . import scratch, threads
from .elementwise import CHUNK, leaky_relu, leaky_relu_gate, sum_rows

WIDE = 2048  # a ufunc that repeats a row of C numbers is fast when the row is long: several rows are seen as one


class Tiles:
    """A matrix of rows, cut into tiles, each seen as wide rows that hold ``fold`` narrow ones."""

    def __init__(self, x: np.ndarray) -> None:
        self.rows, self.channels = x.shape
        self.fold = math.gcd(self.rows, 1 << max(0, (WIDE // self.channels).bit_length() - 1))
        self.step = self.fold * max(1, CHUNK // (self.fold * self.channels))
        self.count = -(-self.rows // self.step)
        self.cost = 8 * x.size

    def __call__(self, x: np.ndarray, index: int) -> np.ndarray:
        part = x[index * self.step : (index + 1) * self.step]
        return part.reshape(-1, self.fold * self.channels)

    def wide(self, row: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """(C,) -> the same, repeated to a wide row's length"""
        return np.tile(row.astype(dtype), self.fold)

    def sums(self, part: np.ndarray, out: np.ndarray) -> None:
        """out (C,) = the sum over a tile's narrow rows"""
        sum_rows(part.reshape(-1, self.channels), out)

    def dots(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
        """out (C,) = the sum over two tiles' narrow rows of a * b, without the products going through memory"""
        np.einsum("ij,ij->j", a, b).reshape(-1, self.channels).sum(0, out=out)


def forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, negative_slope: float, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """x (rows, C) -> y (rows, C), written; mean (C,), biased var (C,), returned in double precision."""
    tiles = Tiles(x)
    centres, sums, squares = np.empty((3, tiles.count, tiles.channels), x.dtype)

    def statistics(index: int) -> None:
        part = tiles(x, index)
        some = part[: -(-len(part) // 8)]
        centre = centres[index]
        tiles.sums(some, centre)
        centre /= some.size // tiles.channels
        centred = scratch.local("centred", part.shape, x.dtype)
        np.subtract(part, np.tile(centre, tiles.fold), out=centred)
        tiles.sums(centred, sums[index])
        tiles.dots(centred, centred, squares[index])

    threads.run(statistics, tiles.count, tiles.cost)
    counts = np.full((tiles.count, 1), float(tiles.step))
    counts[-1] = tiles.rows - (tiles.count - 1) * tiles.step
    means = centres + sums / counts
    mean = (counts * means).sum(0) / tiles.rows
    within = np.maximum(squares - sums.astype(np.float64) ** 2 / counts, 0)
    var = (within + counts * (means - mean) ** 2).sum(0) / tiles.rows

    rows = mean, weight / np.sqrt(var + eps), bias
    wide_mean, wide_scale, wide_bias = (tiles.wide(row, x.dtype) for row in rows)

    def result(index: int) -> None:
        out = tiles(y, index)
        np.subtract(tiles(x, index), wide_mean, out=out)  # first, as folded into the bias the mean would cost digits
        out *= wide_scale
        out += wide_bias
        if negative_slope != 1:
            leaky_relu(out, out, negative_slope)

    threads.run(result, tiles.count, tiles.cost)
    return mean, var


def backward(
    g: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    negative_slope: float,
    dx: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """g, x, y (rows, C) -> dx (rows, C), written; dweight (C,), dbias (C,), returned in double precision."""
    tiles = Tiles(x)
    u = g if negative_slope == 1 else dx  # dx holds u between the passes
    sums_u, sums_ux = np.empty((2, tiles.count, tiles.channels), x.dtype)
    wide_mean = tiles.wide(mean, x.dtype)

    def sums(index: int) -> None:
        part = tiles(u, index)
        if u is dx:
            leaky_relu_gate(tiles(g, index), tiles(y, index), part, negative_slope)
        tiles.sums(part, sums_u[index])
        centred = scratch.local("centred", part.shape, x.dtype)
        np.subtract(tiles(x, index), wide_mean, out=centred)
        tiles.dots(centred, part, sums_ux[index])

    threads.run(sums, tiles.count, tiles.cost)
    r = 1 / np.sqrt(var.astype(np.float64) + eps)
    dbias = sums_u.sum(0, dtype=np.float64)
    dweight = sums_ux.sum(0, dtype=np.float64) * r

    factors = weight * r, -r * dweight / tiles.rows, -dbias / tiles.rows
    wide_u, wide_x, wide_1 = (tiles.wide(factor, x.dtype) for factor in factors)

    def result(index: int) -> None:
        out = tiles(dx, index)
        scaled = scratch.local("scaled", out.shape, x.dtype)
        np.subtract(tiles(x, index), wide_mean, out=scaled)
        scaled *= wide_x
        scaled += wide_1
        np.add(tiles(u, index), scaled, out=out)
        out *= wide_u

    threads.run(result, tiles.count, tiles.cost)
    return dweight, dbias
