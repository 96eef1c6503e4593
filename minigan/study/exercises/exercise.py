"""What an exercise is, and how an answer to it is checked."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...tensor import Tensor

HEAD = "# minigan learn "


class Wrong(Exception):  # noqa: N818 (an answer is wrong; no error has happened)
    """What is wrong with an answer, in words for whoever wrote it."""


@dataclass(frozen=True)
class Exercise:
    """``start`` is a program that lacks something; ``examine`` gets its names, and raises Wrong."""

    number: str  # "3.2": the second one of chapter 3
    title: str
    start: str
    examine: Callable[[Any], None]

    @property
    def file(self) -> str:
        return f"{HEAD}{self.number}: {self.title}\n{self.start.strip()}\n"


class Names:
    """The names that a program has defined, as attributes."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise Wrong(f"{name} is not defined any more: leave its name as it was")
        return self._names[name]


def check(exercise: Exercise, path: Path, source: str) -> str | None:
    """What is wrong with the answer in ``source``, read from ``path``; None where nothing is."""
    names: dict[str, Any] = {"__name__": "answer"}
    try:
        exec(compile(source, str(path), "exec"), names)
        exercise.examine(Names(names))
    except Wrong as wrong:
        return str(wrong)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (Exception, SystemExit) as error:  # whatever the answer does
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f"line {lines[-1]}: " if lines else ""
        return f"{where}{type(error).__name__}: {error}"
    return None


def close(found: Any, expected: Any, what: str, bound: float = 1e-6) -> None:
    """Raise Wrong, with both, where they differ."""
    if found is ... or found is None:
        raise Wrong(f"{what}: nothing is returned yet: fill the gap")
    try:
        array = np.asarray(found.numpy() if isinstance(found, Tensor) else found, np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"{what}: {found!r} is not made of numbers") from None
    expected = np.asarray(expected, np.float64)
    if array.shape != expected.shape:
        raise Wrong(f"{what}: the shape is {array.shape}, expected {expected.shape}")
    if not np.allclose(array, expected, rtol=bound, atol=bound):
        place = (
            np.unravel_index(np.argmax(np.nan_to_num(np.abs(array - expected), nan=np.inf)), expected.shape)
            if expected.ndim
            else ()
        )
        at = f" at {tuple(map(int, place))}" if place else ""
        raise Wrong(f"{what}: {array[place]:.6g}{at}, expected {expected[place]:.6g}")
