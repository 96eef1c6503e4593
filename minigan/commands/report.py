"""minigan report: a run as one HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..files import check_suffix
from ..runs.report import write_report


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("report", help="write one HTML page about a run")
    parser.add_argument("out", metavar="OUT", help="the folder of a run")
    parser.add_argument("--html", metavar="FILE", help="the page to write (default: OUT/report.html)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    out = Path(args.out)
    target = Path(args.html or out / "report.html")
    check_suffix(target, ".html", ".htm")
    write_report(out, target)
    print(f"open {target} in a browser")
