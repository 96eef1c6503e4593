"""What this machine can do at best: the fastest of a few large matrix products, and of a few large copies."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from .. import backend as backends

SIZE = 1024  # of the matrices: 2 GFLOP a product
COPIED = 2**26  # bytes of the array that is copied: no cache holds it
TRIES = 5


class Peak(NamedTuple):
    gflops_per_second: float  # float32
    gbytes_per_second: float  # read and written


@cache
def measure_peak(backend: str = "numpy") -> Peak:
    """Takes about a quarter of a second on a CPU, once a process."""
    place = backends.get(backend)
    a = place.asarray(np.full((SIZE, SIZE), 0.5, np.float32))
    long = place.asarray(np.zeros(COPIED // 4, np.float32))
    into = place.xp.empty_like(long)
    product = _fastest(lambda: place.xp.matmul(a, a), place.synchronize)
    copy = _fastest(lambda: place.xp.copyto(into, long), place.synchronize)
    return Peak(2 * SIZE**3 / product / 1e9, 2 * COPIED / copy / 1e9)


def _fastest(run: Callable[[], object], wait: Callable[[], None]) -> float:
    """Seconds of the best try; the first ones warm up."""
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        run()
        wait()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
