"""The stand-in itself: it runs threads and barriers as a GPU does, and it notices what it is there to notice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cuda_on_cpu
import fake_cupy
import numpy as np
import pytest

from minigan import backend as backends

pytestmark = [
    pytest.mark.skipif(not fake_cupy.installed, reason="here is a GPU, and no stand-in"),
    pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="no C++ compiler here"),
]
TESTS = Path(__file__).parent

KERNELS = r"""
extern "C" __global__ void sum_of_block(const double* x, double* y) {
    __shared__ double part[256];
    int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    int threads = blockDim.x * blockDim.y * blockDim.z;
    part[t] = x[blockIdx.x * threads + t];
    for (int half = threads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half) part[t] += part[t + half];
    }
    if (t == 0) y[blockIdx.x] = part[0];
}
extern "C" __global__ void forgets_a_barrier(const double* x, double* y) {
    __shared__ double part[64];
    __syncthreads();
    part[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = part[63 - threadIdx.x];
    __syncthreads();
}
extern "C" __global__ void some_pass_the_barrier_by(double* x, int from) {
    if ((int)threadIdx.x >= from) __syncthreads();
    x[threadIdx.x] = threadIdx.x;
}
extern "C" __global__ void writes_behind_the_end(double* x, int size) { x[size] = 1; }
extern "C" __global__ void exchanges(const double* x, double* y, int mask) {
    y[threadIdx.x] = x[threadIdx.x] + 100 * __shfl_xor_sync(0xffffffff, x[threadIdx.x], mask);
}
extern "C" __global__ void some_pass_their_warp_by(double* x, int from) {
    if ((int)threadIdx.x >= from) x[threadIdx.x] = __shfl_xor_sync(0xffffffff, x[threadIdx.x], 1);
}
extern "C" __global__ void copies(const float* x, float* y, int waits) {
    alignas(16) __shared__ float shared[64];
    float* own = shared + 4 * threadIdx.x;
    for (int i = 0; i < 4; i++) own[i] = -1;
    copy_async(own, threadIdx.x < 15 ? x + 4 * threadIdx.x : nullptr);
    close_group();
    if (waits) wait_for_groups<0>();
    else wait_for_groups<1>();
    __syncthreads();
    for (int i = 0; i < 4; i++) y[4 * threadIdx.x + i] = shared[63 - 4 * threadIdx.x - i];
    __syncthreads();
    wait_for_groups<0>();
}
extern "C" __global__ void leaves_a_copy(const float* x, int from) {
    alignas(16) __shared__ float shared[256];
    if ((int)threadIdx.x >= from) copy_async(shared + 4 * threadIdx.x, x);
    close_group();
}
extern "C" __global__ void takes(const float* x, long long count, float scale, const int* n) {}
"""


@pytest.fixture
def cupy():
    return backends.get("cupy").xp


@pytest.fixture
def kernel(cupy):
    return cupy.RawModule(code=KERNELS).get_function


@pytest.mark.parametrize("block", [(1,), (2,), (64,), (8, 4, 2), (256,)])
def test_threads_meet_at_barriers(block, cupy, kernel, rng):
    x = rng.integers(0, 100, (3, int(np.prod(block)))).astype(float)
    y = cupy.empty(3)
    for _ in range(2):  # the fibers serve launch after launch
        kernel("sum_of_block")((3,), block, (cupy.array(x), y))
        np.testing.assert_array_equal(y.get(), x.sum(1))


def test_a_missing_barrier_shows_in_the_order_of_the_threads(cupy, kernel, monkeypatch):
    x, results = cupy.arange(64, dtype=float), []
    for descending in (False, True):
        monkeypatch.setattr(cupy.RawKernel, "_descending", descending)
        kernel("forgets_a_barrier")((1,), (64,), (x, y := cupy.empty(64)))
        results.append(y.get())
    assert not np.array_equal(*results)


@pytest.mark.parametrize("first", [0, 1, 5, 63])
def test_a_barrier_that_some_threads_pass_by_is_an_error(first, cupy, kernel):
    x = cupy.zeros(64)
    launch = kernel("some_pass_the_barrier_by")
    if first == 0:
        launch((1,), (64,), (x, np.int32(0)))
    else:
        with pytest.raises(RuntimeError, match=r"some_pass_the_barrier_by: .*__syncthreads"):
            launch((1,), (64,), (x, np.int32(first)))
    launch((1,), (64,), (x, np.int32(64)))  # and the next launch is a new one
    np.testing.assert_array_equal(x.get(), np.arange(64))


@pytest.mark.parametrize("mask", [1, 5, 16])
def test_the_threads_of_a_warp_exchange_their_registers(mask, cupy, kernel, monkeypatch, rng):
    x, lanes = rng.random(64), np.arange(64)
    for descending in (False, True):
        monkeypatch.setattr(cupy.RawKernel, "_descending", descending)
        kernel("exchanges")((1,), (64,), (cupy.array(x), y := cupy.empty(64), np.int32(mask)))
        np.testing.assert_array_equal(y.get(), x + 100 * x[lanes ^ mask])


@pytest.mark.parametrize("first", [1, 16, 33])
def test_a_warp_of_which_some_pass_by_is_an_error(first, cupy, kernel):
    x, launch = cupy.zeros(64), kernel("some_pass_their_warp_by")
    with pytest.raises(RuntimeError, match=r"some_pass_their_warp_by: .*warp"):
        launch((1,), (64,), (x, np.int32(first)))
    launch((1,), (64,), (x, np.int32(0)))


def test_a_copy_arrives_when_it_is_waited_for(cupy, kernel):
    x = np.arange(60, dtype=np.float32)
    for waits, expected in ((1, np.append(x, [0] * 4)[::-1]), (0, np.full(64, -1))):
        kernel("copies")((1,), (16,), (cupy.array(x), y := cupy.empty(64, np.float32), np.int32(waits)))
        np.testing.assert_array_equal(y.get(), expected)


@pytest.mark.parametrize("first", [0, 1, 63])
def test_a_copy_that_is_under_way_when_its_thread_ends_is_an_error(first, cupy, kernel):
    x, launch = cupy.zeros(4, np.float32), kernel("leaves_a_copy")
    with pytest.raises(RuntimeError, match="leaves_a_copy: a thread ended before its asynchronous copies had arrived"):
        launch((1,), (64,), (x, np.int32(first)))
    launch((1,), (64,), (x, np.int32(64)))


def test_launches_are_checked(cupy, kernel):
    takes, x, n = kernel("takes"), cupy.zeros(3, np.float32), cupy.zeros(3, np.int32)
    good = (x, np.int64(3), np.float32(0.5), n)
    takes((1,), (1,), good)
    takes((1,), (1,), (x, 3, np.float32(0.5), n))  # a Python int goes as 64 bits, as with CuPy
    for grid, block in (((0,), (1,)), ((1, 65536), (1,)), ((2**31,), (1,)), ((1,), (1025,)), ((1,), (32, 33))):
        with pytest.raises(ValueError, match=r"takes: (grid|block)"):
            takes(grid, block, good)
    with pytest.raises(ValueError, match="takes 4 arguments, not 3"):
        takes((1,), (1,), good[:3])
    wrong = [np.zeros(3, np.float32), cupy.zeros(3), n, 1], [np.int32(3), 3.0, x], [0.5, np.float64(0.5), 1], [x, 3]
    for number, values in enumerate(wrong):
        for value in values:
            with pytest.raises(TypeError, match=f"takes: argument {number} is"):
                takes((1,), (1,), (*good[:number], value, *good[number + 1 :]))


def test_arrays_refuse_to_become_numpy_arrays(cupy):
    x = cupy.arange(3.0)
    for convert in (
        lambda: np.asarray(x),
        lambda: x + np.ones(3),
        lambda: np.ones(3) * x,
        lambda: cupy.maximum(x, np.ones(3)),
        lambda: x.__setitem__(0, np.ones(1)),
    ):
        with pytest.raises(TypeError):
            convert()
    with pytest.raises(IndexError):
        x[np.array([0, 1])]
    assert type(x.sum()) is cupy.ndarray and x.sum().shape == ()
    assert np.isnan(cupy.empty(3).get()).all()


def test_results_lie_in_c_order(cupy):
    x = cupy.zeros((3, 4)).T
    assert (x + 1).flags.c_contiguous and x.copy().flags.c_contiguous and not x.flags.c_contiguous


def test_memory_is_counted(cupy):
    pool = cupy.get_default_memory_pool()
    before = pool.used_bytes()
    x = cupy.zeros(1000)
    view = x[10:20]
    del x
    assert pool.used_bytes() == before + 8000
    del view
    assert pool.used_bytes() == before


# ---- accesses that no array covers -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def with_asan():
    """Runs Python with the stand-in's kernels instrumented by the address sanitizer."""
    library = subprocess.run(
        [cuda_on_cpu.COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout
    if not Path(library.strip()).is_absolute():
        pytest.skip("this compiler has no address sanitizer: install libasan")
    settings = {
        "LD_PRELOAD": library.strip(),
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
        "CUDA_ON_CPU_ASAN": "1",
        "PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS.parent))),
    }

    def run(*arguments):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)

    return run


def test_an_access_behind_the_end_is_caught(with_asan):
    code = """
import sys, fake_cupy, numpy, test_cuda_on_cpu as t
fake_cupy.install()
import cupy
x = cupy.zeros(1000)
cupy.RawModule(code=t.KERNELS).get_function("writes_behind_the_end")((1,), (1,), (x, numpy.int32(int(sys.argv[1]))))
"""
    inside, outside = with_asan("-c", code, 999), with_asan("-c", code, 1000)
    assert inside.returncode == 0, inside.stderr
    assert outside.returncode != 0 and "heap-buffer-overflow" in outside.stderr and "writes_behind" in outside.stderr


@pytest.mark.parametrize("tests", ["match and not float64", "any_layout or 1-132 or (many and float32) or repeat"])
def test_no_kernel_accesses_what_no_array_covers(with_asan, tests):
    done = with_asan("-m", "pytest", TESTS / "test_cupy_backend.py", "-n", 0, "-p", "no:cacheprovider", "-k", tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
