"""Convolution with fewer multiplications: minimal filtering (Toom 1963, Cook 1966, Winograd 1980).

**One axis.** m outputs of a filter with r taps, y_i = sum_q x_(i+q) w_q, need m r multiplications the plain way,
yet only n = m + r - 1 this way:

    y = A [(G w) * (B x)]        A (m, n),  G (n, r),  B (n, n),  * element by element

The idea: the *transposed* problem is to multiply two polynomials, with r and m coefficients. The product has n
coefficients, so it is known once it is known at n points; and at a point, a product of polynomials is a product of
numbers. So G = the values of w's polynomial at the points, A^T = the same for m coefficients, and B^T =
coefficients from n values: the inverse of an n x n Vandermonde matrix. Transposing the three gives the filter.
Small points and infinity (whose "value" is the leading coefficient) keep the rounding errors small.

**A whole axis** is cut into short tiles of m outputs, whose matrices lie along the diagonal: A (out, P), B (P, in).
The points are sorted so that those which share a row of G, one from each tile, are neighbours.

**Stride s.** Output i of a filter with s r taps sees x_(s i + s q + phase) w_(s q + phase): s filters of r taps and
stride 1, added up. Phases become channels (space to depth), and B of a phase meets every s-th row of x. Padding is
zeros in x, so it merely strikes columns from B.

**Two axes, many channels.** Transform rows, then columns. What was a product of numbers becomes, at each of the P x
P points, a product of matrices over the channels, and all the arithmetic sits there:

    V = B x B^T  (P P N, s s C)     U = G w G^T  (K K, F, s s C)     M = V U^T  (P P N, F)     y = A M A^T

BLAS rearranges an operand for every product, and 128 rows of V are too few to be worth it: 300 GFLOP/s where 512 rows
give 390. So all points that meet the same matrix of U lie together in memory, from every tile along both axes: one
product for each matrix of U.

**The other two kernels** are the adjoints of these lines, read backwards. They share V, U and S:

    S = A^T g A      dV = S U,  dx = B^T dV B      dU = S^T V,  dw = G^T dU G

For 14x14 -> 7x7 with 4x4 kernels and stride 2, tiles of 4 and 3 outputs take 81 matrix products where the plain way
takes 196. Longer tiles take fewer still, but lose digits: in float32 the errors are 8e-7 (tiles of 2), 1e-6 (3),
3e-6 (4) and 2e-5 (7) of the largest output, where the plain way has 6e-7. And what is infinite makes NaN of its whole
tile, where the plain way has it only in the windows that meet it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

import numpy as np

from ..geometry import ConvGeometry, Pair
from . import scratch, threads

# The finite points with the smallest rounding error, by number, found by trying. Shorter tiles take the first few.
POINTS = {
    1: (0.0,),
    2: (1.0, -1.0),
    3: (0.0, 1.0, -1.0),
    4: (0.0, 1.0, -0.5, -2.0),
    5: (0.0, 1.0, -1.0, -0.5, 2.0),
    6: (0.0, 1.0, -1.0, 0.5, -0.5, -2.0),
    7: (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0),
}
LONGEST = 1024  # rows of a product, so that there is enough for many threads
TILE_BYTES = 400_000  # of an operand that is transformed at a time: with its results it stays in a core's cache


# ---- the matrices of one axis ----------------------------------------------------------------


def toom_cook(m: int, r: int, points: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (m, n), G (n, r), B (n, n) with n = m + r - 1 such that y = A [(G w) * (B x)] is the filter."""
    n = m + r - 1

    def values(coefficients: int) -> np.ndarray:
        """(n, coefficients): from a polynomial's coefficients to its values at the points, infinity last."""
        matrix = np.zeros((n, coefficients))
        matrix[:-1] = np.vander(points[: n - 1], coefficients, increasing=True)
        matrix[-1, -1] = 1
        return matrix

    return values(m).T, values(r), np.linalg.inv(values(n)).T


@dataclass(frozen=True, eq=False)
class Lens:
    """How one axis of an operand meets the points: ``matrices[phase]`` (P, length) times ``operand[phase's slice]``.

    ``groups[k]`` are the points that meet point k of w.
    """

    matrices: tuple[np.ndarray, ...]
    slices: tuple[slice, ...]
    groups: tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Axis:
    """The filter along one axis."""

    x: Lens
    w: Lens
    y: Lens


