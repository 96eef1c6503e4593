"""What the parts of gpu_suite.py do: ``python -m benchmarks.gpu_parts PART [ARGUMENT ...] [--dry-run]``.

Each prints what it finds, appends its measurements to results.jsonl, and exits with 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import gpu_step
from benchmarks.gpu_roofline import LAYERS
from benchmarks.harness import Contenders, interleave, machine, summary, table
from minigan import backend as backends
from minigan import gan
from minigan.backend import ConvGeometry
from minigan.backend.cupy import graph, launch
from minigan.backend.cupy.backend import FEW
from minigan.backend.updates import Adam

ROOT = Path(__file__).resolve().parent.parent
OUT = Path(os.environ.get("GPU_SUITE_OUT", "out/gpu"))
DRY = "--dry-run" in sys.argv
DEVICE = "cpu" if DRY else "cuda"  # PyTorch's
HALVING = ((4, 4), (2, 2), (1, 1))


def record(**row: Any) -> None:
    print(json.dumps(row), flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "results.jsonl", "a") as file:
        file.write(json.dumps({"part": os.environ.get("GPU_SUITE_PART", ""), **row}) + "\n")


@contextmanager
def way(gpu: Any, name: str) -> Iterator[None]:
    """All convolutions by this way of CupyBackend.choose."""
    gpu.choose = lambda *sizes: name
    try:
        yield
    finally:
        del gpu.choose


def ways(channels: int) -> tuple[str, ...]:
    return ("implicit", "im2col", "direct") if channels <= FEW else ("implicit", "im2col")


@contextmanager
def precision(gpu: Any, tf32: bool) -> Iterator[None]:
    gpu.tf32 = tf32
    try:
        yield
    finally:
        gpu.tf32 = False


# ---- what is here ----------------------------------------------------------------------------------------------------


def environment() -> None:
    if shutil.which("nvidia-smi"):
        subprocess.run(["nvidia-smi"], check=False)
    subprocess.run([sys.executable, "-m", "minigan", "doctor"], check=False)
    cupy = backends.get("cupy").xp
    runtime = cupy.cuda.runtime
    device = runtime.getDeviceProperties(0)
    record(
        gpu=device["name"].decode(), compute_capability=f"{device['major']}.{device['minor']}", cupy=cupy.__version__,
        driver=runtime.driverGetVersion(), cuda=runtime.runtimeGetVersion(), **machine(),
    )  # fmt: skip


def compile(family: str = "", dtype: str = "") -> None:
    """Every family of kernels at once, each in a process: CuPy keeps them on disk for all that follow."""
    if family:
        backends.get("cupy")
        import cupy

        kernels = launch.Kernels.__new__(launch.Kernels)
        kernels.cupy = cupy
        kernels._compile(family, np.dtype(dtype))
        return
    begun = time.perf_counter()
    jobs = [(file, str(dtype)) for file, dtype in launch.units()]
    command = [sys.executable, "-m", "benchmarks.gpu_parts", "compile"]
    if DRY:
        jobs = jobs[:1]
    running = {job: subprocess.Popen([*command, *job]) for job in jobs}
    failed = [job for job, process in running.items() if process.wait()]
    record(compiled=len(jobs) - len(failed), failed=failed, seconds=round(time.perf_counter() - begun, 1))
    sys.exit(bool(failed))


# ---- is it right -----------------------------------------------------------------------------------------------------


class Checks:
    """Results beside those of the reference in float64; what is off, and what raised."""

    def __init__(self, gpu: Any) -> None:
        self.gpu, self.reference, self.wrong = gpu, backends.get("reference"), list[str]()

    def close(self, name: str, own: Any, expected: Any, bound: float) -> None:
        own, expected = (np.asarray(self.gpu.to_numpy(a) if isinstance(a, self.gpu.array_type) else a, np.float64)
                         for a in (own, expected))  # fmt: skip
        error = np.abs(own - expected).max() / max(np.abs(expected).max(), 1e-30)
        print(f"{name:44} {error:.1e} {'ok' if error <= bound else 'WRONG'}", flush=True)
        if not error <= bound:
            self.wrong.append(name)

    def attempt(self, name: str, check: Callable[[], None]) -> None:
        try:
            check()
        except Exception as error:
            traceback.print_exc()
            self.wrong.append(f"{name}: {type(error).__name__}: {error}"[:150])


def kernels() -> None:
    """Each kernel beside the reference; at training sizes one way of convolving beside the other."""
    gpu, rng = backends.get("cupy"), np.random.default_rng(0)
    checks = Checks(gpu)
    for dtype, bound in ((np.float32, 3e-6), (np.float64, 1e-12)):
        for channels, filters in ((1, 64), (3, 5), (64, 70))[: 2 if DRY else 3]:
            for name in ways(channels):
                check = partial(convolutions_are_right, checks, rng, dtype, bound, channels, filters, name)
                checks.attempt(f"convolution {name}", check)
        checks.attempt("batch norm", partial(batch_norm_is_right, checks, rng, dtype, 3 * bound))
        checks.attempt("the others", partial(others_are_right, checks, rng, dtype, bound))
    for tf32, bound in ((False, 1e-5), (True, 3e-3)):
        with precision(gpu, tf32):
            checks.attempt("large convolutions", partial(large_convolutions_agree, checks, rng, tf32, bound))
    record(kernels="wrong" if checks.wrong else "right", wrong=checks.wrong)
    sys.exit(bool(checks.wrong))


def convolutions_are_right(
    checks: Checks, rng: np.random.Generator, dtype: Any, bound: float, channels: int, filters: int, name: str
) -> None:
    gpu, reference, geometry = checks.gpu, checks.reference, ConvGeometry((14, 14), *HALVING)
    shapes = (6, channels, 14, 14), (filters, channels, 4, 4), (6, filters, 7, 7)
    x, w, g = (rng.standard_normal(shape) for shape in shapes)
    with way(gpu, name):
        for kernel, a, b in (("conv2d", x, w), ("conv2d_input", g, w), ("conv2d_weight", x, g)):
            expected = getattr(reference, kernel)(reference.asarray(a), reference.asarray(b), geometry)
            own = getattr(gpu, kernel)(gpu.asarray(a.astype(dtype)), gpu.asarray(b.astype(dtype)), geometry)
            checks.close(f"{kernel}, {name}, {np.dtype(dtype)}, {channels}-{filters}", own, expected, bound)


def large_convolutions_agree(checks: Checks, rng: np.random.Generator, tf32: bool, bound: float) -> None:
    gpu, batch = checks.gpu, 1 if DRY else 128
    for channels, filters, side in ((64, 128, 32), (3, 64, 64))[: 1 if DRY else 2]:
        side = 8 if DRY else side
        geometry = ConvGeometry((side, side), *HALVING)
        shapes = (batch, channels, side, side), (filters, channels, 4, 4), (batch, filters, side // 2, side // 2)
        x, w, g = (gpu.asarray(rng.standard_normal(shape, np.float32)) for shape in shapes)
        for kernel, a, b in (("conv2d", x, w), ("conv2d_input", g, w), ("conv2d_weight", x, g)):
            found = []
            for name, rounded in (("implicit", tf32), ("im2col", False)):
                with way(gpu, name), precision(gpu, rounded):
                    found.append(gpu.to_numpy(getattr(gpu, kernel)(a, b, geometry)))
            what = f"{kernel}, {batch} x {channels}-{filters}, {'TF32' if tf32 else 'float32'} beside cuBLAS"
            checks.close(what, *found, bound)


def batch_norm_is_right(checks: Checks, rng: np.random.Generator, dtype: Any, bound: float) -> None:
    x, g = rng.standard_normal((2, 37, 17, 4, 4))
    weight, bias = rng.standard_normal((2, 17))
    both = []
    for place, kind in ((checks.gpu, dtype), (checks.reference, np.float64)):
        own_x, own_g, own_weight, own_bias = (place.asarray(a.astype(kind)) for a in (x, g, weight, bias))
        y, mean, var = place.batch_norm(own_x, own_weight, own_bias, 1e-5, 0.2)
        gradients = place.batch_norm_backward(own_g, own_x, y, own_weight, mean, var, 1e-5, 0.2)
        both.append((y, mean, var, *gradients))
    for name, own, expected in zip(("y", "mean", "var", "dx", "dweight", "dbias"), *both, strict=True):
        checks.close(f"batch norm, {np.dtype(dtype)}, {name}", own, expected, bound)


def others_are_right(checks: Checks, rng: np.random.Generator, dtype: Any, bound: float) -> None:
    gpu, reference = checks.gpu, checks.reference
    x, g = rng.standard_normal((2, 5, 3, 9, 7)) * 3
    own_x, own_g, ref_x, ref_g = *(gpu.asarray(a.astype(dtype)) for a in (x, g)), *map(reference.asarray, (x, g))
    for name in ("tanh", "softplus", "sigmoid"):
        checks.close(f"{name}, {np.dtype(dtype)}", getattr(gpu, name)(own_x), getattr(reference, name)(ref_x), bound)
    checks.close("leaky_relu", gpu.leaky_relu(own_x, 0.2), reference.leaky_relu(ref_x, 0.2), bound)
    gates = (place.leaky_relu_gate(a, b, 0.2) for place, a, b in ((gpu, own_g, own_x), (reference, ref_g, ref_x)))
    checks.close("leaky_relu_gate", *gates, bound)
    for axes in ((0, 2, 3), (0, 1, 2, 3), (1,)):
        checks.close(f"sum over {axes}", gpu.sum(own_x, axes, False), x.sum(axes), 10 * bound)
    pool = ConvGeometry((9, 7), (3, 2), (2, 2), (1, 0))
    checks.close("sum_pool", gpu.sum_pool(own_x, pool), reference.sum_pool(ref_x, pool), bound)
    offsets = rng.integers(-3, 4, (5, 2))
    checks.close("translate", gpu.translate(own_x, gpu.asarray(offsets)), reference.translate(ref_x, offsets), bound)
    index, values = rng.integers(0, 7, 500), rng.standard_normal((500, 3))
    own, expected = (place.put_item(place.asarray(a), index, (7, 3))
                     for place, a in ((gpu, values.astype(dtype)), (reference, values)))  # fmt: skip
    checks.close("put_item", own, expected, 10 * bound)
    for shapes in (((128, 100), (100, 6272)), ((128, 6272), (6272, 1)), ((3, 5, 4), (3, 4, 6))):
        a, b = (rng.standard_normal(shape) for shape in shapes)
        own = gpu.matmul(gpu.asarray(a.astype(dtype)), gpu.asarray(b.astype(dtype)))
        checks.close(f"matmul {shapes}", own, a @ b, 10 * bound)
    arrays = [[rng.uniform(0.1, 1, shape) for shape in ((300, 20), (7,), (8, 3, 4, 4))] for _ in range(4)]
    lists = [[[place.asarray(a.astype(kind)) for a in some] for some in arrays]
             for place, kind in ((gpu, dtype), (reference, np.float64))]  # fmt: skip
    for place, some in zip((gpu, reference), lists, strict=True):
        place.update(lambda: Adam(lr=0.1, betas=(0.5, 0.999), step=2), *some)
    for number in range(3):
        checks.close(f"adam, parameter {number}", lists[0][0][number], lists[1][0][number], bound)
    scalars = [gpu.asarray(dtype(number / 7)) for number in range(20)]
    checks.close("pack", np.array(gpu.read(gpu.pack(scalars))), np.arange(20) / 7, bound)


def trainer(architecture: dict[str, Any], batch: int, augment: Any = (), **settings: Any) -> tuple[gan.Trainer, Any]:
    """A trainer on the GPU, and a batch for it."""
    gpu, rng = backends.get("cupy"), np.random.default_rng(0)
    networks = (network.to(gpu) for network in gan.build(architecture, rng))
    game = gan.TwoPlayer(*networks, z_dim=architecture["z_dim"], rng=rng, augment=augment)
    shape = batch, architecture["channels"], *[architecture["image_size"]] * 2
    return gan.Trainer(game, **settings), gpu.asarray(rng.uniform(-1, 1, shape).astype(np.float32))


def small(name: str) -> dict[str, Any]:
    return gpu_step.ARCHITECTURES[name] | ({"width": 2} if DRY else {})


def capture() -> None:
    """Captured steps beside eager ones, bit for bit; and what a replay's time is made of."""
    gpu, all_equal = backends.get("cupy"), True
    replays: list[Any] = []
    captured = graph.Graphs.capture

    def noted(*args: Any) -> Any:
        replays.append(captured(*args))
        return replays[-1]

    with mock.patch.object(graph.Graphs, "capture", noted):
        for name in gpu_step.ARCHITECTURES:
            for kind, tf32 in gpu_step.PRECISIONS.items():
                with precision(gpu, tf32):
                    replays.clear()
                    batch = 2 if DRY else 128
                    (own, real), (eager, _) = (trainer(small(name), batch, capture=mode) for mode in (True, False))
                    equal = all([repr(own.step(real)) == repr(eager.step(real)) for _ in range(5 if DRY else 14)])
                    reason, times = own.capture_reason, []
                    for _ in range(3 if DRY else 50):
                        begun = time.perf_counter()
                        own.step(real)
                        times.append(time.perf_counter() - begun)
                    row = {"workload": name, "batch": batch, "precision": kind, "equal": equal, "reason": reason}
                    row["step_ms"] = 1e3 * float(np.median(times))
                    if replays:
                        row |= taken_apart(gpu, replays[0])
                record(**row)
                all_equal &= equal and not reason
    sys.exit(not all_equal)


