"""What the host brings to a training step: random numbers and learning rates.

A step that was captured (see gan/capture.py) is replayed without its Python code, so what the host brought to it must
be brought anew each time. It comes through ``from_host``; the capture that is under way, if there is one, remembers it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .base import Array, ArrayBackend

ALIGNMENT = 256  # bytes, of an array that comes from the host


class Tape:
    """Does what the host has to do, and adds up the bytes that it hands over."""

    def __init__(self) -> None:
        self.bytes = 0

    def from_host(
        self, backend: ArrayBackend, make: Callable[..., Any], *step: int, rng: np.random.Generator | None = None
    ) -> Array:
        value = make(*step)
        self.bytes += aligned(value.nbytes)
        return backend.asarray(value)


class _Current(threading.local):
    tape = Tape()


_current = _Current()


def from_host(
    backend: ArrayBackend, make: Callable[..., Any], *step: int, rng: np.random.Generator | None = None
) -> Array:
    """``make()``, a NumPy array, as an array of ``backend``; in a replay made anew.

    Where it depends on the number of the step, that is given too: ``from_host(backend, make, step)`` calls
    ``make(step)``, and a replay calls it with its own number. With ``rng``, all that ``make`` does is to draw from it:
    then what a step begins with may be drawn ahead, while the step before is computed.
    """
    return _current.tape.from_host(backend, make, *step, rng=rng)


def span(backend: ArrayBackend, index: Array) -> tuple[int, int] | None:
    """The smallest and the largest of ``index``. None without any, and while a step is captured: nothing is read."""
    if not index.size or getattr(backend, "capturing", False):
        return None
    return int(index.min()), int(index.max())


@contextmanager
def taped(tape: Tape) -> Iterator[Tape]:
    """In this context and thread ``tape`` gets to see what the host does."""
    before, _current.tape = _current.tape, tape
    try:
        yield tape
    finally:
        _current.tape = before


def aligned(size: int) -> int:
    """
    >>> aligned(1), aligned(256)
    (256, 256)
    """
    return -(-size // ALIGNMENT) * ALIGNMENT
