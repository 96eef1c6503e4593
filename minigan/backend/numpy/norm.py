"""Batch norm and the leaky ReLU that follows it, in two passes over memory each way.

    y = leaky_relu(weight * (x - mean) / sqrt(var + eps) + bias)         mean and var over the rows of x (N H W, C)

**Slow:** one NumPy call per operation of the formula, each through memory: a dozen passes.
**Here:** one pass for the statistics, one for the result; within a pass a tile is read once and all its operations
happen in cache. What does not depend on the row is worked out first, so that few operations are left:

    y = leaky_relu(x a + b)                       a = weight r,  b = bias - mean a,  r = 1 / sqrt(var + eps)

The variance is E[x^2] - E[x]^2, from sums over tiles that are added in double precision. That loses the digits of
(mean / std)^2: none to speak of in a network at work, every one for a picture of a clear sky. So where |mean| > 2 std
in any channel the statistics are taken again, of x - mean, and the mean is taken off first below as well.

Backward, with u = the gradient before the activation:

    dbias = sum u                                 dweight = r (sum u x - mean sum u)
    dx = weight r (u  -  r dweight / n (x - mean)  -  dbias / n)

The first pass leaves u in dx, and sums; the second finishes dx in place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..base import Group, shared, shared_moments
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

    def wide(self, row: np.ndarray | None, dtype: np.dtype) -> Any:
        """(C,) -> the same, repeated to a wide row's length"""
        return None if row is None else np.tile(row.astype(dtype), self.fold)

    def sums(self, part: np.ndarray, out: np.ndarray) -> None:
        """out (C,) = the sum over a tile's narrow rows"""
        sum_rows(part.reshape(-1, self.channels), out)

    def dots(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
        """out (C,) = the sum over two tiles' narrow rows of a * b, without the products going through memory"""
        np.einsum("ij,ij->j", a, b).reshape(-1, self.channels).sum(0, out=out)


def forward(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    negative_slope: float,
    y: np.ndarray,
    group: Group | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """x (rows, C) -> y (rows, C), written; mean (C,), biased var (C,), returned in double precision."""
    tiles = Tiles(x)
    mean, var = statistics(tiles, x, None)
    shift = shift_for(mean, var)
    if shift is not None:
        mean, var = statistics(tiles, x, shift)
    mean, var = shared_moments(group, mean, var)

    a = weight / np.sqrt(var + eps)
    b = bias - (mean if shift is None else mean - shift) * a
    wide_shift, wide_a, wide_b = (tiles.wide(row, x.dtype) for row in (shift, a, b))

    def result(index: int) -> None:
        out = tiles(y, index)
        part = tiles(x, index)
        np.multiply(part if wide_shift is None else np.subtract(part, wide_shift, out=out), wide_a, out=out)
        out += wide_b
        if negative_slope != 1:
            leaky_relu(out, out, negative_slope)

    threads.run(result, tiles.count, tiles.cost)
    return mean, var


def shift_for(mean: np.ndarray, var: np.ndarray) -> np.ndarray | None:
    """What to take off x so that no digits are lost: nothing, or about the mean, as float32 can hold it."""
    return mean.astype(np.float32) if (mean * mean > 4 * var).any() else None


def statistics(tiles: Tiles, x: np.ndarray, shift: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance (C,) of the rows of x, from the sums of x - shift and of its squares."""
    sums, squares = np.empty((2, tiles.count, tiles.channels), x.dtype)
    wide_shift = tiles.wide(shift, x.dtype)

    def task(index: int) -> None:
        part = tiles(x, index)
        if wide_shift is not None:
            part = np.subtract(part, wide_shift, out=scratch.local("shifted", part.shape, x.dtype))
        tiles.sums(part, sums[index])
        tiles.dots(part, part, squares[index])

    threads.run(task, tiles.count, tiles.cost)
    mean, square = (found.sum(0, dtype=np.float64) / tiles.rows for found in (sums, squares))
    var = np.maximum(square - mean * mean, 0)
    return mean if shift is None else mean + shift, var


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
    group: Group | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """g, x, y (rows, C) -> dx (rows, C), written; dweight (C,), dbias (C,), returned in double precision."""
    tiles = Tiles(x)
    u = g if negative_slope == 1 else dx  # dx holds u between the passes
    sums_u, sums_ux = np.empty((2, tiles.count, tiles.channels), x.dtype)
    mean, var = mean.astype(np.float64), var.astype(np.float64)
    shift = shift_for(mean, var)
    if shift is not None:
        mean = mean - shift
    wide_shift = tiles.wide(shift, x.dtype)

    def shifted(index: int, out: np.ndarray) -> np.ndarray:
        part = tiles(x, index)
        return part if wide_shift is None else np.subtract(part, wide_shift, out=out)

    def sums(index: int) -> None:
        part = tiles(u, index)
        if u is dx:
            leaky_relu_gate(tiles(g, index), tiles(y, index), part, negative_slope)
        tiles.sums(part, sums_u[index])
        tiles.dots(shifted(index, scratch.local("scaled", part.shape, x.dtype)), part, sums_ux[index])

    threads.run(sums, tiles.count, tiles.cost)
    r = 1 / np.sqrt(var + eps)
    dbias = sums_u.sum(0, dtype=np.float64)
    dweight = (sums_ux.sum(0, dtype=np.float64) - mean * dbias) * r

    mean_u, mean_ux = shared(group, dbias / tiles.rows, dweight / tiles.rows)
    of_u, of_x = weight * r, -weight * r * r * mean_ux
    constant = -of_u * mean_u - of_x * mean
    wide_u, wide_x, wide_1 = (tiles.wide(factor, x.dtype) for factor in (of_u, of_x, constant))

    def result(index: int) -> None:
        out = tiles(dx, index)
        scaled = scratch.local("scaled", out.shape, x.dtype)
        np.multiply(shifted(index, scaled), wide_x, out=scaled)
        scaled += wide_1
        np.multiply(tiles(u, index), wide_u, out=out)
        out += scaled

    threads.run(result, tiles.count, tiles.cost)
    return dweight, dbias
