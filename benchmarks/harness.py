"""Fair timing on a noisy machine: all contenders take turns in one run, and ratios of medians are what is reported.

A turn is half a second of running, as in training, of which the last run counts. One that follows the rest of the
others' turns would pay for what training never pays: cores that have gone to sleep, and caches and threads that are
still someone else's. (On a virtual machine that alone was 13 ms of minigan's 30 ms step, and none of PyTorch's.)

A benchmark's JSON file is {"machine": facts, "results": rows}; a row, as ``result`` makes it, is

    {"workload": "mnist_dcgan", "batch": 128, "measure": "seconds",
     "seconds": {"minigan": 0.15, "torch_nchw": 0.27, ...},
     "spread": {"minigan": {"median": 0.15, "q1": 0.14, "q3": 0.16}, ...}, "best_torch": "torch_nchw", "ratio": 0.56}

Contenders whose names begin with "torch" are PyTorch, eager, in float32: the fastest of them is what ``ratio`` compares
with. Others, such as "compiled" and "autocast_bf16", stand beside them with ratios of their own in the tables.
"minigan" is its NumPy backend, "minigan_numba" the compiled one, and ``ratios`` has that of each.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

import numpy as np
import threadpoolctl

import minigan
from minigan import backend as backends

T = TypeVar("T")
Contenders = dict[str, Callable[[], Any]]
Row = dict[str, Any]
TURN = 0.5  # seconds
UNITS = {"seconds": (1e3, "ms"), "megabytes": (1, "MB")}  # measure: factor and unit to print it in


def interleave(contenders: Contenders, rounds: int, warmup: int = 2, turn: float = TURN) -> dict[str, list[float]]:
    """Seconds of each contender in each round. In a round each has its turn, the order rotating from round to round."""
    names = list(contenders)
    for name in names:
        for _ in range(warmup):
            contenders[name]()
    gc.collect()
    gc.freeze()  # with both libraries loaded a full collection takes 0.1 s, and falls on whoever's turn it is
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            seconds[name] += in_stride(partial(clock, contenders[name]), turn)
    return seconds


def in_stride(run: Callable[[], T], turn: float = TURN) -> T:
    """Run again and again until ``turn`` seconds have passed: what the last run returned."""
    start = time.perf_counter()
    while True:
        found = run()
        if time.perf_counter() - start >= turn:
            return found


def clock(*calls: Callable[[], Any]) -> list[float]:
    """Seconds of each call, one after the other."""
    seconds = []
    for call in calls:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def dismiss(contenders: Contenders) -> dict[str, str]:
    """Run each once and take out those that fail: their names, and why they do."""
    skipped = {}
    for name, step in list(contenders.items()):
        try:
            step()
        except Exception as error:
            skipped[name] = shorten(f"{type(error).__name__}: {error}", 150)
            del contenders[name]
    return skipped


def summary(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": median, "q1": low, "q3": high}


def result(workload: str, batch: int | None, values: dict[str, list[float]], measure: str = "seconds") -> Row:
    """One row: medians, quartiles, and minigan's median over that of the best PyTorch contender of the run.

    A contender that was dismissed, minigan too, is missing from it; where one of the two is, so is the ratio.
    """
    spread = {name: summary(of_one) for name, of_one in values.items()}
    medians = {name: of_one["median"] for name, of_one in spread.items()}
    best = min((name for name in medians if name.startswith("torch")), key=lambda name: medians[name], default=None)
    row: Row = {"workload": workload, "batch": batch, "measure": measure, measure: medians, "spread": spread}
    if best is not None and medians[best] > 0:
        ratios = {name: medians[name] / medians[best] for name in medians if name.startswith("minigan")}
        row |= {"best_torch": best, "ratios": ratios} if ratios else {}
        row |= {"ratio": ratios["minigan"]} if "minigan" in ratios else {}
    return row


def title(row: Row) -> str:
    return row["workload"] + (f", batch {row['batch']}" if row.get("batch") else "")


def table(results: list[Row]) -> str:
    """The rows as text: median (quartiles) of each contender, and minigan's ratio to it."""
    lines = []
    for row in results:
        lines.append(title(row))
        factor, unit = UNITS[row.get("measure", "seconds")]
        for name, s in row["spread"].items():
            middle, low, high = (f"{s[key] * factor:.4g}" for key in ("median", "q1", "q3"))
            own = row["spread"].get("minigan", s)["median"]
            ratio = f"   minigan / {name} = {own / s['median']:.2f}" if "ratio" in row and name != "minigan" else ""
            lines.append(f"  {name:20} {middle:>8} {unit}  ({low} .. {high}){ratio}")
        lines += [f"  {name:20} skipped: {reason}" for name, reason in row.get("skipped", {}).items()]
        if "ratio" in row:
            found = row.get("ratios", {"minigan": row["ratio"]})
            told = ", ".join(f"{ratio:.2f}" + (f" ({name})" if len(found) > 1 else "") for name, ratio in found.items())
            lines.append(f"  ratio to the best PyTorch ({row['best_torch']}): {told}")
    return "\n".join(lines)


def arguments(doc: str | None, rounds: int = 15) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"turns of each contender (default: {rounds})")
    parser.add_argument("--threads", type=int, help="for minigan and PyTorch (default: all cores)")
    parser.add_argument(
        "--backend", choices=("numpy", "numba"), default="numpy", help="numba: the compiled one as well"
    )
    parser.add_argument("--json", metavar="FILE", help="write machine and results there")
    parser.add_argument("--plot", metavar="FILE", help="draw the results there, as PNG")
    return parser


def own(args: argparse.Namespace) -> dict[str, str]:
    """minigan's contenders and the backend of each: NumPy's always, the compiled one where it is asked for."""
    names = {"minigan": "numpy"} | ({"minigan_numba": "numba"} if args.backend == "numba" else {})
    for backend in names.values():
        backends.get(backend)
    return names


def begin(args: argparse.Namespace) -> None:
    """The same number of threads for both libraries, and a word on what would spoil the comparison."""
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        if name in os.environ:
            told = f"{name}={os.environ[name]}"
            print(f"warning: {told} ties NumPy to another CPU's kernels: unset it first", file=sys.stderr)
    if args.threads:
        minigan.set_num_threads(args.threads)
    minigan.keep_freed_memory().__enter__()  # as in a run
    try:
        import torch

        torch.set_num_threads(minigan.get_num_threads())
    except ImportError:
        pass


def finish(args: argparse.Namespace, results: list[Row], draw: Callable[[str, list[Row]], None]) -> None:
    """Say what the figures depend on, and write what is asked for."""
    print(machine())
    if args.json:
        save_json(args.json, results)
    if args.plot:
        draw(args.plot, results)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    facts = {
        "date": date.today().isoformat(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": minigan.get_num_threads(),
        "python": platform.python_version(),
        "minigan": minigan.__version__,
        "numpy": np.__version__,
    }
    controllers = threadpoolctl.threadpool_info()
    facts["blas"] = [f"{c['internal_api']} {c['version']} {c.get('architecture', '')}".strip() for c in controllers]
    try:
        import torch

        facts["torch"] = torch.__version__
    except ImportError:
        pass
    return facts


def save_json(path: str, results: list[Row]) -> None:
    Path(path).write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