@lru_cache(maxsize=256)
def axis(size: int, out: int, kernel: int, stride: int, padding: int, tile: int, dtype: np.dtype) -> Axis:
    """The matrices for tiles of at most ``tile`` outputs, of lengths as even as possible."""
    taps = kernel // stride
    count = -(-out // tile)
    ends = [out * t // count for t in range(count + 1)]
    longest = max(stop - start for start, stop in pairwise(ends))
    kinds = longest + taps - 1  # rows of G
    points = POINTS[kinds - 1]
    meeting: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(kinds)]  # each: a row of A^T, one of B
    for start, stop in pairwise(ends):
        a, _, b = toom_cook(stop - start, taps, points)
        n = len(b)
        for k in range(n):
            at_row, b_row = np.zeros(out), np.zeros(out + taps - 1)
            at_row[start:stop], b_row[start : start + n] = a[:, k], b[k]
            meeting[k if k < n - 1 else -1].append((at_row, b_row))  # infinity is the last in every tile
    stops = list(accumulate(len(rows) for rows in meeting))
    groups = tuple(slice(stop - len(rows), stop) for stop, rows in zip(stops, meeting, strict=True))
    at, b = (np.array([rows[i] for k in meeting for rows in k]) for i in (0, 1))  # (P, out), (P, out + taps - 1)
    g = toom_cook(longest, taps, points)[1]

    x_matrices, x_slices = [], []
    for phase in range(stride):
        first = (phase - padding) % stride  # the first row of x in this phase; padding comes before it
        skipped = (first - phase + padding) // stride
        length = len(range(first, size, stride))
        matrix = np.zeros((len(b), length))  # rows of x that no window reaches keep zeros
        seen = b[:, skipped : skipped + length]
        matrix[:, : seen.shape[1]] = seen
        x_matrices.append(matrix.astype(dtype))
        x_slices.append(slice(first, None, stride))
    every = tuple(slice(phase, None, stride) for phase in range(stride))
    alone = tuple(slice(k, k + 1) for k in range(kinds))
    return Axis(
        x=Lens(tuple(x_matrices), tuple(x_slices), groups),
        w=Lens((g.astype(dtype),) * stride, every, alone),
        y=Lens((at.astype(dtype),), (slice(None),), groups),
    )


@dataclass(frozen=True)
class Plan:
    """A convolution's two axes."""

    rows: Axis
    cols: Axis

    @classmethod
    def make(cls, geometry: ConvGeometry, tile: int, dtype: np.dtype) -> Plan:
        parts = zip(geometry.in_hw, geometry.out_hw, geometry.kernel_hw, geometry.stride, geometry.padding, strict=True)
        return cls(*(axis(*part, tile, np.dtype(dtype)) for part in parts))

    @property
    def points(self) -> Pair:
        """(P, Q) of x and y"""
        return len(self.rows.x.matrices[0]), len(self.cols.x.matrices[0])

    @property
    def kinds(self) -> Pair:
        """(K, L) of w"""
        return len(self.rows.x.groups), len(self.cols.x.groups)

    @property
    def phases(self) -> Pair:
        return len(self.rows.x.matrices), len(self.cols.x.matrices)

    def products(self, samples: int) -> list[tuple[int, slice]]:
        """The number of each of U's matrices, with the rows of V, M and S that meet it; the longest first.

        The points of a group of rows lie together; among them come first those of the first group of columns.
        """
        found: list[tuple[int, slice]] = []
        for rows in self.rows.x.groups:
            together = rows.stop - rows.start
            for cols in self.cols.x.groups:
                start = rows.start * self.points[1] + cols.start * together
                stop = start + (cols.stop - cols.start) * together
                found.append((len(found), slice(start * samples, stop * samples)))
        return sorted(found, key=lambda product: product[1].start - product[1].stop)

    def pieces(self, samples: int) -> list[tuple[int, slice]]:
        """The products, cut for threads to share: the last one in halves, so that two threads end together."""
        found = []
        for kind, part in self.products(samples):
            cuts = [*range(part.start, part.stop, LONGEST), part.stop]
            found += [(kind, slice(start, stop)) for start, stop in pairwise(cuts)]
        kind, last = found.pop()
        middle = (last.start + last.stop + 1) // 2
        return found + [(kind, half) for half in (slice(last.start, middle), slice(middle, last.stop))]


def applies(geometry: ConvGeometry) -> bool:
    """Whether there are at least two taps a phase to save on."""
    square = all(k % s == 0 and 2 <= k // s <= 3 for k, s in zip(geometry.kernel_hw, geometry.stride, strict=True))
    return square and geometry.dilation == (1, 1)


# ---- transforms: each is a product with a small matrix along rows, then along columns --------


def to_points(image: np.ndarray, rows: Lens, cols: Lens, points: np.ndarray) -> None:
    """image (N, H, W, C) -> points (P Q, N, s, s', C)"""
    n_all, height, width, channels = image.shape
    p, s = len(rows.matrices[0]), points.shape[2]

    def task(index: int) -> None:
        n = slice(index * step, min((index + 1) * step, n_all))
        x = image[n]
        half = scratch.local("half", (len(x), s, p, width, channels), x.dtype)
        for phase, (matrix, part) in enumerate(zip(rows.matrices, rows.slices, strict=True)):
            some = x[:, part]
            np.matmul(matrix, _flat(some), out=_flat(half[:, phase]))
        for some, out in _matching(half, points[:, n], rows.groups):
            for phase, (matrix, part) in enumerate(zip(cols.matrices, cols.slices, strict=True)):
                np.matmul(matrix, some[..., part, :], out=out[phase])

    step = even_step(n_all, TILE_BYTES // (height * width * channels * image.itemsize))
    threads.run(task, -(-n_all // step), image.nbytes + points.nbytes)


def from_points(points: np.ndarray, rows: Lens, cols: Lens, image: np.ndarray) -> None:
    """The adjoint of ``to_points``: points (P Q, N, s, s', C) -> image (N, H, W, C)"""
    n_all, height, width, channels = image.shape
    p, s = len(rows.matrices[0]), points.shape[2]

    def task(index: int) -> None:
        n = slice(index * step, min((index + 1) * step, n_all))
        x = image[n]
        half = scratch.local("half", (len(x), s, p, width, channels), x.dtype)
        for out, some in _matching(half, points[:, n], rows.groups):
            for phase, (matrix, part) in enumerate(zip(cols.matrices, cols.slices, strict=True)):
                np.matmul(matrix.T, some[phase], out=out[..., part, :])
        for phase, (matrix, part) in enumerate(zip(rows.matrices, rows.slices, strict=True)):
            np.matmul(matrix.T, _flat(half[:, phase]), out=_flat(x[:, part]))

    step = even_step(n_all, TILE_BYTES // (height * width * channels * image.itemsize))
    threads.run(task, -(-n_all // step), image.nbytes + points.nbytes)


def even_step(count: int, most: int) -> int:
    """At most ``most`` at a time (but one at least), in an even number of equal parts, for two threads to share."""
    parts = -(-count // max(1, most))
    return -(-count // (parts + parts % 2))


def _matching(half: np.ndarray, points: np.ndarray, groups: tuple[slice, ...]):
    """Views of half (N, s, P, W, C) as (N, s, G, T, W, C) and of points as (s', N, s, G, T, Q, C): a pair for each run
    of G groups that are equally long, T. In memory the Q columns come before the T rows that lie together: (G, Q, T).
    """
    q = len(points) // half.shape[2]
    for together, alike in groupby(groups, key=lambda group: group.stop - group.start):
        run = list(alike)
        rows = slice(run[0].start, run[-1].stop)
        some = half[:, :, rows].reshape(*half.shape[:2], -1, together, *half.shape[3:])
        out = points[rows.start * q : rows.stop * q].reshape(-1, q, together, *points.shape[1:])
        yield some, out.transpose(5, 3, 4, 0, 2, 1, 6)


def _flat(x: np.ndarray) -> np.ndarray:
    """(N, H, W, C) -> (N, H, W C), a view"""
    return x.reshape(*x.shape[:2], -1)


class Transforms(NamedTuple):
    """``to_points`` and ``from_points``, or faster ones that do the same."""

    to_points: Callable[..., None]
    from_points: Callable[..., None]


PLAIN = Transforms(to_points, from_points)


# ---- the three kernels -----------------------------------------------------------------------

Kept = dict[tuple[Lens, Lens], np.ndarray]  # the transforms of one operand, by the lenses they were made with
Points = AbstractContextManager[np.ndarray]
KEEP_BYTES = 32 << 20  # of a transform; a larger one is made again by whoever needs it, which takes some 5 % longer,
# and a residual network of 32 pixels and 128 channels a fifth less memory


def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    geometry: ConvGeometry,
    tile: int,
    of_x: Kept,
    of_w: Kept,
    transforms: Transforms = PLAIN,
) -> None:
    """x (N, H, W, C), w (F, kh, kw, C) -> y (N, oh, ow, F)"""
    plan = Plan.make(geometry, tile, x.dtype)
    with (
        _x_points(x, plan, of_x, transforms) as v,
        _w_points(w, plan, of_w, transforms) as u,
        scratch.borrow((*v.shape[:2], 1, 1, len(w)), x.dtype) as m,
    ):
        tasks = plan.pieces(len(x))

        def task(index: int) -> None:
            kind, rows = tasks[index]
            np.matmul(_matrix(v)[rows], _matrix(u[kind]).T, out=_matrix(m)[rows])

        threads.run(task, len(tasks))
        transforms.from_points(m, plan.rows.y, plan.cols.y, y)


def conv2d_input(
    g: np.ndarray,
    w: np.ndarray,
    x: np.ndarray,
    geometry: ConvGeometry,
    tile: int,
    of_g: Kept,
    of_w: Kept,
    transforms: Transforms = PLAIN,
) -> None:
    """g (N, oh, ow, F), w (F, kh, kw, C) -> x (N, H, W, C)"""
    plan = Plan.make(geometry, tile, g.dtype)
    with (
        _g_points(g, plan, of_g, transforms) as s,
        _w_points(w, plan, of_w, transforms) as u,
        scratch.borrow((*s.shape[:2], *u.shape[2:]), g.dtype) as dv,
    ):
        tasks = plan.pieces(len(g))

        def task(index: int) -> None:
            kind, rows = tasks[index]
            np.matmul(_matrix(s)[rows], _matrix(u[kind]), out=_matrix(dv)[rows])

        threads.run(task, len(tasks))
        transforms.from_points(dv, plan.rows.x, plan.cols.x, x)


def conv2d_weight(
    x: np.ndarray,
    g: np.ndarray,
    w: np.ndarray,
    geometry: ConvGeometry,
    tile: int,
    of_x: Kept,
    of_g: Kept,
    transforms: Transforms = PLAIN,
) -> None:
    """x (N, H, W, C), g (N, oh, ow, F) -> w (F, kh, kw, C)"""
    plan = Plan.make(geometry, tile, x.dtype)
    with (
        _x_points(x, plan, of_x, transforms) as v,
        _g_points(g, plan, of_g, transforms) as s,
        scratch.borrow((math.prod(plan.kinds), len(w), *v.shape[2:]), x.dtype) as du,
    ):
        *whole, last = ((kind, rows, slice(None)) for kind, rows in plan.products(len(x)))
        halves = slice(None, len(w) // 2), slice(len(w) // 2, None)  # of the last one, so that two threads end together
        tasks = [*whole, *((*last[:2], half) for half in halves)]

        def task(index: int) -> None:
            kind, rows, filters = tasks[index]
            np.matmul(_matrix(s)[rows, filters].T, _matrix(v)[rows], out=_matrix(du[kind])[filters])

        threads.run(task, len(tasks))
        transforms.from_points(du, plan.rows.w, plan.cols.w, w)


def _matrix(points: np.ndarray) -> np.ndarray:
    """(..., s, s', C) -> (rows, s s' C), a view"""
    return points.reshape(-1, points.shape[-3] * points.shape[-2] * points.shape[-1])


def _x_points(x: np.ndarray, plan: Plan, kept: Kept, transforms: Transforms) -> Points:
    shape = (math.prod(plan.points), len(x), *plan.phases, x.shape[-1])
    return _points(x, kept, shape, plan.rows.x, plan.cols.x, transforms)


def _w_points(w: np.ndarray, plan: Plan, kept: Kept, transforms: Transforms) -> Points:
    shape = (math.prod(plan.kinds), len(w), *plan.phases, w.shape[-1])
    return _points(w, kept, shape, plan.rows.w, plan.cols.w, transforms)


def _g_points(g: np.ndarray, plan: Plan, kept: Kept, transforms: Transforms) -> Points:
    shape = (math.prod(plan.points), len(g), 1, 1, g.shape[-1])
    return _points(g, kept, shape, plan.rows.y, plan.cols.y, transforms)


@contextmanager
def _points(
    image: np.ndarray, kept: Kept, shape: tuple[int, ...], rows: Lens, cols: Lens, transforms: Transforms
) -> Iterator[np.ndarray]:
    """The transform of an operand: what an earlier kernel kept of it, else made now, and kept unless it is large."""
    points = kept.get((rows, cols))
    if points is not None:
        yield points
    elif math.prod(shape) * image.itemsize <= KEEP_BYTES:
        points = kept[rows, cols] = np.empty(shape, image.dtype)
        transforms.to_points(image, rows, cols, points)
        yield points
    else:
        with scratch.borrow(shape, image.dtype) as points:
            transforms.to_points(image, rows, cols, points)
            yield points
