"""The game of a GAN: a forger and a detective, who learn from each other.

Other games are written the same way, see ``gan/rules.py``; ``gan/trainer.py`` plays any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..nn import Module, together
from ..ops.drawn import drawn
from ..sizes import size
from ..tensor import Tensor, no_grad
from .augment import Augmentation
from .objectives import NonSaturating, Objective
from .penalties import Penalty
from .rules import Game, Round, Terms, Turn
from .spread import spread


class TwoPlayer(Game):
    """The forger G against the detective D (Goodfellow et al. 2014).

    In a conditional game both are told the labels: batches are (images, labels), networks G(z, labels), D(x, labels).

    objective      default: NonSaturating
    penalties      added to D's loss
    augment        applied in turn to every image that D sees
    n_critic       G learns in each n_critic-th step only
    clip_weights   D's parameters are clipped to +-clip_weights after each update (the original WGAN)
    """

    results = ("generator",)

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        *,
        z_dim: int,
        rng: np.random.Generator,
        objective: Objective | None = None,
        penalties: Sequence[Penalty] = (),
        augment: Sequence[Augmentation] = (),
        n_critic: int = 1,
        clip_weights: float | None = None,
    ) -> None:
        if clip_weights is not None and not 0 < clip_weights < math.inf:
            raise InputError(f"clip_weights = {clip_weights} must be above 0, and finite")
        self.generator, self.discriminator = generator, discriminator
        self.networks = {"generator": generator, "discriminator": discriminator}
        self.z_dim, self.n_critic = size("z_dim", z_dim), size("n_critic", n_critic)
        self.rng, self.objective, self.clip_weights = rng, objective or NonSaturating(), clip_weights
        self.penalties, self.augment = tuple(penalties), tuple(augment)
        for penalty in self.penalties:
            penalty.check(discriminator)

    @property
    def turns(self) -> Sequence[Turn]:
        return (
            Turn("d", (self.discriminator,), self.d_loss, records_play=False, after=self.clip),
            Turn("g", (self.generator,), self.g_loss, every=self.n_critic),
        )

    def play(self, real: Tensor, *labels: Array) -> Round:
        return Round(real, self.generator(self.sample_z(len(real)), *labels), labels)

    def d_loss(self, round: Round) -> Terms:
        # D learns to tell them apart. Cutting the fakes off their graph keeps G out of it, and G's graph for later.
        real, fake = self.sloped("real", self.show(round.real)), self.sloped("fake", self.show(round.fake.detach()))
        real_logits, fake_logits = together(self.discriminator, (real, *round.given), (fake, *round.given))
        loss = self.objective.d_loss(real_logits, fake_logits, *round.given)
        self.tell_beliefs(round, real_logits, fake_logits)
        return {"d_loss": loss, **self.penalise(round, {real: real_logits, fake: fake_logits})}

    def g_loss(self, round: Round) -> Terms:
        # G learns what would have fooled the D that has just learned. D's weight gradients are never computed.
        fake_logits = self.discriminator(self.show(round.fake), *round.given)
        real_logits = self.look_again(round) if self.objective.g_sees_real else None
        return {"g_loss": self.objective.g_loss(fake_logits, real_logits, *round.given)}

    # ---- what the lines above leave to be said ---------------------------------------------------

    def sample_z(self, count: int) -> Tensor:
        """z ~ N(0, I), (count, z_dim)"""
        return drawn(lambda n: self.rng.standard_normal((n, self.z_dim)), self.generator, rows=count, rng=self.rng)

    def show(self, images: Tensor) -> Tensor:
        """What D gets to see of the images."""
        for augment in self.augment:
            images = augment(images, self.rng, self.step)
        return images

    def due_penalties(self) -> list[Penalty]:
        """Those of the step under way."""
        return [penalty for penalty in self.penalties if self.step % penalty.every == 0]

    def sloped(self, which: str, images: Tensor) -> Tensor:
        """The images, which require a gradient where a penalty will ask for D's slope at them."""
        wanted = any(getattr(penalty, "at", "") == which for penalty in self.due_penalties())
        return Tensor(images.data, requires_grad=True) if wanted else images

    def penalise(self, round: Round, seen: dict[Tensor, Tensor], judge: Module | None = None) -> Terms:
        """The penalties of this step, 0 without any; ``seen``: logits of real and fake images by ``judge``, or D."""
        judge = judge or self.discriminator

        def critic(images: Tensor) -> Tensor:
            known = seen.get(images)
            return known if known is not None and known.requires_grad else judge(images, *round.given)

        real, fake = seen
        nothing = Tensor(self.backend.constant(0.0, real.dtype))
        terms = (p(critic, real, fake, self.rng) * float(p.every) for p in self.due_penalties())
        return {"penalty": sum(terms, nothing)}

    def look_again(self, round: Round) -> Tensor:
        """D's logits of the real images, for a G that is judged against them; it gets no gradient from there."""
        with no_grad():
            return self.discriminator(self.show(round.real), *round.given)

    def tell_beliefs(self, round: Round, real_logits: Tensor, fake_logits: Tensor) -> None:
        with no_grad():
            round.told["d_real"] = self.objective.belief(real_logits).mean()
            round.told["d_fake"] = self.objective.belief(fake_logits).mean()

    def measure(self, round: Round) -> None:
        labels = next((given for given in round.given if not isinstance(given, Tensor)), None)
        round.told["spread"] = spread(round.fake, round.real, labels)

    def lead(self, record: Mapping[str, float]) -> float:
        return self.objective.lead(record)

    def kind(self) -> tuple[Any, ...]:
        due = tuple(self.step % penalty.every == 0 for penalty in self.penalties)
        return due, tuple(a.kind(self.step) for a in self.augment if hasattr(a, "kind"))

    def clip(self) -> None:
        """Every parameter of D into [-clip_weights, clip_weights], in place: how WGAN bounds its critic's slope."""
        if self.clip_weights is not None:
            for parameter in self.discriminator.parameters():
                parameter.backend.xp.clip(parameter.data, -self.clip_weights, self.clip_weights, out=parameter.data)
