"""python -m minigan: train GANs, sample from them, walk through their latent space, check every gradient."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence

from . import __version__
from .commands import gradcheck, interpolate, models, sample, train
from .errors import InputError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status."""
    parser = argparse.ArgumentParser(prog="minigan", description=__doc__)
    parser.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (train, models, sample, interpolate, gradcheck):
        command.add(commands)
    args = parser.parse_args(argv)
    return user_errors(args.run, args)


def user_errors(run: Callable[..., int | None], *args: object) -> int:
    """Call ``run``; on bad input show one clear line instead of a traceback, and return 2."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
            return run(*args) or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
    except MemoryError:
        print("error: out of memory: use a smaller batch size, width or number of images", file=sys.stderr)
    return 2
