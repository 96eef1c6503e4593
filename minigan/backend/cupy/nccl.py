"""Arrays of GPUs, exchanged by NCCL through CuPy: on the current stream, so within a captured step too."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ..base import Array, Ranks


class Nccl:
    """One GPU a rank. ``ranks`` tell each other of it; nothing here waits for the host."""

    def __init__(self, ranks: Ranks) -> None:
        import cupy
        from cupy.cuda import nccl  # which cupy.cuda does not have before it is imported

        self.cupy, self.size = cupy, ranks.size
        if not nccl.available:
            raise InputError(
                "GPUs exchange arrays by NCCL, which this CuPy lacks: pip install nvidia-nccl-cu13 (or -cu12)"
            )
        unique = ranks.broadcast(nccl.get_unique_id() if ranks.is_first else None)
        self._comm: Any = nccl.NcclCommunicator(ranks.size, unique, ranks.rank)
        self._sum, self._types = nccl.NCCL_SUM, {"float32": nccl.NCCL_FLOAT32, "float64": nccl.NCCL_FLOAT64}

    def add(self, array: Array) -> None:
        """The sum over the ranks, in place."""
        there, stream = array.data.ptr, self.cupy.cuda.get_current_stream().ptr
        self._comm.allReduce(there, there, array.size, self._type(array), self._sum, stream)

    def stack(self, array: Array) -> Array:
        """(size, *shape), the array of each rank."""
        array = self.cupy.ascontiguousarray(array)
        stacked = self.cupy.empty((self.size, *array.shape), array.dtype)
        stream = self.cupy.cuda.get_current_stream().ptr
        self._comm.allGather(array.data.ptr, stacked.data.ptr, array.size, self._type(array), stream)
        return stacked

    def _type(self, array: Array) -> int:
        if array.dtype.name not in self._types:
            raise InputError(f"NCCL is asked for {array.dtype} numbers here: exchange float32 or float64 ones")
        return self._types[array.dtype.name]  # type: ignore[no-any-return]
