"""Bookkeeping: every array holds a token for its bytes, which the pool counts. NumPy holds the bytes themselves."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TOTAL = 8 * 2**30


class OutOfMemoryError(MemoryError):
    pass


class Block:
    """A piece of device memory. Somebody may remember it after it was freed."""

    def __init__(self, pool: MemoryPool) -> None:
        self.pool, self.freed = pool, False


class Token:
    def __init__(self, size: int, pool: MemoryPool) -> None:
        self.size, self.pool, self.block = size, pool, Block(pool)
        pool._used += size

    def __del__(self) -> None:
        self.pool._used -= self.size
        self.block.freed = True


class Memory:
    """``cudaMalloc``."""

    def __init__(self, size: int) -> None:
        self.size = size


class MemoryPointer:
    def __init__(self, mem: Any, offset: int, ptr: int = 0) -> None:
        self.mem, self.ptr = mem, ptr + offset

    def copy_from_host_async(self, source: int, size: int, stream: Any = None) -> None:
        from . import graph

        graph.forbid("to copy from the host")
        if not is_pinned(source, size):
            raise ValueError("only pinned memory is copied asynchronously")
        target = self.ptr
        stream.later(lambda: ctypes.memmove(target, source, size))


_pinned: dict[int, int] = {}  # address: bytes


def alloc_pinned_memory(size: int) -> Any:
    """Memory of the host that stays where it is."""
    memory = (ctypes.c_uint8 * size)()
    address = ctypes.addressof(memory)
    _pinned[address] = size
    weakref.finalize(memory, _pinned.pop, address)
    return memory


def is_pinned(address: int, size: int) -> bool:
    return any(start <= address and address + size <= start + count for start, count in _pinned.items())


class MemoryPool:
    _used = 0
    _limit = TOTAL

    def __init__(self, allocator: Callable[[int], MemoryPointer] | None = None) -> None:
        self._allocator = allocator or (lambda size: MemoryPointer(Memory(size), 0))
        self._held = 0

    def malloc(self, size: int) -> MemoryPointer:
        if self._used + size > self._limit:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes (allocated so far: {self._used:,} bytes).")
        if self._used + size > self._held:
            self._allocator(self._used + size - self._held)
            self._held = self._used + size
        return MemoryPointer(Token(size, self), 0)

    def used_bytes(self) -> int:
        return self._used

    def total_bytes(self) -> int:
        return self._held

    def set_limit(self, size: int | None = None) -> None:
        self._limit = size or TOTAL

    def free_all_blocks(self) -> None:
        self._held = self._used


pool = MemoryPool()
_allocator: Callable[[int], MemoryPointer] = pool.malloc
_local = threading.local()


def allocate(size: int) -> Token:
    return alloc(size).mem


def alloc(size: int) -> MemoryPointer:
    return (getattr(_local, "allocator", None) or _allocator)(size)


def set_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> None:
    global _allocator
    _allocator = allocator or pool.malloc


@contextmanager
def using_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> Iterator[None]:
    """In this thread."""
    before, _local.allocator = getattr(_local, "allocator", None), allocator
    try:
        yield
    finally:
        _local.allocator = before


def get_default_memory_pool() -> MemoryPool:
    return pool
