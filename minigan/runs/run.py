"""A run as a folder: progress on the screen, metrics, pictures, the model, and checkpoints to go on from."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

from .. import checkpoint, viz
from ..backend.numpy.scratch import keep_freed_memory
from ..data import Loader
from ..errors import DivergenceError, InputError
from ..files import numbered, remove_temporaries
from ..gan.health import Health
from ..gan.record import Record
from ..gan.trainer import Trainer
from ..nn import Module
from .best import Best
from .curves import save_curves
from .folder import Claim, claim_folder
from .journal import Journal
from .live import Live, in_notebook
from .looks import Looks
from .resume import Keeper, digest_of_code, versions

ROOMS = ("samples", "frames", "checkpoints")
FRAMES = 60  # at most so many pictures in training.gif
OFTENEST = 4  # steps between two of them, at the beginning
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, the terminal is gone


def by_first(method: Callable[..., None]) -> Callable[..., None]:
    """Of several processes the first one alone does it: the folder is theirs together."""

    @wraps(method)
    def alone(self: Run, *args: Any) -> None:
        if self.ranks.is_first:
            method(self, *args)

    return alone


class Run:
    """Wraps a training loop and keeps everything a person wants of it in the folder ``out``.

        samples/epoch-NNN.png   what ``looks`` draws, such as a grid of fixed z, once an epoch; epoch 0 is untrained
        training.gif            the same grid through time, from frames/
        curves.png              losses; D(x) and D(G(z))
        interpolation.png       walks between two latents, a row each (or whatever ``looks`` finishes with)
        metrics.jsonl           what each step did, a line of JSON each, with its precision and the alarms it raised
        model.safetensors       the generator; where there are several, each under its name
        best.safetensors        the generator at its lowest Frechet distance, with ``best``
        checkpoints/            the whole state, at each epoch's end and every ``checkpoint_every`` steps

    ``with Run(...) as run: for record in run.steps(): ...`` ends after ``epochs`` or ``steps``; on Ctrl-C or SIGTERM it
    ends after the step that is under way. With ``resume`` it goes on from the newest good checkpoint, and what follows
    is bit for bit what would have followed. ``config`` is what must be the same for that: resuming with another one
    raises InputError and says what differs. A run that comes to NaN goes back to the step before, keeps that
    and raises DivergenceError.

    The folder is this run's until the end of the ``with`` block, or of the process: see ``claim_folder``, which also
    says what ``base`` is for, where ``out`` is None. Of several processes that train together (see ``parallel``) all
    make a Run, and the first one writes; they stop together, and begin only if code, data and settings are the same.

    Raises InputError where the folder cannot be had, also within that of the pictures that are learned from: they would
    be others tomorrow.
    """

    def __init__(
        self,
        out: str | os.PathLike[str] | None,
        trainer: Trainer[Any],
        loader: Loader,
        architecture: dict[str, Any],
        looks: Looks,
        *,
        base: str = "",
        epochs: int = 1,
        steps: int | None = None,
        config: dict[str, Any] | None = None,
        resume: bool = False,
        checkpoint_every: int | None = None,
        quiet: bool = False,
        best: Best | None = None,
    ) -> None:
        self.trainer, self.loader, self.architecture, self.ranks = trainer, loader, architecture, trainer.communicator
        self.quiet = quiet or not self.ranks.is_first
        self.total = epochs * len(loader) if steps is None else steps
        if self.total < 1:
            raise InputError(f"a run of {self.total} steps does nothing: ask for at least one of steps or epochs")
        if checkpoint_every is not None and checkpoint_every < 1:
            raise InputError(f"checkpoint_every = {checkpoint_every} steps must be at least 1")
        if best is not None and best.every > self.total:
            raise InputError(
                f"the Frechet distance every {best.every} steps would never be measured in {self.total}: measure it "
                "more often (--metric-every), or not at all"
            )
        self.checkpoint_every, self.best = checkpoint_every, best
        self.looks = looks
        self.stopped = ""  # the signal that ended it early
        self.bar: Any = None  # of progress, while batches are handed out
        data = describe_data(loader, looks.medium.noun)
        config = {**(config or {}), "data": data, **({"metric": str(best)} if best else {})}
        if self.ranks.size > 1:
            length = {"steps": self.total, "checkpoint_every": checkpoint_every, "resume": resume}
            same = {"code": digest_of_code(), **versions(), **architecture, **config, **length}
            self.ranks.check_same("the run", same)
        self.claim: Claim | None = None
        self.out = Path(self.ranks.on_first(lambda: self._claim(out, base, resume)))
        try:
            health = Health(trainer.game, trainer.game.waits())
            self.journal = Journal(self.out / "metrics.jsonl", health, trainer.game.precision, self.ranks)
            self.keeper = Keeper(self.out, trainer, loader, self.journal, architecture, config, best)
            if resume:
                self.keeper.resume()
                self._check_length()
                self.journal.go_back(trainer.step_count)
                self.clean_up()
                self.save_best()
                self.thin_frames(trainer.step_count)
            self.make_rooms()
        except BaseException:
            self.release()
            raise

    def _claim(self, out: str | os.PathLike[str] | None, base: str, resume: bool) -> str:
        self.claim = claim_folder(out, base, resume=resume, inputs=self.loader.dataset.root)
        return str(self.claim.path)

    def release(self) -> None:
        if self.claim is not None:
            self.claim.release()

    @by_first
    def make_rooms(self) -> None:
        for room in ROOMS:
            (self.out / room).mkdir(exist_ok=True)

    @by_first
    def clean_up(self) -> None:
        remove_temporaries(self.out)

    def _check_length(self) -> None:
        """A run that has come further than it is asked to go would do nothing."""
        if self.trainer.step_count > self.total:
            raise InputError(
                f"{self.out} has come to step {self.trainer.step_count} already, and is to end at {self.total}: ask "
                "for more --steps or --epochs"
            )

    # ---- the loop --------------------------------------------------------------------------------

    def steps(self) -> Iterator[Record]:
        """The trainer's records, epoch after epoch, each noted before it is handed on."""
        for batch in self.batches():
            record = self.trainer.step(batch)
            self.note(record)
            yield record

    def batches(self) -> Iterator[Any]:
        """The batches to learn from, epoch after epoch, for whoever writes the loop out:

            for batch in run.batches():
                record = trainer.step(batch)
                run.note(record)

        They end with the run, or after the step in which it is told to stop; pictures and checkpoints are due between.
        """
        trainer, loader = self.trainer, self.loader
        if trainer.step_count == 0:
            self.sample(0)
            self.add_frame(0)
            self.keeper.save()
        with self.progress() as self.bar:
            stopped = self.ranks.first_word(self.stopped)  # whichever of them is told to stop, all do
            while trainer.step_count < self.total and not stopped:
                self.bar.set_description(f"epoch {loader.epoch + 1}")
                for batch in loader:
                    before = trainer.step_count
                    yield batch
                    if not before < trainer.step_count == self.journal.steps:
                        raise InputError("Run.batches: take a step on each, and note it: run.note(trainer.step(batch))")
                    stopped = self.ranks.first_word(self.stopped)
                    if trainer.step_count == self.total or stopped:
                        break
                    due = self.checkpoint_every and trainer.step_count % self.checkpoint_every == 0
                    if due and trainer.step_count % len(loader):  # at an epoch's end, once its picture is there
                        self.keeper.save()
                    else:
                        self.keeper.hold_now_and_then()
                whole_epoch = trainer.step_count % len(loader) == 0
                if whole_epoch or trainer.step_count == self.total:
                    self.sample(math.ceil(trainer.step_count / len(loader)))
                self.keeper.save()

    def note(self, record: Record) -> None:
        """Write the record down, show it, draw what is due; raises DivergenceError when it is not finite."""
        alarms = self.journal.write(record, self.measure(record.step))
        for alarm in alarms if self.ranks.is_first else ():
            tell(self.bar.write, str(alarm))
        if alarms and alarms[0].kind == "not_finite":
            self.keeper.back_to_before(alarms[0])
        told = describe(record, self.looks.medium.noun, self.journal.health.active, self.best)
        self.bar.set_postfix_str(told, refresh=False)
        self.bar.update()
        if record.step % frame_interval(record.step) == 0 or record.step == self.total:
            self.add_frame(record.step)

    def progress(self) -> Any:
        """What shows how far it is: in a terminal a line, in a notebook curves and pictures too."""
        from tqdm import tqdm

        if in_notebook() and not self.quiet:
            return Live(self)
        no_bar = self.quiet or sys.stderr is None
        done = self.trainer.step_count
        return tqdm(total=self.total, initial=done, unit="step", disable=no_bar, dynamic_ncols=True)

    @property
    def generator(self) -> Module:
        """The one to look at: the averaged generator when there is one."""
        return self.trainer.result()

    def measure(self, step: int) -> dict[str, float]:
        """The Frechet distance when this step is one to measure; the generator is kept if it is the best so far."""
        if self.best is None or step % self.best.every:
            return {}
        if self.best.look(step, self.generator, self.ranks):
            self.save_best()
        return {"frechet": self.best.last}

    @by_first
    def save_best(self) -> None:
        if self.best is not None:
            self.best.save(self.out / "best.safetensors", self.architecture)

    def summary(self) -> str:
        """What there is now, for the end of a run."""
        told = f"{self.trainer.step_count} steps; samples and model in {self.out}"
        if self.best is not None and self.best.state:
            path = self.out / "best.safetensors"
            told += f"\nlowest Frechet distance {self.best.distance:.4g} at step {self.best.step}: {path}"
        return told

    def grid(self) -> Any:
        return self.looks.grid(self.trainer)

    @by_first
    def sample(self, epoch: int) -> None:
        viz.save_png(self.out / "samples" / f"epoch-{epoch:03d}.png", self.grid())

    @by_first
    def add_frame(self, step: int) -> None:
        self.thin_frames(step)
        viz.save_png(self.out / "frames" / f"step-{step:08d}.png", self.grid())

    @by_first
    def thin_frames(self, step: int) -> None:
        """Keep the frames that a run has which has come to ``step`` and goes on: evenly spaced ones."""
        for number, frame in self.frames().items():
            if number > step or number % frame_interval(step):
                frame.unlink()

    def frames(self) -> dict[int, Path]:
        return numbered(self.out / "frames", "step-", ".png")

    # ---- leaving, wanted or not --------------------------------------------------------------------

    def __enter__(self) -> Run:
        self._memory = keep_freed_memory()
        self._memory.__enter__()
        self._unraisablehook = sys.unraisablehook
        self._handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
                if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                    self._handlers[number] = signal.signal(number, self._stop)
        return self

    def _stop(self, number: int, _: Any) -> None:
        if self.stopped:
            # Raised inside a finalizer, it would be reported as ignored, with a traceback, and not be felt.
            sys.unraisablehook = _stop_all_the_same
            raise KeyboardInterrupt
        self.stopped = signal.Signals(number).name
        if self.ranks.is_first:
            tell(print, f"\n{self.stopped}: finishing this step and writing everything; once more stops at once")

    def __exit__(self, kind: type | None, *_: Any) -> None:
        try:
            self._leave(kind)
        finally:
            self._memory.__exit__(None, None, None)
            self.release()

    def _leave(self, kind: type | None) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._unraisablehook
        self.journal.close()
        if kind is not None and kind is not DivergenceError and self.keeper.saved:
            tell(
                print,
                f"the state of step {self.keeper.saved} is safe: when the cause is gone, --resume goes on from there",
            )
        if (kind is None or kind is DivergenceError) and self.journal.history:
            self.write_results()
            self.ranks.barrier()  # none ends before the first one has written everything

    @by_first
    def write_results(self) -> None:
        """The model, curves, the animation, and what ``looks`` finishes with."""
        for name in self.trainer.game.results:
            path = self.out / ("model" if len(self.trainer.game.results) == 1 else name)
            checkpoint.save_model(path.with_suffix(".safetensors"), self.trainer.result(name), self.architecture)
        save_curves(self.out / "curves.png", self.journal.history, self.journal.alarms)
        viz.save_gif(self.out / "training.gif", list(self.frames().values()))
        self.looks.finish(self.trainer, self.out)


