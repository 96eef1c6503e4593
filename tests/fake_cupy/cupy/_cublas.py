"""cuBLAS for those who call the library itself: C functions of the true signatures, which hand over to NumPy.

``cupy.cuda.cublas.__file__`` is its path, as that of CuPy's own extension leads to the real one.
"""

from __future__ import annotations

import ctypes
from typing import Any

import cuda_on_cpu
import numpy as np

from . import _capture

SOURCE = """
#define EXPORT extern "C" __attribute__((visibility("default")))
typedef long long stride;
struct Gemm {
    int a_transposed, b_transposed, m, n, k; const void *alpha, *a; int a_type, lda; stride a_stride;
    const void* b; int b_type, ldb; stride b_stride; const void* beta; void* c; int c_type, ldc; stride c_stride;
    int batch, compute, algorithm;
};
static int (*callback)(const Gemm*);
static void *stream_of_handle, *workspace;
EXPORT void set_callback(int (*f)(const Gemm*)) { callback = f; }
EXPORT int cublasCreate_v2(void** handle) { *handle = &callback; return 0; }
EXPORT int cublasSetStream_v2(void* handle, void* stream) {
    stream_of_handle = stream, workspace = 0;
    return handle == &callback ? 0 : 1;
}
EXPORT int cublasSetWorkspace_v2(void* handle, void* memory, size_t size) {
    workspace = handle;
    return handle == &callback ? 0 : 1;
}
EXPORT int cublasGemmStridedBatchedEx(void* handle, int ta, int tb, int m, int n, int k, const void* alpha,
    const void* a, int a_type, int lda, stride a_stride, const void* b, int b_type, int ldb, stride b_stride,
    const void* beta, void* c, int c_type, int ldc, stride c_stride, int batch, int compute, int algorithm) {
    Gemm g = {ta, tb, m, n, k, alpha, a, a_type, lda, a_stride, b, b_type, ldb, b_stride, beta, c, c_type, ldc,
              c_stride, batch, compute, algorithm};
    return handle == &callback && workspace ? callback(&g) : 1;
}
"""
NOT_SUPPORTED, INVALID_VALUE = 15, 7
_NAMES = [
    "a_transposed",
    "b_transposed",
    "m",
    "n",
    "k",
    "alpha",
    "a",
    "a_type",
    "lda",
    "a_stride",
    "b",
    "b_type",
    "ldb",
]
_NAMES += ["b_stride", "beta", "c", "c_type", "ldc", "c_stride", "batch", "compute", "algorithm"]
_POINTERS, _STRIDES = ("alpha", "a", "b", "beta", "c"), ("a_stride", "b_stride", "c_stride")


class Gemm(ctypes.Structure):
    _fields_ = tuple(
        (
            name,
            ctypes.c_void_p if name in _POINTERS else ctypes.c_longlong if name in _STRIDES else ctypes.c_int,
        )
        for name in _NAMES
    )


def run(pointer: Any) -> int:
    g = pointer.contents
    types = {(0, 68): np.float32, (0, 77): np.float32, (1, 70): np.float64}
    dtype = types.get((g.a_type, g.compute))
    if dtype is None or not g.a_type == g.b_type == g.c_type:
        return NOT_SUPPORTED
    if g.lda < (g.k if g.a_transposed else g.m) or g.ldb < (g.n if g.b_transposed else g.k) or g.ldc < g.m:
        return INVALID_VALUE
    scalar = ctypes.c_float if dtype == np.float32 else ctypes.c_double
    alpha, beta = (scalar.from_address(address).value for address in (g.alpha, g.beta))
    a = operand(g.a, dtype, g.batch, g.m, g.k, g.lda, g.a_stride, g.a_transposed)
    b = operand(g.b, dtype, g.batch, g.k, g.n, g.ldb, g.b_stride, g.b_transposed)
    c = operand(g.c, dtype, g.batch, g.m, g.n, g.ldc, g.c_stride, 0)

    def work() -> None:
        product = dtype(alpha) * np.matmul(b.transpose(0, 2, 1), a.transpose(0, 2, 1)).transpose(0, 2, 1)
        c[...] = product + dtype(beta) * c if beta else product

    _capture.do(work)
    return 0


def operand(
    address: int, dtype: Any, batch: int, rows: int, columns: int, leading: int, stride: int, transposed: int
) -> np.ndarray:
    """(batch, rows, columns) where it lies: column by column, or row by row if it is transposed."""
    stored = (columns, rows) if not transposed else (rows, columns)  # (how many runs, how long each)
    count = (batch - 1) * stride + (stored[0] - 1) * leading + stored[1]
    flat = np.frombuffer((ctypes.c_uint8 * (count * np.dtype(dtype).itemsize)).from_address(address), dtype)
    size = flat.itemsize
    runs = np.lib.stride_tricks.as_strided(flat, (batch, *stored), (stride * size, leading * size, size))
    return runs if transposed else runs.transpose(0, 2, 1)


_library = cuda_on_cpu.load(SOURCE, ())
_callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Gemm))(run)
_library.set_callback(_callback)
PATH = _library._name
