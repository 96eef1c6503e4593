"""What makes a model of the zoo: its networks, and how its paper trains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ... import optim
from ...data import Drawn
from ...errors import InputError
from ...nn import Module
from ..game import TwoPlayer
from ..objectives import NonSaturating, Objective
from ..penalties import R1, Penalty
from ..trainer import Trainer
from .sizes import ImageSize, height_width

Networks = tuple[Module, Module]
GAME_SETTINGS = ("objective", "penalties", "augment", "n_critic", "clip_weights")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A GAN of the literature.

    ``networks`` takes the keywords rng, image_size, channels, z_dim, width and, for a conditional model, classes; it
    returns generator and discriminator. The rest is how to train them. Of a model that wants ``clusters``, they are how
    many the pictures are to be sorted into (``data.clustered``); ``networks`` is then told how many are in each.

    A model of other things than pictures names its ``medium`` (``media.MEDIA``), and has ``open_data``: what it learns
    from, by what a user calls it. ``networks`` takes the ``settings`` of such data instead of image_size and channels.
    ``data_options`` are those of the command line that open_data takes as keywords. A model of clips draws
    ``z_per_frame`` numbers for each frame, beside the z_dim of the whole.
    """

    name: str
    summary: str
    paper: str
    networks: Callable[..., Networks]
    plays: type[TwoPlayer] = TwoPlayer
    conditional: bool = False
    z_dim: int = 100
    z_per_frame: int = 0
    objective: Objective = field(default_factory=NonSaturating)
    penalties: tuple[Penalty, ...] = ()
    gamma_pixels: int = 0  # of a picture for which R1's gamma is meant, see ``penalties_for``
    optimizer: str = "adam"
    g_lr: float = 2e-4
    d_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    n_critic: int = 1
    clip_weights: float | None = None
    ema: float | None = None
    batch_size: int = 128
    steps: int | None = None  # of a run that names no length, where five epochs are no good one
    clusters: int = 0
    labels_optional: bool = False  # a conditional model that learns without labels too, where the data have none
    medium: str = "pictures"
    open_data: Callable[..., Drawn] | None = None
    data_options: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Model({self.name}: {self.summary}; {self.paper})"

    def penalties_for(self, image_size: ImageSize) -> tuple[Penalty, ...]:
        """``penalties``, with R1's gamma as many times as large as a picture has more pixels than ``gamma_pixels``, as
        in Karras et al. 2020: larger pictures lie farther apart, and over the longer way the same slope of D tells
        them apart more surely.
        """
        if not self.gamma_pixels:
            return self.penalties
        height, width = height_width(image_size)
        times = max(1.0, height * width / self.gamma_pixels)
        return tuple(replace(p, gamma=p.gamma * times) if isinstance(p, R1) else p for p in self.penalties)

    def game(
        self, generator: Module, discriminator: Module, *, z_dim: int, rng: np.random.Generator, **changes: Any
    ) -> TwoPlayer:
        """The game with this model's settings. ``changes`` replace them: those of TwoPlayer."""
        own = {name: getattr(self, name) for name in ("objective", "penalties", "n_critic", "clip_weights")}
        return self.plays(generator, discriminator, z_dim=z_dim, rng=rng, **(own | changes))

    def trainer(
        self, generator: Module, discriminator: Module, *, z_dim: int, rng: np.random.Generator, **changes: Any
    ) -> Trainer[TwoPlayer]:
        """A trainer with this model's settings. ``changes`` replace any: g_lr, d_lr, betas, the game's, a Trainer's."""
        if "betas" in changes and self.optimizer != "adam":
            raise InputError(f"betas are Adam's, and {self.name} is trained by {self.optimizer}: leave them out")
        g_lr, d_lr = changes.pop("g_lr", self.g_lr), changes.pop("d_lr", self.d_lr)
        betas = changes.pop("betas", self.betas)

        def optimizer(network: Module, lr: float) -> optim.Optimizer:
            if self.optimizer == "rmsprop":
                return optim.RMSprop(network.parameters(), lr=lr)
            return optim.Adam(network.parameters(), lr=lr, betas=betas)

        of_game = {name: changes.pop(name) for name in GAME_SETTINGS if name in changes}
        game = self.game(generator, discriminator, z_dim=z_dim, rng=rng, **of_game)
        optimizers = {"d": optimizer(discriminator, d_lr), "g": optimizer(generator, g_lr)}
        return Trainer(game, **({"optimizers": optimizers, "ema": self.ema} | changes))
