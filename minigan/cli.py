"""python -m minigan: train GANs, sample from them, walk through their latent space, check every gradient."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

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
    watch,
)
from .errors import InputError

COMMANDS = (
    train, models, sample, interpolate, restore, edit, explore, evaluate, report, export, import_, gradcheck, trace, explain,
    watch, learn, doctor,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status."""
    write_anything()
    parser = argparse.ArgumentParser(prog="minigan", description=__doc__)
    parser.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    args = parser.parse_args(argv)
    return user_errors(args.run, args)


def user_errors(run: Callable[..., int | None], *args: object) -> int:
    """Call ``run``; on bad input, or when the machine fails, show one clear line instead of a traceback; return 2."""
    write_anything()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: complain(f"warning: {message}")
            return run(*args) or 0
    except InputError as error:
        complain(f"error: {error}")
    except BrokenPipeError:  # whoever read our output has gone, as in "... | head"
        with suppress(OSError, ValueError):  # or the interpreter would try to write there once more as it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        complain(f"error: {named}{error.strerror or error}")
    except MemoryError:
        complain("error: out of memory: use a smaller batch size, width or number of images")
    except KeyboardInterrupt:
        complain("stopped")
        return 130
    return 2


def write_anything() -> None:
    """What the terminal's encoding cannot say, a path's odd bytes among it, is written as an escape and no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(line: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr)
