"""Fixtures that every test file shares: a backend, a generator, and tensors on that backend."""

import gc
import signal

import fake_cupy
import numpy as np
import pytest

from minigan import backend as backends
from minigan.tensor import Tensor

WHY_NO_GPU = backends.available()["cupy"]
if WHY_NO_GPU:
    fake_cupy.install(WHY_NO_GPU)  # then the cupy backend runs all the same, its kernels compiled for the CPU
WHY_NO_CUPY = backends.available()["cupy"]

WHY_NO_NUMBA = backends.available()["numba"]
NUMBA = pytest.param("numba", marks=pytest.mark.skipif(bool(WHY_NO_NUMBA), reason=WHY_NO_NUMBA))

# Started in the background, by nohup or a job of a script, these are ignored, here and in every process started here.
for name, handler in (("SIGINT", signal.default_int_handler), ("SIGTERM", signal.SIG_DFL), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        signal.signal(getattr(signal, name), handler)


def pytest_configure():
    gc.disable()  # until all tests are collected: nothing of that is garbage, and looking takes a third of the time


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(
    params=[
        "reference",
        "numpy",
        NUMBA,
        pytest.param(
            "cupy", marks=pytest.mark.skipif(bool(WHY_NO_CUPY), reason=WHY_NO_CUPY) if WHY_NO_GPU else pytest.mark.gpu
        ),
    ]
)
def backend(request):
    return backends.get(request.param)


@pytest.fixture(params=["numpy", NUMBA])
def fast(request):
    """A backend with fast CPU kernels."""
    return backends.get(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def tensor(backend):
    """tensor(values): a float64 Tensor of this test's backend; tensor(values, np.float32, requires_grad=True)."""

    def make(values, dtype=np.float64, **options):
        return Tensor(backend.asarray(np.array(values, dtype)), **options)

    return make
