"""The game of a GAN: a forger and a detective, who learn from each other.

What other games share with it, such as whose turn it is and what D is shown, is in ``gan/judged.py``. All are written
the same way, see ``gan/rules.py``; ``gan/trainer.py`` plays any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import Array
from ..nn import Module, together
from ..ops.drawn import drawn
from ..sizes import size
from ..tensor import Tensor
from .augment import Augmentation
from .judged import Judged
from .objectives import Objective
from .penalties import Penalty
from .rules import Round, Terms
from .spread import spread


class TwoPlayer(Judged):
    """The forger G against the detective D (Goodfellow et al. 2014).

    In a conditional game both are told the labels: batches are (images, labels), networks G(z, labels), D(x, labels).

    objective      default: NonSaturating
    penalties      added to D's loss
    augment        applied in turn to every image that D sees
    n_critic       G learns in each n_critic-th step only
    clip_weights   D's parameters are clipped to +-clip_weights after each update (the original WGAN)
    """

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
        super().__init__(
            generator,
            discriminator,
            rng=rng,
            objective=objective,
            penalties=penalties,
            augment=augment,
            n_critic=n_critic,
            clip_weights=clip_weights,
        )
        self.z_dim = size("z_dim", z_dim)

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

    def sample_z(self, count: int) -> Tensor:
        """z ~ N(0, I), (count, z_dim)"""
        return drawn(lambda n: self.rng.standard_normal((n, self.z_dim)), self.generator, rows=count, rng=self.rng)

    def measure(self, round: Round) -> None:
        labels = next((given for given in round.given if not isinstance(given, Tensor)), None)
        round.told["spread"] = spread(round.fake, round.real, labels)