def taken_apart(gpu: Any, replay: Any, rounds: int = 20) -> dict[str, float]:
    """Milliseconds of the device for a launch of the graph, and of the host for what it brings."""
    cuda = gpu.xp.cuda
    start, end = cuda.Event(), cuda.Event()
    gpu.synchronize()
    start.record()
    for _ in range(rounds):
        replay._graph.launch()
    end.record()
    end.synchronize()
    begun = time.perf_counter()
    for action in replay._brought._actions:
        action()
    return {
        "graph_ms": cuda.get_elapsed_time(start, end) / rounds,
        "host_ms": 1e3 * (time.perf_counter() - begun),
    }


def lockstep() -> None:
    """The same games in PyTorch on the CPU, step by step."""
    sys.path[:0] = [str(ROOT / "tests" / "lockstep"), str(ROOT / "tests")]
    import test_dcgan

    for size, dtype, steps, bound in (
        (28, np.float64, 60, 1e-8),
        (64, np.float64, 40, 1e-8),
        (28, np.float32, 1, 1e-5),
    ):
        game = test_dcgan.make_game(size, dtype, backend="cupy")
        steps = min(steps, 2) if DRY else steps
        with game.trainer.eagerly():
            for real in test_dcgan.batches(size, steps):
                game.step(real)
        game.compare_losses(bound)
        if dtype is np.float64:
            game.compare(bound)
        record(lockstep=f"{size}x{size}", dtype=str(np.dtype(dtype)), steps=steps, equal_to=bound)


