"""Finding CuPy and a GPU, and compiling and launching the kernels of this folder. What goes wrong is an InputError."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...launched import launched
from ..base import Array

THREADS = 256  # of a block, as in common.cuh
FLOAT_ONLY = ("tensor",)  # files
C_NAMES: dict[np.dtype, str] = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
REINSTALL = 'pip install --force-reinstall "minigan[cuda13]" (CUDA 13) or "minigan[cuda12]" (CUDA 12)'


class DeviceMemoryError(InputError, MemoryError):
    """An array did not fit into the GPU's memory."""


class Kernels:
    """The kernels, compiled when they are first asked for. CuPy keeps what it compiled in a cache on disk."""

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        self.module, self.kernel = cache(self._compile), cache(self._find)
        self.module("elementwise", np.dtype(np.float32))  # what is wrong shows now, not in mid-training
        self._explain_full_memory()

    def launch(self, kernel: str, dtype: np.dtype, grid: tuple[int, ...], block: tuple[int, ...], *args: Any) -> None:
        """Start "file.kernel". A Python float goes as ``dtype``, an int as an int; a count of elements is np.int64."""
        file, name = kernel.split(".")
        convert = {float: dtype.type, int: np.int32}
        self.kernel(file, name, dtype)(grid, block, tuple(convert.get(type(a), _itself)(a) for a in args))

    def for_each(self, out: Array, kernel: str, *args: Any) -> Array:
        """One thread for each element of ``out``, which is returned."""
        if out.size:
            self.launch(kernel, out.dtype, (ceil_div(out.size, THREADS),), (THREADS,), *args)
        return out

    def _find(self, file: str, name: str, dtype: np.dtype) -> Callable[..., None]:
        return self.module(file, dtype).get_function(name)

    def _compile(self, file: str, dtype: np.dtype) -> Any:
        """``file``.cu with REAL as ``dtype``."""
        module = self.cupy.RawModule(code=source(file), options=options(dtype))
        try:
            module.compile()
        except self.cupy.cuda.compiler.CompileException as error:
            raise InputError(f"CUDA could not compile {file}.cu ({first_line(error)}): {REINSTALL}") from error
        except RuntimeError as error:  # of the driver, of the runtime, or a library that is not there
            raise InputError(
                f"CUDA could not load the kernels of {file}.cu ({first_line(error)}): {REINSTALL}"
            ) from error
        return module

    def _explain_full_memory(self) -> None:
        """CuPy's allocator for all arrays, with a reason in words when the memory is full."""
        allocate = self.cupy.get_default_memory_pool().malloc

        def allocate_or_explain(size: int) -> Any:
            try:
                return allocate(size)
            except self.cupy.cuda.memory.OutOfMemoryError as error:
                raise DeviceMemoryError(
                    f"the GPU's memory is full ({first_line(error)}): use a smaller --batch-size, or --accumulate"
                ) from error

        self.cupy.cuda.set_allocator(allocate_or_explain)


def import_cupy() -> Any:
    """CuPy, if it and a GPU can be used here; else an InputError that says what to do.

    Of several processes on a machine each picks the GPU of its rank there."""
    told = launched()
    if told is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible_gpu(os.environ.get("CUDA_VISIBLE_DEVICES", ""), told.local_rank)
    try:
        import cupy
    except ModuleNotFoundError as error:
        raise InputError(
            'backend "cupy" needs CuPy, which is not installed: pip install "minigan[cuda13]" '
            '(CUDA 13) or "minigan[cuda12]" (CUDA 12), or use --backend numpy'
        ) from error
    except ImportError as error:
        raise InputError(f"CuPy is installed but cannot be imported ({first_line(error)}): {REINSTALL}") from error
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise InputError(why_no_gpu(runtime.driverGetVersion(), runtime.runtimeGetVersion(), error)) from error
    if count == 0 and told is not None:
        raise InputError(f"this machine has no GPU for its process {told.local_rank}: start one process for each GPU")
    if count == 0:
        raise InputError('backend "cupy" found no NVIDIA GPU: use --backend numpy')
    return cupy


def visible_gpu(visible: str, local_rank: int) -> str:
    """What CUDA_VISIBLE_DEVICES is to be, so that a process sees its own GPU alone, in each of its threads.

    >>> visible_gpu("", 2), visible_gpu("4,5,6,7", 2), visible_gpu("3", 2)  # 3: a launcher gave each its own
    ('2', '6', '3')
    """
    numbers = visible.split(",") if visible else []
    if len(numbers) == 1:
        return visible
    if numbers and local_rank >= len(numbers):
        raise InputError(f"CUDA_VISIBLE_DEVICES={visible} has no GPU for this machine's process {local_rank}")
    return numbers[local_rank] if numbers else str(local_rank)


def why_no_gpu(driver: int, runtime: int, error: Exception) -> str:
    """``driver`` and ``runtime`` as CUDA numbers its versions: 13020 is 13.2. Without a driver it is 0."""
    if driver == 0:
        return 'backend "cupy" found no NVIDIA driver: install one (nvidia-smi shows it), or use --backend numpy'
    if driver < runtime:
        return (
            f'backend "cupy": this CuPy is built for CUDA {version(runtime)}, and the NVIDIA driver knows CUDA up to '
            f'{version(driver)}: update the driver, or pip install "minigan[cuda{driver // 1000}]" instead'
        )
    return f'backend "cupy" cannot use the GPU ({first_line(error)}): see nvidia-smi, or use --backend numpy'


def version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def options(dtype: np.dtype) -> tuple[str, ...]:
    """For the compiler."""
    return "-std=c++17", f"-DREAL={C_NAMES[dtype]}"


@cache
def source(file: str) -> str:
    """A kernel file behind the common header, with what it includes of this folder; lines keep their numbers."""
    return f"{expanded('common.cuh')}\n{expanded(f'{file}.cu')}"


def expanded(name: str) -> str:
    """A file of this folder with those that it includes."""
    folder = Path(__file__).parent
    lines = [f'#line 1 "{name}"']
    for number, line in enumerate((folder / name).read_text().splitlines(), start=1):
        if line.startswith("#include "):
            lines += [expanded(line.split('"')[1]), f'#line {number + 1} "{name}"']
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def units() -> list[tuple[str, np.dtype]]:
    """What is compiled: each file, for each dtype that it is for."""
    files = sorted(path.stem for path in Path(__file__).parent.glob("*.cu"))
    return [(file, dtype) for file in files for dtype in C_NAMES if dtype == np.float32 or file not in FLOAT_ONLY]


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def first_line(error: Exception) -> str:
    """Of a compiler's many lines, the first that says error; else the first."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((line for line in lines if "error" in line), lines[0]).strip()


def _itself(value: Any) -> Any:
    return value
