"""Replaying training steps: on a GPU, a step's thousands of launches become one, and Python is out of the way.

The first step of each kind is worked off as it is written, the second one is captured (see cuda/graph.py), and all that
follow are replays of that. They give the same numbers, bit for bit, as long as a step of the kind does nothing else
than before: the random numbers and rates that the host brings pass through ``backend.host``, and everything else that
may change is what a step is known by here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..backend import Array, ArrayBackend
from ..backend.host import Tape, taped
from ..errors import InputError
from ..tensor import tracer

if TYPE_CHECKING:
    from .trainer import Trainer

Report = dict[str, list[Array]]  # by name, arrays of one element each
MODES = ("auto", True, False)


class Capture:
    """Runs the steps of a trainer, as captured ones where that can be. ``reason`` says why it cannot, or is ""."""

    def __init__(self, trainer: Trainer, mode: bool | str) -> None:
        if mode not in MODES:
            raise InputError(f'capture = {mode!r} must be "auto", True or False')
        self.trainer, self.mode, self.reason = trainer, mode, ""
        self._failure = "capture = False" if mode is False else ""  # a reason that stays
        self._is_off = False
        self._graphs: Any = None
        self._known_by: tuple[Any, ...] = ()
        self._bytes: dict[Any, int] = {}  # of each kind of step that was seen: what the host brings to it
        self._replays: dict[Any, tuple[Any, dict[str, int]]] = {}

    def run(
        self, work: Callable[..., Report], kind: Any, number: int, real: Array, *given: Array
    ) -> dict[str, list[float]]:
        """``work(real, *given)``, or what replays it; its report, in numbers. ``number`` is that of the step."""
        backend = self.trainer.generator.backend
        self.reason = self._why_not(backend, real)
        if self.reason:
            return read(backend, work(real, *given))
        if kind not in self._bytes:
            with taped(Tape()) as tape:
                found = read(backend, work(real, *given))
            self._bytes[kind] = tape.bytes
            return found
        arrays = [backend.asarray(array) for array in (real, *given)]
        if kind not in self._replays and not self._captured(backend, work, kind, number, arrays):
            return read(backend, work(real, *given))
        replay, lengths = self._replays[kind]
        numbers = iter(backend.read(replay(number, arrays)))
        return {name: [next(numbers) for _ in range(length)] for name, length in lengths.items()}

    @contextmanager
    def off(self) -> Iterator[None]:
        before, self._is_off = self._is_off, True
        try:
            yield
        finally:
            self._is_off = before

    # ---- whether ---------------------------------------------------------------------------------

    def _why_not(self, backend: ArrayBackend, real: Array) -> str:
        if self._failure:
            return self._failure
        if self._is_off or tracer() is not None:
            return "the step is being watched"
        known_by = self._known(backend)
        if not same(known_by, self._known_by):  # the first step; or something was exchanged since
            self._known_by = (*known_by, real.shape, real.dtype)
            self._bytes, self._replays = {}, {}
            self._graphs = backend.graphs()
            if self._graphs is None:
                self._failure = f"backend {backend.name!r} captures nothing"
            elif self.mode == "auto":
                self._failure = foreign(self.trainer)
            if self._failure and (self._graphs is not None or self.mode is True):
                self._tell()
            return self._failure
        shape, dtype = self._known_by[len(known_by) :]
        if real.shape != shape or real.dtype != dtype:
            return f"the batch is {real.dtype}{real.shape}, the captured ones are {dtype}{shape}"
        return ""

    def _known(self, backend: ArrayBackend) -> tuple[Any, ...]:
        """What a captured step holds for good: compared by identity, so that nothing is replayed after an exchange."""
        trainer = self.trainer
        optimizers = trainer.g_optimizer, trainer.d_optimizer
        parameters = [p for optimizer in optimizers for p in optimizer.params]
        settings = [value for o in optimizers for name, value in o.settings().items() if name not in ("lr", "step")]
        return (
            backend.tf32, trainer.objective, trainer.penalties, trainer.augment, trainer.accumulate,
            trainer.clip_weights, trainer.clip_grad_norm, trainer.ema, *optimizers, *settings,
            *(p.data for p in parameters), *(p.requires_grad for p in parameters),
        )  # fmt: skip

    # ---- capturing -------------------------------------------------------------------------------

    def _captured(
        self, backend: ArrayBackend, work: Callable[..., Report], kind: Any, number: int, arrays: Sequence[Array]
    ) -> bool:
        """Whether the step could be captured; if not, all is as it was before."""
        trainer, lengths = self.trainer, {}
        before = trainer.facts(), trainer.g_optimizer.step_count, trainer.d_optimizer.step_count

        def packed(real: Array, *given: Array) -> Array:
            report = work(real, *given)
            lengths.update({name: len(values) for name, values in report.items()})
            return backend.pack([value for values in report.values() for value in values])

        try:
            self._replays[kind] = self._graphs.capture(packed, arrays, self._bytes[kind], number), lengths
        except Exception as error:  # whatever it is: the eager step will raise it again, if it is the step's own
            facts, trainer.g_optimizer.step_count, trainer.d_optimizer.step_count = before
            trainer.rewind(facts)
            self._replays, self._graphs = {}, None
            self._failure = self.reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._tell()
            return False
        return True

    def _tell(self) -> None:
        warnings.warn(f"training steps are not captured: {self._failure}", RuntimeWarning, stacklevel=5)


def read(backend: ArrayBackend, report: Report) -> dict[str, list[float]]:
    numbers = iter(backend.read(backend.pack([value for values in report.values() for value in values])))
    return {name: [next(numbers) for _ in values] for name, values in report.items()}


def foreign(trainer: Trainer) -> str:
    """The first part of the game that is not minigan's own, so that nobody knows whether it can be captured; or ""."""
    modules = [*trainer.generator.modules(), *trainer.discriminator.modules()]
    parts = [*modules, trainer.objective, *trainer.penalties, *trainer.augment]
    parts += [trainer.g_optimizer, trainer.d_optimizer]
    for part in parts:
        kind = part if hasattr(part, "__qualname__") else type(part)
        if kind.__module__.partition(".")[0] != "minigan":
            return (
                f"{kind.__qualname__} is not minigan's own; capture=True captures it all the same, and is right "
                "where nothing in it changes from step to step but arrays (see docs/cuda.md)"
            )
    if trainer.clip_grad_norm is not None:
        return "clip_grad_norm decides on the host what to do"
    return ""


def same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether ``b`` begins with the very objects of ``a``."""
    pairs = zip(a, b, strict=False)
    return len(a) <= len(b) and all(x is y or (type(x) in (int, float, tuple) and x == y) for x, y in pairs)
