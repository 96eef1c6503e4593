"""Sums over windows and their adjoint, channel by channel, as loops: average pooling and nearest upsampling."""

from __future__ import annotations

import numpy as np

from ..geometry import ConvGeometry
from ..numpy import threads
from .compile import compiled


@compiled
def sum_windows(x, si, sj, di, dj, kh, kw, ph, pw, y, first, last):
    """y[n, i, j, c] = sum_{a,b} x[n, si i + di a - ph, sj j + dj b - pw, c], of samples first ... last - 1"""
    _, H, W, C = x.shape
    _, oh, ow, _ = y.shape
    for n in range(first, last):
        for i in range(oh):
            for j in range(ow):
                for c in range(C):
                    y[n, i, j, c] = 0
                for a in range(kh):
                    for b in range(kw):
                        h, w = si * i + di * a - ph, sj * j + dj * b - pw
                        if 0 <= h < H and 0 <= w < W:
                            for c in range(C):
                                y[n, i, j, c] += x[n, h, w, c]


@compiled
def spread_windows(g, si, sj, di, dj, kh, kw, ph, pw, x, first, last):
    """x[n, si i + di a - ph, sj j + dj b - pw, c] += g[n, i, j, c] for each a, b, of samples first ... last - 1"""
    _, H, W, C = x.shape
    _, oh, ow, _ = g.shape
    for n in range(first, last):
        x[n] = 0
        for i in range(oh):
            for j in range(ow):
                for a in range(kh):
                    for b in range(kw):
                        h, w = si * i + di * a - ph, sj * j + dj * b - pw
                        if 0 <= h < H and 0 <= w < W:
                            for c in range(C):
                                x[n, h, w, c] += g[n, i, j, c]


# ---- who calls them ------------------------------------------------------------------------------


def sum_pool(x: np.ndarray, y: np.ndarray, geometry: ConvGeometry) -> None:
    """x (N, H, W, C) -> y (N, oh, ow, C)"""
    _by_samples(lambda first, last: sum_windows(x, *_numbers(geometry), y, first, last), len(x), x.nbytes)


def spread(g: np.ndarray, x: np.ndarray, geometry: ConvGeometry) -> None:
    """g (N, oh, ow, C) -> x (N, H, W, C)"""
    _by_samples(lambda first, last: spread_windows(g, *_numbers(geometry), x, first, last), len(x), x.nbytes)


def _numbers(geometry: ConvGeometry) -> tuple[int, ...]:
    return *geometry.stride, *geometry.dilation, *geometry.kernel_hw, *geometry.padding


def _by_samples(call, samples: int, cost: float) -> None:
    step = -(-samples // 8)
    threads.run(lambda i: call(i * step, min(samples, (i + 1) * step)), -(-samples // max(1, step)), cost)
