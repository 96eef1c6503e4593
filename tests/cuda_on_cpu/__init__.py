"""Compiles CUDA sources with the host's C++ compiler, and launches their kernels on the CPU. See cuda_on_cpu.h."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

HEADER = Path(__file__).parent / "cuda_on_cpu.h"
COMPILER = shutil.which(os.environ.get("CXX", "g++"))
FLAGS = ["-std=c++17", "-O2", "-fPIC", "-shared", "-w", "-fno-strict-aliasing", "-ffp-contract=off"]
FLAGS += ["-U_FORTIFY_SOURCE"]  # its longjmp refuses to leave a stack for another
FLAGS += ["-fvisibility=hidden", "-fno-gnu-unique"]  # or a kernel's shared memory would be one for float and double
WITH_ASAN = ["-fsanitize=address", "-g", "--param", "asan-stack=0"]


class CompilationError(Exception):
    pass


@cache
def load(source: str, options: tuple[str, ...]) -> ctypes.PyDLL:
    """The kernels of ``source`` as a library of launch_NAME and signature_NAME functions.

    Compiled once on a machine: kept in the temporary directory under a hash of everything that matters.
    """
    if COMPILER is None:
        raise CompilationError("there is no C++ compiler here: install g++ (apt-get install g++)")
    asan = WITH_ASAN if os.environ.get("CUDA_ON_CPU_ASAN") else []
    exports = [f"CUDA_ON_CPU_EXPORT({name})" for name in kernels(source)]
    code = "\n".join([f'#include "{HEADER}"', source, *exports, ""])
    version = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True).stdout
    what = (code, HEADER.read_text(), options, FLAGS, asan, version)
    folder = Path(tempfile.gettempdir(), f"cuda-on-cpu-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{hashlib.sha256(repr(what).encode()).hexdigest()[:24]}.so"
    with open(library.with_suffix(".lock"), "w") as lock:  # one process compiles, the others wait for it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            made = library.with_suffix(".new")
            command = [
                COMPILER,
                *FLAGS,
                *asan,
                *(o for o in options if o.startswith("-D")),
                "-x",
                "c++",
                "-",
                "-o",
                made,
            ]
            done = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
            if done.returncode:
                raise CompilationError(done.stderr)
            made.rename(library)
    return ctypes.PyDLL(str(library))  # holds Python's lock while a kernel runs: the fibers serve one launch at a time


def kernels(source: str) -> list[str]:
    """The names of the kernels in ``source``."""
    return re.findall(r'^(?:KERNEL|extern "C" __global__ void) (\w+)\(', source, re.MULTILINE)
