"""python -m minigan: train GANs, sample from them, walk through their latent space, check every gradient."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout, suppress

from . import __version__
from .commands import (
    doctor,
    edit,
    evaluate,
    explain,
    explore,
    export,
    gradcheck,
    import_,
    interpolate,
    learn,
    models,
    report,
    restore,
    sample,
    trace,
    train,
    translate,
    watch,
)
from .errors import InputError
from .launched import launched
from .parallel import ALONE, world

COMMANDS = (
    train, models, sample, interpolate, restore, translate, edit, explore, evaluate, report, export, import_, gradcheck,
    trace, explain, watch, learn, doctor,
)  # fmt: skip

TOGETHER = (train, sample, evaluate)  # those that mpiexec may start several of


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status."""
    write_anything()
    args = parser().parse_args(argv)
    return user_errors(run, args)


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    made = argparse.ArgumentParser(prog="minigan", description=__doc__)
    made.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return made


def run(args: argparse.Namespace) -> int | None:
    if world().size > 1 and args.run not in (command.run for command in TOGETHER):
        names = ", ".join(command.__name__.rpartition(".")[2] for command in TOGETHER)
        raise InputError(
            f"{world().size} processes would all do the same here: start it without mpiexec ({names} share)"
        )
    return args.run(args)


def user_errors(run: Callable[..., int | None], *args: object) -> int:
    """Call ``run``; on bad input, or when the machine fails, show one clear line instead of a traceback; return 2.

    Of several processes that were started together the first one alone speaks, but for what fails in another alone.
    """
    write_anything()
    told, ranks, line, status = launched(), ALONE, "", 2
    try:
        with warnings.catch_warnings(), ExitStack() as stack:
            ranks = world()
            if not ranks.is_first:
                stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
            warnings.showwarning = lambda message, *_: complain(f"warning: {message}") if ranks.is_first else None
            return run(*args) or 0
    except InputError as error:
        line = f"error: {error}"
    except BrokenPipeError:  # whoever read our output has gone, as in "... | head"
        with suppress(OSError, ValueError):  # or the interpreter would try to write there once more as it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        line = f"error: {named}{error.strerror or error}"
    except MemoryError:
        line = "error: out of memory: use a smaller batch size, width or number of images"
    except KeyboardInterrupt:
        line, status = "stopped", 130
    if ranks is not ALONE or told is None or told.rank == 0:
        ranks.fail(lambda: complain(line))
    return status


def write_anything() -> None:
    """What the terminal's encoding cannot say, a path's odd bytes among it, is written as an escape and no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(line: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr)
