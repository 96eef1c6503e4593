"""What this machine can do at best: the fastest of a few large matrix products, and of a few large copies."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from ... import backend as backends

SIZES = {"cupy": 4096}  # of the matrices: a GPU needs large ones to be busy
SIZE = 768  # elsewhere: 1 GFLOP a product, short enough that other work on the machine spares one of the tries
COPIED = 2**26  # bytes of the array that is copied: no cache holds it
TRIES, ENOUGH = 30, 1.0  # so many, or seconds


class Peak(NamedTuple):
    gflops_per_second: float  # float32
    gbytes_per_second: float  # read and written


@cache
def measure_peak(backend: str = "numpy") -> Peak:
    """Takes about half a second on a CPU, once a process."""
    place = backends.get(backend)
    size = SIZES.get(backend, SIZE)
    a = place.asarray(np.full((size, size), 0.5, np.float32))
    long = place.asarray(np.zeros(COPIED // 4, np.float32))
    into = place.xp.empty_like(long)
    product = _fastest(lambda: place.xp.matmul(a, a), place.synchronize)
    copy = _fastest(lambda: place.xp.copyto(into, long), place.synchronize)
    return Peak(2 * size**3 / product / 1e9, 2 * COPIED / copy / 1e9)


def _fastest(run: Callable[[], object], wait: Callable[[], None]) -> float:
    """Seconds of the best try; the first ones warm up, and what else the machine does slows down some."""
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        run()
        wait()
        seconds.append(time.perf_counter() - start)
        if sum(seconds) > ENOUGH:
            break
    return min(seconds)
