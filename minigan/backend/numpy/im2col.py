"""Convolution as a matrix product, a cache-sized tile at a time. Works for every geometry.

    y[n,i,j,f] = sum_{a,b,c} x[n, s i + d a - p, s j + d b - p, c] w[f,a,b,c]

**Slow:** kh kw products, one a tap, each reading all of x and adding to all of y (the reference backend).
**Better:** write the windows of x side by side, cols (N oh ow, kh kw C); then y = cols w^T is *one* product. In
channels-last memory a window's row is one run of kw C numbers, so the copy is quick. But cols is kh kw / s^2 times
as large as x, and travels to memory and back.
**Here:** make the columns of a few samples, multiply while they are still in cache, go on. Tiles are independent,
so threads share them out.

The input gradient is a convolution too. Of stride s it usually adds up overlapping windows (col2im: scattered
writes). Look instead at the rows h of x with the same phase (h + p) mod s: they meet the same taps of w, always the
same ones. So each of the s s' phases is a stride-1 convolution of g with its own part of w: gathered like the
forward, nothing is added up in memory. Only with few channels (images) is col2im the cheaper: its columns are then
small.

The weight gradient is g^T cols, summed over tiles: into a fixed number of partial sums, added in order. Of a small
batch the sums would be larger than what is summed. So its weight is cut by rows of taps instead: each is one product
of g^T with what these taps see of all images, and nothing is left to add.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..geometry import ConvGeometry, Pair
from . import scratch, threads
from .blas import gemm

TILE_BYTES = 1_200_000  # of columns at a time, but
TILE_ROWS = 512  # at least, so that w, which BLAS reads anew for every tile, is worth reading
SHORT_ROWS = 2048  # of a few numbers each, next to the pixels: fewer are not worth waking a thread for
FEW_ROWS = 1024  # of columns up to which a weight gradient is cut by taps
PARTIALS = 8  # partial sums of a weight gradient, so at most so many threads work on it
THIN = 4  # channels up to which the input gradient goes by col2im

Columns = Callable[..., np.ndarray]  # ``columns`` of below, or a faster function that does the same
Col2im = Callable[[np.ndarray, np.ndarray, np.ndarray, ConvGeometry], None]  # the same of ``col2im``


def conv2d(x: np.ndarray, w: np.ndarray, y: np.ndarray, geometry: ConvGeometry, columns: Columns) -> None:
    """x (N, H, W, C), w (F, kh, kw, C) -> y (N, oh, ow, F)"""
    matrix = w.reshape(len(w), -1).T
    if is_product(geometry):
        return product(x.reshape(-1, len(matrix)), matrix, y.reshape(-1, len(w)))
    window = Window.forward(geometry)
    tiles = _tiles(len(x), geometry.out_hw, x.itemsize * len(matrix))

    def task(index: int) -> None:
        n, i = tiles[index]
        gemm(columns(x, window, n, i), matrix, out=y[n, i].reshape(-1, len(w)))

    threads.run(task, len(tiles), cost=y.size * len(matrix) / 8)


def conv2d_input(
    g: np.ndarray, w: np.ndarray, x: np.ndarray, geometry: ConvGeometry, columns: Columns, col2im: Col2im
) -> None:
    """g (N, oh, ow, F), w (F, kh, kw, C) -> x (N, H, W, C)"""
    if is_product(geometry):
        matrix = w.reshape(len(w), -1)
        return product(g.reshape(-1, len(w)), matrix, x.reshape(-1, matrix.shape[1]))
    if x.shape[-1] <= THIN:
        return col2im(g, w, x, geometry)
    turned, tiles = [], []
    for window, h, v, taps_h, taps_v in Window.phases(geometry):
        part = x[:, h, v]
        if not taps_h or not taps_v or part.size == 0:
            part[...] = 0
            continue
        # (taps_h, taps_v, F, C): the taps of this phase, in the order in which its windows of g see them
        matrix = np.empty((len(taps_h), len(taps_v), len(w), w.shape[-1]), w.dtype)
        turned += [(matrix[i, j], w[:, a, b]) for i, a in enumerate(taps_h) for j, b in enumerate(taps_v)]
        matrix = matrix.reshape(-1, w.shape[-1])
        tiles += [(window, part, matrix, *tile) for tile in _tiles(len(g), part.shape[1:3], g.itemsize * len(matrix))]

    def turn(index: int) -> None:
        np.copyto(*turned[index])

    def task(index: int) -> None:
        window, part, matrix, n, i = tiles[index]
        cols = columns(g, window, n, i)
        out = scratch.local("product", (len(cols), matrix.shape[1]), g.dtype)
        gemm(cols, matrix, out=out)
        part[n, i] = out.reshape(part[n, i].shape)

    threads.run(turn, len(turned), cost=8 * w.size)
    threads.run(task, len(tiles), cost=g.size * w[0].size / 8)


def conv2d_weight(x: np.ndarray, g: np.ndarray, w: np.ndarray, geometry: ConvGeometry, columns: Columns) -> None:
    """x (N, H, W, C), g (N, oh, ow, F) -> w (F, kh, kw, C)"""
    direct = is_product(geometry)
    few = len(x) * math.prod(geometry.out_hw) <= FEW_ROWS
    if few and not direct and x.shape[-1] > THIN and geometry.kernel_hw[0] > 1:
        return _weight_by_taps(x, g, w, geometry, columns)
    matrix = w.reshape(len(w), -1)
    window = Window.forward(geometry)
    row_bytes = x.itemsize * matrix.shape[1]
    tiles = _tiles(len(x), geometry.out_hw, row_bytes)
    chunks = [tiles[len(tiles) * c // PARTIALS : len(tiles) * (c + 1) // PARTIALS] for c in range(PARTIALS)]
    chunks = [chunk for chunk in chunks if chunk]

    whole = geometry.out_hw == (1, 1)  # one window, which is all of x
    with scratch.borrow((len(chunks), *matrix.shape), w.dtype) as partials:

        def task(index: int) -> None:
            total = partials[index]
            for k, (n, i) in enumerate(chunks[index]):
                part = x[n] if whole else x[n, i]
                cols = part.reshape(-1, matrix.shape[1]) if direct else columns(x, window, n, i)
                rows = g[n, i].reshape(-1, len(w))
                if k == 0:
                    gemm(rows.T, cols, out=total)
                else:
                    out = scratch.local("product", total.shape, total.dtype)
                    gemm(rows.T, cols, out=out)
                    total += out

        threads.run(task, len(chunks), cost=g.size * matrix.shape[1] / 8)
        np.sum(partials, axis=0, out=matrix)


def _weight_by_taps(x: np.ndarray, g: np.ndarray, w: np.ndarray, geometry: ConvGeometry, columns: Columns) -> None:
    """A product for each row of taps."""
    kh, kw = geometry.kernel_hw
    (p, q), (down, _) = geometry.padding, geometry.dilation
    rows, out = g.reshape(-1, len(w)).T, w.reshape(len(w), kh, -1)

    def task(a: int) -> None:
        window = Window((down * a - p, -q), geometry.stride, geometry.dilation, (1, kw), geometry.out_hw)
        gemm(rows, columns(x, window, slice(0, len(x)), slice(0, geometry.out_hw[0])), out=out[:, a])

    threads.run(task, kh, cost=g.size * w[0].size / 8)


def is_product(geometry: ConvGeometry) -> bool:
    """Whether the columns are x itself: 1x1 kernels, or one window that covers the whole input."""
    if geometry.padding != (0, 0):
        return False
    covered = geometry.kernel_hw == geometry.in_hw and geometry.dilation == (1, 1)
    return covered or (geometry.kernel_hw == (1, 1) and geometry.stride == (1, 1))


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a b for matrices, cut along the longer side of out: at most 16 blocks, each of 15 Mflop or 2 MB."""
    rows, cols = out.shape
    down = rows >= cols
    length = max(rows, cols)
    worth = max(2 * a.shape[1] * out.size // 15_000_000, (a.nbytes + b.nbytes + out.nbytes) // 2_000_000)
    step = -(-length // max(1, min(16, length // 64, worth - worth % 2)))  # an even number, for two threads
    blocks = [slice(start, start + step) for start in range(0, length, step)]

    def task(index: int) -> None:
        block = blocks[index]
        if down:
            gemm(a[block], b, out=out[block])
        else:
            gemm(a, b[:, block], out=out[:, block])

    threads.run(task, len(blocks), cost=a.shape[1] * out.size / 8)


# ---- windows ---------------------------------------------------------------------------------


class Window:
    """Element (i, j, a, b) of a window is image[offset + stride * i + dilation * a, ...], zero outside the image."""

    def __init__(self, offset: Pair, stride: Pair, dilation: Pair, size: Pair, out: Pair) -> None:
        self.offset, self.stride, self.dilation, self.size, self.out = offset, stride, dilation, size, out

    @classmethod
    def forward(cls, geometry: ConvGeometry) -> Window:
        p, q = geometry.padding
        return cls((-p, -q), geometry.stride, geometry.dilation, geometry.kernel_hw, geometry.out_hw)

    @classmethod
    def phases(cls, geometry: ConvGeometry):
        """For each phase of x's rows and columns: the window over g, the slices of x it fills, and its taps of w."""
        parts = zip(
            geometry.in_hw, geometry.kernel_hw, geometry.stride, geometry.padding, geometry.dilation, strict=True
        )
        rows, cols = (list(_axis_phases(*part)) for part in parts)
        for h, taps_h, offset_h, step_h, length_h in rows:
            for v, taps_v, offset_v, step_v, length_v in cols:
                size = len(taps_h), len(taps_v)
                window = cls((offset_h, offset_v), (1, 1), (step_h, step_v), size, (length_h, length_v))
                yield window, h, v, taps_h, taps_v


def _axis_phases(size: int, kernel: int, stride: int, padding: int, dilation: int):
    """Row h of x meets tap a at row (h + p - d a) / s of g, when that is whole. Phases start at h = 0 ... s - 1."""
    for first in range(min(stride, size)):
        taps = [a for a in reversed(range(kernel)) if (first + padding - dilation * a) % stride == 0]
        rows = [(first + padding - dilation * a) // stride for a in taps]  # of g, for h = first; evenly spaced
        step = rows[1] - rows[0] if len(rows) > 1 else 1
        yield slice(first, None, stride), taps, rows[0] if rows else 0, step, len(range(first, size, stride))


def columns(image: np.ndarray, window: Window, n: slice, i: slice) -> np.ndarray:
    """The windows of samples n at output rows i, side by side in scratch: (rows, kh kw C)."""
    image = image[n]
    samples, height, width, channels = image.shape
    (si, sj), (da, db), (kh, kw) = window.stride, window.dilation, window.size
    oh, ow = i.stop - i.start, window.out[1]
    top, left = window.offset[0] + si * i.start, window.offset[1]
    span_h, span_w = si * (oh - 1) + da * (kh - 1) + 1, sj * (ow - 1) + db * (kw - 1) + 1
    if top < 0 or left < 0 or top + span_h > height or left + span_w > width:
        padded = scratch.local("padded", (samples, span_h, span_w, channels), image.dtype)
        padded[...] = 0
        here_h, there_h = _overlap(top, span_h, height)
        here_w, there_w = _overlap(left, span_w, width)
        padded[:, here_h, here_w] = image[:, there_h, there_w]
    else:
        padded = image[:, top : top + span_h, left : left + span_w]
    sn, sh, sw, sc = padded.strides
    shape = (samples, oh, ow, kh, kw, channels)
    windows = as_strided(padded, shape, (sn, sh * si, sw * sj, sh * da, sw * db, sc))
    cols = scratch.local("columns", shape, image.dtype)
    np.copyto(cols, windows)
    return cols.reshape(samples * oh * ow, kh * kw * channels)


def _overlap(start: int, span: int, size: int) -> tuple[slice, slice]:
    """The part of [start, start + span) that lies in [0, size): within the span, and within the size."""
    low, high = min(max(start, 0), size), max(min(start + span, size), 0)
    high = max(low, high)
    return slice(low - start, high - start), slice(low, high)


def _tiles(samples: int, out: Pair, row_bytes: int) -> list[tuple[slice, slice]]:
    """Slices of samples and of output rows whose columns fit the cache. They depend on the shapes alone."""
    oh, ow = out
    share = -(-samples * oh * ow // 4)  # some tiles for every thread
    rows = max(min(TILE_BYTES // row_bytes, max(share, SHORT_ROWS)), min(TILE_ROWS, max(share, 128)))
    if rows >= oh * ow:
        n = rows // (oh * ow)
        n = math.ceil(samples / math.ceil(samples / n))  # even tiles
        return [(slice(k, min(k + n, samples)), slice(0, oh)) for k in range(0, samples, n)]
    band = max(1, rows // ow)
    return [(slice(k, k + 1), slice(i, min(i + band, oh))) for k in range(samples) for i in range(0, oh, band)]


def col2im(g: np.ndarray, w: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> None:
    """The input gradient with few channels: cols = w^T g, then every tap's plane added where it belongs."""
    kh, kw, channels = w.shape[1:]
    (ph, pw), (height, width) = geometry.padding, geometry.in_hw
    padded_h, padded_w = geometry.padded_hw
    oh, ow = geometry.out_hw
    matrix = w.reshape(len(w), -1)
    starts, step = col2im_starts(g, matrix.shape[1])

    def task(index: int) -> None:
        n = slice(starts[index], min(starts[index] + step, len(g)))
        samples = n.stop - n.start
        cols = scratch.local("columns", (kh, kw, channels, samples, oh, ow), g.dtype)
        gemm(matrix.T, g[n].reshape(-1, len(w)).T, out=cols.reshape(matrix.shape[1], -1))
        padded = scratch.local("padded", (channels, samples, padded_h, padded_w), g.dtype)
        padded[...] = 0
        for a, b, rows, columns_ in geometry.taps():
            padded[:, :, rows, columns_] += cols[a, b]
        x[n] = padded[:, :, ph : ph + height, pw : pw + width].transpose(1, 2, 3, 0)

    threads.run(task, len(starts), cost=g.size * matrix.shape[1] / 8)


def col2im_starts(g: np.ndarray, columns: int) -> tuple[range, int]:
    """The first samples of tiles whose g and columns fit the cache, and how many a tile has."""
    _, oh, ow, features = g.shape
    step = max(1, TILE_BYTES // (g.itemsize * oh * ow * max(features, columns)))
    return range(0, len(g), step), step
