"""python -m benchmarks.fuzz --seconds 60: all readers; exit code 1 and the inputs when one of them crashed."""

from __future__ import annotations

import argparse
import sys

from . import checkpoint, config, idx
from .harness import fuzz

TARGETS = {"idx": idx.target, "checkpoint": checkpoint.target, "config": config.target}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each reader (default: 60)")
    parser.add_argument("--count", type=int, default=10**9, help="inputs for each reader, at most")
    parser.add_argument("--only", choices=TARGETS)
    args = parser.parse_args()
    crashed = False
    for name in [args.only] if args.only else TARGETS:
        read, inputs, folder = TARGETS[name]()
        with folder:
            report = fuzz(name, read, inputs, args.seconds, args.count)
        print(report, flush=True)
        for given, raised in report.crashes[:3]:
            print(f"--- {str(given)[:500]}\n{raised}")
        crashed |= bool(report.crashes)
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
