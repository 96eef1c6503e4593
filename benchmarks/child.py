"""Some training steps in a process of their own, which then tells its time and memory as JSON.

    python -m benchmarks.child minigan --workload mnist_dcgan --batch 8 --steps 3

The library is one of "minigan", "minigan_numba", "torch_nchw", "torch_channels_last"; of the two packages only the one
it needs is imported. ``--set width=16`` changes a field of the workload.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.workloads import WORKLOADS, Workload, images, minigan_step, minigan_trainer

BACKENDS = {"minigan": "numpy", "minigan_numba": "numba"}
LIBRARIES = (*BACKENDS, "torch_nchw", "torch_channels_last")
MEGABYTE = 2.0**20
ROOT = Path(__file__).parent.parent


def environment() -> dict[str, str]:
    """This process's, in which Python may keep what it has compiled, as it does of an installed package."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(library: str, workload: Workload, batch: int, threads: int, *, steps: int = 2, settle: int = 0) -> Any:
    """``main`` in a fresh process: {"first_step": seconds from its start to the end of the first step,
    "base", "peak", "growth": megabytes}. None where the system does not tell a process's memory.
    """
    settings = [f"--set={name}={value}" for name, value in dataclasses.asdict(workload).items()]
    command = [sys.executable, "-m", "benchmarks.child", library, "--batch", str(batch), "--threads", str(threads)]
    start = time.time()
    done = subprocess.run(
        [*command, "--steps", str(steps), "--settle", str(settle), *settings],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip().splitlines()[-1:]}")
    told = json.loads(done.stdout)
    return told | {"first_step": told["first_step"] - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("--workload", choices=WORKLOADS, default="mnist_dcgan")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="may be repeated")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--settle", type=int, default=0, help="steps before those over which growth is measured")
    args = parser.parse_args()
    workload = changed(WORKLOADS[args.workload], args.set)
    real = images(workload, args.batch)
    build = minigan_side if args.library in BACKENDS else torch_side
    step, base = build(args.library, workload, real, args.threads)
    step()
    first_step = time.time()
    for _ in range(args.settle):
        step()
    settled = memory("VmRSS")
    for _ in range(args.steps - 1):
        step()
    now = memory("VmRSS")
    growth = None if now is None or settled is None else now - settled
    print(json.dumps({"first_step": first_step, "base": base, "peak": memory("VmHWM"), "growth": growth}))


def changed(workload: Workload, settings: list[str]) -> Workload:
    """
    >>> changed(WORKLOADS["mnist_dcgan"], ["width=16", "n_critic=5"]).width
    16
    """
    fields = {}
    for setting in settings:
        name, value = setting.split("=")
        fields[name] = type(getattr(workload, name))(value)
    return dataclasses.replace(workload, **fields)


def minigan_side(library: str, workload: Workload, real: Any, threads: int) -> tuple[Any, float | None]:
    import minigan

    base = memory("VmRSS")
    minigan.set_num_threads(threads)
    minigan.keep_freed_memory().__enter__()  # as in a run
    return minigan_step(minigan_trainer(workload, BACKENDS[library]), real), base


def torch_side(library: str, workload: Workload, real: Any, threads: int) -> tuple[Any, float | None]:
    import torch

    from benchmarks import pytorch

    base = memory("VmRSS")
    torch.set_num_threads(threads)
    step = pytorch.training_step(pytorch.build(workload), real, workload, pytorch.LAYOUTS[library])
    return step, base


def memory(field: str) -> float | None:
    """VmRSS, what is resident now, or VmHWM, the most that ever was: in megabytes, None where Linux does not tell.

    Not ru_maxrss: a fresh process inherits that from the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024 / MEGABYTE
    return None


if __name__ == "__main__":
    main()
