"""Matrix products by cuBLAS, called directly: CuPy refuses to call it while a step is captured as a CUDA graph.

The library is the one that CuPy has loaded. A handle of our own and a workspace of our own keep a captured product and
the same product called at once alike, to the bit.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ...errors import InputError
from ..base import Array
from .launch import REINSTALL, first_line

WORKSPACE = 32 * 2**20  # bytes: what NVIDIA advises for its largest GPUs
REAL, COMPUTE = {"float32": 0, "float64": 1}, {"float32": 68, "float64": 70}  # cudaDataType, cublasComputeType_t
COMPUTE_TF32, DEFAULT_ALGORITHM, LARGEST = 77, -1, 2**31 - 1

_SIZE, _STRIDE, _POINTER = ctypes.c_int, ctypes.c_longlong, ctypes.c_void_p
_OPERAND = _POINTER, _SIZE, _SIZE, _STRIDE  # address, dtype, leading dimension, from one matrix of a batch to the next
GEMM: tuple[Any, ...] = (_POINTER, *[_SIZE] * 5, _POINTER, *_OPERAND, *_OPERAND, _POINTER, *_OPERAND, *[_SIZE] * 3)


class Blas:
    """cuBLAS's products of float32 or float64 matrices.

    Raises InputError where there is no cuBLAS. Where it cannot be called directly, CuPy is to call it.
    """

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        try:
            library = ctypes.CDLL(cupy.cuda.cublas.__file__)  # finds what this extension of CuPy is linked to
        except (ImportError, OSError) as error:
            raise InputError(f"CuPy cannot load cuBLAS ({first_line(error)}): {REINSTALL}") from error
        self._gemm = getattr(library, "cublasGemmStridedBatchedEx", None)
        if self._gemm is None:  # Windows looks into the extension alone
            return
        self._gemm.argtypes = GEMM
        self._set_stream, self._set_workspace = library.cublasSetStream_v2, library.cublasSetWorkspace_v2
        self._set_stream.argtypes = _POINTER, _POINTER
        self._set_workspace.argtypes = _POINTER, _POINTER, ctypes.c_size_t
        self._handle = ctypes.c_void_p()
        check(library.cublasCreate_v2(ctypes.byref(self._handle)))
        self._workspace = cupy.cuda.alloc(WORKSPACE)
        self._stream = -1

    def matmul(self, a: Array, b: Array, tf32: bool) -> Array | None:
        """(n, k) @ (k, m) -> (n, m), a batch of such, or one with a batch. None: not one of these."""
        if self._gemm is None or not (
            {a.ndim, b.ndim} <= {2, 3} and a.dtype == b.dtype and a.dtype.name in REAL and a.size and b.size
        ):
            return None
        batch = {len(x) for x in (a, b) if x.ndim == 3} or {1}
        if len(batch) > 1 or max(*a.shape, *b.shape) > LARGEST:
            return None
        kind, compute = REAL[a.dtype.name], COMPUTE_TF32 if tf32 and a.dtype == np.float32 else COMPUTE[a.dtype.name]
        (count,), (n, k), m = batch, a.shape[-2:], b.shape[-1]
        out = self.cupy.empty((count, n, m) if 3 in (a.ndim, b.ndim) else (n, m), a.dtype)
        (a, *of_a), (b, *of_b) = self._operand(a), self._operand(b)
        scalar = ctypes.c_float if kind == 0 else ctypes.c_double
        one, zero = scalar(1), scalar(0)
        self._use_current_stream()
        # cuBLAS counts down the columns, in which our matrices are transposed: out^T = b^T a^T.
        check(
            self._gemm(
                self._handle, of_b[0], of_a[0], m, n, k, ctypes.addressof(one),
                b.data.ptr, kind, *of_b[1:], a.data.ptr, kind, *of_a[1:], ctypes.addressof(zero),
                out.data.ptr, kind, m, n * m, count, compute, DEFAULT_ALGORITHM,
            )
        )  # fmt: skip
        return out

    def _operand(self, x: Array) -> tuple[Array, int, int, int]:
        """``x``, copied if need be; whether it is transposed, the leading dimension, and from matrix to matrix."""
        for _ in range(2):
            rows, columns = x.shape[-2:]
            down, right = (stride // x.itemsize for stride in x.strides[-2:])
            batch = x.strides[0] // x.itemsize if x.ndim == 3 and len(x) > 1 else 0
            if (right == 1 or columns == 1) and (down >= columns or rows == 1) and batch >= 0:
                return x, 0, max(down if rows > 1 else 0, columns), batch
            if (down == 1 or rows == 1) and (right >= rows or columns == 1) and batch >= 0:
                return x, 1, max(right if columns > 1 else 0, rows), batch
            x = self.cupy.ascontiguousarray(x)
        raise AssertionError(f"a contiguous matrix has strides {x.strides}")

    def _use_current_stream(self) -> None:
        stream = self.cupy.cuda.get_current_stream().ptr
        if stream != self._stream:
            check(self._set_stream(self._handle, stream))  # forgets the workspace
            check(self._set_workspace(self._handle, self._workspace.ptr, WORKSPACE))
            self._stream = stream


def check(status: int) -> None:
    if status:
        raise RuntimeError(f"cuBLAS failed with status {status}")
