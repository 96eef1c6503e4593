"""From textbook loops to the fast kernels: one convolution, climbed rung by rung on your machine.

    python -m benchmarks.ladder                       # the table
    python -m benchmarks.ladder --plot ladder.png --json ladder.json

The layer is the middle one of the MNIST DCGAN's discriminator: 128 images of 14x14 pixels, 128 -> 256 channels,
kernel 4, stride 2, padding 1. Each rung is a function (x, w) -> y in channels-last memory, a few lines long and
explained in docs/kernels.md. All give the same numbers, which is checked before they are timed ("error": the largest
one, as a share of the largest output).

GFLOP/s count the multiplications and additions of the plain algorithm, whatever a rung really does, so filtering can
pass the peak of matrix multiplication. "a core" is GFLOP by the second of processor time: what one core gets done, also
on a machine that is busy with other things. The loops are timed on a small part of the layer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import minigan
from benchmarks.harness import interleave, machine, result, save_json
from minigan import backend as backends
from minigan.backend import ConvGeometry
from minigan.backend.numba.compile import compiled as compile_loops
from minigan.backend.numpy import blas, scratch
from minigan.backend.numpy import threads as pool
from minigan.backend.numpy.filtering import POINTS, toom_cook

SAMPLES, SIZE, CHANNELS, FILTERS = 128, 14, 128, 256
KERNEL, STRIDE, PADDING = 4, 2, 1
TILE = 8  # samples whose columns stay in cache


# ---- the rungs: x (N, H, W, C), w (F, 4, 4, C) -> y (N, H/2, W/2, F) -------------------------------


def padded(x):
    """A frame of zeros around each image."""
    return np.pad(x, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)))


def loops(x, w):
    """The formula, one multiplication at a time."""
    x, y = padded(x), np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2, len(w)), x.dtype)
    for n, i, j, f in np.ndindex(y.shape):
        for a, b, c in np.ndindex(w.shape[1:]):
            y[n, i, j, f] += x[n, 2 * i + a, 2 * j + b, c] * w[f, a, b, c]
    return y


def compiled(x, w):
    """The same loops, compiled by Numba; filters come last, so that neighbours in memory are multiplied together."""
    y = np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2, len(w)), x.dtype)
    compiled_loops(padded(x), np.ascontiguousarray(w.transpose(1, 2, 3, 0)), y)
    return y


@compile_loops
def compiled_loops(x, w, y):
    N, H, W, F = y.shape
    kh, kw, C, _ = w.shape
    for n in range(N):
        for i in range(H):
            for j in range(W):
                for a in range(kh):
                    for b in range(kw):
                        for c in range(C):
                            for f in range(F):
                                y[n, i, j, f] += x[n, 2 * i + a, 2 * j + b, c] * w[a, b, c, f]


def taps(x, w):
    """One matrix product for each of the 16 taps: what a tap sees of all images is a strided view."""
    height, width = x.shape[1], x.shape[2]
    x, y = padded(x), 0
    for a, b in np.ndindex(KERNEL, KERNEL):
        y = y + x[:, a : a + height : 2, b : b + width : 2] @ w[:, a, b].T
    return y


def windows(x):
    """x (N, H, W, C) -> (N, H/2, W/2, 4, 4, C), what each output sees. A view: nothing is copied yet."""
    return sliding_window_view(padded(x), (KERNEL, KERNEL), axis=(1, 2))[:, ::2, ::2].transpose(0, 1, 2, 4, 5, 3)


def im2col(x, w):
    """The windows side by side as one big matrix, and one big product."""
    seen = windows(x)
    columns = seen.reshape(-1, w[0].size)  # here they are copied
    return (columns @ w.reshape(len(w), -1).T).reshape(*seen.shape[:3], len(w))


def one_tile(x, w, y, start):
    """Columns and product of a few samples, in a buffer that is used again."""
    seen = windows(x[start : start + TILE])
    columns = scratch.local("ladder", seen.shape, x.dtype)
    np.copyto(columns, seen)
    np.matmul(columns.reshape(-1, w[0].size), w.reshape(len(w), -1).T, out=y[start : start + TILE].reshape(-1, len(w)))


def tiled(x, w):
    """The same a few samples at a time, so that the columns are multiplied while they are still in cache."""
    y = np.empty((len(x), x.shape[1] // 2, x.shape[2] // 2, len(w)), x.dtype)
    for start in range(0, len(x), TILE):
        one_tile(x, w, y, start)
    return y


def threaded(x, w):
    """The same tiles, shared out to threads."""
    y = np.empty((len(x), x.shape[1] // 2, x.shape[2] // 2, len(w)), x.dtype)
    pool.run(lambda tile: one_tile(x, w, y, tile * TILE), -(-len(x) // TILE))
    return y


def filtered(x, w):
    """Fewer multiplications: m outputs of a row from m + 1 products instead of 2 m, and so for the columns."""
    m = x.shape[1] // 2
    at, g, bt = (matrix.astype(x.dtype) for matrix in toom_cook(m, 2, POINTS[m]))

    def both_axes(matrix, image):
        """matrix image matrix^T for each sample and channel: (N, h, w, C) -> (N, P, P, C)"""
        rows = (matrix @ image.reshape(len(image), image.shape[1], -1)).reshape(len(image), -1, *image.shape[2:])
        return matrix @ rows

    def phases(image):
        """Every second row and column is a channel of its own, and a stride of 2 a stride of 1."""
        return np.concatenate([image[:, s::2, t::2] for s in (0, 1) for t in (0, 1)], axis=3)

    v, u = both_axes(bt, phases(padded(x))), both_axes(g, phases(w))  # (N, P, P, 4C), (F, P, P, 4C)
    products = np.empty((m + 1, m + 1, len(x), len(w)), x.dtype)

    def point(index):
        p, q = divmod(index, m + 1)
        np.matmul(v[:, p, q], u[:, p, q].T, out=products[p, q])

    pool.run(point, (m + 1) ** 2)
    return both_axes(at, products.transpose(2, 0, 1, 3))


RUNGS: dict[str, tuple[Callable[..., Any], str]] = {
    "loops": (loops, "textbook loops in Python"),
    "compiled": (compiled, "the same loops, compiled"),
    "taps": (taps, "a product for each tap"),
    "im2col": (im2col, "im2col: one big product"),
    "tiled": (tiled, "tiles that fit the cache"),
    "threaded": (threaded, "tiles on all threads"),
    "filtered": (filtered, "minimal filtering, plainly written"),
    "minigan": (lambda x, w: minigan_conv(x, w, "numpy"), "minigan's own kernel"),
    "minigan_numba": (lambda x, w: minigan_conv(x, w, "numba"), "its transforms as compiled loops"),
    "torch": (lambda x, w: torch_conv(x, w), "PyTorch, channels-last"),
}
ONE_THREAD = ("loops", "compiled", "taps", "im2col", "tiled", "sgemm, 1 thread")  # BLAS is held at one thread for these


def minigan_conv(x, w, backend):
    geometry = ConvGeometry(x.shape[1:3], (KERNEL, KERNEL), (STRIDE, STRIDE), (PADDING, PADDING))
    y = backends.get(backend).conv2d(x.transpose(0, 3, 1, 2), w.transpose(0, 3, 1, 2), geometry)
    return y.transpose(0, 2, 3, 1)


def torch_conv(x, w):
    import torch

    x, w = (torch.from_numpy(array).permute(0, 3, 1, 2) for array in (x, w))
    return torch.conv2d(x, w, stride=STRIDE, padding=PADDING).permute(0, 2, 3, 1).numpy()


# ---- measuring -------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, help="for minigan and PyTorch (default: all cores)")
    parser.add_argument("--json", metavar="FILE", help="write machine and results there")
    parser.add_argument("--plot", metavar="FILE", help="draw the ladder there, as PNG")
    args = parser.parse_args()
    if args.threads:
        minigan.set_num_threads(args.threads)
    minigan.keep_freed_memory().__enter__()  # as in a run
    row = climb(args.rounds)
    print(table(row))
    print(machine())
    if args.json:
        save_json(args.json, [row])
    if args.plot:
        draw(args.plot, row)


def climb(rounds: int, sizes: tuple[int, int, int, int] = (SAMPLES, SIZE, CHANNELS, FILTERS)) -> dict[str, Any]:
    """Check every rung, then time them in turns: medians as harness.result has them, and GFLOP/s of each."""
    samples, size, channels, filters = sizes
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, size, size, channels), np.float32)
    w = rng.standard_normal((filters, KERNEL, KERNEL, channels), np.float32) * np.float32(0.02)
    part = x[:1, :, :, :4], np.ascontiguousarray(w[:4, :, :, :4])
    share = samples * (channels / part[0].shape[3]) * (filters / len(part[1]))
    missing = {"torch"} if not _torch_is_there() else set()
    if backends.available()["numba"]:
        missing |= {"compiled", "minigan_numba"}
    names = [name for name in RUNGS if name not in missing]
    errors = check(names, x, w)

    contenders = {name: (lambda f=RUNGS[name][0]: f(x, w)) for name in names}
    contenders |= {"loops": lambda: loops(*part), "sgemm, 1 thread": _sgemm, "sgemm, all threads": _sgemm_pool}
    flops = 2.0 * samples * (size // 2) ** 2 * filters * KERNEL**2 * channels
    work = dict.fromkeys(names, flops) | {"loops": flops / share}
    work |= {"sgemm, 1 thread": 2.0 * SGEMM**3, "sgemm, all threads": 2.0 * SGEMM**3 * pool.get_num_threads()}

    processor: dict[str, list[float]] = {name: [] for name in contenders}
    clocked = {name: _clocked(f, name in ONE_THREAD, processor[name]) for name, f in contenders.items()}
    seconds = interleave(clocked, rounds)
    gflops = {name: work[name] / statistics.median(seconds[name]) / 1e9 for name in contenders}
    per_core = {name: work[name] / statistics.median(processor[name]) / 1e9 for name in contenders}
    seconds["loops"] = [s * share for s in seconds["loops"]]  # of the whole layer, were one to wait for it
    row = result(f"ladder: conv {size}x{size} {channels}->{filters}, kernel 4, stride 2", samples, seconds)
    return row | {"gflops": gflops, "gflops_per_core": per_core, "errors": errors}


def check(names: list[str], x: np.ndarray, w: np.ndarray) -> dict[str, float]:
    """The largest error of each rung, as a share of the largest output, against the taps in double precision."""
    right = taps(x.astype(np.float64), w.astype(np.float64))
    errors = {}
    for name in names:
        some_x, some_w = (x[:1], w[:2]) if name == "loops" else (x, w)
        difference = RUNGS[name][0](some_x, some_w) - right[: len(some_x), :, :, : len(some_w)]
        errors[name] = float(np.abs(difference).max() / np.abs(right).max())
        if not errors[name] < 1e-4:
            raise AssertionError(f"{name} is off by {errors[name]:.1e} of the largest output")
    return errors


SGEMM = 768


def _sgemm(count: int = 1) -> None:
    a, b = scratch.local("a", (SGEMM, SGEMM), np.float32), scratch.local("b", (SGEMM, SGEMM), np.float32)
    a[...] = 1
    np.matmul(a, a, out=b)


def _sgemm_pool() -> None:
    pool.run(lambda _: _sgemm(), pool.get_num_threads())


def _clocked(f: Callable[[], Any], one_thread: bool, processor: list[float]) -> Callable[[], None]:
    """``f`` that also notes its seconds of processor time; with BLAS held at one thread, if asked."""

    def run() -> None:
        clock = time.thread_time if one_thread else time.process_time
        with blas.single_threaded() if one_thread else nullcontext():
            start = clock()
            f()
            processor.append(clock() - start)

    return run


def _torch_is_there() -> bool:
    try:
        import torch
    except ImportError:
        return False
    torch.set_num_threads(minigan.get_num_threads())
    return True


def table(row: dict[str, Any]) -> str:
    """One line a rung: median milliseconds, GFLOP/s, their share of the peak on all threads, and GFLOP/s of a core."""
    lines = [f"{row['workload']}, batch {row['batch']}"]
    lines.append(f"{'':47}{'ms':>12}{'GFLOP/s':>10}{'of peak':>9}{'a core':>9}{'error':>9}")
    peak = row["gflops"]["sgemm, all threads"]
    for name, speed in row["gflops"].items():
        text = f"{name:13} {RUNGS[name][1]}" if name in RUNGS else name
        milliseconds = f"{row['seconds'][name] * 1e3:12.1f}" if name in RUNGS else f"{'':12}"
        lines.append(
            f"{text:47}{milliseconds}{speed:10.4g}{speed / peak:9.1%}{row['gflops_per_core'][name]:9.4g}"
            + (f"{row['errors'][name]:9.0e}" if name in row["errors"] else "")
        )
    return "\n".join(lines)


def draw(path: str, row: dict[str, Any]) -> None:
    """Each rung as two bars on a logarithmic axis: by the clock, and by the processor's time."""
    from matplotlib.figure import Figure

    names = [name for name in row["gflops"] if name in RUNGS]
    places = np.arange(len(names))
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    for offset, key, label, colour in (
        (-0.2, "gflops", "by the clock", "tab:blue"),
        (0.2, "gflops_per_core", "by processor time: one core", "tab:orange"),
    ):
        speeds = [row[key][name] for name in names]
        bars = axes.barh(places + offset, speeds, height=0.38, color=colour, label=label)
        axes.bar_label(
            bars, [f"{speed:.2g}" if speed < 10 else f"{speed:.0f}" for speed in speeds], padding=3, fontsize=8
        )
    for key, name, style in (("gflops", "sgemm, all threads", "--"), ("gflops_per_core", "sgemm, 1 thread", ":")):
        speed = row[key][name]
        axes.axvline(speed, color="black", linestyle=style, linewidth=1, label=f"{name}: {speed:.0f}")
    axes.set_xscale("log")
    lowest, highest = min(row["gflops"].values()), max(row["gflops_per_core"].values())
    axes.set(xlabel="GFLOP/s of the plain algorithm", xlim=(lowest / 2, highest * 10), yticks=places)
    axes.set_yticklabels([RUNGS[name][1] for name in names])
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(path, format="png", dpi=100)


if __name__ == "__main__":
    main()
