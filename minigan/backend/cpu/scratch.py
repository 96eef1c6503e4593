"""Buffers that are used again.

A large NumPy temporary is mapped afresh by the system and zeroed page by page on first touch, which costs more than
many kernels do. So each thread keeps its tile buffers, and the few large buffers that a kernel needs for a moment
are borrowed and handed back.
"""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from typing import Any

import numpy as np

LIMIT = 256 << 20  # bytes of idle large buffers that are kept at most

_local = threading.local()
_lock = threading.Lock()
_idle: list[np.ndarray] = []
_all_local: dict[int, dict[str, np.ndarray]] = {}  # by thread, for the report


def local(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """This thread's buffer ``name``, uninitialised. Its content is valid until the thread asks for ``name`` again."""
    buffers = _local.__dict__.get("buffers")
    if buffers is None:
        buffers = _local.buffers = {}
        with _lock:
            _all_local[threading.get_ident()] = buffers
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
        held = [buffer for buffers in _all_local.values() for buffer in list(buffers.values())]
        return sum(buffer.size for buffer in held + _idle)


def clear() -> None:
    """Free every buffer that no kernel is using."""
    with _lock:
        _idle.clear()
        for buffers in _all_local.values():
            buffers.clear()
