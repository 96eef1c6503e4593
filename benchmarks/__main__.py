"""The whole suite, one benchmark after the other, and one table of all ratios at the end.

    python -m benchmarks --json DIR        # keeps each benchmark's JSON and plot in DIR
    python -m benchmarks --quick           # shows that everything runs; its figures mean nothing

Close everything else first: the machine should be quiet. ``python -m benchmarks.report DIR`` makes the tables again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .child import ROOT
from .report import load, ratios

# name: what to run it with, and with --quick
SUITE: dict[str, tuple[list[str], list[str]]] = {
    "train_step": (["--all", "--compile", "--autocast"], ["--workload=mnist_dcgan", "--batch=4", "--rounds=2"]),
    "epoch": ([], ["--steps=2", "--rounds=1"]),
    "overhead": ([], ["--quick"]),
    "scaling": ([], ["--quick", "--axis=width"]),
    "kernels": ([], ["--layer=14x14", "--rounds=2"]),
    "ladder": ([], ["--rounds=1"]),
}
DRAWS_NOTHING = ("kernels",)
ONE_OF_EACH = ("ladder",)  # has every backend that there is


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="DIR", help="keep the results there")
    parser.add_argument("--quick", action="store_true", help="the smallest settings")
    parser.add_argument("--only", action="append", choices=SUITE, help="may be repeated")
    parser.add_argument("--threads", type=int, help="for minigan and PyTorch (default: all cores)")
    parser.add_argument(
        "--backend", choices=("numpy", "numba"), default="numpy", help="numba: the compiled one as well"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as forgotten:
        folder = args.json or Path(forgotten)
        folder.mkdir(parents=True, exist_ok=True)
        failed = [name for name in args.only or SUITE if not run(name, folder.resolve(), args)]
        print(table(ratios(load(folder))))
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def run(name: str, folder: Path, args: argparse.Namespace) -> bool:
    print(f"\n== {name}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}", *SUITE[name][args.quick], f"--json={folder / name}.json"]
    if name not in DRAWS_NOTHING:
        command.append(f"--plot={folder / name}.png")
    if args.threads:
        command.append(f"--threads={args.threads}")
    if name not in ONE_OF_EACH:
        command.append(f"--backend={args.backend}")
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, check=False)
    print(f"({time.monotonic() - start:.0f} s)", flush=True)
    return done.returncode == 0


def table(found: list[tuple[str, float, float | None]]) -> str:
    lines = [f"\n{'minigan over':60} {'best eager PyTorch':>18} {'torch.compile':>14}"]
    for what, eager, compiled in found:
        lines.append(f"{what:60} {eager:18.2f} {f'{compiled:.2f}' if compiled else '':>14}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
