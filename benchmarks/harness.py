"""Fair timing on a noisy machine: all contenders take turns in one run, and ratios of medians are what is reported."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

import minigan


def interleave(contenders: dict[str, Callable[[], Any]], rounds: int, warmup: int = 2) -> dict[str, list[float]]:
    """Seconds of each contender in each round. In a round each runs once, the order rotating from round to round."""
    names = list(contenders)
    for name in names:
        for _ in range(warmup):
            contenders[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            start = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
    return {"median": median, "q1": low, "q3": high}


def result(workload: str, batch: int, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """One row: medians, quartiles, and minigan's time over that of the fastest PyTorch contender of the run."""
    spread = {name: summary(values) for name, values in seconds.items()}
    medians = {name: values["median"] for name, values in spread.items()}
    best = min((name for name in medians if name.startswith("torch")), key=lambda name: medians[name], default=None)
    row: dict[str, Any] = {"workload": workload, "batch": batch, "seconds": medians, "spread": spread}
    if best is not None:
        row |= {"best_torch": best, "ratio": medians["minigan"] / medians[best]}
    return row


def table(results: list[dict[str, Any]]) -> str:
    """The rows as text: median seconds (quartiles) of each contender, and its ratio to minigan's."""
    lines = []
    for row in results:
        lines.append(f"{row['workload']}, batch {row['batch']}")
        own = row["seconds"]["minigan"]
        for name, s in row["spread"].items():
            ratio = "" if name == "minigan" else f"   minigan / {name} = {own / s['median']:.2f}"
            lines.append(f"  {name:20} {s['median']:8.4f} s  ({s['q1']:.4f} .. {s['q3']:.4f}){ratio}")
        if "ratio" in row:
            lines.append(f"  ratio to the best PyTorch ({row['best_torch']}): {row['ratio']:.2f}")
    return "\n".join(lines)


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


def save_json(path: str, results: list[dict[str, Any]]) -> None:
    Path(path).write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
