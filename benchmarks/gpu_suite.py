"""Everything that needs an NVIDIA GPU, in one command: the tests, training steps beside PyTorch's, the convolutions.

    python -m benchmarks.gpu_suite                         # the whole suite, one table at the end
    python -m benchmarks.gpu_suite --json gpu.json
    python -m benchmarks.gpu_suite --dry-run               # does every part of it run? (any machine, tiny sizes)

Training steps: minigan and PyTorch eager, each in float32 and with TF32, the same model, weights and batch, taking
turns in one run and synchronised after each step; ratios are of medians. Convolutions: CupyBackend's own matrix product
("implicit") beside cuBLAS on windows in memory ("im2col"), which is what the bounds in CupyBackend.choose rest on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import interleave, machine, result, save_json, summary, table
from minigan import backend as backends
from minigan import gan
from minigan.backend import ConvGeometry
from minigan.interop import to_torch
from minigan.tensor import Tensor

Contenders = dict[str, Callable[[], Any]]
MNIST = {"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 100}
DCGAN64 = {"model": "dcgan", "image_size": 64, "channels": 3, "z_dim": 100}
STEPS = [("mnist_dcgan", MNIST, batch) for batch in (64, 128, 512)]
STEPS += [("dcgan64", DCGAN64, batch) for batch in (64, 128, 256)]
PRECISIONS = ("float32", "TF32")
HALVING = ((4, 4), (2, 2), (1, 1))
CONVS = [  # batch, image side, channels, filters
    (128, 28, 1, 128),
    (128, 14, 128, 256),
    (128, 64, 3, 64),
    (128, 32, 64, 128),
    (128, 16, 128, 256),
    (128, 8, 256, 512),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", metavar="FILE", help="write machine and results there")
    parser.add_argument("--no-tests", action="store_true", help="only the timings")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, PyTorch on the CPU: shows that all runs")
    args = parser.parse_args()
    cupy = backends.get("cupy")
    steps, convs, rounds, device = STEPS, CONVS, args.rounds, "cuda"
    if args.dry_run:
        steps, convs, rounds, device = [("mnist_dcgan", {**MNIST, "width": 2}, 2)], [(2, 6, 3, 5)], 2, "cpu"

    passed = True if args.no_tests or args.dry_run else run_tests()
    results = []
    for workload, architecture, batch in steps:
        contenders, memory = training_steps(cupy, architecture, batch, device)
        seconds = interleave(contenders, rounds)
        for precision in PRECISIONS:
            engines = {engine: seconds[f"{engine} {precision}"] for engine in ("minigan", "torch")}
            results.append(result(f"{workload}, {precision}", batch, engines) | {"peak_bytes": memory()})
        print(f"{workload}, batch {batch}: done", file=sys.stderr, flush=True)
    print(facts(cupy))
    print("tests: " + ("not run" if args.no_tests or args.dry_run else "passed" if passed else "FAILED, see above"))
    print(table(results))
    for row in results:
        peaks = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in row["peak_bytes"].items())
        print(f"peak memory, {row['workload']}, batch {row['batch']}: {peaks}")
    rows = [row for sizes in convs for row in convolutions(cupy, *sizes, rounds)]
    print(f"{'convolution':36} {'implicit':>12} {'im2col':>12}   chosen")
    for name, implicit, im2col, chosen in rows:
        print(f"{name:36} {implicit * 1e3:9.3f} ms {im2col * 1e3:9.3f} ms   {chosen}")
    if args.json:
        save_json(args.json, [*results, {"convolutions": rows}])
    sys.exit(not passed)


def run_tests() -> bool:
    return subprocess.run([sys.executable, "-m", "pytest", "-m", "gpu", "-n", "1"], check=False).returncode == 0


def facts(cupy: Any) -> dict[str, Any]:
    runtime = cupy.xp.cuda.runtime
    gpu = {"gpu": runtime.getDeviceProperties(0)["name"].decode(), "cupy": cupy.xp.__version__}
    return {**gpu, "driver": runtime.driverGetVersion(), "cuda": runtime.runtimeGetVersion(), **machine()}


# ---- training steps --------------------------------------------------------------------------------------------------


def training_steps(
    cupy: Any, architecture: dict[str, Any], batch: int, device: str
) -> tuple[Contenders, Callable[[], dict[str, int]]]:
    """One contender for each engine and precision; and a function for the memory that each engine held at most."""
    import torch

    rng = np.random.default_rng(0)
    shape = batch, architecture["channels"], architecture["image_size"], architecture["image_size"]
    images = rng.uniform(-1, 1, shape).astype(np.float32)
    networks = gan.build(architecture, rng)
    twins = [to_torch(network) for network in networks]
    generator, discriminator = (network.to(cupy) for network in networks)
    trainer = gan.Trainer(generator, discriminator, z_dim=architecture["z_dim"], rng=rng)
    pool = cupy.xp.get_default_memory_pool()
    pool.free_all_blocks()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    real = Tensor(cupy.asarray(images))
    torch_step = make_torch_step(twins, images, architecture["z_dim"], device)

    def minigan(tf32: bool) -> None:
        cupy.tf32 = tf32
        trainer.step(real)
        cupy.synchronize()
        cupy.tf32 = False

    def pytorch(tf32: bool) -> None:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch_step()
        if device == "cuda":
            torch.cuda.synchronize()

    def memory() -> dict[str, int]:  # neither gives memory back to the GPU while it works
        peak = torch.cuda.max_memory_reserved() if device == "cuda" else 0
        return {"minigan": pool.total_bytes(), "torch": peak}

    contenders: Contenders = {}
    for precision in PRECISIONS:
        contenders[f"minigan {precision}"] = partial(minigan, precision == "TF32")
        contenders[f"torch {precision}"] = partial(pytorch, precision == "TF32")
    return contenders, memory


def make_torch_step(twins: list[Any], images: np.ndarray, z_dim: int, device: str) -> Callable[[], list[float]]:
    """PyTorch's DCGAN example, eager, in channels-last memory."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    g, d = (twin.to(device).to(memory_format=torch.channels_last) for twin in twins)
    real = torch.tensor(images, device=device).to(memory_format=torch.channels_last)
    g_adam, d_adam = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (g, d))
    ones = torch.ones_like(d(real))
    zeros = torch.zeros_like(ones)

    def step() -> list[float]:
        d_adam.zero_grad()
        fake = g(torch.randn(len(images), z_dim, device=device))
        real_logits, fake_logits = d(real), d(fake.detach())
        d_loss = bce(real_logits, ones) + bce(fake_logits, zeros)
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        g_loss = bce(d(fake), ones)
        g_loss.backward()
        g_adam.step()
        beliefs = (logits.sigmoid().mean() for logits in (real_logits, fake_logits))
        return [value.item() for value in (d_loss, g_loss, *beliefs)]

    return step


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
    main()
