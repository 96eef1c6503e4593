"""How time and memory of a DCGAN step grow with batch, image side, width and threads.

    python -m benchmarks.scaling --json scaling.json --plot scaling.png

An exponent a says that what is measured grows like x^a: it is the slope of a straight line in log-log through the
larger half of the points, where fixed costs weigh little. Time is measured side by side with PyTorch (channels-last),
the contenders taking turns; memory, the peak above what the imported library takes, in processes of their own.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

import minigan
from benchmarks import child, plot
from benchmarks.harness import Row, arguments, begin, finish, interleave, summary
from benchmarks.workloads import WORKLOADS, Workload, images, minigan_step, minigan_trainer

BASE = replace(WORKLOADS["mnist_dcgan"], width=64, batch=64)  # what an axis does not change
AXES: dict[str, list[int]] = {
    "batch": [1, 2, 4, 8, 16, 32, 64, 128, 256],
    "side": [16, 28, 40, 64, 96, 128],
    "width": [8, 16, 32, 64, 128, 256],
}
QUICK: dict[str, list[int]] = {"batch": [4, 8], "side": [16, 28], "width": [8, 16]}
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
        results.append(measure(axis, axes[axis], 1 if args.quick else args.rounds, most))
        print(table(results[-1]), flush=True)
    finish(args, results, draw)


def measure(axis: str, values: list[int], rounds: int, threads: int) -> Row:
    """One row: time and memory of both libraries at every point, and the exponents."""
    seconds: dict[str, list[float]] = {"minigan": [], "torch": []}
    megabytes: dict[str, list[float]] = {"minigan": [], "torch": []}
    for value in values:
        count = value if axis == "threads" else threads
        workload = replace(BASE, **{axis: value}) if axis != "threads" else BASE
        for name, of_one in time_of(workload, rounds, count).items():
            seconds[name].append(summary(of_one)["median"])
        for name, library in (("minigan", "minigan"), ("torch", "torch_channels_last")):
            told = child.run(library, workload, workload.batch, count)
            megabytes[name].append(told["peak"] - told["base"] if told["peak"] else math.nan)
    row: Row = {"axis": axis, "values": values, "seconds": seconds, "megabytes": megabytes}
    return row | {"exponents": {key: {name: exponent(values, row[key][name]) for name in row[key]} for key in LABELS}}


def time_of(workload: Workload, rounds: int, threads: int) -> dict[str, list[float]]:
    import torch

    from benchmarks import pytorch

    before = minigan.get_num_threads()
    minigan.set_num_threads(threads)
    minigan.keep_freed_memory().__enter__()  # as in a run
    torch.set_num_threads(threads)
    real = images(workload, workload.batch)
    theirs = pytorch.training_step(pytorch.build(workload), real, workload, torch.channels_last)
    try:
        return interleave({"minigan": minigan_step(minigan_trainer(workload), real), "torch": theirs}, rounds)
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
    lines = [f"{row['axis']:>8}  minigan s   torch s  ratio   minigan MB  torch MB  ratio"]
    columns = (row[key][name] for key in LABELS for name in ("minigan", "torch"))
    for value, own, other, own_mb, other_mb in zip(row["values"], *columns, strict=True):
        times = f"{own:9.4f} {other:9.4f} {own / other:6.2f}"
        lines.append(f"{value:8}  {times} {own_mb:12.0f} {other_mb:9.0f} {own_mb / other_mb:6.2f}")
    slopes = [f"{LABELS[key]} ~ {row['axis']}^{of['minigan']:.2f} ({of['torch']:.2f})"
              for key, of in row["exponents"].items()]  # fmt: skip
    return "\n".join([*lines, f"minigan (torch): {', '.join(slopes)}"])


def draw(path: str, rows: list[Row]) -> None:
    plot.curves(path, (
        (row["axis"], label, row["values"], {
            name: (row[key][name], f"{name}: {row['axis']}^{row['exponents'][key][name]:.2f}") for name in row[key]
        })
        for row in rows for key, label in LABELS.items()
    ))  # fmt: skip


if __name__ == "__main__":
    main()
