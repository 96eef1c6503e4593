"""Batch norm and the leaky ReLU that follows it, as loops.

    y = leaky_relu((x - mean) a + bias)        a = weight r,  r = 1 / sqrt(var + eps);  mean and var over the rows of x

Backward, with u = the gradient before the activation:

    dbias = sum u        dweight = r sum u (x - mean)        dx = a (u - dbias / n - (x - mean) r dweight / n)

Two passes over memory each way. Sums are in double precision, and those of x are of its distance from the first row:
so the variance, E d^2 - (E d)^2, keeps its digits also where the mean is many standard deviations from zero.
"""

from __future__ import annotations

import numpy as np

from ..base import Group, shared, shared_moments
from ..numpy import threads
from .compile import compiled

TILE = 1 << 17  # elements


@compiled
def leaky(v, slope):
    """v where v > 0, else slope v; with slope 0 that is 0, at -inf as well"""
    below = slope * v if slope != 0 else slope
    return below if v <= 0 else v


@compiled
def gate(g, y, slope):
    """g where y > 0, else slope g; with slope 0 that is 0, of an infinite g as well"""
    below = slope * g if slope != 0 else slope
    return below if y <= 0 else g


@compiled
def sums(x, origin, total, squares):
    """total[c] = sum_i d, squares[c] = sum_i d^2, d = x[i, c] - origin[c]"""
    total[:] = 0
    squares[:] = 0
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            d = x[i, c] - origin[c]
            total[c] += d
            squares[c] += d * d


@compiled
def normalize(x, mean, a, bias, slope, y):
    """y[i, c] = leaky((x[i, c] - mean[c]) a[c] + bias[c])"""
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[i, c] = leaky((x[i, c] - mean[c]) * a[c] + bias[c], slope)


@compiled
def gradient_sums(g, x, y, mean, slope, total, products):
    """total[c] = sum_i u, products[c] = sum_i u (x[i, c] - mean[c]), u = gate(g[i, c], y[i, c])"""
    total[:] = 0
    products[:] = 0
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            u = gate(g[i, c], y[i, c], slope)
            total[c] += u
            products[c] += u * (x[i, c] - mean[c])


@compiled
def gradient(g, x, y, mean, slope, of_u, of_x, constant, dx):
    """dx[i, c] = of_u[c] u + of_x[c] (x[i, c] - mean[c]) + constant[c], u as above"""
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            u = gate(g[i, c], y[i, c], slope)
            dx[i, c] = of_u[c] * u + of_x[c] * (x[i, c] - mean[c]) + constant[c]


# ---- who calls them ------------------------------------------------------------------------------


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
    tiles = _tiles(x)
    total, squares = np.empty((2, len(tiles), x.shape[1]))
    origin = x[0].astype(np.float64)
    threads.run(lambda i: sums(x[tiles[i]], origin, total[i], squares[i]), len(tiles), cost=8 * x.size)
    distance, square = total.sum(0) / len(x), squares.sum(0) / len(x)
    mean, var = shared_moments(group, origin + distance, np.maximum(square - distance * distance, 0))

    near, a, slope = mean.astype(x.dtype), weight / np.sqrt(var + eps), x.dtype.type(negative_slope)
    scale, shift = a.astype(x.dtype), (bias - (mean - near) * a).astype(x.dtype)  # what rounding took off the mean
    threads.run(lambda i: normalize(x[tiles[i]], near, scale, shift, slope, y[tiles[i]]), len(tiles), cost=8 * x.size)
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
    group: Group | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """g, x, y (rows, C) -> dx (rows, C), written; dweight (C,), dbias (C,), returned in double precision."""
    tiles = _tiles(x)
    slope = x.dtype.type(negative_slope)
    total, products = np.empty((2, len(tiles), x.shape[1]))

    def add(i: int) -> None:
        gradient_sums(g[tiles[i]], x[tiles[i]], y[tiles[i]], mean, slope, total[i], products[i])

    threads.run(add, len(tiles), cost=8 * x.size)
    r = 1 / np.sqrt(var.astype(np.float64) + eps)
    dbias, dweight = total.sum(0), products.sum(0) * r
    mean_u, mean_ux = shared(group, dbias / len(x), dweight / len(x))
    of_u, of_x = weight * r, -weight * r * r * mean_ux
    constant = -of_u * mean_u
    factors = [factor.astype(x.dtype) for factor in (of_u, of_x, constant)]

    def finish(i: int) -> None:
        gradient(g[tiles[i]], x[tiles[i]], y[tiles[i]], mean, slope, *factors, dx[tiles[i]])

    threads.run(finish, len(tiles), cost=8 * x.size)
    return dweight, dbias


def _tiles(x: np.ndarray) -> list[slice]:
    step = max(1, TILE // x.shape[1])
    return [slice(start, start + step) for start in range(0, len(x), step)]
