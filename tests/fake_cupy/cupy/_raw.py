"""RawModule and RawKernel: launches are checked as a GPU, or a careful reader, would check them."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np

from . import _capture
from ._ndarray import ndarray
from .cuda.compiler import CompileException

sys.path.append(str(Path(__file__).parents[2]))
import cuda_on_cpu

GRID_LIMITS, BLOCK_LIMITS, THREADS_LIMIT, ARGUMENT_BYTES = (2**31 - 1, 65535, 65535), (1024, 1024, 64), 1024, 4096


class RawModule:
    def __init__(self, code: str, *, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        self.code, self.options, self.backend = code, options, backend

    def compile(self, log_stream: Any = None) -> None:
        library(self.code, self.options, self.backend)

    def get_function(self, name: str) -> RawKernel:
        return RawKernel(self.code, name, self.options, self.backend)


def library(code: str, options: tuple[str, ...], backend: str) -> ctypes.PyDLL:
    try:
        return cuda_on_cpu.load(code, options)
    except cuda_on_cpu.CompilationError as error:
        raise CompileException(str(error), code, "", options, backend) from None


class RawKernel:
    _descending = False  # the order in which the threads of a block run between barriers
    _launched: list[str] | None = None  # the kernels' names, when a test puts a list here

    def __init__(self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        self.name, functions = name, library(code, options, backend)
        self._run = functions[f"launch_{name}"]
        self._run.restype = ctypes.c_char_p
        signature = functions[f"signature_{name}"]
        signature.restype = ctypes.c_char_p
        self._parameters = [(s[0], s[1], int(s[2:])) for s in signature().decode().split(",")[:-1]]

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
        grid, block = (*grid, 1, 1)[:3], (*block, 1, 1)[:3]
        for what, sizes, limits in (("grid", grid, GRID_LIMITS), ("block", block, BLOCK_LIMITS)):
            if any(not 1 <= size <= limit for size, limit in zip(sizes, limits, strict=True)):
                raise ValueError(f"{self.name}: {what} {sizes} is outside 1..{limits}")
        if block[0] * block[1] * block[2] > THREADS_LIMIT:
            raise ValueError(f"{self.name}: block {block} has more than {THREADS_LIMIT} threads")
        if len(args) != len(self._parameters):
            raise ValueError(f"{self.name} takes {len(self._parameters)} arguments, not {len(args)}")
        values = [self._value(number, arg) for number, arg in enumerate(args)]
        if sum(v.nbytes for v in values) > ARGUMENT_BYTES:
            raise ValueError(f"{self.name}: the arguments take more than {ARGUMENT_BYTES} bytes")
        pointers = (ctypes.c_void_p * len(values))(*(v.ctypes.data for v in values))
        if self._launched is not None:
            self._launched.append(self.name)
        held = [values, *(arg._host for arg in args if isinstance(arg, ndarray))]
        for arg in args:
            if isinstance(arg, ndarray):
                _capture.made(arg._host, arg._memory)

        def work(held: Any = held) -> None:
            error = self._run((ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block), pointers, int(self._descending))
            if error:
                raise RuntimeError(f"{self.name}: {error.decode()}")

        _capture.do(work)

    def _value(self, number: int, arg: Any) -> np.ndarray:
        """The bytes of an argument, after a look at whether they are what the kernel will take them for."""
        passed, kind, size = self._parameters[number]
        if passed == "*":
            fits = isinstance(arg, ndarray) and (
                arg.itemsize == size and arg.dtype.kind == kind if kind != "V" else size % arg.itemsize == 0
            )
            value = np.array(arg.data.ptr, np.uint64) if fits else None
        elif kind == "V":
            fits = isinstance(arg, np.ndarray) and arg.size == 1 and arg.nbytes == size
            value = np.ascontiguousarray(arg) if fits else None
        else:
            value = np.asarray(arg) if isinstance(arg, np.generic | int | float) else None
            fits = value is not None and value.dtype.kind == kind and value.itemsize == size
        if not fits:
            what = f"{type(arg).__name__} of {arg.dtype}" if hasattr(arg, "dtype") else repr(arg)
            raise TypeError(f"{self.name}: argument {number} is {what}, the kernel takes {passed}{kind}{size}")
        return value
