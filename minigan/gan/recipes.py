"""Recipes: a model and the settings that make good pictures with it, under one name.

What each of them came to, and what else was tried, is in docs/quality/recipes.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import Dataset
from ..nn import Module
from .augment import InstanceNoise
from .game import TwoPlayer
from .models import MODELS
from .penalties import R1
from .trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model of the zoo by its name, and how it is trained. Each setting can be replaced: ``replace(recipe, lr=...)``.

    clusters    what the pictures are sorted into (``data.clustered``); 0 where the model knows none
    lr, betas   Adam's, in both players
    gamma       R1's weight on D's loss, in each ``r1_every``-th step; 0 for none
    noise       on what D sees at first, gone by step ``noise_steps``
    ema         decay of the average of G that is sampled from; 0 for none
    """

    summary: str
    model: str
    batch_size: int
    width: int
    lr: float
    betas: tuple[float, float]
    z_dim: int = 100
    clusters: int = 0
    gamma: float = 0.0
    r1_every: int = 1
    noise: float = 0.0
    noise_steps: int = 2000
    ema: float = 0.0

    def architecture(self, dataset: Dataset) -> dict[str, Any]:
        """What ``gan.build`` makes the networks of, for pictures such as these."""
        found = {"model": self.model, **dataset.settings, "z_dim": self.z_dim, "width": self.width}
        if self.clusters:
            found["clusters"] = dataset.class_counts()
        return found

    def trainer(
        self, generator: Module, discriminator: Module, *, rng: np.random.Generator, **changes: Any
    ) -> Trainer[TwoPlayer]:
        """A trainer of these networks with the recipe's settings; ``changes`` are Trainer's own."""
        settings: dict[str, Any] = {
            "penalties": [R1(gamma=self.gamma, every=self.r1_every)] if self.gamma else [],
            "augment": [InstanceNoise(self.noise, steps=self.noise_steps)] if self.noise else [],
            "ema": self.ema or None,
            "g_lr": self.lr,
            "d_lr": self.lr,
            "betas": self.betas,
        }
        model = MODELS[self.model]
        return model.trainer(generator, discriminator, z_dim=self.z_dim, rng=rng, **(settings | changes))

    def with_(self, **settings: Any) -> Recipe:
        """The recipe with those of the settings that are not None."""
        return replace(self, **{name: value for name, value in settings.items() if value is not None})


RECIPES: dict[str, Recipe] = {
    "self_conditioned": Recipe(
        summary="told clusters of alike pictures, R1, an average to sample from: the best that was found",
        model="self_conditioned",
        batch_size=64,
        width=32,
        lr=1e-3,
        betas=(0.0, 0.99),
        clusters=50,
        gamma=1.0,
        r1_every=8,
        ema=0.998,
    ),
    "dcgan2016": Recipe(
        summary="the plain DCGAN of 2016, to study and to compare with",
        model="dcgan",
        batch_size=128,
        width=128,
        lr=2e-4,
        betas=(0.5, 0.999),
        noise=0.3,
    ),
}
