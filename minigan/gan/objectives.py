"""What the detective and the forger each want, as losses on logits.

D(x) = sigmoid(logit) is the discriminator's belief that x is real. -log D = softplus(-logit) and -log(1 - D) =
softplus(logit), which neither overflow nor saturate to log 0: no loss here ever takes the logarithm of a probability.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ops import softplus
from ..tensor import Tensor


class Objective:
    """A pair of losses. Logits have one value per sample; each loss is a scalar to be minimised."""

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.d_loss")

    def g_loss(self, fake_logits: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.g_loss")


@dataclass(frozen=True)
class Minimax(Objective):
    """The game as first written (Goodfellow et al. 2014, eq. 1): G minimises what D maximises.

    d_loss = -E log D(x) - E log(1 - D(G(z))),  g_loss = E log(1 - D(G(z)))

    While D wins, g_loss is flat and G learns next to nothing: the reason for NonSaturating.
    """

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def g_loss(self, fake_logits: Tensor) -> Tensor:
        return -softplus(fake_logits).mean()


@dataclass(frozen=True)
class NonSaturating(Minimax):
    """D as in minimax; G maximises E log D(G(z)) instead, whose slope is steepest while D wins (ibid., section 3).

    g_loss = -E log D(G(z))
    """

    def g_loss(self, fake_logits: Tensor) -> Tensor:
        return softplus(-fake_logits).mean()


OBJECTIVES: dict[str, type[Objective]] = {"non_saturating": NonSaturating, "minimax": Minimax}
