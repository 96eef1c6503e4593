"""A training as a folder: progress on the screen, metrics, pictures, the model, and checkpoints to go on from."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint, viz
from .data import Loader
from .errors import InputError
from .files import write_atomically
from .gan.trainer import Record, Trainer, generate
from .nn import Module

FRAMES = 60  # at most so many pictures in the training.gif of a run that is not resumed
KEEP = 2  # checkpoints: should the newest be lost to the disk, there is one before it


class Run:
    """Wraps a training loop and keeps everything a person wants of it in the folder ``out``.

        samples/epoch-NNN.png   a grid of fixed z, once an epoch; epoch 0 is the untrained generator
        training.gif            the same grid through time, from frames/
        curves.png              losses; D(x) and D(G(z))
        interpolation.png       walks between two latents, a row each
        metrics.jsonl           what each step did, a line of JSON each
        model.safetensors       the generator
        checkpoints/            the whole state, at each epoch's end and every ``checkpoint_every`` steps

    ``with Run(...) as run: for record in run.steps(): ...`` ends after ``epochs`` or ``steps``; on Ctrl-C or SIGTERM it
    ends after the step that is under way. With ``resume`` it goes on from the newest good checkpoint, and what follows
    is bit for bit what would have followed. ``config`` is what must be the same for that: resuming with another one
    raises InputError and says what differs.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        trainer: Trainer,
        loader: Loader,
        architecture: dict[str, Any],
        *,
        rng: np.random.Generator,
        epochs: int = 1,
        steps: int | None = None,
        config: dict[str, Any] | None = None,
        resume: bool = False,
        checkpoint_every: int | None = None,
        quiet: bool = False,
    ) -> None:
        self.trainer, self.loader, self.architecture, self.quiet = trainer, loader, architecture, quiet
        self.total = epochs * len(loader) if steps is None else steps
        self.checkpoint_every = checkpoint_every
        self.config = {**(config or {}), "data": f"{loader.dataset.name} {loader.dataset.fingerprint()}"}
        # A conditional model's grid has a column for each class.
        self.columns = architecture.get("classes", 8)
        count = 8 * self.columns
        self.z = rng.standard_normal((count, trainer.z_dim))
        self.labels = np.arange(count) % self.columns if "classes" in architecture else None
        self.history: dict[str, list[float]] = {}
        self.stopped = ""  # the signal that ended it early
        self.out = claim_folder(out, resume)
        if resume:
            self._resume()

    # ---- the loop --------------------------------------------------------------------------------

    def steps(self) -> Iterator[Record]:
        """The trainer's records, epoch after epoch, each logged before it is handed on."""
        from tqdm import tqdm

        trainer, loader = self.trainer, self.loader
        if trainer.step_count == 0:
            self.sample(0)
            self.add_frame(0)
            self.save()
        frame_every = -(-self.total // (FRAMES - 2))
        with tqdm(
            total=self.total, initial=trainer.step_count, unit="step", disable=self.quiet, dynamic_ncols=True
        ) as bar:
            while trainer.step_count < self.total and not self.stopped:
                bar.set_description(f"epoch {loader.epoch + 1}")
                for record in trainer.steps(loader):
                    self.log(record)
                    bar.set_postfix_str(describe(record), refresh=False)
                    bar.update()
                    if record.step % frame_every == 0 or record.step == self.total:
                        self.add_frame(record.step)
                    yield record
                    over = record.step == self.total or self.stopped
                    if not over and self.checkpoint_every and record.step % self.checkpoint_every == 0:
                        self.save()
                    if over:
                        break
                whole_epoch = trainer.step_count % len(loader) == 0
                if whole_epoch or trainer.step_count == self.total:
                    self.sample(math.ceil(trainer.step_count / len(loader)))
                self.save()

    def log(self, record: Record) -> None:
        values = record.as_dict()
        self.metrics.write(json.dumps({k: None if v != v else v for k, v in values.items()}) + "\n")
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    @property
    def generator(self) -> Module:
        """The one to look at: the averaged generator when there is one."""
        return self.trainer.generator if self.trainer.ema is None else self.trainer.ema.generator

    def grid(self) -> np.ndarray:
        return viz.grid(generate(self.generator, self.z, self.labels), columns=self.columns)

    def sample(self, epoch: int) -> None:
        viz.save_png(self.out / "samples" / f"epoch-{epoch:03d}.png", self.grid())

    def add_frame(self, step: int) -> None:
        viz.save_png(self.out / "frames" / f"step-{step:08d}.png", self.grid())

    # ---- leaving, wanted or not --------------------------------------------------------------------

    def __enter__(self) -> Run:
        self.metrics = open(self.out / "metrics.jsonl", "a", buffering=1)  # a line at a time
        self._handlers = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._stop)
        return self

    def _stop(self, number: int, _: Any) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = signal.Signals(number).name
        print(f"\n{self.stopped}: finishing this step and writing everything; once more stops at once", file=sys.stderr)

    def __exit__(self, kind: type | None, *_: Any) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.metrics.close()
        if kind is None and self.history:
            checkpoint.save_model(self.out / "model.safetensors", self.generator, self.architecture)
            viz.save_curves(self.out / "curves.png", self.history)
            viz.save_gif(self.out / "training.gif", sorted((self.out / "frames").glob("step-*.png")))
            z = self.z[:16]
            labels = None if self.labels is None else self.labels[: len(z) // 2]
            viz.save_png(self.out / "interpolation.png", viz.walks(self.generator, z, labels=labels))

    # ---- checkpoints -------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint, and let go of all but the newest ones."""
        if hasattr(self, "metrics"):
            self.metrics.flush()
            os.fsync(self.metrics.fileno())
        facts = {"trainer": self.trainer.facts(), "loader": self.loader.state_dict(), "config": self.config}
        name = f"step-{self.trainer.step_count:08d}.safetensors"
        checkpoint.save(self.out / "checkpoints" / name, "checkpoint", self.trainer.arrays(), facts)
        for old in self.checkpoints()[:-KEEP]:
            old.unlink()

    def checkpoints(self) -> list[Path]:
        return sorted((self.out / "checkpoints").glob("step-*.safetensors"))

    def _resume(self) -> None:
        """Load the newest checkpoint that is whole, and forget what was written after it."""
        arrays, facts = self._newest_checkpoint()
        if facts is None:
            step = 0  # killed before the first checkpoint was whole: start anew
        else:
            self._compare(facts["config"])
            self.trainer.load(arrays, facts["trainer"])
            self.loader.load_state_dict(facts["loader"])
            step = self.trainer.step_count
        kept = []
        for line in _lines(self.out / "metrics.jsonl")[:step]:
            kept.append(line)
            for name, value in json.loads(line).items():
                self.history.setdefault(name, []).append(math.nan if value is None else value)
        if len(kept) < step:
            raise InputError(f"{self.out / 'metrics.jsonl'} has {len(kept)} lines, the checkpoint is at step {step}")
        write_atomically(self.out / "metrics.jsonl", "".join(kept).encode())
        for frame in (self.out / "frames").glob("step-*.png"):
            if int(frame.stem.removeprefix("step-")) > step:
                frame.unlink()

    def _newest_checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any] | None]:
        for path in reversed(self.checkpoints()):
            try:
                return checkpoint.read(path, "checkpoint")
            except InputError as error:
                print(f"warning: {error}; trying the one before", file=sys.stderr)
        return {}, None

    def _compare(self, before: dict[str, Any]) -> None:
        differing = [
            f"{name} was {before.get(name)}, now {self.config.get(name)}"
            for name in sorted(before.keys() | self.config.keys())
            if before.get(name) != self.config.get(name)
        ]
        if differing:
            raise InputError(
                f"{self.out} was trained otherwise: {'; '.join(differing)}. Resume with the former settings, "
                "or start a new training with another --out"
            )


