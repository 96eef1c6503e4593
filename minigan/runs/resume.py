"""Going on exactly: what the checkpoints of a run hold, and the ways back to a state of it."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..checkpoint import Checkpoints
from ..data import Loader
from ..errors import DivergenceError, InputError
from ..gan.game import TwoPlayer
from ..gan.health import Alarm
from ..gan.record import Record
from ..gan.trainer import Trainer
from ..study.diagnosis import NotFiniteError, watch
from .best import PREFIX, Best
from .journal import Journal

HOLD_EVERY = 100  # steps: so often the state is held in memory, to get back to a step without going far

State = tuple[dict[str, np.ndarray], dict[str, Any]]


class Keeper:
    """Keeps the state of a run, on the disk and in memory, and goes back to it.

    ``architecture`` and ``config`` are what must be the same for a run to be resumed.
    """

    def __init__(
        self,
        out: Path,
        trainer: Trainer[TwoPlayer],
        loader: Loader,
        journal: Journal,
        architecture: dict[str, Any],
        config: dict[str, Any],
        best: Best | None = None,
    ) -> None:
        self.out, self.trainer, self.loader, self.journal, self.best = out, trainer, loader, journal, best
        self.ranks = trainer.communicator
        self.architecture, self.config = architecture, {**config, **architecture}
        self.checkpoints = Checkpoints(out / "checkpoints")
        self.saved = 0  # the step of the newest checkpoint
        self._held: State | None = None

    # ---- keeping -----------------------------------------------------------------------------------

    def save(self) -> Path:
        """Write a checkpoint: of several processes the first one does, and all have the same state."""
        self.hold()
        assert self._held is not None
        self.trainer.check_ranks()
        if self.ranks.is_first:
            self.journal.sync()  # the checkpoint counts on these lines
            self.checkpoints.save(self.trainer.step_count, *self._held)
        self.saved = self.trainer.step_count
        return self.checkpoints.path(self.saved)

    def hold(self) -> None:
        """Take the state into memory. One that is not finite is not taken: that ends the run."""
        arrays = self.trainer.arrays()
        bad = next((name for name, array in arrays.items() if not np.isfinite(array).all()), "")
        if bad:
            self.back_to_before(
                Alarm(self.trainer.step_count, "not_finite", f"{bad.replace('/', '.')} is not finite after it")
            )
        facts = {
            "trainer": self.trainer.facts(),
            "loader": self.loader.state_dict(),
            "config": self.config,
            "architecture": self.architecture,
            "versions": versions(self.ranks.size),
            "precision": self.journal.precision,
        }
        if self.best is not None:  # the best so far is part of the state: going back brings the former best back
            arrays, facts = {**arrays, **self.best.arrays()}, {**facts, "best": self.best.facts()}
        self._held = arrays, facts

    def hold_now_and_then(self) -> None:
        if self.trainer.step_count % HOLD_EVERY == 0:
            self.hold()

    # ---- going back --------------------------------------------------------------------------------

    def resume(self) -> None:
        """Load the newest checkpoint that is whole; nothing on the disk changes.

        Raises InputError where there is none: to start anew would empty the journal.
        """
        path, arrays, facts = self.ranks.on_first(self.checkpoints.newest)
        if path is None:
            raise InputError(
                f"{self.out} holds a run, but no whole checkpoint to go on from: put one back into "
                f"{self.checkpoints.folder}, or start a new run with another --out"
            )
        try:
            self._compare(facts["config"])
            self._load((arrays, facts))
            if self.best is not None:
                self.best.load(arrays, facts["best"])
            if self.trainer.step_count != int(path.stem.removeprefix("step-")):
                raise InputError(f"{path}: holds the state of step {self.trainer.step_count}: rename it back")
        except InputError:
            raise
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise InputError(f"{path}: is not the checkpoint of such a run ({error!r})") from None
        self._held = arrays, facts
        self.saved = self.trainer.step_count
        before, now = facts.get("versions"), versions(self.ranks.size)
        if before != now and self.ranks.is_first:
            print(
                f"warning: {path} was written by {before}, this is {now}: what follows may differ in the last bits",
                file=sys.stderr,
            )

    def _compare(self, before: dict[str, Any]) -> None:
        now = self.config
        differing = [
            f"{name} was {before.get(name)}, now {now.get(name)}"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]
        if differing:
            told = " ".join("; ".join(differing).split())  # in one line, whatever the file says
            raise InputError(
                f"{self.out} was run with different settings: {told}. Resume with the former settings, "
                "or start a new run with another --out"
            )

    def back_to_before(self, alarm: Alarm) -> NoReturn:
        """Find where it began, go back to the state just before that step, write it, and raise DivergenceError."""
        if self._held is None:
            raise DivergenceError(
                f"{alarm.text.removesuffix(' after it')} at the start: give the networks finite parameters"
            )
        first = alarm.text
        self._load(self._held)
        step = alarm.step
        if self.ranks.size == 1:  # of several, the one that found it would leave the others waiting
            try:
                with watch(self.trainer):
                    self._go_to(step)
            except NotFiniteError as found:
                first = f"{first}; first of all, {found}"
            step = self.trainer.step_count
            self._load(self._held)
        self._go_to(step - 1)
        path = self.save()
        raise DivergenceError(
            f"step {step}: {first}. The state just before is in {path}. If the data are good, train with lower "
            "learning rates or with --clip-grad-norm, in another --out"
        )

    def _load(self, state: State) -> None:
        arrays, facts = state
        own = {name: array for name, array in arrays.items() if not name.startswith(PREFIX)}  # the best's stand beside
        self.trainer.load(own, facts["trainer"])
        self.loader.load_state_dict(facts["loader"])

    def _go_to(self, step: int) -> None:
        records = self._records()
        while self.trainer.step_count < step:
            next(records)

    def _records(self) -> Iterator[Record]:
        while True:
            yield from self.trainer.steps(self.loader)


def versions(processes: int = 1) -> dict[str, str]:
    """What a result may depend on in its last bits. Of several processes, sums are taken in another order."""
    from .. import __version__

    several = {"processes": str(processes)} if processes > 1 else {}
    return {"minigan": __version__, "numpy": np.__version__, "python": platform.python_version(), **several}


def digest_of_code() -> str:
    """Of minigan's own files, and of the script that was started."""
    package = Path(__file__).parents[1]
    files = sorted(path for path in package.rglob("*") if path.suffix in (".py", ".cu", ".cuh"))
    script = Path(getattr(sys.modules["__main__"], "__file__", None) or package / "__init__.py")
    found = hashlib.blake2b(digest_size=8)
    for path in (*files, script):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()
