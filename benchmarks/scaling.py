"""How time and memory of a DCGAN step grow with batch, image side, width and threads.

    python -m benchmarks.scaling --json scaling.json --plot scaling.png
    python -m benchmarks.scaling --axis threads --backend numba

An exponent a says that what is measured grows like x^a: it is the slope of a straight line in log-log through the
larger half of the points, where fixed costs weigh little. Time is measured side by side with PyTorch (channels-last),
the contenders taking turns; memory, the peak above what the imported library takes, in processes of their own.

Threads cannot help with all of a step. By Amdahl's law n of them take t(n) = t(1) (s + (1 - s) / n), where s is the
share that stays on one; s is fitted to what was measured, and then says what more cores than are here would give.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

import minigan
from benchmarks import child, plot
from benchmarks.harness import Row, arguments, begin, finish, interleave, own, summary
from benchmarks.workloads import WORKLOADS, Workload, images, minigan_step, minigan_trainer

BASE = replace(WORKLOADS["mnist_dcgan"], width=64, batch=64)  # what an axis does not change
AXES: dict[str, list[int]] = {
    "batch": [1, 2, 4, 8, 16, 32, 64, 128, 256],
    "side": [16, 28, 40, 64, 96, 128],
    "width": [8, 16, 32, 64, 128, 256],
}
QUICK: dict[str, list[int]] = {"batch": [4, 8], "side": [16, 28], "width": [8, 16]}
MORE_THREADS = (8, 32)  # for which Amdahl's law is asked
LABELS = {"seconds": "seconds a step", "megabytes": "peak memory (MB)"}


def main() -> None:
    parser = arguments(__doc__, rounds=7)
    parser.add_argument("--axis", choices=[*AXES, "threads"], action="append", help="may be repeated (default: all)")
    parser.add_argument("--quick", action="store_true", help="two points an axis, to see that all works")
    args = parser.parse_args()
    begin(args)
    most = minigan.get_num_threads()
    axes = (QUICK if args.quick else AXES) | {"threads": [2**i for i in range(int(math.log2(most)) + 1)]}
    results = []
    for axis in args.axis or axes:
        if len(axes[axis]) < 2:
            print(f"{axis}: skipped, there is one only")
            continue
        results.append(measure(axis, axes[axis], 1 if args.quick else args.rounds, most, own(args)))
        print(table(results[-1]), flush=True)
    finish(args, results, draw)


def measure(axis: str, values: list[int], rounds: int, threads: int, places: dict[str, str]) -> Row:
    """One row: time and memory of both libraries at every point, and the exponents."""
    seconds: dict[str, list[float]] = {name: [] for name in (*places, "torch")}
    megabytes: dict[str, list[float]] = {name: [] for name in seconds}
    for value in values:
        count = value if axis == "threads" else threads
        workload = replace(BASE, **{axis: value}) if axis != "threads" else BASE
        for name, of_one in time_of(workload, rounds, count, places).items():
            seconds[name].append(summary(of_one)["median"])
        for name in seconds:
            told = child.run("torch_channels_last" if name == "torch" else name, workload, workload.batch, count)
            megabytes[name].append(told["peak"] - told["base"] if told["peak"] else math.nan)
    row: Row = {"axis": axis, "values": values, "seconds": seconds, "megabytes": megabytes}
    if axis == "threads":
        row["serial"] = {name: serial_share(values, of_one) for name, of_one in seconds.items()}
    return row | {"exponents": {key: {name: exponent(values, row[key][name]) for name in row[key]} for key in LABELS}}


def serial_share(threads: Any, seconds: Any) -> float:
    """Amdahl's s, by least squares over the speedups' inverses: t(n) / t(1) - 1 / n = s (1 - 1 / n).

    >>> round(serial_share([1, 2, 4], [1.0, 0.6, 0.4]), 6)
    0.2
    """
    n, t = np.asarray(threads, float), np.asarray(seconds, float)
    a, b = 1 - 1 / n, t / t[0] - 1 / n
    return float(a @ b / (a @ a))


def speedup(serial: float, threads: int) -> float:
    """
    >>> round(speedup(0.1, 8), 2), round(speedup(0.1, 1), 2)
    (4.71, 1.0)
    """
    return 1 / (serial + (1 - serial) / threads)


def time_of(workload: Workload, rounds: int, threads: int, places: dict[str, str]) -> dict[str, list[float]]:
    import torch

    from benchmarks import pytorch

    before = minigan.get_num_threads()
    minigan.set_num_threads(threads)
    minigan.keep_freed_memory().__enter__()  # as in a run
    torch.set_num_threads(threads)
    real = images(workload, workload.batch)
    theirs = pytorch.training_step(pytorch.build(workload), real, workload, torch.channels_last)
    try:
        ours = {name: minigan_step(minigan_trainer(workload, place), real) for name, place in places.items()}
        return interleave(ours | {"torch": theirs}, rounds)
    finally:
        minigan.set_num_threads(before)
        torch.set_num_threads(before)


def exponent(xs: Any, ys: Any) -> float:
    """The slope of log y over log x, by least squares, through the larger half of the points: at least two.

    >>> round(exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    half = slice(min(len(xs) // 2, len(xs) - 2), None)
    return float(np.polyfit(np.log(xs[half]), np.log(ys[half]), 1)[0])


def table(row: Row) -> str:
    names = list(row["seconds"])
    lines = [f"{row['axis']:>8}" + "".join(f"{name + ' ' + unit:>18}" for unit in ("s", "MB") for name in names)]
    for i, value in enumerate(row["values"]):
        cells = [f"{row['seconds'][name][i]:18.4f}" for name in names]
        cells += [f"{row['megabytes'][name][i]:18.0f}" for name in names]
        lines.append(f"{value:8}" + "".join(cells))
    for key, of in row["exponents"].items():
        slopes = ", ".join(f"{row['axis']}^{of[name]:.2f} ({name})" for name in names)
        lines.append(f"{LABELS[key]} ~ {slopes}")
    for name, serial in row.get("serial", {}).items():
        more = ", ".join(f"{speedup(serial, n):.1f} on {n}" for n in MORE_THREADS)
        lines.append(f"{name}: {serial:.1%} of a step stays on one thread; by Amdahl's law that is faster {more}")
    return "\n".join(lines)


def draw(path: str, rows: list[Row]) -> None:
    plot.curves(path, (
        (row["axis"], label, row["values"], {
            name: (row[key][name], f"{name}: {row['axis']}^{row['exponents'][key][name]:.2f}") for name in row[key]
        })
        for row in rows for key, label in LABELS.items()
    ))  # fmt: skip


if __name__ == "__main__":
    main()
