"""Bookkeeping: every array holds a token for its bytes, which the pool counts. NumPy holds the bytes themselves."""

from __future__ import annotations

from collections.abc import Callable

TOTAL = 8 * 2**30


class OutOfMemoryError(MemoryError):
    pass


class Token:
    def __init__(self, size: int, pool: MemoryPool) -> None:
        self.size, self.pool = size, pool
        pool._used += size

    def __del__(self) -> None:
        self.pool._used -= self.size


class MemoryPointer:
    def __init__(self, ptr: int, mem: Token) -> None:
        self.ptr, self.mem = ptr, mem


class MemoryPool:
    _used = 0
    _limit = TOTAL

    def malloc(self, size: int) -> MemoryPointer:
        if self._used + size > self._limit:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes (allocated so far: {self._used:,} bytes).")
        return MemoryPointer(0, Token(size, self))

    def used_bytes(self) -> int:
        return self._used

    def total_bytes(self) -> int:
        return self._used

    def set_limit(self, size: int | None = None) -> None:
        self._limit = size or TOTAL

    def free_all_blocks(self) -> None:
        pass


pool = MemoryPool()
_allocator: Callable[[int], MemoryPointer] = pool.malloc


def allocate(size: int) -> Token:
    return _allocator(size).mem


def set_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> None:
    global _allocator
    _allocator = allocator or pool.malloc


def get_default_memory_pool() -> MemoryPool:
    return pool