def describe(record: Record) -> str:
    """The record in one short line, for a progress bar."""
    return (
        f"d_loss {record.d_loss:.3f}  g_loss {record.g_loss:.3f}  D(x) {record.d_real:.2f}  "
        f"D(G(z)) {record.d_fake:.2f}  {record.images_per_second:.0f} images/s"
    )


def claim_folder(out: str | os.PathLike[str], resume: bool = False) -> Path:
    """``out`` as an existing, writable folder that holds an earlier training if and only if it is to be resumed."""
    path = Path(out)
    held = (path / "metrics.jsonl").exists() or any(path.glob("checkpoints/step-*"))
    if held and not resume:
        raise InputError(f"{path} already holds a training: add --resume to go on with it, or choose another --out")
    if resume and not held:
        raise InputError(f"{path} holds no training to resume: check --out, or leave out --resume to start one there")
    try:
        for name in ("samples", "frames", "checkpoints"):
            (path / name).mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot write to the output folder {path} ({error.strerror}): choose another --out") from None
    return path


def free_folder(base: str) -> str:
    """``base``, or base-2, base-3, ...: the first that holds no training yet."""
    number, name = 1, base
    while (Path(name) / "metrics.jsonl").exists():
        number += 1
        name = f"{base}-{number}"
    return name


def _lines(path: Path) -> list[str]:
    """The whole lines of a text file; one that a kill cut short is dropped."""
    if not path.exists():
        return []
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
