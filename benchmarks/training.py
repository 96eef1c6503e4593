"""A run trained as a user would train it: in a process of its own, and gone on with where it was stopped."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from minigan.errors import InputError


def trained(command: str, out: Path, *more: str) -> float | None:
    """Run ``command --out out more`` unless it has come to its end; the processor's minutes that a whole run took.

    None for one that is there or was gone on with: nobody knows what the first part of it took. A run that was stopped
    has a model, too, so its end is marked by a file of its own.
    """
    end = out / "came-to-its-end"
    if end.exists():
        return None
    begun = (out / "metrics.jsonl").exists()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    words = [*command.split()[1:], "--out", str(out), *more, *(["--resume"] if begun else [])]
    done = subprocess.run([sys.executable, *words])
    if done.returncode:
        raise InputError(f"{out.name}: the training ended with exit code {done.returncode}; see above")
    end.touch()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return None if begun else spent / 60
