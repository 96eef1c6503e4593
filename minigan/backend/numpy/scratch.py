"""Memory that is used again.

A large NumPy array is mapped afresh by the system and zeroed page by page on first touch, which costs more than many
kernels do: a third of the processor time of a DCGAN-64 step. So each thread keeps its tile buffers, the few large
buffers that a kernel needs for a moment are borrowed and handed back, and within ``keep_freed_memory`` the C library
keeps what is freed for the next array instead of returning it to the system.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import threading
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import numpy as np

LIMIT = 64 << 20  # bytes of idle large buffers that are kept at most

_local = threading.local()
_lock = threading.Lock()
_idle: list[np.ndarray] = []


class _Buffers(dict[str, np.ndarray]):
    """One thread's buffers; gone with the thread."""

    __hash__ = object.__hash__  # type: ignore[assignment]


_all_buffers: WeakSet[_Buffers] = WeakSet()


def local(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """This thread's buffer ``name``, uninitialised. Its content is valid until the thread asks for ``name`` again."""
    buffers = _local.__dict__.get("buffers")
    if buffers is None:
        buffers = _local.buffers = _Buffers()
        with _lock:
            _all_buffers.add(buffers)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = buffers.get(name)
    if buffer is None or buffer.size < size:
        buffer = buffers[name] = np.empty(size, np.uint8)
    return buffer[:size].view(dtype).reshape(shape)


@contextmanager
def borrow(shape: tuple[int, ...], dtype: Any):
    """A large uninitialised buffer for the duration of a ``with`` block."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with _lock:
        fitting = [i for i, buffer in enumerate(_idle) if size <= buffer.size <= 2 * size]
        buffer = _idle.pop(min(fitting, key=lambda i: _idle[i].size)) if fitting else None
    if buffer is None:
        buffer = np.empty(size, np.uint8)
    try:
        yield buffer[:size].view(dtype).reshape(shape)
    finally:
        with _lock:
            _idle.append(buffer)
            while sum(b.size for b in _idle) > LIMIT:
                _idle.pop(0)


def scratch_bytes() -> int:
    """Bytes held in buffers by all threads."""
    with _lock:
        held = [buffer for buffers in _all_buffers for buffer in list(buffers.values())]
        return sum(buffer.size for buffer in held + _idle)


def clear() -> None:
    """Free every buffer that no kernel is using."""
    with _lock:
        _idle.clear()
        for buffers in _all_buffers:
            buffers.clear()


TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt
USUAL = 128 << 10  # glibc's own value of both
LARGEST = 2**31 - 1

_keepers = 0


class keep_freed_memory:  # noqa: N801 (used as "with keep_freed_memory():")
    """Within this context glibc's malloc serves large arrays from its heap and does not give the heap back.

    It is a setting of the whole process, so importing minigan does not change it: a run asks for it (``runs.Run``), and
    so may a training loop of your own. At the end what is free goes back to the system. Other C libraries are left
    alone, and so is one that the user has tuned through the environment.
    """

    def __enter__(self) -> None:
        global _keepers
        with _lock:
            _keepers += 1
            if _keepers == 1:
                _set_thresholds(LARGEST)

    def __exit__(self, *_: object) -> None:
        global _keepers
        with _lock:
            _keepers -= 1
            if _keepers == 0:
                _set_thresholds(USUAL)


def _set_thresholds(size: int) -> None:
    tuned = any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if platform.libc_ver()[0] != "glibc" or tuned:
        return
    try:
        library = ctypes.CDLL(None)
        mallopt, trim = library.mallopt, library.malloc_trim
    except (OSError, AttributeError):
        return
    # An old glibc (before 2.35) takes 32 MB at most. Without a threshold of ours its own one must go on adapting.
    if mallopt(MMAP_THRESHOLD, size) or mallopt(MMAP_THRESHOLD, 32 << 20):
        mallopt(TRIM_THRESHOLD, size)
    if size == USUAL:
        trim(0)


if hasattr(os, "register_at_fork"):

    def _after_fork() -> None:
        global _lock
        _lock = threading.Lock()

    os.register_at_fork(after_in_child=_after_fork)
