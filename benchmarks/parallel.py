"""What several processes take: to average numbers, and for a training step; and what more of them would.

    python -m benchmarks.parallel --json parallel.json --plot parallel.png

Strong scaling: the same batch, split. Weak scaling: the same batch each. One process of two threads is measured beside
two processes of one thread: which uses two cores better? The contenders take turns, each turn in fresh processes.

The alpha-beta model: R ranks average n bytes in t = ceil(log2 R) alpha + 2 (R - 1) / R n beta. alpha, a message's
latency, and beta, the time of a byte, are fitted to what was measured of two; a step exchanges so many messages and
bytes as are counted. What GPUs would take is **a model, and no measurement**: by links as their vendors state them, of
which two thirds are reached, and for a step that takes one GPU so many milliseconds as are assumed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from benchmarks import plot
from benchmarks.harness import Row, arguments, begin, finish, summary
from benchmarks.workloads import WORKLOADS, images, minigan_step, minigan_trainer

ROOT = Path(__file__).parent.parent
SIZES = [10**n for n in range(1, 8)]  # float32 numbers
LINKS = {  # ranks, alpha, beta
    "8 GPUs of a node, NVLink": (8, 10e-6, 1 / 300e9),
    "64 GPUs, 400 Gbit/s each": (64, 20e-6, 1 / 33e9),
}
GPU_MS = (2.0, 10.0)


class Contender(NamedTuple):
    ranks: int
    threads: int
    batch: int  # of all ranks


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--workload", choices=WORKLOADS, default="mnist_dcgan")
    parser.add_argument("--batch", type=int, default=128, help="of one process (default: 128)")
    parser.add_argument("--steps", type=int, default=6, help="measured in a turn (default: 6)")
    parser.add_argument("--quick", action="store_true", help="one turn of one step, to see that all works")
    parser.add_argument("--child", choices=("average", "step"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        begin(args)
        child(args)
        return
    if args.quick:
        args.rounds, args.steps = 1, 1
    results = [averages(args), *steps(args)]
    results.append(model(results))
    for row in results:
        print(table(row), flush=True)
    finish(args, results, draw)


# ---- measured --------------------------------------------------------------------------------------------------------


def averages(args: argparse.Namespace) -> Row:
    """Seconds of an average over two ranks, by size; alpha and beta."""
    found = start(Contender(2, 1, 0), args, "average")
    sizes, seconds = ([float(x) for x in column] for column in zip(*found["seconds"], strict=True))
    alpha, beta = fit([4 * size for size in sizes], seconds)
    return {"what": "average", "sizes": sizes, "seconds": seconds, "alpha": alpha, "beta": beta}


def steps(args: argparse.Namespace) -> list[Row]:
    """Seconds of a step in each constellation, and what it exchanges."""
    contenders = {
        "1 process, 1 thread": Contender(1, 1, args.batch),
        "1 process, 2 threads": Contender(1, 2, args.batch),
        "2 processes, batch split": Contender(2, 1, args.batch),
        "2 processes, batch each": Contender(2, 1, 2 * args.batch),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    counted: dict[str, Any] = {}
    for _ in range(args.rounds):
        for name, contender in contenders.items():
            found = start(contender, args, "step")
            seconds[name] += found["seconds"]
            counted[name] = {key: found[key] for key in ("calls", "bytes", "waited")}
    medians = {name: summary(of_one) for name, of_one in seconds.items()}
    one = medians["1 process, 1 thread"]["median"]
    rows: list[Row] = []
    for name, contender in contenders.items():
        images_a_second = contender.batch / medians[name]["median"]
        speedup = images_a_second * one / args.batch
        rows.append({
            "what": "step", "contender": name, **contender._asdict(), **medians[name], "speedup": speedup,
            "images_a_second": images_a_second, "workload": args.workload, **counted[name],
        })  # fmt: skip
    return rows


def start(contender: Contender, args: argparse.Namespace, what: str) -> Any:
    """``child`` in fresh processes: what the first of them tells."""
    command = [sys.executable, "-m", "benchmarks.parallel", "--child", what, "--threads", str(contender.threads)]
    command += ["--workload", args.workload, "--batch", str(contender.batch), "--steps", str(args.steps)]
    command += ["--backend", args.backend]
    if contender.ranks > 1:
        mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        command = [mpiexec or "mpiexec", "-n", str(contender.ranks), *command]
    one_each = {"OPENBLAS_NUM_THREADS": str(contender.threads), "OMP_NUM_THREADS": str(contender.threads)}
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **one_each}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def child(args: argparse.Namespace) -> None:
    from minigan.parallel import world

    ranks = world()
    told = time_averages(ranks) if args.child == "average" else time_steps(ranks, args)
    if ranks.is_first:
        print(json.dumps(told))


def time_averages(ranks: Any) -> dict[str, Any]:
    found = []
    for size in SIZES:
        array, seconds = np.ones(size, np.float32), []
        for turn in range(23):
            ranks.barrier()
            begun = time.perf_counter()
            ranks.average(array)
            if turn >= 3:
                seconds.append(time.perf_counter() - begun)
        found.append((size, float(np.median(seconds))))
    return {"seconds": found}


def time_steps(ranks: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Seconds of each step after the first; how many messages and bytes a step exchanges, and how long that takes."""
    workload, seeded, count = WORKLOADS[args.workload], np.random.default_rng, itertools.count()
    with mock.patch("numpy.random.default_rng", lambda seed=None: seeded(next(count) if seed is None else seed)):
        trainer = minigan_trainer(workload, args.backend)  # whose layers draw without a seed: here all ranks have one
    take = minigan_step(trainer, ranks.own(images(workload, args.batch)))
    take()
    counted = {"calls": 0, "bytes": 0, "waited": 0.0}
    add = ranks.add

    def counting(array: Any) -> None:
        begun = time.perf_counter()
        add(array)
        counted["waited"] += time.perf_counter() - begun
        counted["calls"] += 1
        counted["bytes"] += array.nbytes

    ranks.add = counting
    seconds = []
    for _ in range(args.steps):
        ranks.barrier()
        begun = time.perf_counter()
        take()
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds, **{name: value / args.steps for name, value in counted.items()}}


