# ruff: noqa: F401 (these names are the module)
"""Streams and events that have always finished already, and a device that is the CPU."""

from __future__ import annotations

import time
from typing import Any

from . import compiler, memory, runtime
from .memory import get_default_memory_pool, set_allocator


class Device:
    def __init__(self, device: int = 0) -> None:
        self.id = device

    compute_capability = "75"
    mem_info = property(lambda self: runtime.memGetInfo())

    def synchronize(self) -> None:
        pass


class Stream:
    def __init__(self, non_blocking: bool = False) -> None:
        pass

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def wait_event(self, event: Event) -> None:
        pass

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event


class Event:
    seconds = 0.0

    def record(self, stream: Stream | None = None) -> None:
        self.seconds = time.perf_counter()

    def synchronize(self) -> None:
        pass


def get_elapsed_time(start: Event, end: Event) -> float:
    """Milliseconds."""
    return (end.seconds - start.seconds) * 1000


_stream = Stream()


def get_current_stream() -> Stream:
    return _stream