# ---- how fast is it --------------------------------------------------------------------------------------------------


def steps(names: str, batches: str, *only: str) -> None:
    """Training steps of every contender, or of minigan and ``only`` these."""
    gpu, changes = backends.get("cupy"), {"width": 2} if DRY else {}
    kinds = (*only, "minigan", "torch_channels_last") if only else None
    for name, batch in gpu_step.STEPS:
        if name in names.split(",") and str(batch) in batches.split(","):
            batch = 2 if DRY else batch
            for row in gpu_step.measure(gpu, name, batch, 2 if DRY else 12, device=DEVICE, kinds=kinds, **changes):
                print(table([row]), gpu_step.peaks(row), sep="\n", flush=True)
                record(**row)


def profile() -> None:
    """Time by kernel, as CUPTI tells it, of minigan's eager step and of PyTorch's: no gap between launches counts."""
    import torch

    gpu, repeats = backends.get("cupy"), 5
    activities = [torch.profiler.ProfilerActivity.CPU]
    if not DRY:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    for name in gpu_step.ARCHITECTURES:
        makers = gpu_step.contenders(gpu, small(name), 2 if DRY else 128, DEVICE)
        for kind in gpu_step.PRECISIONS:
            for contender in ("minigan_eager", "torch_channels_last"):
                step = makers[f"{contender} {kind}"]()
                for _ in range(3):
                    step()
                with torch.profiler.profile(activities=activities) as found:
                    for _ in range(repeats):
                        step()
                    gpu.synchronize()
                lines = by_kernel(found, repeats)
                record(workload=name, contender=contender, precision=kind, kernels=lines[:40])
                with open(OUT / "profile.txt", "a") as file:
                    total, launches = (sum(line[i] for line in lines) for i in (0, 1))
                    file.write(f"==== {name}, {contender}, {kind}: {total:.0f} us, {launches:.0f} launches a step\n")
                    file.writelines(f"{us:9.1f} us {count:6.1f} x  {what}\n" for us, count, what in lines)


