"""What a run is looked at by: the same inputs again and again, so that its pictures show how it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import viz
from ..data.attributes import Attributes, Number, asked
from ..gan import edit, generate, translate
from ..gan.trainer import Trainer
from ..media import Medium, Pictures

PICTURES = Pictures({})
WALK = 10  # samples from one latent to another


class Looks(Protocol):
    """Draws what the networks of a trainer make of the same inputs, at any time; a game of another kind has its own."""

    medium: Medium  # what these make

    def grid(self, trainer: Trainer[Any]) -> np.ndarray:
        """A picture, as ``viz.grid`` makes it."""
        ...

    def finish(self, trainer: Trainer[Any], out: Path) -> None:
        """Write whatever is to be seen at the end."""
        ...


class Latents:
    """A generator on the same latents: a grid, with a column for each class of a conditional one, and walks."""

    def __init__(self, z_dim: int, rng: np.random.Generator, classes: int = 0, medium: Medium = PICTURES) -> None:
        self.medium = medium
        self.columns = classes or 8
        self.z = rng.standard_normal((8 * self.columns, z_dim))
        self.labels = np.arange(len(self.z)) % self.columns if classes else None

    def grid(self, trainer: Trainer[Any]) -> np.ndarray:
        return self.medium.picture(generate(trainer.result(), self.z, self.labels), self.columns)

    def finish(self, trainer: Trainer[Any], out: Path) -> None:
        """interpolation.png: walks between two latents, a row each; of what is more than a picture, samples too."""
        labels = None if self.labels is None else self.labels[:8]
        walks = viz.walk_samples(trainer.result(), self.z[:16], WALK, labels)
        viz.save_png(out / "interpolation.png", self.medium.picture(walks, WALK))
        if self.medium.suffix != PICTURES.suffix:
            samples = generate(trainer.result(), self.z, self.labels)
            self.medium.save(out / f"final{self.medium.suffix}", samples, self.columns)


class Pairs:
    """A network on the same sources: source, result and truth side by side, three pairs in a row."""

    medium: Medium = PICTURES

    def __init__(self, target: np.ndarray, source: np.ndarray) -> None:
        self.target, self.source = target, source

    def grid(self, trainer: Trainer[Any]) -> np.ndarray:
        made = translate(trainer.result(), self.source)
        return viz.grid(side_by_side(self.source, made, self.target), columns=9)

    def finish(self, trainer: Trainer[Any], out: Path) -> None:
        """pairs.png: the same at the end."""
        viz.save_png(out / "pairs.png", self.grid(trainer))


class Edits:
    """An editor on the same pictures, a row each: as it is, then every value of every attribute by itself."""

    medium: Medium = PICTURES

    def __init__(self, pictures: Attributes, count: int) -> None:
        chosen = np.linspace(0, len(pictures) - 1, count).round().astype(int)
        self.pictures = pictures.pictures[chosen].transpose(0, 3, 1, 2) / np.float32(127.5) - 1
        self.asks = [
            asked(pictures.attributes, {one.name: value})
            for one in pictures.attributes
            for value in (
                (f"{one.low}", f"{(one.low + one.high) / 2}", f"{one.high}") if isinstance(one, Number) else one.values
            )
        ]

    def grid(self, trainer: Trainer[Any]) -> np.ndarray:
        made = [edit(trainer.result(), self.pictures, np.repeat(ask[None], len(self.pictures), 0)) for ask in self.asks]
        shown = np.stack([self.pictures, *made], axis=1)
        return viz.grid(shown.reshape(-1, *self.pictures.shape[1:]), columns=len(self.asks) + 1)

    def finish(self, trainer: Trainer[Any], out: Path) -> None:
        """edits.png: the same at the end."""
        viz.save_png(out / "edits.png", self.grid(trainer))


class Exchanges:
    """Both translators on the same pictures: one, what it becomes, and what comes back; of kind a in the left three
    columns, of kind b in the right three."""

    medium: Medium = PICTURES

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        rows = min(len(a), len(b))
        self.a, self.b = a[:rows], b[:rows]

    def grid(self, trainer: Trainer[Any]) -> np.ndarray:
        ab, ba = trainer.result("ab"), trainer.result("ba")
        columns = []
        for pictures, there, back in ((self.a, ab, ba), (self.b, ba, ab)):
            made = translate(there, pictures)
            columns += [pictures, made, translate(back, made)]
        return viz.grid(np.stack(columns, axis=1).reshape(-1, *self.a.shape[1:]), columns=6)

    def finish(self, trainer: Trainer[Any], out: Path) -> None:
        """exchanges.png: the same at the end."""
        viz.save_png(out / "exchanges.png", self.grid(trainer))


def side_by_side(*columns: np.ndarray) -> np.ndarray:
    """Pictures (N, 3, H, W), one of each of the columns after the other, all of the last one's size, and in colour."""
    height, width = columns[-1].shape[2:]
    shown = []
    for pictures in columns:
        if pictures.shape[1] not in (1, 3):
            pictures = pictures[:, :3]  # and a mask
        pictures = np.broadcast_to(pictures, (len(pictures), 3, *pictures.shape[2:]))
        shown.append(pictures.repeat(height // pictures.shape[2], 2).repeat(width // pictures.shape[3], 3))
    return np.stack(shown, axis=1).reshape(-1, 3, height, width)
