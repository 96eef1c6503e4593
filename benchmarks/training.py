"""A run trained as a user would train it: in a process of its own, and gone on with where it was stopped."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from minigan.errors import InputError

END = "came-to-its-end"  # an empty file


def is_whole(out: Path) -> bool:
    """Whether the run in that folder came to its end: a stopped one has a model, too, so a file of its own says so."""
    return (out / END).exists()


def trained(command: str, out: Path, *more: str) -> float | None:
    """Run ``command --out out more`` unless it has come to its end; the processor's minutes that a whole run took.

    None for one that is there or was gone on with: nobody knows what the first part of it took.
    """
    if is_whole(out):
        return None
    begun = (out / "metrics.jsonl").exists()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    words = [*command.split()[1:], "--out", str(out), *more, *(["--resume"] if begun else [])]
    done = subprocess.run([sys.executable, *words])
    if done.returncode:
        raise InputError(f"{out.name}: the training ended with exit code {done.returncode}; see above")
    (out / END).touch()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return None if begun else spent / 60
