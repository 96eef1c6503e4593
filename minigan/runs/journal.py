"""What a run wrote down: metrics.jsonl, a line of JSON for each step, and what follows from it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ..errors import InputError
from ..files import write_atomically
from ..gan.health import Alarm, Health
from ..gan.record import Record
from ..parallel import ALONE, Communicator


class Journal:
    """Writes a line for each record, and keeps in memory what is drawn: the history of each value, and the alarms.

    Both follow from the lines alone, so going on from step N with the first N lines is as if there had been no break.
    Of several processes (``ranks``) all keep them, and the first one writes.
    """

    def __init__(self, path: Path, health: Health, precision: str = "", ranks: Communicator = ALONE) -> None:
        self.path, self.health, self.precision, self.ranks = path, health, precision, ranks
        self.history: dict[str, list[float]] = {}
        self.alarms: list[Alarm] = []
        self._file: IO[str] | None = None

    @property
    def steps(self) -> int:
        """So many are written down."""
        return len(self.history.get("step", ()))

    def go_back(self, step: int) -> None:
        """Read the first ``step`` lines and forget the others. To be called before anything is written."""
        lines = self.ranks.on_first(lambda: whole_lines(self.path)[:step])
        if len(lines) < step:
            raise InputError(
                f"{self.path} has {len(lines)} lines, the checkpoint is at step {step}: restore the file, or start a "
                "new run with another --out"
            )
        for number, line in enumerate(lines, start=1):
            try:
                values = numbers(json.loads(line))
                if values["step"] != number:
                    raise ValueError(f"step {values['step']}")
                self._take(values)
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                raise InputError(
                    f"{self.path}: line {number} is not the record of step {number}: restore the file, or start a new "
                    "run with another --out"
                ) from None
        if self.ranks.is_first:
            write_atomically(self.path, "".join(lines).encode())

    def write(self, record: Record, measured: Mapping[str, float] | None = None) -> list[Alarm]:
        """Write the record down, with what was ``measured`` after it; the alarms that it raised, part of its line."""
        values = {**record.as_dict(), **(measured or {})}
        raised = self._take(values)
        if not self.ranks.is_first:
            return raised
        line: dict[str, Any] = {name: value if math.isfinite(value) else None for name, value in values.items()}
        if self.precision:
            line["precision"] = self.precision
        if raised:
            line["alarms"] = [{"kind": alarm.kind, "text": alarm.text} for alarm in raised]
        if self._file is None:
            self._file = open(self.path, "a", buffering=1)  # noqa: SIM115 (a line at a time)
        try:
            self._file.write(json.dumps(line) + "\n")
        except OSError as error:
            error.filename = str(self.path)
            raise
        return raised

    def _take(self, values: dict[str, float]) -> list[Alarm]:
        raised = self.health.look(values)
        append(self.history, values)
        self.alarms += raised
        return raised

    def sync(self) -> None:
        """See to it that every line is on the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk has been told of by write already
                self._file.close()
            self._file = None


def append(history: dict[str, list[float]], values: Mapping[str, float]) -> None:
    """Add a step. What is not measured at every step, as the Frechet distance, is NaN in between.

    >>> history = {"step": [1.0]}
    >>> append(history, {"step": 2.0, "frechet": 7.0})
    >>> append(history, {"step": 3.0})
    >>> history
    {'step': [1.0, 2.0, 3.0], 'frechet': [nan, 7.0, nan]}
    """
    before = len(history.get("step", ()))
    for name in {**history, **values}:
        history.setdefault(name, [math.nan] * before).append(values.get(name, math.nan))


def numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """Of a line of metrics.jsonl, what is drawn."""
    words = ("alarms", "precision")
    return {name: math.nan if v is None else float(v) for name, v in line.items() if name not in words}


def measured(history: Mapping[str, Sequence[float]]) -> tuple[list[float], list[float]]:
    """The steps at which a Frechet distance was measured, and the distances."""
    pairs = zip(history["step"], history.get("frechet", ()), strict=False)
    known = [(step, distance) for step, distance in pairs if math.isfinite(distance)]
    return [step for step, _ in known], [distance for _, distance in known]


def whole_lines(path: Path) -> list[str]:
    """The lines of a text file; one that a kill cut short is dropped."""
    if not path.exists():
        return []
    text = path.read_text(errors="replace")
    return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]


def read_journal(path: Path) -> tuple[dict[str, list[float]], list[Alarm]]:
    """The history and the alarms that metrics.jsonl tells of, for whoever looks at a run afterwards."""
    history: dict[str, list[float]] = {}
    alarms = []
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            values = json.loads(line)
            step = values["step"]
            if type(step) is not int or not any(name.endswith("_loss") for name in values):
                raise KeyError
            found = values.pop("alarms", [])
            alarms += [Alarm(step, str(alarm["kind"]), str(alarm["text"])) for alarm in found]
            append(history, numbers(values))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise InputError(f"{path}: line {number} is not the record of a step: is it a run's?") from None
    return history, alarms
