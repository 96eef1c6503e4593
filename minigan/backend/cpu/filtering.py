"""Convolution with fewer multiplications: minimal filtering (Toom 1963, Cook 1966, Winograd 1980).

**One axis.** m outputs of a filter with r taps, y_i = sum_q x_(i+q) w_q, need m r multiplications the plain way, yet only
n = m + r - 1 this way:

    y = A [(G w) * (B x)]        A (m, n),  G (n, r),  B (n, n),  * element by element

The idea: the *transposed* problem is to multiply two polynomials, with r and m coefficients. Their product has n
coefficients, so it is known once it is known at n points; and at a point, a product of polynomials is a product of
numbers. So G = "values of w's polynomial at the points", A^T = the same for m coefficients, and B^T = "coefficients from
n values", the inverse of an n x n Vandermonde matrix. Transposing the three gives the filter. Small points (0, 1, -1, 1/2,
...) and infinity (whose "value" is the leading coefficient) keep the rounding errors small.

**A whole axis** is cut into short tiles of m outputs, whose matrices are laid along the diagonal: A (out, P), B (P, in).
The P points are sorted so that those which share a row of G, one from each tile, are neighbours.

**Stride s.** Output i of a filter with s r taps sees x_(s i + s q + phase) w_(s q + phase): s filters of r taps with stride 1,
added up. Phases become channels (space to depth), and B of a phase meets every s-th row of x. Padding is zeros
in x, so it only strikes columns from B.

**Two axes, many channels.** Transform rows, then columns. What was a product of numbers becomes, at each of the P x P points,
a product of matrices over the channels, and all the arithmetic sits there:

    V = B x B^T  (P, P, N, s s C)      U = G w G^T  (K, K, F, s s C)      M = V U^T  (P, P, N, F)      y = A M A^T

**The other two kernels** are the adjoints of these lines, read backwards; they share V, U and S:

    S = A^T g A      dV = S U,  dx = B^T dV B      dU = S^T V,  dw = G^T dU G

For 14x14 -> 7x7 with 4x4 kernels and stride 2, tiles of 4 and 3 outputs need 81 matrix products for 49 outputs of 4 taps
and 4 phases each: 2.4 times fewer multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..base import Shared
from ..geometry import ConvGeometry
from . import scratch, threads

POINTS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0)  # and infinity, always the last
TILE_BYTES = 400_000  # of an operand that is transformed at a time: with its results it stays in a core's cache


# ---- the matrices of one axis ----------------------------------------------------------------------------------------------


def toom_cook(m: int, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (m, n), G (n, r), B (n, n) with n = m + r - 1 such that y = A [(G w) * (B x)] is the filter."""
    n = m + r - 1

    def values(coefficients: int) -> np.ndarray:
        """(n, coefficients): from a polynomial's coefficients to its values at the points, infinity last."""
        matrix = np.zeros((n, coefficients))
        matrix[:-1] = np.vander(POINTS[: n - 1], coefficients, increasing=True)
        matrix[-1, -1] = 1
        return matrix

    return values(m).T, values(r), np.linalg.inv(values(n)).T


@dataclass(frozen=True)
class Lens:
    """How one axis of an operand meets the points: ``matrices[phase]`` (P, length) times ``operand[phase's slice]``."""

    matrices: tuple[np.ndarray, ...]
    slices: tuple[slice, ...]


@dataclass(frozen=True)
class Axis:
    """The filter along one axis. ``groups[k]`` are the points of x and y that meet point k of w."""

    x: Lens
    w: Lens
    y: Lens
    groups: tuple[slice, ...]

    @property
    def points(self) -> int:
        return self.groups[-1].stop


