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
    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


class Block:
    """A piece of device memory. Somebody may remember it after it was freed."""

    def __init__(self, pool: MemoryPool | None) -> None:
        self.pool, self.freed = pool, False


class Memory:
    """``cudaMalloc``. Its bytes exist once somebody asks for their address."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._bytes: Any = None

    @property
    def ptr(self) -> int:
        if self._bytes is None:
            self._bytes = (ctypes.c_uint8 * max(self.size, 1))()
        return ctypes.addressof(self._bytes)


class Token(Memory):
    """What a pool has handed out."""

    def __init__(self, size: int, pool: MemoryPool) -> None:
        super().__init__(size)
        self.pool, self.block = pool, Block(pool)
        pool._used += size

    def __del__(self) -> None:
        self.pool._used -= self.size
        self.block.freed = True


class UnownedMemory:
    """Memory that somebody else holds: ``owner``, for as long as an array lies in it."""

    def __init__(self, ptr: int, size: int, owner: Any, device_id: int = -1) -> None:
        self.ptr, self.size, self._owner = ptr, size, owner
        self.block = Block(None)


class MemoryPointer:
    _at = 0  # where NumPy holds the bytes, if it does

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self._offset = mem, offset

    @property
    def ptr(self) -> int:
        return self._at or self.mem.ptr + self._offset

    def copy_from_host_async(self, mem: int, size: int, stream: Any = None) -> None:
        from . import _capture

        _capture.forbid("to copy from the host")
        if not is_pinned(mem, size):
            raise ValueError("only pinned memory is copied asynchronously")
        target = self.ptr
        stream._later(lambda: ctypes.memmove(target, mem, size))


def pointer(mem: Any, at: int) -> MemoryPointer:
    """To an array of NumPy's at ``at``, for which ``mem`` stands here."""
    made = MemoryPointer(mem, 0)
    made._at = at
    return made


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
            raise OutOfMemoryError(size, self._used, self._limit)
        if self._used + size > self._held:
            self._allocator(self._used + size - self._held)
            self._held = self._used + size
        return MemoryPointer(Token(size, self), 0)

    def used_bytes(self) -> int:
        return self._used

    def total_bytes(self) -> int:
        return self._held

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        self._limit = size or int((fraction or 1) * TOTAL)

    def free_all_blocks(self, stream: Any = None) -> None:
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
