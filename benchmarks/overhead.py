"""What a library costs beside its kernels: the tape, the import, the way to the first step, and memory.

    python -m benchmarks.overhead --json overhead.json --plot overhead.png

The tape is timed on a chain of additions of scalars, where there is next to nothing but the tape. All else is measured
in processes of their own, of which each imports one of the two libraries only.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import minigan
from benchmarks import child, plot
from benchmarks.harness import Row, arguments, begin, finish, interleave, own, result, table
from benchmarks.workloads import WORKLOADS, Workload

NODES = 1000
MEMORY = [
    *(("mnist_dcgan", batch) for batch in (8, 64, 128)),
    *(("dcgan64", batch) for batch in (64, 128)),
    *(("wgan_gp_critic", batch) for batch in (64, 128)),
    ("sngan32", 64),
]


def main() -> None:
    parser = arguments(__doc__, rounds=7)
    parser.add_argument("--steps", type=int, default=1000, help="over which memory must not grow (default: 1000)")
    parser.add_argument("--quick", action="store_true", help="small settings, to see that all works")
    args = parser.parse_args()
    begin(args)
    if args.quick:
        args.rounds, args.steps = 1, 20
    results = []
    libraries = [name for name in child.LIBRARIES if name in own(args) or name not in child.BACKENDS]
    for row in rows(args.rounds, args.steps, args.quick, libraries):
        results.append(row)
        print(table([row]), flush=True)
    finish(args, results, lambda path, found: plot.bars(path, [row for row in found if "ratio" in row]))


def rows(rounds: int, steps: int, quick: bool, libraries: list[str]) -> Iterator[Row]:
    yield from tape(rounds)
    yield result("import", None, by_turns({
        name: lambda name=name: import_seconds(name.split("_")[0]) for name in ("minigan", "torch")
    }, rounds))  # fmt: skip
    name, batch = ("mnist_dcgan", 8)
    small = replace(WORKLOADS[name], width=16)
    started = {library: lambda library=library: of_child(library, small if quick else WORKLOADS[name], batch)
               for library in libraries}  # fmt: skip
    told = by_turns(started, rounds)
    yield result(f"from process start to first step, {name}", batch, pick(told, "first_step"))
    for name, batch in [("mnist_dcgan", 8)] if quick else MEMORY:
        told = {library: [of_child(library, WORKLOADS[name], batch, steps=3)] for library in libraries}
        if told["minigan"][0]["peak"] is not None:
            yield result(f"peak memory, {name}", batch, pick(told, "peak"), measure="megabytes")
    told = {library: [of_child(library, small, batch, steps=steps + 1, settle=50)] for library in libraries[:-1]}
    if told["minigan"][0]["growth"] is not None:
        row = result(f"growth over {steps} steps, {name} of width 16", batch, pick(told, "growth"), measure="megabytes")
        yield {
            key: value for key, value in row.items() if key not in ("ratio", "ratios", "best_torch")
        }  # of two noises


def of_child(library: str, workload: Workload, batch: int, **settings: int) -> Any:
    return child.run(library, workload, batch, minigan.get_num_threads(), **settings)


def pick(told: dict[str, list[Any]], key: str) -> dict[str, list[float]]:
    return {library: [one[key] for one in of_one] for library, of_one in told.items()}


def by_turns(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """What each returns in each round; the first one, from a cold disk, does not count."""
    told: dict[str, list[Any]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contender in contenders.items():
            found = contender()
            if turn:
                told[name].append(found)
    return told


def import_seconds(package: str) -> float:
    """In a fresh process, not counting the start of the interpreter."""
    code = f"import time; start = time.perf_counter(); import {package}; print(time.perf_counter() - start)"
    command = [sys.executable, "-c", code]
    return float(
        subprocess.run(command, cwd=child.ROOT, env=child.environment(), capture_output=True, check=True).stdout
    )


# ---- the tape ----------------------------------------------------------------------------------------------------


def tape(rounds: int) -> Iterator[Row]:
    """A node's cost, forward while recording and backward."""
    import torch

    from minigan.tensor import Tensor, grad

    x = Tensor(np.ones((), np.float32), requires_grad=True)
    tx = torch.ones((), requires_grad=True)
    heads: dict[str, Any] = {}

    def forward(name: str, leaf: Any) -> None:
        y = leaf
        for _ in range(NODES):
            y = y + leaf
        heads[name] = y

    forwards = interleave({"minigan": lambda: forward("minigan", x), "torch": lambda: forward("torch", tx)}, rounds)
    backwards = interleave({
        "minigan": lambda: grad(heads["minigan"], [x], retain_graph=True),
        "torch": lambda: torch.autograd.grad(heads["torch"], tx, retain_graph=True),
    }, rounds)  # fmt: skip
    for kind, seconds in (("forward", forwards), ("backward", backwards)):
        yield result(f"tape {kind}, {NODES} nodes", None, seconds)


if __name__ == "__main__":
    main()
