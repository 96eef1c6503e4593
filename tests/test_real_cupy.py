"""What needs CuPy's wheel but no GPU: the stand-in offers nothing that CuPy has not; NVRTC compiles every kernel.

The wheel imports without a driver. Here ``import cupy`` finds the stand-in, so CuPy itself is asked in a process of its
own.
"""

from __future__ import annotations

import importlib.machinery
import inspect
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import fake_cupy
import pytest

from minigan.backend.cupy import launch

# .ci/run installs the wheel and fails where it cannot be imported: in CI nothing here is skipped.
WHEEL = importlib.machinery.PathFinder.find_spec("cupy", [path for path in sys.path if path != str(fake_cupy.FOLDER)])
pytestmark = pytest.mark.skipif(
    WHEEL is None, reason="CuPy is not installed: pip install cupy-cuda13x nvidia-cuda-nvrtc"
)
ROOT = Path(__file__).parent.parent
ARCHITECTURES = ("90", "75")  # Hopper, and before there were tensor cores for TF32


def ask(code: str, *arguments: str) -> str:
    """What Python prints that finds the real CuPy."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- the stand-in against CuPy ---------------------------------------------------------------------------------------

LOOK_UP = """
import inspect, json, sys
from functools import reduce
import cupy
def told(name):
    try:
        found = reduce(getattr, name.split(".")[1:], cupy)
    except AttributeError:
        return "missing"
    try:
        signature = inspect.signature(found)
        plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        return str(signature.replace(parameters=plain, return_annotation=signature.empty))
    except (TypeError, ValueError):
        return (getattr(found, "__doc__", None) or "").strip().split("\\n")[0]
print(json.dumps({name: told(name) for name in json.load(sys.stdin)}))
"""


def offered() -> dict[str, object]:
    """All public names of the stand-in that are its own, with what they stand for."""
    import cupy

    found: dict[str, object] = {}

    def walk(holder: object, path: str) -> None:
        for name, value in vars(holder).items():
            private = name.startswith("_") and name not in ("_core", "_routines_linalg")
            own = str(getattr(value, "__module__", "cupy")).startswith("cupy")
            if private or f"{path}.{name}" in found or not own:
                continue
            if isinstance(value, types.ModuleType):
                if value.__name__.startswith("cupy"):
                    walk(value, f"{path}.{name}")
                continue
            found[f"{path}.{name}"] = value
            if isinstance(value, type):
                walk(value, f"{path}.{name}")

    walk(cupy, "cupy")
    return found


def parameters(signature: str) -> list[tuple[str, bool]]:
    """(name, whether it must be given) of "f(self, size_t size, stream=None) -> x"; stars stand for themselves.

    >>> parameters("MemoryPool.set_limit(self, size_t size, fraction=None)")
    [('self', True), ('size', True), ('fraction', False)]
    """
    inside = re.search(r"\((.*)\)", signature.split(" -> ")[0].replace("\\*", "*"))
    found = []
    for part in inside.group(1).split(", ") if inside and inside.group(1) else []:
        before, has_default, _ = part.partition("=")
        name = before.split(":")[0].split()[-1]
        if name not in ("/", "self"):
            found.append((name, not has_default and not name.startswith("*")))
    return found


NCCL = "cupy.cuda.nccl."  # which CuPy offers only where the library is installed


@pytest.mark.skipif(not fake_cupy.installed, reason="here is a GPU, and no stand-in")
def test_the_stand_in_offers_nothing_that_cupy_has_not():
    own = offered()
    names = json.dumps(list(own))
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOK_UP], input=names, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    assert len(own) > 100 and "cupy.cuda.Stream.begin_capture" in own and "cupy.ndarray.astype" in own
    own = {name: value for name, value in own.items() if not name.startswith(NCCL)}
    assert [name for name in own if theirs[name] == "missing"] == []
    wrong = {}
    for name, value in own.items():
        if not callable(value) or name in LOOSE:
            continue
        signature = inspect.signature(value)
        plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        mine = str(signature.replace(parameters=plain, return_annotation=signature.empty))
        if not fits(parameters(mine), parameters(theirs[name])):
            wrong[name] = f"{mine} is not {theirs[name]}"
    assert wrong == {}


LOOSE = {  # whose signatures CuPy does not tell
    "cupy.ndarray",  # __init__(shape, dtype=float, memptr=None, strides=None, order='C') in its docstring
    "cupy.cuda.Graph",  # made by end_capture alone
    "cupy.matmul",  # *args: a and b
    "cupy.add",  # an object with .at
}


def fits(mine: list[tuple[str, bool]], real: list[tuple[str, bool]]) -> bool:
    """Whether every call that the stand-in takes is one that CuPy takes: the same names, at the same places."""
    names, given = [name for name, _ in real], [name for name, _ in mine]
    positional = given[: given.index("*")] if "*" in given else given
    in_place = all(names[number : number + 1] == [name] for number, name in enumerate(positional))
    return in_place and set(given) <= {*names, "*"} and {name for name, must in real if must} <= set(given)


def test_what_fits():
    of = parameters
    assert fits(of("(a, dtype=None)"), of("f(a, dtype=None, order='C') -> x"))
    assert not fits(of("(value)"), of("(fill_value)")) and not fits(of("()"), of("(a)"))
    assert not fits(of("(b, a)"), of("(a, b)")) and not fits(of("(a, *args)"), of("(a, axis=None)"))


# ---- NVRTC -----------------------------------------------------------------------------------------------------------

COMPILE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from cupy.cuda import compiler
from minigan.backend.cupy import launch
compiler._get_arch_for_options_for_nvrtc = lambda arch: (f"-arch=sm_{arch}", "cubin")  # it asks the device
def compile(job):
    (file, dtype), architecture = job
    options = (*launch.options(dtype), "-ftz=true")  # CuPy adds the last for whatever it compiles
    cubin, _ = compiler.compile_using_nvrtc(launch.source(file), options, architecture, f"{file}.cu")
    assert cubin[:4] == b"\\x7fELF", job
    return f"{file} {dtype} {architecture}"
newest, *others = sys.argv[1:]
jobs = [(unit, newest) for unit in launch.units()]
jobs += [(unit, old) for unit in launch.units() if "__CUDA_ARCH__" in launch.source(unit[0]) for old in others]
print(*ThreadPoolExecutor(2).map(compile, jobs), sep="\\n")
"""


def test_nvrtc_compiles_every_kernel_with_the_options_of_a_run():
    done = ask(COMPILE, *ARCHITECTURES).splitlines()
    assert len(done) == len(set(done)) > len(launch.units()) and {"conv float32 90", "tensor float32 75"} <= set(done)


@pytest.mark.skipif(os.path.exists("/proc/driver/nvidia"), reason="here is a driver")
def test_without_a_driver_the_reason_is_told():
    assert 'backend "cupy" found no NVIDIA driver: install one' in ask(
        "from minigan import backend; print(backend.available()['cupy'])"
    )


WITHOUT_NCCL = """
import warnings
from minigan.backend.cupy.nccl import Nccl
from minigan.errors import InputError
from minigan.parallel import ALONE
warnings.simplefilter("ignore")  # CuPy has its own advice
try:
    Nccl(ALONE)
    print("available")
except InputError as error:
    print(error)
except RuntimeError:  # of NCCL, which misses a GPU
    print("available")
"""


def test_without_nccl_the_reason_is_told():
    told = ask(WITHOUT_NCCL)
    if told == "available\n":
        pytest.skip("here is NCCL")
    assert "this CuPy lacks: pip install nvidia-nccl-cu13" in told
