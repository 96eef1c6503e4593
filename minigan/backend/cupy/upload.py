"""Batches on their way to the device while it computes: from pinned memory, on a stream of their own.

They lie in memory that only uploads use. So a copy waits for no more than the last use of the piece that it writes to,
which is some steps ago, and not for the step under way; and a batch that nobody ever asks for may be dropped while its
copy is in flight: whoever gets its memory next is behind it on the same stream.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import Array
from .device import Device
from .graph import view

UNDER_WAY = 8  # copies at most, each from a piece of pinned memory


class Uploads:
    """Copies that may be begun in any thread. Pinned memory is used again when the copy from it has ended."""

    def __init__(self, backend: Device) -> None:
        self.backend, self._stream = backend, backend.xp.cuda.Stream(non_blocking=True)
        self._busy: deque[tuple[Any, np.ndarray]] = deque()
        self._free: list[Buffer] = []
        self._lock = threading.Lock()

    def start(self, arrays: Sequence[np.ndarray]) -> Callable[[], tuple[Array, ...]]:
        """Begin to copy. What is returned makes the current stream wait for the copies, and returns them."""
        cuda = self.backend.xp.cuda
        with self._lock:
            leases = [Lease(self._buffer(array.nbytes), self._free) for array in arrays]
            copies = tuple(self._copy(array, lease) for array, lease in zip(arrays, leases, strict=True))
            ended = self._stream.record(cuda.Event(disable_timing=True))

        def finish() -> tuple[Array, ...]:
            stream = cuda.get_current_stream()
            stream.wait_event(ended)
            for lease in leases:
                lease.used_on(stream, cuda.Event(disable_timing=True))
            leases.clear()
            return copies

        return finish

    def _copy(self, array: np.ndarray, lease: Lease) -> Array:
        xp, buffer = self.backend.xp, lease.buffer
        host = self._pinned(array.nbytes)
        view(host[: array.nbytes], array.shape, array.dtype)[...] = array
        self._stream.wait_event(buffer.idle)
        buffer.memory.copy_from_host_async(host.ctypes.data, array.nbytes, self._stream)
        self._busy.append((self._stream.record(xp.cuda.Event(disable_timing=True)), host))
        memory = xp.cuda.UnownedMemory(buffer.memory.ptr, buffer.size, lease, xp.cuda.Device().id)
        block = xp.ndarray((array.nbytes,), np.uint8, xp.cuda.MemoryPointer(memory, 0))
        return view(block, array.shape, array.dtype)

    def _buffer(self, size: int) -> Buffer:
        """Device memory that no array lies in any more: the smallest that fits and is not twice too large; or new."""
        fitting = [buffer for buffer in self._free if size <= buffer.size <= 2 * size]
        if fitting:
            buffer = min(fitting, key=lambda buffer: buffer.size)
            self._free.remove(buffer)
            return buffer
        cuda, size = self.backend.xp.cuda, max(size, 1)
        memory = cuda.alloc(size)
        # It may have been another array's until just now, which kernels under way still read.
        return Buffer(memory, size, cuda.get_current_stream().record(cuda.Event(disable_timing=True)))

    def _pinned(self, size: int) -> np.ndarray:
        """Pinned memory that nothing is copied from."""
        if len(self._busy) >= UNDER_WAY:
            ended, host = self._busy.popleft()
            ended.synchronize()
            if host.nbytes >= size:
                return host
        memory = self.backend.xp.cuda.alloc_pinned_memory(max(size, 1))
        return np.frombuffer(memory, np.uint8, max(size, 1))


class Buffer:
    """Device memory; ``idle`` is the event after which it may be written to."""

    def __init__(self, memory: Any, size: int, idle: Any) -> None:
        self.memory, self.size, self.idle = memory, size, idle


class Lease:
    """What the array in a buffer, with all of its views, holds on to; the buffer is free when the lease is gone."""

    def __init__(self, buffer: Buffer, free: list[Buffer]) -> None:
        self.buffer, self._free = buffer, free
        self._stream: Any = None

    def used_on(self, stream: Any, idle: Any) -> None:
        """From now on the array is read on ``stream``; ``idle`` will be recorded there when it has been dropped."""
        self._stream, self.buffer.idle = stream, idle

    def __del__(self) -> None:
        if self._stream is not None:
            self._stream.record(self.buffer.idle)
        self._free.append(self.buffer)  # without a lock, which this very thread may hold
