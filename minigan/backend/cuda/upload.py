"""Batches on their way to the device while it computes: from pinned memory, on a stream of their own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import Array
from .graph import view

if TYPE_CHECKING:
    from ..cupy_backend import CupyBackend

UNDER_WAY = 8  # copies at most, each from a piece of pinned memory


class Uploads:
    """Copies that may be begun in any thread. Pinned memory is used again when the copy from it has ended."""

    def __init__(self, backend: CupyBackend) -> None:
        self.backend, self._stream = backend, backend.xp.cuda.Stream(non_blocking=True)
        self._busy: deque[tuple[Any, np.ndarray]] = deque()
        self._lock = threading.Lock()

    def start(self, arrays: Sequence[np.ndarray]) -> Callable[[], tuple[Array, ...]]:
        """Begin to copy. What is returned makes the current stream wait for the copies, and returns them."""
        cuda = self.backend.xp.cuda
        with self._lock:
            copies = tuple(self._copy(array) for array in arrays)
            ended = self._stream.record(cuda.Event(disable_timing=True))

        def finish() -> tuple[Array, ...]:
            cuda.get_current_stream().wait_event(ended)
            return copies

        return finish

    def _copy(self, array: np.ndarray) -> Array:
        cuda = self.backend.xp.cuda
        host = self._pinned(array.nbytes)
        view(host[: array.nbytes], array.shape, array.dtype)[...] = array
        copy = self.backend.empty(array.shape, array.dtype)
        # Its memory may have been another array's until just now, which kernels under way still read.
        self._stream.wait_event(cuda.get_current_stream().record(cuda.Event(disable_timing=True)))
        copy.data.copy_from_host_async(host.ctypes.data, array.nbytes, self._stream)
        self._busy.append((self._stream.record(cuda.Event(disable_timing=True)), host))
        return copy

    def _pinned(self, size: int) -> np.ndarray:
        """Pinned memory that nothing is copied from."""
        if len(self._busy) >= UNDER_WAY:
            ended, host = self._busy.popleft()
            ended.synchronize()
            if host.nbytes >= size:
                return host
        memory = self.backend.xp.cuda.alloc_pinned_memory(max(size, 1))
        return np.frombuffer(memory, np.uint8, max(size, 1))
