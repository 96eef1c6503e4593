"""Loops in Python, compiled to machine code by Numba.

A compiled loop lets go of the interpreter lock, so threads share its tiles out and none waits for another. The code is
kept on disk beside the source, or where ``NUMBA_CACHE_DIR`` says, or in the user's cache; where none of these can be
written it is compiled anew in each process.

A loop may call others of its own file, which then become a part of it. Not of another file: Numba looks at one file to
see whether the code that it has kept is still that of the loop.

Without Numba the loops stay what they are to read, plain Python, and ``NumbaBackend`` refuses to start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

WHY_NOT = ""  # there are no compiled loops here
try:
    import numba
except ImportError as error:  # it is not there, or too old for the NumPy that is
    WHY_NOT = str(error)

# Sums may be regrouped, so that they are computed sixteen at a time, and a * b + c may be rounded once. Infinities and
# NaN stay what they are.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz", "arcp"}}


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """``loop``, compiled for each combination of argument types that it is called with."""
    if WHY_NOT:
        return loop
    try:
        return numba.njit(loop, cache=True, **OPTIONS)
    except RuntimeError:  # there is no folder to keep it in
        return numba.njit(loop, **OPTIONS)