@lru_cache(maxsize=256)
def axis(size: int, out: int, kernel: int, stride: int, padding: int, tile: int, dtype: np.dtype) -> Axis:
    """The matrices for tiles of at most ``tile`` outputs, of lengths as even as possible."""
    taps = kernel // stride
    count = -(-out // tile)
    ends = [out * (t + 1) // count for t in range(count)]
    spans = list(zip([0, *ends[:-1]], ends, strict=True))
    longest = max(stop - start for start, stop in spans)
    kinds = longest + taps - 1
    entries: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(kinds)]
    for start, stop in spans:
        a, _, b = toom_cook(stop - start, taps)
        n = len(b)
        for k in range(n):
            column, row = np.zeros(out), np.zeros(out + taps - 1)
            column[start:stop], row[start : start + n] = a[:, k], b[k]
            entries[k if k < n - 1 else kinds - 1].append((column, row))
    stops = np.cumsum([len(e) for e in entries]).tolist()
    groups = tuple(slice(stop - len(e), stop) for stop, e in zip(stops, entries, strict=True))
    at = np.array([column for e in entries for column, _ in e])  # A^T (P, out)
    b = np.array([row for e in entries for _, row in e])  # (P, out + taps - 1)
    g = toom_cook(longest, taps)[1]

    x_matrices, x_slices = [], []
    for phase in range(stride):
        first = (phase - padding) % stride  # row of x that this phase sees first, at its position ...
        skipped = (first - phase + padding) // stride
        length = len(range(first, size, stride))
        matrix = np.zeros((len(b), length))  # rows of x that no window reaches keep zeros
        seen = b[:, skipped : skipped + length]
        matrix[:, : seen.shape[1]] = seen
        x_matrices.append(matrix.astype(dtype))
        x_slices.append(slice(first, None, stride))
    every = tuple(slice(phase, None, stride) for phase in range(stride))
    return Axis(
        x=Lens(tuple(x_matrices), tuple(x_slices)),
        w=Lens((g.astype(dtype),) * stride, every),
        y=Lens((at.astype(dtype),), (slice(None),)),
        groups=groups,
    )


@dataclass(frozen=True)
class Plan:
    """A convolution's two axes."""

    rows: Axis
    cols: Axis

    @classmethod
    def make(cls, geometry: ConvGeometry, tile: int, dtype: np.dtype) -> Plan:
        parts = zip(
            geometry.in_hw, geometry.out_hw, geometry.kernel_hw, geometry.stride, geometry.padding, strict=True
        )
        return cls(*(axis(*part, tile, np.dtype(dtype)) for part in parts))

    def pairs(self) -> list[tuple[int, int, slice, slice]]:
        """For each of w's points (k, l): the rows and columns of x's and y's points that meet it."""
        return [(k, l, i, j) for k, i in enumerate(self.rows.groups) for l, j in enumerate(self.cols.groups)]  # noqa: E741


def applies(geometry: ConvGeometry) -> bool:
    """Whether there are at least two taps a phase to save on."""
    square = all(k % s == 0 and 2 <= k // s <= 3 for k, s in zip(geometry.kernel_hw, geometry.stride, strict=True))
    return square and geometry.dilation == (1, 1)


# ---- transforms: every one is a product with a small matrix along rows, then along columns -----------------------------------


def to_points(image: np.ndarray, rows: Lens, cols: Lens, points: np.ndarray) -> None:
    """image (N, H, W, C) -> points (P, Q, N, s, s', C)"""
    n_all, height, width, channels = image.shape
    p, s = points.shape[0], points.shape[3]

    def task(index: int) -> None:
        n = slice(index * step, min((index + 1) * step, n_all))
        x = image[n]
        half = scratch.local("half", (len(x), s, p, width, channels), x.dtype)
        for phase, (matrix, part) in enumerate(zip(rows.matrices, rows.slices, strict=True)):
            some = x[:, part]
            np.matmul(matrix, _flat(some), out=_flat(half[:, phase]))
        out = points[:, :, n].transpose(4, 2, 3, 0, 1, 5)  # (s', N, s, P, Q, C)
        for phase, (matrix, part) in enumerate(zip(cols.matrices, cols.slices, strict=True)):
            np.matmul(matrix, half[:, :, :, part], out=out[phase])

    step = max(1, TILE_BYTES // (height * width * channels * image.itemsize))
    threads.run(task, -(-n_all // step), image.nbytes + points.nbytes)


def from_points(points: np.ndarray, rows: Lens, cols: Lens, image: np.ndarray) -> None:
    """The adjoint of ``to_points``: points (P, Q, N, s, s', C) -> image (N, H, W, C)"""
    n_all, height, width, channels = image.shape
    p, s = points.shape[0], points.shape[3]

    def task(index: int) -> None:
        n = slice(index * step, min((index + 1) * step, n_all))
        x = image[n]
        half = scratch.local("half", (len(x), s, p, width, channels), x.dtype)
        some = points[:, :, n].transpose(4, 2, 3, 0, 1, 5)  # (s', N, s, P, Q, C)
        for phase, (matrix, part) in enumerate(zip(cols.matrices, cols.slices, strict=True)):
            np.matmul(matrix.T, some[phase], out=half[:, :, :, part])
        for phase, (matrix, part) in enumerate(zip(rows.matrices, rows.slices, strict=True)):
            np.matmul(matrix.T, _flat(half[:, phase]), out=_flat(x[:, part]))

    step = max(1, TILE_BYTES // (height * width * channels * image.itemsize))
    threads.run(task, -(-n_all // step), image.nbytes + points.nbytes)


def _flat(x: np.ndarray) -> np.ndarray:
    """(N, H, W, C) -> (N, H, W C), a view"""
    return x.reshape(*x.shape[:2], -1)


# ---- the three kernels ---------------------------------------------------------------------------------------------------------


def conv2d(x: np.ndarray, w: np.ndarray, y: np.ndarray, geometry: ConvGeometry, tile: int, shared: Shared) -> None:
    """x (N, H, W, C), w (F, kh, kw, C) -> y (N, oh, ow, F)"""
    plan = Plan.make(geometry, tile, x.dtype)
    v, u = _x_points(x, plan, shared), _w_points(w, plan, shared)
    with scratch.borrow((*v.shape[:3], 1, 1, len(w)), x.dtype) as m:
        tasks = [(k, l, i, j) for k, l, rows, j in plan.pairs() for i in range(rows.start, rows.stop)]

        def task(index: int) -> None:
            k, l, i, j = tasks[index]  # noqa: E741
            np.matmul(_matrix(v[i, j]), _matrix(u[k, l]).T, out=_matrix(m[i, j]))

        threads.run(task, len(tasks))
        from_points(m, plan.rows.y, plan.cols.y, y)


def conv2d_input(g: np.ndarray, w: np.ndarray, x: np.ndarray, geometry: ConvGeometry, tile: int, shared: Shared) -> None:
    """g (N, oh, ow, F), w (F, kh, kw, C) -> x (N, H, W, C)"""
    plan = Plan.make(geometry, tile, g.dtype)
    s, u = _g_points(g, plan, shared), _w_points(w, plan, shared)
    with scratch.borrow((*s.shape[:3], *u.shape[3:]), g.dtype) as dv:
        tasks = [(k, l, i, j) for k, l, rows, j in plan.pairs() for i in range(rows.start, rows.stop)]

        def task(index: int) -> None:
            k, l, i, j = tasks[index]  # noqa: E741
            np.matmul(_matrix(s[i, j]), _matrix(u[k, l]), out=_matrix(dv[i, j]))

        threads.run(task, len(tasks))
        from_points(dv, plan.rows.x, plan.cols.x, x)


def conv2d_weight(x: np.ndarray, g: np.ndarray, w: np.ndarray, geometry: ConvGeometry, tile: int, shared: Shared) -> None:
    """x (N, H, W, C), g (N, oh, ow, F) -> w (F, kh, kw, C)"""
    plan = Plan.make(geometry, tile, x.dtype)
    v, s = _x_points(x, plan, shared), _g_points(g, plan, shared)
    kinds = len(plan.rows.groups), len(plan.cols.groups)
    with scratch.borrow((*kinds, len(w), *v.shape[3:]), x.dtype) as du:
        tasks = plan.pairs()

        def task(index: int) -> None:
            k, l, rows, j = tasks[index]  # noqa: E741
            total = _matrix(du[k, l])
            np.matmul(_matrix(s[rows.start, j]).T, _matrix(v[rows.start, j]), out=total)
            for i in range(rows.start + 1, rows.stop):
                part = scratch.local("part", total.shape, total.dtype)
                np.matmul(_matrix(s[i, j]).T, _matrix(v[i, j]), out=part)
                total += part

        threads.run(task, len(tasks))
        from_points(du, plan.rows.w, plan.cols.w, w)


def _matrix(points: np.ndarray) -> np.ndarray:
    """(..., s, s', C) -> (rows, s s' C), a view"""
    return points.reshape(-1, points.shape[-3] * points.shape[-2] * points.shape[-1])


def _x_points(x: np.ndarray, plan: Plan, shared: Shared) -> np.ndarray:
    shape = (plan.rows.points, plan.cols.points, len(x), *_phases(plan), x.shape[-1])
    return _shared("x", x, plan, shared, shape, plan.rows.x, plan.cols.x)


def _w_points(w: np.ndarray, plan: Plan, shared: Shared) -> np.ndarray:
    shape = (len(plan.rows.groups), len(plan.cols.groups), len(w), *_phases(plan), w.shape[-1])
    return _shared("w", w, plan, shared, shape, plan.rows.w, plan.cols.w)


def _g_points(g: np.ndarray, plan: Plan, shared: Shared) -> np.ndarray:
    shape = (plan.rows.points, plan.cols.points, len(g), 1, 1, g.shape[-1])
    return _shared("g", g, plan, shared, shape, plan.rows.y, plan.cols.y)


def _phases(plan: Plan) -> tuple[int, int]:
    return len(plan.rows.x.matrices), len(plan.cols.x.matrices)


def _shared(
    name: str, image: np.ndarray, plan: Plan, shared: Shared, shape: tuple[int, ...], rows: Lens, cols: Lens
) -> np.ndarray:
    """The transform of an operand: what an earlier kernel of this application left, else made now and left."""
    points = shared.get(name)
    if points is None:
        points = shared[name] = np.empty(shape, image.dtype)
        to_points(image, rows, cols, points)
    return points
