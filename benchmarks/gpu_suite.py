"""Everything that needs an NVIDIA GPU, in one command: the tests, training steps beside PyTorch's, the convolutions.

    python -m benchmarks.gpu_suite                         # the whole suite, one table at the end
    python -m benchmarks.gpu_suite --json gpu.json
    python -m benchmarks.gpu_suite --dry-run               # does every part of it run? (any machine, tiny sizes)

Training steps: minigan captured and eager, PyTorch eager, compiled and as a CUDA graph, each in float32 and with TF32,
the same model, weights and batch, taking turns in one run and synchronised after each step (gpu_step.py); ratios are of
medians. Convolutions: CupyBackend's own matrix product
("implicit") beside cuBLAS on windows in memory ("im2col"), which is what the bounds in CupyBackend.choose rest on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import gpu_step
from benchmarks.harness import Contenders, interleave, machine, save_json, summary, table
from minigan import backend as backends
from minigan.backend import ConvGeometry
from minigan.cli import user_errors
from minigan.errors import InputError

HALVING = ((4, 4), (2, 2), (1, 1))
CONVS = [  # batch, image side, channels, filters
    (128, 28, 1, 128),
    (128, 14, 128, 256),
    (128, 64, 3, 64),
    (128, 32, 64, 128),
    (128, 16, 128, 256),
    (128, 8, 256, 512),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", metavar="FILE", help="write machine and results there")
    parser.add_argument("--no-tests", action="store_true", help="only the timings")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, PyTorch on the CPU: shows that all runs")
    return user_errors(suite, parser.parse_args())


def suite(args: argparse.Namespace) -> None:
    cupy = backends.get("cupy")
    steps, convs, rounds = gpu_step.STEPS, CONVS, args.rounds
    changes: dict[str, Any] = {}
    if args.dry_run:
        steps, convs, rounds = [("mnist_dcgan", 2)], [(2, 6, 3, 5)], 2
        changes = {"device": "cpu", "width": 2}
    else:
        gpu_step.check_torch()

    passed = True if args.no_tests or args.dry_run else run_tests()
    results = []
    for workload, batch in steps:
        results += gpu_step.measure(cupy, workload, batch, rounds, **changes)
        print(f"{workload}, batch {batch}: done", file=sys.stderr, flush=True)
    print(facts(cupy))
    print("tests: " + ("not run" if args.no_tests or args.dry_run else "passed" if passed else "FAILED, see above"))
    print(table(results), *map(gpu_step.peaks, results), sep="\n")
    rows = [row for sizes in convs for row in convolutions(cupy, *sizes, rounds)]
    print(f"{'convolution':36} {'implicit':>12} {'im2col':>12}   chosen")
    for name, implicit, im2col, chosen in rows:
        print(f"{name:36} {implicit * 1e3:9.3f} ms {im2col * 1e3:9.3f} ms   {chosen}")
    if args.json:
        save_json(args.json, [*results, {"convolutions": rows}])
    if not passed:
        raise InputError("some of the tests failed, see above")


def run_tests() -> bool:
    return subprocess.run([sys.executable, "-m", "pytest", "-m", "gpu", "-n", "1"], check=False).returncode == 0


def facts(cupy: Any) -> dict[str, Any]:
    runtime = cupy.xp.cuda.runtime
    gpu = {"gpu": runtime.getDeviceProperties(0)["name"].decode(), "cupy": cupy.xp.__version__}
    return {**gpu, "driver": runtime.driverGetVersion(), "cuda": runtime.runtimeGetVersion(), **machine()}


# ---- convolutions ----------------------------------------------------------------------------------------------------


def convolutions(
    cupy: Any, batch: int, side: int, channels: int, filters: int, rounds: int
) -> list[tuple[str, float, float, str]]:
    """Median seconds of the three kernels of one layer, both ways, and which way the backend takes."""
    geometry = ConvGeometry((side, side), *HALVING)
    rng = np.random.default_rng(0)
    shapes = (batch, channels, side, side), (filters, channels, 4, 4), (batch, filters, *geometry.out_hw)
    x, w, g = (cupy.asarray(rng.standard_normal(shape, np.float32)) for shape in shapes)
    calls: Contenders = {
        "forward": lambda: cupy.conv2d(x, w, geometry),
        "input": lambda: cupy.conv2d_input(g, w, geometry),
        "weight": lambda: cupy.conv2d_weight(x, g, geometry),
    }
    chosen = cupy.choose(geometry, batch, channels, filters)

    def timed(call: Callable[[], Any], way: str) -> Callable[[], None]:
        def run() -> None:
            cupy.choose = lambda *sizes: way
            call()
            cupy.synchronize()
            del cupy.choose

        return run

    rows = []
    for name, call in calls.items():
        seconds = interleave({way: timed(call, way) for way in ("implicit", "im2col")}, rounds)
        medians = (summary(seconds[way])["median"] for way in ("implicit", "im2col"))
        rows.append((f"{batch} x {side}x{side}, {channels}-{filters}, {name}", *medians, chosen))
    return rows


if __name__ == "__main__":
    sys.exit(main())
