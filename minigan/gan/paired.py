"""The game of paired pictures: a restorer, who is told what is left of a picture; a detective, who is told it too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import InputError
from ..nn import Module
from ..ops import abs as absolute
from ..ops.across import averaged
from ..tensor import Tensor, no_grad
from .judged import Judged
from .objectives import Objective
from .penalties import Penalty
from .rules import Round, Terms, Turn


class Paired(Judged):
    """G turns a source into its target, and D tells targets from what G makes of their sources, which it is shown
    beside them (Isola et al. 2017). Batches are (target, source); networks G(source), D(picture, source).

    g_loss + l1 = objective.g_loss(D(G(s), s)) + l1_weight E|G(s) - t|

    l1_weight      100 in pix2pix: L1 gives what is probable, D what is sharp
    discriminator  None: G learns from the L1 term alone, the twin that an adversary is to be measured against
    """

    def __init__(
        self,
        generator: Module,
        discriminator: Module | None = None,
        *,
        rng: np.random.Generator,
        l1_weight: float = 100.0,
        objective: Objective | None = None,
        penalties: Sequence[Penalty] = (),
        n_critic: int = 1,
    ) -> None:
        if not 0 < l1_weight < math.inf:
            raise InputError(f"l1_weight = {l1_weight} must be above 0, and finite")
        self.l1_weight, self.alone = l1_weight, discriminator is None
        judged = generator if discriminator is None else discriminator
        if self.alone and (objective is not None or penalties or n_critic != 1):
            raise InputError("objective, penalties and n_critic are of a game with a discriminator: give one")
        super().__init__(generator, judged, rng=rng, objective=objective, penalties=penalties, n_critic=n_critic)
        if self.alone:
            self.networks = {"generator": generator}

    @property
    def turns(self) -> Sequence[Turn]:
        return super().turns[1:] if self.alone else super().turns

    def play(self, target: Tensor, source: Tensor) -> Round:
        return Round(target, self.generator(source), (source,))

    def d_loss(self, round: Round) -> Terms:
        real, fake = self.sloped("real", round.real), self.sloped("fake", round.fake.detach())
        real_logits, fake_logits = self.discriminator(real, *round.given), self.discriminator(fake, *round.given)
        self.tell_beliefs(round, real_logits, fake_logits)
        terms = {"d_loss": self.objective.d_loss(real_logits, fake_logits)}
        return terms | (self.penalise(round, {real: real_logits, fake: fake_logits}) if self.penalties else {})

    def g_loss(self, round: Round) -> Terms:
        distance = absolute(round.fake - round.real).mean() * self.l1_weight
        if self.alone:
            return {"g_loss": distance}
        real_logits = self.look_again(round) if self.objective.g_sees_real else None
        fooled = self.objective.g_loss(self.discriminator(round.fake, *round.given), real_logits)
        return {"g_loss": fooled, "l1": distance}

    def measure(self, round: Round) -> None:
        """The peak signal-to-noise ratio of what G made, in dB, over the batch."""
        with no_grad():
            error = averaged(((round.fake - round.real) ** 2).mean())
            told = -10 / math.log(10) * _log(error * 0.25)  # pixels run from -1 to 1
        round.told["psnr"] = told

    def lead(self, record: Mapping[str, float]) -> float:
        return math.nan if self.alone else super().lead(record)


def _log(x: Tensor) -> Tensor:
    xp = x.backend.xp
    return Tensor(xp.log(xp.maximum(x.data, 1e-10)))
