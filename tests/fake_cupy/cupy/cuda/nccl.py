"""A stand-in for NCCL: what it does to the memory of GPUs, MPI does to the memory that stands for it."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .. import _capture

available = True
NCCL_SUM, NCCL_FLOAT32, NCCL_FLOAT64 = 0, 7, 8
TYPES = {NCCL_FLOAT32: np.float32, NCCL_FLOAT64: np.float64}


def get_unique_id() -> tuple[int, ...]:
    return tuple(range(128))


class NcclCommunicator:
    exchanged = 0  # how often, for a test

    def __init__(self, ndev: int, commId: tuple[int, ...], rank: int) -> None:  # noqa: N803 (CuPy's name)
        from mpi4py import MPI

        assert commId == get_unique_id() and (MPI.COMM_WORLD.size, MPI.COMM_WORLD.rank) == (ndev, rank)
        self._comm: Any = MPI.COMM_WORLD.Dup()
        self._size, self._sum = ndev, MPI.SUM

    def allReduce(  # noqa: N802
        self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int, stream: int
    ) -> None:
        def work() -> None:
            NcclCommunicator.exchanged += 1
            self._comm.Allreduce(memory(sendbuf, count, datatype).copy(), memory(recvbuf, count, datatype), self._sum)

        assert op == NCCL_SUM
        _capture.do(work)

    def allGather(self, sendbuf: int, recvbuf: int, count: int, datatype: int, stream: int) -> None:  # noqa: N802
        def work() -> None:
            whole = memory(recvbuf, count * self._size, datatype)
            self._comm.Allgather(memory(sendbuf, count, datatype), whole)

        _capture.do(work)


def memory(pointer: int, count: int, datatype: int) -> np.ndarray:
    dtype = np.dtype(TYPES[datatype])
    return np.frombuffer((ctypes.c_char * (count * dtype.itemsize)).from_address(pointer), dtype)