def by_kernel(profile: Any, repeats: int) -> list[tuple[float, float, str]]:
    """Microseconds and launches a step of each kernel, the longest first."""
    events = [event for event in profile.key_averages() if "CUDA" in str(event.device_type)]
    rows = [(e.self_device_time_total / repeats, e.count / repeats, e.key[:110]) for e in events]
    return sorted(rows, reverse=True)


def convolutions() -> None:
    """The three kernels of a layer, every way, in both precisions: what CupyBackend.choose rests on."""
    gpu = backends.get("cupy")
    for batch, side, channels, filters in [(2, 6, 3, 5)] if DRY else LAYERS:
        for kind, tf32 in gpu_step.PRECISIONS.items():
            with precision(gpu, tf32):
                for row in layer(gpu, batch, side, channels, filters, 2 if DRY else 7):
                    record(precision=kind, **row)


def layer(gpu: Any, batch: int, side: int, channels: int, filters: int, rounds: int) -> list[dict[str, Any]]:
    geometry = ConvGeometry((side, side), *HALVING)
    rng = np.random.default_rng(0)
    shapes = (batch, channels, side, side), (filters, channels, 4, 4), (batch, filters, *geometry.out_hw)
    x, w, g = (gpu.asarray(rng.standard_normal(shape, np.float32)) for shape in shapes)
    calls: Contenders = {
        "forward": lambda: gpu.conv2d(x, w, geometry),
        "input": lambda: gpu.conv2d_input(g, w, geometry),
        "weight": lambda: gpu.conv2d_weight(x, g, geometry),
    }
    work = 2 * batch * filters * 16 * channels * geometry.out_hw[0] * geometry.out_hw[1]
    chosen = gpu.choose(geometry, batch, channels, filters)

    def timed(call: Callable[[], Any], name: str) -> Callable[[], None]:
        def run() -> None:
            with way(gpu, name):
                call()
            gpu.synchronize()

        return run

    rows = []
    for name, call in calls.items():
        seconds = interleave({of: timed(call, of) for of in ways(channels)}, rounds, turn=0.01)
        medians = {of: summary(values)["median"] for of, values in seconds.items()}
        rates = {f"{of}_tflops": work / median / 1e12 for of, median in medians.items()}
        layer = f"{batch} x {side}x{side}, {channels}-{filters}, {name}"
        rows.append({"layer": layer, "chosen": chosen, **{f"{of}_ms": 1e3 * m for of, m in medians.items()}, **rates})
    return rows


