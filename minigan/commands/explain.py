"""minigan explain: one op's formula, its gradient derived, computed in loops and checked, and where its code stands."""

from __future__ import annotations

import argparse
import textwrap


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("explain", help="one op: its formula, its gradient derived and checked, its code")
    parser.add_argument("op", nargs="?", metavar="OP", help="such as conv2d; without it, the ops are listed")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from ..study import explain

    if args.op is None:
        print(textwrap.fill(", ".join(explain.names()), 100))
    else:
        print(explain.explain(args.op), end="")
