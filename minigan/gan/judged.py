"""What the games with a detective share: what D is shown, what holds it back, and what is told of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..nn import Module
from ..sizes import size
from ..tensor import Tensor, no_grad
from .augment import Augmentation
from .objectives import NonSaturating, Objective
from .penalties import Penalty
from .rules import Game, Round, Terms, Turn


class Judged(Game):
    """G makes, D judges: D learns by ``d_loss(round)``, then G by ``g_loss(round)``. Settings as of ``TwoPlayer``.

    Of a ``Round``, ``real`` and ``fake`` are what D tells apart, and ``given`` is what it is told besides.
    """

    results = ("generator",)

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        *,
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
        self.rng, self.objective, self.clip_weights = rng, objective or NonSaturating(), clip_weights
        self.penalties, self.augment, self.n_critic = tuple(penalties), tuple(augment), size("n_critic", n_critic)
        for penalty in self.penalties:
            penalty.check(discriminator)

    @property
    def turns(self) -> Sequence[Turn]:
        return (
            Turn("d", (self.discriminator,), self.d_loss, records_play=False, after=self.clip),
            Turn("g", (self.generator,), self.g_loss, every=self.n_critic),
        )

    def d_loss(self, round: Any) -> Terms:
        raise NotImplementedError(f"{type(self).__name__}.d_loss")

    def g_loss(self, round: Any) -> Terms:
        raise NotImplementedError(f"{type(self).__name__}.g_loss")

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