# ---- does it keep to its memory --------------------------------------------------------------------------------------


def sanitize() -> None:
    """For compute-sanitizer: every array a cudaMalloc of its own, so that what lies outside of it is noticed."""
    gpu = backends.get("cupy")
    if not DRY:
        gpu.xp.cuda.set_allocator(None)
    settings: list[dict[str, Any]] = [{"augment": [gan.DiffAugment()], "ema": 0.9}, {}]
    for architecture, more in zip(gpu_step.ARCHITECTURES.values(), settings, strict=True):
        for name, tf32 in (
            ("implicit", False),
            ("im2col", False),
            ("chosen", True),
        ):  # direct and tensor.cu are the last
            with nullcontext() if name == "chosen" else way(gpu, name), precision(gpu, tf32):
                play, real = trainer(architecture | {"width": 8}, 3, capture=False, **more)
                print(name, play.step(real), flush=True)
    print("sanitize: done")


PARTS = (environment, compile, kernels, capture, lockstep, steps, profile, convolutions, sanitize)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[part.__name__ for part in PARTS])
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="of the part, see there")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, PyTorch on the CPU: shows that all runs")
    args = parser.parse_args()
    {part.__name__: part for part in PARTS}[args.part](*args.arguments)


if __name__ == "__main__":
    main()
