"""The windows of an image side by side, and their adjoint, as loops."""

from __future__ import annotations

import numpy as np

from ..geometry import ConvGeometry
from ..numpy import im2col, scratch, threads
from ..numpy.im2col import Window
from .compile import compiled

THIN = 4  # channels; a run of fewer numbers is copied faster by NumPy


@compiled
def gather(image, top, left, si, sj, di, dj, oh, ow, columns):
    """columns[n i j, a, b, c] = image[n, top + si i + di a, left + sj j + dj b, c], zero outside the image"""
    N, H, W, C = image.shape
    _, kh, kw, _ = columns.shape
    row = 0
    for n in range(N):
        for i in range(oh):
            for j in range(ow):
                for a in range(kh):
                    h = top + si * i + di * a
                    for b in range(kw):
                        w = left + sj * j + dj * b
                        if 0 <= h < H and 0 <= w < W:
                            for c in range(C):
                                columns[row, a, b, c] = image[n, h, w, c]
                        else:
                            for c in range(C):
                                columns[row, a, b, c] = 0
                row += 1


@compiled
def scatter(columns, si, sj, di, dj, top, left, image):
    """image[n, top + si i + di a, left + sj j + dj b, c] += columns[n, i, j, a, b, c] for what is inside the image"""
    N, H, W, C = image.shape
    _, oh, ow, kh, kw, _ = columns.shape
    image[:] = 0
    for n in range(N):
        for i in range(oh):
            for a in range(kh):
                h = top + si * i + di * a
                if 0 <= h < H:
                    for j in range(ow):
                        for b in range(kw):
                            w = left + sj * j + dj * b
                            if 0 <= w < W:
                                for c in range(C):
                                    image[n, h, w, c] += columns[n, i, j, a, b, c]


# ---- who calls them ------------------------------------------------------------------------------


def columns(image: np.ndarray, window: Window, n: slice, i: slice) -> np.ndarray:
    """The windows of samples n at output rows i, side by side in scratch: (rows, kh kw C)."""
    image = image[n]
    samples, *_, channels = image.shape
    if channels < THIN:
        return im2col.columns(image, window, slice(None), i)
    oh, ow = i.stop - i.start, window.out[1]
    top = window.offset[0] + window.stride[0] * i.start
    found = scratch.local("columns", (samples * oh * ow, *window.size, channels), image.dtype)
    gather(image, top, window.offset[1], *window.stride, *window.dilation, oh, ow, found)
    return found.reshape(len(found), -1)


def col2im(g: np.ndarray, w: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> None:
    """The input gradient with few channels: cols = g w, scattered into x."""
    matrix, (oh, ow) = w.reshape(len(w), -1), geometry.out_hw
    top, left = (-p for p in geometry.padding)
    starts, step = im2col.col2im_starts(g, matrix.shape[1])

    def task(index: int) -> None:
        n = slice(starts[index], min(starts[index] + step, len(g)))
        rows = g[n].reshape(-1, len(w))
        cols = scratch.local("columns", (len(rows), matrix.shape[1]), g.dtype)
        np.matmul(rows, matrix, out=cols)
        windows = cols.reshape(-1, oh, ow, *w.shape[1:])
        scatter(windows, *geometry.stride, *geometry.dilation, top, left, x[n])

    threads.run(task, len(starts), cost=g.size * matrix.shape[1] / 8)
