"""minigan gradcheck: every op's gradients against finite differences."""

from __future__ import annotations

import argparse

from .arguments import add_backend


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("gradcheck", help="check every op's gradients against finite differences")
    parser.add_argument("--only", metavar="NAME", help="only the cases whose name contains NAME")
    add_backend(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..study import gradcheck_table

    return 0 if gradcheck_table.run(backend=args.backend, only=args.only) else 1
