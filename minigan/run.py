"""A training as a folder: progress on the screen, metrics, sample grids, curves, an animation and the model on disk."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import viz
from .checkpoint import save_model
from .errors import InputError
from .gan.trainer import Record, Trainer, generate
from .nn import Module

FRAMES = 60  # at most so many pictures in training.gif


class Run:
    """Wraps a training loop and writes everything a person wants to see of it into the folder ``out``.

        samples/epoch-NNN.png   a grid of fixed z, once an epoch; epoch 0 is the untrained generator
        training.gif            the same grid through time
        curves.png              losses; D(x) and D(G(z))
        interpolation.png       walks between two latents, a row each
        metrics.jsonl           every step's record, a line of JSON each
        model.safetensors       the generator

    ``with Run(...) as run: for record in run.steps(loader): ...`` ends after ``epochs`` or ``steps``, or cleanly at the
    end of the step in which Ctrl-C came, and writes the rest when the block is left.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        trainer: Trainer,
        architecture: dict[str, Any],
        *,
        rng: np.random.Generator,
        epochs: int = 1,
        steps: int | None = None,
        quiet: bool = False,
    ) -> None:
        self.out = claim_folder(out)
        self.trainer, self.architecture, self.quiet = trainer, architecture, quiet
        self.epochs, self.limit = epochs, steps
        # A conditional model's grid has a column for each class.
        self.columns = architecture.get("classes", 8)
        count = 8 * self.columns
        self.z = rng.standard_normal((count, trainer.z_dim))
        self.labels = np.arange(count) % self.columns if "classes" in architecture else None
        self.history: dict[str, list[float]] = {}
        self.frames: list[np.ndarray] = []
        self.interrupted = False

    def steps(self, loader: Any) -> Iterator[Record]:
        """The trainer's records, epoch after epoch, each logged before it is handed on."""
        from tqdm import tqdm

        total = self.epochs * len(loader) if self.limit is None else self.limit
        every = max(1, total // FRAMES)
        self.sample(0)
        with tqdm(total=total, unit="step", disable=self.quiet, dynamic_ncols=True, mininterval=0.25) as bar:
            while self.trainer.step_count < total and not self.interrupted:
                epoch = self.trainer.step_count // len(loader) + 1
                bar.set_description(f"epoch {epoch}")
                for record in self.trainer.steps(loader):
                    self.log(record)
                    bar.set_postfix_str(describe(record), refresh=False)
                    bar.update()
                    if record.step % every == 0:
                        self.frames.append(self.grid())
                    yield record
                    if record.step == total or self.interrupted:
                        break
                self.sample(epoch)

    @property
    def generator(self) -> Module:
        """The one to look at: the averaged generator when there is one."""
        return self.trainer.generator if self.trainer.ema is None else self.trainer.ema.generator

    def log(self, record: Record) -> None:
        values = record.as_dict()
        self.metrics.write(json.dumps(values) + "\n")
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def grid(self) -> np.ndarray:
        return viz.grid(generate(self.generator, self.z, self.labels), columns=self.columns)

    def sample(self, epoch: int) -> None:
        picture = self.grid()
        viz.save_png(self.out / "samples" / f"epoch-{epoch:03d}.png", picture)
        self.frames.append(picture)

    def __enter__(self) -> Run:
        self.metrics = open(self.out / "metrics.jsonl", "w", buffering=1)  # a line at a time
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def _interrupt(self, *_: Any) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        print("\nfinishing this step and writing everything; Ctrl-C again to stop at once", file=sys.stderr)

    def __exit__(self, kind: type | None, *_: Any) -> None:
        signal.signal(signal.SIGINT, self._before)
        self.metrics.close()
        if not self.history:
            return
        save_model(self.out / "model.safetensors", self.generator, self.architecture)
        viz.save_curves(self.out / "curves.png", self.history)
        viz.save_gif(self.out / "training.gif", self.frames)
        labels = None if self.labels is None else self.labels[:8]
        viz.save_png(self.out / "interpolation.png", viz.walks(self.generator, self.z[:16], labels=labels))


def describe(record: Record) -> str:
    """The record in one short line, for a progress bar."""
    return (
        f"d_loss {record.d_loss:.3f}  g_loss {record.g_loss:.3f}  D(x) {record.d_real:.2f}  "
        f"D(G(z)) {record.d_fake:.2f}  {record.images_per_second:.0f} images/s"
    )


def claim_folder(out: str | os.PathLike[str]) -> Path:
    """``out`` as an existing, writable folder that holds no earlier training."""
    path = Path(out)
    if (path / "metrics.jsonl").exists():
        raise InputError(f"{path} already holds a training: choose another --out, or move or delete that folder")
    try:
        (path / "samples").mkdir(parents=True, exist_ok=True)
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
