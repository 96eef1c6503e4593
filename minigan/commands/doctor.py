"""minigan doctor: what this machine has, and for whatever is missing the one command that fixes it."""

from __future__ import annotations

import argparse
import ctypes
import importlib
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigan

from .. import backend
from ..backend.cupy.launch import version
from ..backend.numpy import blas

NEEDED = ("pillow", "matplotlib", "tqdm", "safetensors", "threadpoolctl")
DRIVER = "sudo apt-get install nvidia-driver  (Debian; Ubuntu: sudo ubuntu-drivers install; else nvidia.com/drivers)"


class Finding(NamedTuple):
    """A line of the report. ``fix`` is the command for what is missing; ``needed``: minigan does not work without."""

    what: str
    found: str
    fix: str = ""
    needed: bool = False


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("doctor", help="show what this machine has, and how to fix what is missing")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    findings = list(examine())
    for finding in findings:
        print(f"{finding.what:14} {finding.found}")
        if finding.fix:
            print(f"{'':14} fix: {finding.fix}")
    return int(any(finding.needed and finding.fix for finding in findings))


def examine() -> Iterator[Finding]:
    yield Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("minigan", minigan.__version__)
    yield Finding("NumPy", np.__version__)
    yield linear_algebra()
    yield Finding("CPU threads", f"{minigan.get_num_threads()} work on a kernel")
    for name in NEEDED:
        yield package(name)
    yield compiled_loops()
    yield processes()
    yield from gpu()


def linear_algebra() -> Finding:
    found = [
        f"{library.internal_api} {library.version} ({library.get_num_threads()} threads)"
        for library in blas.libraries()
    ]
    if found:
        return Finding("BLAS", ", ".join(found))
    return Finding("BLAS", "cannot be controlled, so kernels run on one thread", "pip install --force-reinstall numpy")


def package(name: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "not installed", f"{sys.executable} -m pip install {name}", needed=True)


def compiled_loops() -> Finding:
    """Whether Numba is there for ``--backend numba``, and compiles."""
    try:
        found = importlib.metadata.version("numba")
    except importlib.metadata.PackageNotFoundError:
        return Finding("Numba", "not installed", f'{sys.executable} -m pip install "minigan[numba]"')
    reason = backend.available()["numba"]
    if reason:
        return Finding("Numba", f"{found}, {reason}")
    place = backend.get("numba")
    x, weight, bias = (place.asarray(np.array(numbers, np.float32)) for numbers in ([-1, 1], [1], [0]))
    y, _, _ = place.batch_norm(x.reshape(2, 1, 1, 1), weight, bias, 0.0, 0.5)
    right = y.reshape(-1).tolist() == [-0.5, 1.0]
    return Finding("Numba", f"{found}, its loops {'compile' if right else 'give wrong results'}")


def processes() -> Finding:
    """Whether several processes can be started together; MPI itself is not."""
    try:
        found = f"mpi4py {importlib.metadata.version('mpi4py')}"
    except importlib.metadata.PackageNotFoundError:
        return Finding("MPI", "not installed", f'{sys.executable} -m pip install "minigan[mpi]"')
    mpiexec = shutil.which("mpiexec") or shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    return Finding("MPI", f"{found}, {mpiexec or 'and no mpiexec on the PATH'}")


def gpu() -> Iterator[Finding]:
    """CuPy, CUDA, driver, device, memory, and whether the three together can run a kernel."""
    cupy: Any = None
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        number = 12 if 0 < driver_version() < 13000 else 13
        missing = isinstance(error, ModuleNotFoundError)
        fix = f'{sys.executable} -m pip install {"" if missing else "--force-reinstall "}"minigan[cuda{number}]"'
        yield Finding("CuPy", "not installed" if missing else f"cannot be imported: {error}", fix)
    else:
        yield Finding("CuPy", cupy.__version__)
        yield Finding("CUDA", version(cupy.cuda.runtime.runtimeGetVersion()))

    driver = driver_version() if cupy is None else cupy.cuda.runtime.driverGetVersion()
    if not driver:
        yield Finding("NVIDIA driver", "none", DRIVER)
        return
    yield Finding("NVIDIA driver", f"for CUDA up to {version(driver)}")
    if cupy is None:
        return
    reason = backend.available()["cupy"]
    if reason:
        yield Finding("cupy backend", reason)
        return
    device = cupy.cuda.runtime.getDeviceProperties(0)
    free, total = cupy.cuda.runtime.memGetInfo()
    name = device["name"].decode()
    yield Finding("GPU", f"{name}, compute capability {device['major']}.{device['minor']}")
    yield Finding("GPU memory", f"{free / 2**30:.1f} GiB free of {total / 2**30:.1f} GiB")
    yield Finding("cupy backend", try_a_kernel())


def try_a_kernel() -> str:
    place = backend.get("cupy")
    x = place.leaky_relu(place.asarray(np.array([-1.0, 2.0])), 0.5)
    return "its kernels run" if place.to_numpy(x).tolist() == [-0.5, 2.0] else "its kernels give wrong results"


def driver_version() -> int:
    """As CUDA numbers its versions, without CuPy: 13020 is 13.2. 0 where there is no driver."""
    number = ctypes.c_int()
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return number.value if library.cuDriverGetVersion(ctypes.byref(number)) == 0 else 0
    except (OSError, AttributeError):
        return 0
