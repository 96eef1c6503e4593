# ruff: noqa: F401 (these names are the module)
from .._memory import Memory, MemoryPointer, MemoryPool, OutOfMemoryError, UnownedMemory, alloc, set_allocator
