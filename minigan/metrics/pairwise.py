"""Distances between all pairs of two sets of points, a few rows at a time so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

TILE = 1 << 22  # numbers in a tile: 32 MB. All pairs of 10,000 points at once would take 800 MB


def squared_distance_tiles(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """(rows, tile) for x (N, dim) and y (M, dim) in float64: tile[i, j] = |x[rows][i] - y[j]|^2, shape (rows, M).

    |x|^2 + |y|^2 - 2 x.y is one matrix product, but it subtracts numbers as large as the points' distances from the
    origin: error about eps (|x|^2 + |y|^2). With y's mean as the origin those norms are as small as the spread of the
    points, so that a squared distance is wrong by about 1e-15 of the spread's square. What is below that noise counts
    as zero: a copy is at distance 0 exactly, and points that differ by less than 2e-7 of the spread count as copies.
    """
    origin = y.mean(axis=0)
    x, y = x - origin, y - origin
    x_norms, y_norms = np.einsum("nd,nd->n", x, x)[:, None], np.einsum("nd,nd->n", y, y)
    minus_2y = -2 * y.T
    height = max(1, TILE // max(y.shape))
    for start in range(0, len(x), height):
        rows = slice(start, min(start + height, len(x)))
        tile = x[rows] @ minus_2y
        tile += y_norms
        tile += x_norms[rows]
        # points that meet have the same norm, so x's alone tells the noise; 14 eps |x|^2 is the most that was seen
        tile[tile < 128 * np.finfo(np.float64).eps * x_norms[rows]] = 0
        yield rows, tile
