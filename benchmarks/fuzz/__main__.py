"""python -m benchmarks.fuzz --seconds 60: all readers, and calls of all ops; exit code 1 and the inputs that failed.

--only calls --count 100000 --seconds 3600 compares so many random calls with PyTorch, and says what they came to."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from .harness import fuzz

TARGETS = ("idx", "checkpoint", "config", "calls")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each reader (default: 60)")
    parser.add_argument("--count", type=int, default=10**9, help="inputs for each reader, at most")
    parser.add_argument("--only", choices=TARGETS)
    args = parser.parse_args()
    crashed = False
    for name in [args.only] if args.only else TARGETS:
        read, inputs, folder = import_module(f".{name}", __package__).target()
        with folder:
            report = fuzz(name, read, inputs, args.seconds, args.count)
        print(report, flush=True)
        for what, count in getattr(read, "outcomes", {}).items():
            print(f"{'':12} {count:8,} {what}")
        for given, raised in report.crashes[:3]:
            print(f"--- {str(given)[:500]}\n{raised}")
        crashed |= bool(report.crashes)
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