def describe_data(loader: Loader, noun: str) -> str:
    """What must be the same for the data to be the same, wherever they lie."""
    return f"{len(loader.dataset)} {noun} with checksum {loader.dataset.fingerprint()}"


def frame_interval(step: int) -> int:
    """Steps between two frames of a run that has come to ``step``: doubled each time that they become too many.

    It does not depend on how long the run is to be, so that one which is prolonged has the same frames.

    >>> [frame_interval(step) for step in (1, 235, 236, 471, 472, 2340)]
    [4, 4, 8, 8, 16, 64]
    """
    interval = OFTENEST
    while step // interval > FRAMES - 2:
        interval *= 2
    return interval


def tell(write: Any, text: str) -> None:
    """Show a line on the terminal if there is one."""
    if sys.stderr is not None:
        with suppress(OSError, RuntimeError, ValueError):  # closed, or interrupted by a signal while it writes
            write(text, file=sys.stderr)


def describe(record: Record, noun: str, alarms: list[str], best: Best | None = None) -> str:
    """The record in one short line, for a progress bar."""
    distance = "" if best is None or math.isnan(best.last) else f"FD {best.last:.3g}  "
    losses = "".join(f"{name} {value:.3f}  " for name, value in record.values.items() if name.endswith("_loss"))
    beliefs = "".join(
        f"{said} {record.values[name]:.2f}  "
        for name, said in (("d_real", "D(x)"), ("d_fake", "D(G(z))"))
        if name in record.values
    )
    return f"{losses}{beliefs}{distance}{record.images_per_second:.0f} {noun}/s" + "".join(f"  [{a}]" for a in alarms)


def _stop_all_the_same(ignored: Any) -> None:
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        sys.unraisablehook = sys.__unraisablehook__
        signal.raise_signal(signal.SIGINT)  # again, from where it can be felt
    else:
        sys.__unraisablehook__(ignored)
