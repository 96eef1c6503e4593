"""What every game has: rounds that are played, and turns in which players learn. Read ``gan/game.py`` first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backend import ArrayBackend
from ..errors import InputError
from ..nn import Module
from ..tensor import Tensor

Terms = dict[str, Tensor]  # what a player minimises is their sum; the record has each by its name


@dataclass
class Round:
    """What the players look at in one step: a batch, or a part of one."""

    real: Tensor
    fake: Tensor
    given: tuple[Any, ...] = ()  # what both players are told besides: labels, or the picture to start from
    told: dict[str, Tensor] = field(default_factory=dict)  # what the record says of it, beside the losses

    def __post_init__(self) -> None:
        if not isinstance(self.real, Tensor):  # the trainer hands on whole numbers as they are: they may be labels
            raise InputError(
                f"the real images are {self.real.dtype}, expected floating-point ones in [-1, 1]: load them with "
                "data.Loader, or scale bytes by images / 127.5 - 1"
            )


@dataclass(frozen=True)
class Turn:
    """A player's ``networks`` learn from ``loss(round)``. Its optimizer has the turn's ``name``, such as "d", and among
    the loss's terms there is a "d_loss", by which records and alarms know the player."""

    name: str
    networks: tuple[Module, ...]
    loss: Callable[[Any], Terms]
    every: int = 1  # it is taken in each so-many-th step
    records_play: bool = True  # False where the loss cuts off whatever ``play`` made
    after: Callable[[], None] | None = None  # done after each update


class Game:
    """Who plays, and how. ``step`` is the number of the step under way, from 1 on, and ``rounds`` how many are played
    in each; the trainer sets both.

    networks   by name; a checkpoint holds them under these
    results    names of those networks that a user wants in the end: they are averaged, where an average is kept
    rng        draws everything random in the game, on the host: every backend sees the same
    """

    networks: dict[str, Module]
    results: tuple[str, ...]
    rng: np.random.Generator
    step = 0
    rounds = 1

    @property
    def turns(self) -> Sequence[Turn]:
        """The turns of a step, in their order."""
        raise NotImplementedError(f"{type(self).__name__}.turns")

    def play(self, *batch: Any) -> Any:
        """A Round on the batch, or any other object that has ``told``. Floating-point arrays arrive as Tensors."""
        raise NotImplementedError(f"{type(self).__name__}.play")

    def measure(self, round: Any) -> None:
        """Tell what is too dear to be measured in every step. Called before the turns of each tenth."""

    def lead(self, record: Mapping[str, float]) -> float:
        """How far whoever judges is ahead of whoever makes, see ``Objective.lead``; NaN where that cannot be told."""
        return math.nan

    def kind(self) -> tuple[Any, ...]:
        """What the losses do differently because of the step's number: a captured step is replayed in its like."""
        return ()

    def waits(self) -> dict[str, int]:
        """The step before which a value is unknown, where that is not the first: those of players who learn late."""
        return {
            f"{turn.name}_{value}": turn.every for turn in self.turns for value in ("loss", "grad") if turn.every > 1
        }

    def holders(self) -> dict[str, Any]:
        """What has a ``state_dict`` to be saved, and a ``load_state_dict``."""
        return dict(self.networks)

    @property
    def backend(self) -> ArrayBackend:
        return next(iter(self.networks.values())).backend

    @property
    def precision(self) -> str:
        """What its networks are multiplied in: "float64", "float32" or "TF32"."""
        return self.backend.precision(next(iter(self.networks.values())).dtype)
