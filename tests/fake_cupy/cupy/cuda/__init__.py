# ruff: noqa: F401 (these names are the module)
"""A device that is the CPU. Kernels are done when they are launched; copies from pinned memory may be done later.

A stream that is told to ``_dawdle`` puts its copies off until somebody waits for it, as a real one may: who forgets to
wait reads what was there before.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

from .. import _capture, _memory
from .._memory import MemoryPool, UnownedMemory, alloc, alloc_pinned_memory, set_allocator, using_allocator
from . import compiler, graph, memory, runtime
from .graph import Graph
from .memory import MemoryPointer


class Device:
    def __init__(self, device: int | None = None) -> None:
        self.id = device or 0

    compute_capability = "90"
    mem_info = property(lambda self: runtime.memGetInfo())

    def synchronize(self) -> None:
        _capture.forbid("to wait for the device")
        for stream in list(Stream._dawdlers):
            stream._flush()


class Stream:
    _dawdle = False  # of streams that are made from now on, when a test says so
    _dawdlers: list[Stream] = []  # noqa: RUF012

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr = 0 if null else id(self)
        self._put_off: list[Callable[[], Any]] = []
        self._dawdles = Stream._dawdle
        if self._dawdles:
            Stream._dawdlers.append(self)

    def _later(self, work: Callable[[], Any]) -> None:
        if self._dawdles:
            self._put_off.append(work)
        else:
            work()

    def _flush(self) -> None:
        while self._put_off:
            self._put_off.pop(0)()

    def __enter__(self) -> Stream:
        _streams.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        _streams.pop()

    def synchronize(self) -> None:
        _capture.forbid("to wait for a stream")
        self._flush()

    def wait_event(self, event: Event) -> None:
        event._happen()  # kernels run when they are launched: what they wait for must have happened before

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def begin_capture(self, mode: int | None = None) -> None:
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        _capture.begin()

    def end_capture(self) -> Graph:
        return _capture.end()


class Event:
    _seconds = 0.0

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        self._after: Callable[[], Any] = lambda: None

    def record(self, stream: Stream | None = None) -> None:
        self._seconds = time.perf_counter()
        self._after = (stream or get_current_stream())._flush

    def _happen(self) -> None:
        self._after()

    def synchronize(self) -> None:
        _capture.forbid("to wait for an event")
        self._happen()


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds."""
    return (end_event._seconds - start_event._seconds) * 1000


_streams = [Stream(null=True)]


def get_current_stream() -> Stream:
    return _streams[-1]


def __getattr__(name: str) -> Any:
    if name == "cublas":  # imported late: it compiles
        return importlib.import_module(".cublas", __name__)
    raise AttributeError(name)
