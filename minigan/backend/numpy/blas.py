"""The BLAS that NumPy runs on: its product, and its number of threads.

BLAS threads and Python threads must not be mixed: OpenBLAS's workers keep spinning for a while after each product
and take the processor from ours. So BLAS is held at one thread while the pool works, and then gets its own number
back.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

_lock = threading.Lock()
_holders = 0  # how many callers hold BLAS at one thread right now
_saved: list[int] = []


def gemm(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a b, of any two arrays that NumPy multiplies as matrices.

    Without the warning of invalid values, of which BLAS knows nothing: OpenBLAS's AVX-512 kernel of a matrix of five
    columns times a vector also works on what an earlier function left in its registers, and drops the result. Where
    that was a signalling NaN, NumPy warned of a right product. A NaN that is true stands in the result.
    """
    with np.errstate(invalid="ignore"):
        return np.matmul(a, b, out=out)


@cache
def libraries() -> list[Any]:
    """Handles of the BLAS that NumPy uses; empty when it cannot be controlled (threadpoolctl missing, Accelerate)."""
    try:
        import threadpoolctl
    except ImportError:
        return []
    found = [c for c in threadpoolctl.ThreadpoolController().lib_controllers if c.user_api == "blas"]
    return [c for c in found if "numpy.libs" in c.filepath] or found


@contextmanager
def single_threaded():
    """Hold BLAS at one thread. Callers may nest and overlap: the first saves the number, the last restores it."""
    global _holders, _saved
    handles = libraries()
    with _lock:
        if _holders == 0:
            _saved = [library.get_num_threads() for library in handles]
            for library in handles:
                library.set_num_threads(1)
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                for library, count in zip(handles, _saved, strict=True):
                    library.set_num_threads(count)


def _forget_holders() -> None:
    """In a forked child the threads that held BLAS are gone."""
    global _lock, _holders
    _lock = threading.Lock()
    if _holders:
        _holders = 0
        for library, count in zip(libraries(), _saved, strict=True):
            library.set_num_threads(count)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_holders)
