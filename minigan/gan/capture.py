"""Replaying training steps: on a GPU, a step's thousands of launches become one, and Python is out of the way.

The first step of each kind is worked off as it is written, the second one is captured (see backend/cupy/graph.py), and
all that follow are replays of that. They give the same numbers, bit for bit, as long as a step of the kind does nothing
else than before: the random numbers and rates that the host brings pass through ``backend.host``, and everything else
that may change is what a step is known by here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from ..backend import Array, ArrayBackend
from ..backend.host import Tape, taped
from ..errors import InputError
from ..optim import Optimizer
from ..parallel import Communicator
from ..tensor import tracer
from .ema import EMA
from .record import MEASURE_EVERY, is_measured
from .rules import Game, Turn

Report = dict[str, list[Array]]  # by name, arrays of one element each
MODES = ("auto", True, False)


class Steps(Protocol):
    """What is known here of a trainer."""

    optimizers: dict[str, Optimizer]
    averages: dict[str, EMA]
    accumulate: int
    clip_grad_norm: float | None
    communicator: Communicator
    sync_batch_norm: bool
    step_count: int

    @property
    def game(self) -> Game: ...
    def due(self) -> list[Turn]: ...
    def facts(self) -> dict[str, Any]: ...
    def rewind(self, facts: dict[str, Any]) -> None: ...


class Kind(NamedTuple):
    """What one step does, numbers aside. Two steps of a kind do the same work."""

    turns: tuple[str, ...]
    norms: tuple[bool, ...]  # whether these measure their gradients
    measures: bool
    game: tuple[Any, ...]

    @classmethod
    def of(cls, trainer: Steps) -> Kind:
        """That of the step under way."""
        turns = tuple(turn.name for turn in trainer.due())
        norms = tuple(is_measured(trainer.optimizers[name]) for name in turns)
        return cls(turns, norms, trainer.step_count % MEASURE_EVERY == 1, trainer.game.kind())


class Capture:
    """Runs the steps of a trainer, as captured ones where that can be. ``reason`` says why it cannot, or is ""."""

    def __init__(self, trainer: Steps, mode: bool | str) -> None:
        if mode not in MODES:
            raise InputError(f'capture = {mode!r} must be "auto", True or False')
        self.trainer, self.mode, self.reason = trainer, mode, ""
        self._failure = "capture = False" if mode is False else ""  # a reason that stays
        self._is_off = False
        self._graphs: Any = None
        self._known_by: tuple[Any, ...] = ()
        self._layout = ""  # of the batches
        self._bytes: dict[Any, int] = {}  # of each kind of step that was seen: what the host brings to it
        self._replays: dict[Any, tuple[Any, dict[str, int]]] = {}

    def run(self, work: Callable[..., Report], *batch: Array) -> dict[str, list[float]]:
        """``work(*batch)``, a step of the trainer, or what replays it; its report, in numbers."""
        backend: Any = self.trainer.game.backend
        self.reason = self._why_not(backend, batch)
        if self.reason:
            return read(backend, work(*batch))
        kind = Kind.of(self.trainer)
        if kind not in self._bytes:
            with taped(Tape()) as tape:
                found = read(backend, work(*batch))
            self._bytes[kind] = tape.bytes
            return found
        arrays = [backend.asarray(array) for array in batch]
        if kind in self._replays:
            self._advance(kind)
        elif not self._captured(backend, work, kind, arrays):
            return read(backend, work(*batch))
        replay, lengths = self._replays[kind]
        numbers = iter(backend.read(replay(self.trainer.step_count, arrays)))
        return {name: [next(numbers) for _ in range(length)] for name, length in lengths.items()}

    @contextmanager
    def off(self) -> Iterator[None]:
        before, self._is_off = self._is_off, True
        try:
            yield
        finally:
            self._is_off = before

    # ---- whether ---------------------------------------------------------------------------------

    def _why_not(self, backend: ArrayBackend, batch: Sequence[Array]) -> str:
        if self._failure:
            return self._failure
        if self._is_off or tracer() is not None:
            return "the step is being watched"
        known_by = self._known(backend)
        if not same(known_by, self._known_by):  # the first step; or something was exchanged since
            self._known_by, self._layout = known_by, layout(batch)
            self._bytes, self._replays = {}, {}
            self._graphs = backend.graphs() if hasattr(backend, "graphs") else None
            if self._graphs is None:
                self._failure = f"backend {backend.name!r} captures nothing"
            elif self.mode == "auto":
                self._failure = foreign(self.trainer)
            if self._failure and (self._graphs is not None or self.mode is True):
                self._tell()
            return self._failure
        if layout(batch) != self._layout:
            return f"the batch is {layout(batch)}, the captured ones are {self._layout}"
        return ""

    def _known(self, backend: ArrayBackend) -> tuple[Any, ...]:
        """What a captured step holds for good: compared by identity, so that nothing is replayed after an exchange."""
        trainer, optimizers = self.trainer, self.trainer.optimizers.values()
        parameters = [p for optimizer in optimizers for p in optimizer.params]
        settings = [value for o in optimizers for name, value in vars(o.rule()).items() if name not in ("lr", "step")]
        modes = [module.training for network in trainer.game.networks.values() for module in network.modules()]
        return (
            backend.tf32, trainer.accumulate, trainer.clip_grad_norm, trainer.communicator, trainer.sync_batch_norm,
            *parts(trainer.game), *trainer.averages.values(),
            *optimizers, *settings, *modes, *(p.data for p in parameters), *(p.requires_grad for p in parameters),
        )  # fmt: skip

    def _advance(self, kind: Kind) -> None:
        """Count what a replay does without its Python code: updates of parameters, and of averages."""
        trainer = self.trainer
        for turn in trainer.due():
            trainer.optimizers[turn.name].advance()
            for average in trainer.averages.values():
                if average.source in turn.networks:
                    average.advance()

    # ---- capturing -------------------------------------------------------------------------------

    def _captured(self, backend: Any, work: Callable[..., Report], kind: Kind, arrays: Sequence[Array]) -> bool:
        """Whether the step could be captured; if not, all is as it was before."""
        trainer, lengths = self.trainer, {}
        before, counts = trainer.facts(), {o: o.step_count for o in trainer.optimizers.values()}

        def packed(*batch: Array) -> Array:
            report = work(*batch)
            lengths.update({name: len(values) for name, values in report.items()})
            return backend.pack([value for values in report.values() for value in values])

        try:
            replay = self._graphs.capture(packed, arrays, self._bytes[kind], trainer.step_count)
            self._replays[kind] = replay, lengths
        except Exception as error:  # whatever it is: the eager step will raise it again, if it is the step's own
            trainer.rewind(before)
            for optimizer, count in counts.items():
                optimizer.step_count = count
            self._replays, self._graphs = {}, None
            self._failure = self.reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._tell()
            return False
        return True

    def _tell(self) -> None:
        warnings.warn(f"training steps are not captured: {self._failure}", RuntimeWarning, stacklevel=5)


def read(backend: Any, report: Report) -> dict[str, list[float]]:
    """The numbers of a report, brought to the host all at once where they lie elsewhere."""
    values = [value for of_one in report.values() for value in of_one]
    numbers = iter(backend.read(backend.pack(values)) if hasattr(backend, "pack") else [v.item() for v in values])
    return {name: [next(numbers) for _ in values] for name, values in report.items()}


def parts(game: Game) -> list[Any]:
    """Everything that a game is made of, its step and its random numbers aside."""
    held: list[Any] = []
    for name, value in vars(game).items():
        if name not in ("step", "rng"):
            several = value.values() if isinstance(value, Mapping) else value
            held += several if isinstance(several, Sequence | type({}.values())) else [value]
    return held


def foreign(trainer: Steps) -> str:
    """The first part of the game that is not minigan's own, so that nobody knows whether it can be captured; or ""."""
    modules = [module for network in trainer.game.networks.values() for module in network.modules()]
    for part in (trainer.game, *modules, *parts(trainer.game), *trainer.optimizers.values()):
        kind = part if hasattr(part, "__qualname__") else type(part)
        if kind.__module__.partition(".")[0] not in ("minigan", "builtins"):
            return (
                f"{kind.__qualname__} is not minigan's own; capture=True captures it all the same, and is right "
                "where nothing in it changes from step to step but arrays (see docs/cuda.md)"
            )
    if trainer.clip_grad_norm is not None:
        return "clip_grad_norm decides on the host what to do"
    return ""


def layout(batch: Sequence[Array]) -> str:
    return ", ".join(f"{array.dtype}{array.shape}" for array in batch)


def same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether both hold the very same objects."""
    pairs = zip(a, b, strict=False)
    return len(a) == len(b) and all(x is y or (type(x) in (int, float, tuple) and x == y) for x, y in pairs)
