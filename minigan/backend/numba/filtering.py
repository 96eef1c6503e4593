"""The transforms of minimal filtering, as the sums that they are (numpy/filtering.py tells where they come from).

    points[p, q, n, s, t, c] = sum_{h,w} B[s, p, h] B'[t, q, w] image[n, h, w, c]       to the points
    image[n, h, w, c] = sum_{s,p,t,q} B[s, p, h] B'[t, q, w] points[p, q, n, s, t, c]   and back: the adjoint

Each goes along one axis and then along the other. The matrices are mostly zeros, for a tile sees few rows of the image.
So a row of a matrix is given by its terms, which elements it takes and by how much, and they are added four at a time:
in registers, as the inner loop over four is unrolled.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..numpy import scratch, threads
from ..numpy.filtering import Lens, Transforms, even_step
from .compile import compiled

TILE_BYTES = 600_000  # of the intermediate, or of the image

Lines = list[list[tuple[Any, Any]]]  # (which, how much) of each term of each row of a matrix


@compiled
def four(table, s, i, k):
    return table[s, i, k], table[s, i, k + 1], table[s, i, k + 2], table[s, i, k + 3]


@compiled
def forth(image, h_of, h_by, w_of, w_by, place, half, points, first, last):
    """image (N, H, W C) -> half (n, S, W, C), for one p at a time -> points (P Q, N, S, T, C)"""
    S, P, h_terms = h_of.shape
    T, Q, w_terms = w_of.shape
    C = points.shape[4]
    row = half.reshape(len(half), S, -1)
    zero = image.dtype.type(0)
    for p in range(P):
        for n in range(first, last):
            for s in range(S):
                for k in range(0, h_terms, 4):
                    h, by = four(h_of, s, p, k), four(h_by, s, p, k)
                    if k > 0 and by[0] == 0:
                        break
                    for i in range(row.shape[2]):
                        total = row[n - first, s, i] if k > 0 else zero
                        for j in range(4):
                            total += by[j] * image[n, h[j], i]
                        row[n - first, s, i] = total
        for q in range(Q):
            point = place[p, q]
            for n in range(first, last):
                for s in range(S):
                    for t in range(T):
                        for k in range(0, w_terms, 4):
                            w, by = four(w_of, t, q, k), four(w_by, t, q, k)
                            if k > 0 and by[0] == 0:
                                break
                            for c in range(C):
                                total = points[point, n, s, t, c] if k > 0 else zero
                                for j in range(4):
                                    total += by[j] * half[n - first, s, w[j], c]
                                points[point, n, s, t, c] = total


@compiled
def back(points, h_phase, p_of, p_by, w_phase, q_of, q_by, place, half, image, first, last):
    """points (P Q, N, S, T, C) -> half (n, S, P, W, C) -> image (N, H, W C)"""
    _, S, P, W, C = half.shape
    _, H, p_terms = p_of.shape
    q_terms = q_of.shape[2]
    row = half.reshape(len(half), S, P, -1)
    zero = image.dtype.type(0)
    for p in range(P):
        for w in range(W):
            t = w_phase[w]
            for k in range(0, q_terms, 4):
                q, by = four(q_of, 0, w, k), four(q_by, 0, w, k)
                if k > 0 and by[0] == 0:
                    break
                point = place[p, q[0]], place[p, q[1]], place[p, q[2]], place[p, q[3]]
                for n in range(first, last):
                    for s in range(S):
                        for c in range(C):
                            total = half[n - first, s, p, w, c] if k > 0 else zero
                            for j in range(4):
                                total += by[j] * points[point[j], n, s, t, c]
                            half[n - first, s, p, w, c] = total
    for n in range(first, last):
        for h in range(H):
            s = h_phase[h]
            for k in range(0, p_terms, 4):
                p4, by = four(p_of, 0, h, k), four(p_by, 0, h, k)
                if k > 0 and by[0] == 0:
                    break
                for i in range(row.shape[3]):
                    total = image[n, h, i] if k > 0 else zero
                    for j in range(4):
                        total += by[j] * row[n - first, s, p4[j], i]
                    image[n, h, i] = total


# ---- who calls them ------------------------------------------------------------------------------


def to_points(image: np.ndarray, rows: Lens, cols: Lens, points: np.ndarray) -> None:
    """image (N, H, W, C) -> points (P Q, N, S, T, C)"""
    samples, height, width, channels = image.shape
    step = even_step(samples, TILE_BYTES // image[0].nbytes)
    flat = image.reshape(samples, height, -1)
    tables = *_terms(rows), *_terms(cols), _place(rows, cols)

    def task(index: int) -> None:
        half = scratch.local("half", (step, points.shape[2], width, channels), image.dtype)
        forth(flat, *tables, half, points, index * step, min(samples, (index + 1) * step))

    threads.run(task, -(-samples // step), image.nbytes + points.nbytes)


def from_points(points: np.ndarray, rows: Lens, cols: Lens, image: np.ndarray) -> None:
    """The adjoint: points (P Q, N, S, T, C) -> image (N, H, W, C)"""
    samples, height, width, channels = image.shape
    shape = points.shape[2], len(rows.matrices[0]), width, channels
    step = even_step(samples, TILE_BYTES // (int(np.prod(shape)) * image.itemsize))
    flat = image.reshape(samples, height, -1)
    tables = *_adjoint_terms(rows), *_adjoint_terms(cols), _place(rows, cols)

    def task(index: int) -> None:
        half = scratch.local("half", (step, *shape), image.dtype)
        back(points, *tables, half, flat, index * step, min(samples, (index + 1) * step))

    threads.run(task, -(-samples // step), image.nbytes + points.nbytes)


TRANSFORMS = Transforms(to_points, from_points)


# ---- the matrices by their terms -----------------------------------------------------------------


@lru_cache(maxsize=512)
def _terms(lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """Row p of matrix s takes by[s, p, k] of elements of[s, p, k] of the whole axis: two arrays (S, P, terms)."""
    where = [range(*part.indices(1 << 30)) for part in lens.slices]
    return _table([[[(where[s][j], row[j]) for j in np.flatnonzero(row)] for row in m] for s, m in
                   enumerate(lens.matrices)], lens.matrices[0].dtype)  # fmt: skip


@lru_cache(maxsize=512)
def _adjoint_terms(lens: Lens) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Element h of the axis is of phase[h] and gets by[0, h, k] of points of[0, h, k]."""
    size = sum(matrix.shape[1] for matrix in lens.matrices)
    phase = np.empty(size, np.int64)
    lines: Lines = [[]] * size
    for s, (matrix, part) in enumerate(zip(lens.matrices, lens.slices, strict=True)):
        for j, h in enumerate(range(*part.indices(size))):
            phase[h], lines[h] = s, [(p, matrix[p, j]) for p in np.flatnonzero(matrix[:, j])]
    return phase, *_table([lines], lens.matrices[0].dtype)


def _table(matrices: list[Lines], dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Which and how much, (S, rows, terms) each; rows are filled up with zeros to a multiple of four terms."""
    longest = max(1, *(len(row) for matrix in matrices for row in matrix))
    shape = len(matrices), len(matrices[0]), -(-longest // 4) * 4
    which, weight = np.zeros(shape, np.int64), np.zeros(shape, dtype)
    for s, i in np.ndindex(shape[:2]):
        for k, term in enumerate(matrices[s][i]):
            which[s, i, k], weight[s, i, k] = term
    return which, weight


@lru_cache(maxsize=512)
def _place(rows: Lens, cols: Lens) -> np.ndarray:
    """(P, Q): where a point lies in memory, see ``Plan.products``."""
    q = np.arange(len(cols.matrices[0]))
    lines = [
        group.start * len(q) + q * (group.stop - group.start) + (p - group.start)
        for group in rows.groups
        for p in range(group.start, group.stop)
    ]
    return np.array(lines)
