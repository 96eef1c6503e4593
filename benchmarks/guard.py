"""Has anything become slower? Compares with the figures in benchmarks/baseline.json, and says what did.

    python -m benchmarks.guard             # 0 when nothing got slower
    python -m benchmarks.guard --update    # the present state becomes the baseline

Three ways to measure, the best that works here unless ``--method`` says which:

    perf        instructions of a training step, counted by the processor (Linux, where it is allowed)
    callgrind   the same, counted by valgrind's emulation: slow, and the same on a busy machine
    ratio       time of a training step over that of fixed work in plain NumPy, taking turns with it

Instructions are those of a run with more steps minus those of one with fewer, on one thread. A baseline speaks for its
own versions of Python and NumPy and for the BLAS kernels of its CPU: elsewhere, make your own with ``--update``. One
thread is not all: whether threads still help is shown by ``python -m benchmarks.scaling --axis threads``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minigan
from benchmarks.child import ROOT, changed
from benchmarks.harness import interleave, machine
from benchmarks.workloads import WORKLOADS, Workload, images, minigan_step, minigan_trainer
from minigan.backend.numpy import blas

BASELINE = Path(__file__).parent / "baseline.json"
# name: workload, batch, changes to it. Small, since valgrind takes fifty times as long
FIGURES: dict[str, tuple[str, int, list[str]]] = {
    "mnist_dcgan, batch 8": ("mnist_dcgan", 8, ["width=16"]),
    "mnist_dcgan, batch 1, only overhead": ("mnist_dcgan", 1, ["width=2"]),
    "dcgan64, batch 2": ("dcgan64", 2, ["width=8"]),
    "wgan_gp_critic, batch 8": ("wgan_gp_critic", 8, ["width=16"]),
    "sngan32, batch 2": ("sngan32", 2, ["width=8"]),
}
FEW, MANY = 3, 13  # steps: ten, since what a trainer measures now and then it does in every tenth
TOLERANCE = {"perf": 0.02, "callgrind": 0.01, "ratio": 0.15}
VERSIONS = ("cpu", "python", "numpy", "blas")  # what a baseline depends on


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=TOLERANCE, help="default: the first that works, in this order")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the figures whose name contains this")
    parser.add_argument("--update", action="store_true", help="make the measured figures the baseline")
    parser.add_argument("--baseline", type=Path, default=BASELINE, metavar="FILE")
    args = parser.parse_args()
    names = [name for name in FIGURES if args.only in name]
    if not names:
        parser.error(f"--only {args.only}: no figure's name contains this: {'; '.join(FIGURES)}")
    method = args.method or best_method()
    baseline = json.loads(args.baseline.read_text()) if args.baseline.exists() else {}
    known = baseline.get(method, {"figures": {}})
    print(f"by {method}; slower means more than {TOLERANCE[method]:.0%} above the baseline")
    measured = {}
    for name in names:
        measured[name] = measure(method, *FIGURES[name])
        print(line(name, measured[name], known["figures"].get(name), TOLERANCE[method]), flush=True)
    facts = {key: value for key, value in machine().items() if key in VERSIONS}
    if args.update:
        baseline[method] = {"machine": facts, "figures": known["figures"] | measured}
        args.baseline.write_text(json.dumps(baseline, indent=1) + "\n")
        return 0
    for key, value in known.get("machine", {}).items():
        if facts[key] != value:
            print(f"note: the baseline is of {key} {value}, this is {facts[key]}")
    return 1 if slower(measured, known["figures"], TOLERANCE[method]) else 0


def slower(measured: dict[str, float], known: dict[str, float], tolerance: float) -> list[str]:
    """
    >>> slower({"a": 1.1, "b": 1.01, "new": 5.0}, {"a": 1.0, "b": 1.0}, 0.03)
    ['a']
    """
    return [name for name, value in measured.items() if value > known.get(name, np.inf) * (1 + tolerance)]


def line(name: str, value: float, before: float | None, tolerance: float) -> str:
    """
    >>> line("a step", 120.0, 100.0, 0.03)
    'a step                                        120      1.200 of the baseline   SLOWER'
    """
    text = f"{name:36} {value:12.6g}"
    if before is None:
        return f"{text}      no baseline"
    verdict = "SLOWER" if value > before * (1 + tolerance) else "faster" if value < before / (1 + tolerance) else ""
    return f"{text} {value / before:10.3f} of the baseline   {verdict}".rstrip()


def best_method() -> str:
    if perf([sys.executable, "-c", "pass"]) is not None:
        return "perf"
    return "callgrind" if shutil.which("valgrind") else "ratio"


def measure(method: str, name: str, batch: int, changes: list[str]) -> float:
    """Instructions a step, or its time in units of the reference work."""
    if method == "ratio":
        return ratio(changed(WORKLOADS[name], changes), batch)
    count: Callable[[list[str]], float | None] = perf if method == "perf" else callgrind
    child = [sys.executable, "-m", "benchmarks.child", "minigan", f"--workload={name}", f"--batch={batch}"]
    child += ["--threads=1", *(f"--set={change}" for change in changes)]
    few, many = (count([*child, f"--steps={steps}"]) for steps in (FEW, MANY))
    if few is None or many is None:
        raise SystemExit(f"{method} counted nothing: try another --method, or what it ran: {' '.join(child)}")
    return round((many - few) / (MANY - FEW))


def perf(command: list[str]) -> float | None:
    if not shutil.which("perf"):
        return None
    told = output(["perf", "stat", "-x,", "-e", "instructions:u", *command])
    found = re.search(r"^(\d+),.*instructions", told, re.MULTILINE)
    return float(found[1]) if found else None


def callgrind(command: list[str]) -> float | None:
    if not shutil.which("valgrind"):
        return None
    told = output(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command])
    found = re.search(r"Collected : (\d+)", told)
    return float(found[1]) if found else None


def output(command: list[str]) -> str:
    """What it says on stderr. Every run has the same hash values, and no BLAS threads that count while they wait."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stderr


def ratio(workload: Workload, batch: int, rounds: int = 15) -> float:
    threads = minigan.get_num_threads()
    minigan.set_num_threads(1)
    minigan.keep_freed_memory().__enter__()  # as in a run
    try:
        step = minigan_step(minigan_trainer(workload), images(workload, batch))
        with blas.single_threaded():
            seconds = interleave({"step": step, "reference": reference()}, rounds)
    finally:
        minigan.set_num_threads(threads)
    return round(statistics.median(seconds["step"]) / statistics.median(seconds["reference"]), 3)


def reference() -> Callable[[], Any]:
    """Fixed work of the kind that a step is made of: products, passes over memory, and the interpreter."""
    a, big = np.ones((256, 256), np.float32), np.ones(2**20, np.float32)
    product, small = np.empty_like(a), np.ones(16, np.float32)

    def work() -> None:
        for _ in range(10):
            np.matmul(a, a, out=product)
            np.maximum(big, 0.5, out=big)
        for _ in range(1000):
            small + small

    return work


if __name__ == "__main__":
    sys.exit(main())
