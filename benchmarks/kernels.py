"""Every kernel of every layer of the two DCGANs, against PyTorch on the same CPU.

    python -m benchmarks.kernels                       # all layers
    python -m benchmarks.kernels --layer 14x14 --backend numba --json kernels.json

A layer's three convolution kernels are timed as in training, one after the other with shared transforms: forward, input
gradient, weight gradient. GFLOP/s count the multiplications and additions of the plain algorithm, so filtering can pass
the peak of matrix multiplication, which is measured in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import minigan
from benchmarks.harness import clock, in_stride, machine, save_json, summary
from minigan import backend as backends
from minigan.backend import ConvGeometry
from minigan.backend.numpy import threads
from minigan.backend.updates import Adam

SAME, WHOLE = ((4, 4), (2, 2), (1, 1)), ((4, 4), (1, 1), (0, 0))  # kernel, stride, padding
# name: (N, size, C, F, kind), all written as the convolution C -> F that halves the image; a generator's layer runs it
# backwards, so its forward is the input gradient
LAYERS: dict[str, tuple[int, int, int, int, Any]] = {
    "mnist 28x28 1-128": (128, 28, 1, 128, SAME),
    "mnist 14x14 128-256": (128, 14, 128, 256, SAME),
    "dcgan64 64x64 3-64": (64, 64, 3, 64, SAME),
    "dcgan64 32x32 64-128": (64, 32, 64, 128, SAME),
    "dcgan64 16x16 128-256": (64, 16, 128, 256, SAME),
    "dcgan64 8x8 256-512": (64, 8, 256, 512, SAME),
    "dcgan64 4x4 512-1": (64, 4, 512, 1, WHOLE),
    "dcgan64 4x4 512-100": (64, 4, 512, 100, WHOLE),
}
NORMS = {"mnist 7x7x256": (128, 256, 7, 7), "mnist 14x14x128": (128, 128, 14, 14), "dcgan64 32x32x64": (64, 64, 32, 32)}
Timed = dict[str, Callable[[], list[float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layer", help="only the layers whose name contains this")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, help="for minigan and PyTorch (default: all cores)")
    parser.add_argument("--backend", choices=("numpy", "numba"), default="numpy", help="minigan's (default: numpy)")
    parser.add_argument("--json", metavar="FILE", help="write machine and results there")
    args = parser.parse_args()
    names = [*LAYERS, *NORMS, "adam"]
    if not any((args.layer or "") in name for name in names):
        parser.error(f"--layer {args.layer}: no name contains this: {'; '.join(names)}")
    own = backends.get(args.backend)
    import torch

    if args.threads:
        minigan.set_num_threads(args.threads)
    minigan.keep_freed_memory().__enter__()  # as in a run
    torch.set_num_threads(minigan.get_num_threads())
    results, totals = [], [0.0, 0.0]
    print(f"{'ms':34} {'minigan (quartiles)':>24} {'torch (quartiles)':>24} {'ratio':>6} {'GFLOP/s':>9} {'peak':>6}")
    for name, kernels, contenders, flops in workloads(args.layer or "", own):
        for row in measure(name, kernels, contenders, flops, args.rounds):
            results.append(row)
            totals[0] += row["minigan"]["median"]
            totals[1] += row["torch"]["median"]
            print(line(row), flush=True)
    print(f"sum: minigan {totals[0] * 1e3:.1f} ms, torch {totals[1] * 1e3:.1f} ms, ratio {totals[0] / totals[1]:.2f}")
    print(machine())
    if args.json:
        save_json(args.json, results)


def line(row: dict[str, Any]) -> str:
    def spread(s: dict[str, float]) -> str:
        return f"{s['median'] * 1e3:8.2f} ({s['q1'] * 1e3:.2f} .. {s['q3'] * 1e3:.2f})"

    text = f"{row['workload']:34} {spread(row['minigan']):>24} {spread(row['torch']):>24} {row['ratio']:6.2f}"
    return text + (f" {row['gflops']:9.0f} {row['sgemm_gflops']:6.0f}" if "gflops" in row else "")


def measure(name: str, kernels: list[str], contenders: Timed, flops: float, rounds: int) -> list[dict[str, Any]]:
    """One row a kernel. The contenders take turns, and a matrix product is timed in every round."""
    for contender in contenders.values():
        contender()
    seconds: dict[str, list[list[float]]] = {key: [] for key in contenders}
    peaks = []
    for turn in range(rounds):
        for key in list(contenders)[:: 1 if turn % 2 else -1]:
            seconds[key].append(in_stride(contenders[key]))
        peaks.append(in_stride(sgemm_gflops))
    rows = []
    for i, kernel in enumerate(kernels):
        spread = {key: summary([times[i] for times in seconds[key]]) for key in contenders}
        ratio = spread["minigan"]["median"] / spread["torch"]["median"]
        row = {"workload": f"{name} {kernel}", **spread, "ratio": ratio}
        if flops:
            row |= {"gflops": flops / spread["minigan"]["median"] / 1e9, "sgemm_gflops": statistics.median(peaks)}
        rows.append(row)
    return rows


def sgemm_gflops(size: int = 768) -> float:
    """What a matrix product reaches on all threads: the yardstick."""
    a = np.ones((size, size), np.float32)
    outs = np.empty((4 * minigan.get_num_threads(), size, size), np.float32)
    start = time.perf_counter()
    threads.run(lambda i: np.matmul(a, a, out=outs[i]), len(outs))
    return 2e-9 * size**3 * len(outs) / (time.perf_counter() - start)


def workloads(wanted: str, own: Any):
    """(name, its kernels, contenders, flops of a kernel)"""
    rng = np.random.default_rng(0)
    for name, sizes in LAYERS.items():
        if wanted in name:
            yield name, ["forward", "input gradient", "weight gradient"], *convolution(own, rng, *sizes)
    for name, shape in NORMS.items():
        if wanted in name:
            yield f"norm {name}", ["forward", "backward"], batch_norm(own, rng, shape), 0
    if wanted in "adam":
        yield "adam 3.6 M parameters", ["step"], adam(own, rng), 0


def channels_last(rng: np.random.Generator, n: int, c: int, h: int, w: int) -> np.ndarray:
    return rng.standard_normal((n, h, w, c), np.float32).transpose(0, 3, 1, 2)


def convolution(
    own: Any, rng: np.random.Generator, n: int, size: int, c: int, f: int, kind: Any
) -> tuple[Timed, float]:
    import torch
    from torch.nn.functional import conv2d
    from torch.nn.grad import conv2d_input, conv2d_weight

    kernel, stride, padding = kind
    geometry = ConvGeometry((size, size), kernel, stride, padding)
    x, w = channels_last(rng, n, c, size, size), channels_last(rng, f, c, *kernel)
    g = channels_last(rng, n, f, *geometry.out_hw)
    tx, tw, tg = (torch.from_numpy(array) for array in (x, w, g))

    def minigan_kernels() -> list[float]:
        shared: dict[str, Any] = {}
        return clock(
            lambda: own.conv2d(x, w, geometry, shared),
            lambda: own.conv2d_input(g, w, geometry, shared),
            lambda: own.conv2d_weight(x, g, geometry, shared),
        )

    def torch_kernels() -> list[float]:
        return clock(
            lambda: conv2d(tx, tw, stride=stride, padding=padding),
            lambda: conv2d_input(tx.shape, tw, tg, stride, padding),
            lambda: conv2d_weight(tx, tw.shape, tg, stride, padding),
        )

    flops = 2.0 * g.size * c * kernel[0] * kernel[1]
    return {"minigan": minigan_kernels, "torch": torch_kernels}, flops


def batch_norm(own: Any, rng: np.random.Generator, shape: tuple[int, int, int, int]) -> Timed:
    """With the leaky ReLU that follows, forward and backward."""
    import torch
    from torch.nn import functional

    x, g = channels_last(rng, *shape), channels_last(rng, *shape)
    weight, bias = np.ones(shape[1], np.float32), np.zeros(shape[1], np.float32)
    tx, tw, tb = (torch.from_numpy(array).requires_grad_() for array in (x, weight, bias))
    tg = torch.from_numpy(g)
    kept: dict[str, Any] = {}

    def forward() -> None:
        kept["own"] = own.batch_norm(x, weight, bias, 1e-5, 0.2)

    def backward() -> None:
        y, mean, var = kept["own"]
        own.batch_norm_backward(g, x, y, weight, mean, var, 1e-5, 0.2)

    def torch_forward() -> None:
        kept["torch"] = functional.leaky_relu(functional.batch_norm(tx, None, None, tw, tb, True), 0.2, inplace=True)

    def torch_backward() -> None:
        torch.autograd.grad(kept["torch"], (tx, tw, tb), tg)

    return {"minigan": lambda: clock(forward, backward), "torch": lambda: clock(torch_forward, torch_backward)}


def adam(own: Any, rng: np.random.Generator) -> Timed:
    """The DCGAN-64 generator's parameters; PyTorch with its fused Adam."""
    import torch

    shapes = [(100, 512, 4, 4), (512, 256, 4, 4), (256, 128, 4, 4), (128, 64, 4, 4), (64, 3, 4, 4), (512,), (256,)]
    params, grads, first, second = ([rng.random(shape, np.float32) for shape in shapes] for _ in range(4))
    their = [torch.nn.Parameter(torch.tensor(p)) for p in params]
    for p, g in zip(their, grads, strict=True):
        p.grad = torch.tensor(g)
    optimizer = torch.optim.Adam(their, lr=2e-4, betas=(0.5, 0.999), fused=True)
    rule = Adam(lr=2e-4, betas=(0.5, 0.999), step=10)
    return {
        "minigan": lambda: clock(lambda: own.adam(rule, params, grads, first, second)),
        "torch": lambda: clock(optimizer.step),
    }


if __name__ == "__main__":
    main()