# ---- modelled --------------------------------------------------------------------------------------------------------


def fit(sizes: list[float], seconds: list[float]) -> tuple[float, float]:
    """alpha and beta of t = alpha + n beta, by least squares of the relative errors.

    >>> alpha, beta = fit([10, 100, 1000], [1 + 0.5 * n for n in (10, 100, 1000)])
    >>> round(alpha, 6), round(beta, 6)
    (1.0, 0.5)
    """
    n, t = np.asarray(sizes), np.asarray(seconds)
    alpha, beta = np.linalg.lstsq(np.stack([1 / t, n / t], axis=1), np.ones(len(t)), rcond=None)[0]
    return float(alpha), float(beta)


def exchange(ranks: int, calls: float, size: float, alpha: float, beta: float) -> float:
    """Seconds in which so many messages of ``size`` bytes together are averaged.

    >>> exchange(2, 3, 10, alpha=1.0, beta=0.5), exchange(8, 1, 8, alpha=1.0, beta=1.0), exchange(1, 3, 10, 1.0, 1.0)
    (8.0, 17.0, 0.0)
    """
    return calls * math.ceil(math.log2(ranks)) * alpha + 2 * (ranks - 1) / ranks * size * beta


def model(results: list[Row]) -> Row:
    """How much of a step of several GPUs would be work, for steps that take one GPU so long; weak scaling."""
    counted = next(row for row in results if row.get("contender") == "2 processes, batch each")
    rows = []
    for name, (ranks, alpha, beta) in LINKS.items():
        for ms in GPU_MS:
            waits = exchange(ranks, counted["calls"], counted["bytes"], alpha, beta)
            rows.append({"link": name, "gpu_ms": ms, "exchange_ms": 1e3 * waits, "efficiency": ms / (ms + 1e3 * waits)})
    return {"what": "model", "calls": counted["calls"], "bytes": counted["bytes"], "rows": rows}


def table(row: Row) -> str:
    if row["what"] == "average":
        found = zip(row["sizes"], row["seconds"], strict=True)
        lines = [f"{int(size):>11,} numbers averaged in {1e6 * seconds:10,.0f} us" for size, seconds in found]
        told = f"alpha {1e6 * row['alpha']:.1f} us a message, {1e-9 / row['beta']:.2f} GB/s, fitted to two processes"
        return "\n".join([*lines, told])
    if row["what"] == "step":
        told = f"{row['contender']:26} {1e3 * row['median']:7.1f} ms ({1e3 * row['q1']:.1f} .. {1e3 * row['q3']:.1f})"
        told += f"  {row['images_a_second']:6.0f} images/s, {row['speedup']:.2f} times the first"
        if row["calls"]:
            told += f"; {row['calls']:.0f} messages, {row['bytes'] / 1e6:.1f} MB, {1e3 * row['waited']:.1f} ms in them"
        return told
    lines = [f"a model of GPUs, no measurement: {row['calls']:.0f} messages, {row['bytes'] / 1e6:.1f} MB a step"]
    for one in row["rows"]:
        told = f"of {one['gpu_ms']:g} ms, {one['exchange_ms']:.2f} ms of exchange: {one['efficiency']:.0%} is work"
        lines.append(f"{one['link']:26} a step {told}")
    return "\n".join(lines)


def draw(path: str, rows: list[Row]) -> None:
    row = rows[0]
    fitted = [row["alpha"] + 4 * size * row["beta"] for size in row["sizes"]]
    lines = {"measured": (row["seconds"], "measured"), "alpha-beta": (fitted, "alpha + n beta")}
    plot.curves(path, [("numbers averaged", "seconds", row["sizes"], lines)])


if __name__ == "__main__":
    main()
