"""What the models without pairs share: what makes one, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import nn, optim
from ..cycle import Cycle
from ..objectives import LeastSquares, Objective
from ..trainer import Trainer
from .model import Networks

GAME_SETTINGS = ("cycle_weight", "identity_weight", "buffer", "objective")


@dataclass(frozen=True, kw_only=True)
class UnpairedModel:
    """A network of the literature that turns pictures of one kind into pictures of another, learned without pairs.

    ``networks`` takes the keywords rng, channels, width and the model's own, and returns a translator and a detective:
    a game has two of each, built one after the other (``players``).
    """

    name: str
    summary: str
    paper: str
    networks: Callable[..., Networks]
    objective: Objective = field(default_factory=LeastSquares)
    cycle_weight: float = 10.0
    identity_weight: float = 0.0
    buffer: int = 50
    g_lr: float = 2e-4
    d_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)

    def __repr__(self) -> str:
        return f"UnpairedModel({self.name}: {self.summary}; {self.paper})"

    def players(self, rng: np.random.Generator, **settings: Any) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
        """The networks of a game: ab, ba, a, b."""
        (ab, b), (ba, a) = (self.networks(rng=rng, **settings) for _ in range(2))
        return ab, ba, a, b

    def trainer(
        self, ab: nn.Module, ba: nn.Module, a: nn.Module, b: nn.Module, *, rng: np.random.Generator, **changes: Any
    ) -> Trainer[Cycle]:
        """A trainer with this model's settings. ``changes`` replace any: the game's, g_lr, d_lr, betas, a Trainer's."""
        own = {name: changes.pop(name, getattr(self, name)) for name in GAME_SETTINGS}
        g_lr, d_lr = changes.pop("g_lr", self.g_lr), changes.pop("d_lr", self.d_lr)
        betas = changes.pop("betas", self.betas)
        game = Cycle(ab, ba, a, b, rng=rng, **own)
        optimizers = {
            turn.name: optim.Adam(
                [p for network in turn.networks for p in network.parameters()],
                lr=g_lr if turn.name == "g" else d_lr,
                betas=betas,
            )
            for turn in game.turns
        }
        return Trainer(game, **({"optimizers": optimizers} | changes))
