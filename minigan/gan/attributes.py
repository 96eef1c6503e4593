"""The game of attributes: an editor, who is asked for one thing; a detective, who also says what is to be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.attributes import Attribute, Number, columns_of
from ..errors import InputError
from ..nn import Module
from ..ops import abs as absolute
from ..ops import avg_pool2d, log_softmax
from ..tensor import Tensor, no_grad
from .augment import Augmentation
from .judged import Judged
from .objectives import Objective
from .penalties import Penalty
from .rules import Round, Terms

BLOCK = 4  # pixels a side whose mean is what is coarse


@dataclass
class Request(Round):
    """What the pictures are (``own``), what was asked for (``ask``) and what takes it back, all (N, columns)."""

    own: Any = None
    wanted: Any = None
    ask: Any = None
    back: Any = None


class AttributeEditing(Judged):
    """G changes what it is asked to and nothing else (StarGAN, Choi et al. 2018). Batches are (picture, own, wanted,
    asked), see ``data.Attributes``; networks G(picture, ask, own), D(picture, told) -> (N, 1 + columns).

    G is told what is to change: ``ask = asked wanted``, zeros elsewhere. While it learns, it is also told the numbers
    that there are; for pictures of which nobody knows, ``G.see(picture)`` learns to say them. D is told what a picture
    is, or was asked to be: its first column judges whether it is a real one of that kind, which a change that only
    fools a classifier is not. The others say what it sees by itself.

    d_loss + d_judged
        + d_doubt              = objective.d_loss(D(x, own), D(y, wanted))
                                 + judge_weight CE(D(x), own) + doubt_weight CE(D(y), own)
    g_loss + g_judged
        + back + change
        + coarse + g_seen      = objective.g_loss(D(y, wanted)) + judge_weight CE(D(y), wanted)
                                 + back_weight E|G(y, asked own, wanted) - x| + change_weight E|y - x|
                                 + coarse_weight E|blocks(y - x)| + CE of the numbers(G.see(x), own),
                                 y = G(x, ask, own)

    CE is the mean over the attributes of -sum_k c_k log softmax(D)_k, of the attribute's columns.

    judge_weight   how much it matters that the edit is seen as asked for
    back_weight    10 in StarGAN: an edit must be possible to take back, so it keeps all else
    change_weight  what each changed pixel costs; it does as GANimation's penalty on its mask (Pumarola et al. 2018)
    coarse_weight  what a change of the mean of 4x4 pixels costs besides: where the attribute is in the detail, as age
                   is in skin and hair, what is larger is to stay
    doubt_weight   of D's seeing in an edited picture what there was before. Whoever has seen only real pictures takes a
                   trace for glasses; who has seen that trace often, does not. It is harder for G, and slower
    """

    generator: Any  # a Module that can also ``see``

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        *,
        attributes: Sequence[Attribute],
        rng: np.random.Generator,
        judge_weight: float = 1.0,
        back_weight: float = 10.0,
        change_weight: float = 1.0,
        coarse_weight: float = 0.0,
        doubt_weight: float = 0.0,
        objective: Objective | None = None,
        penalties: Sequence[Penalty] = (),
        augment: Sequence[Augmentation] = (),
        n_critic: int = 1,
    ) -> None:
        weights = {
            "judge_weight": judge_weight,
            "back_weight": back_weight,
            "change_weight": change_weight,
            "coarse_weight": coarse_weight,
            "doubt_weight": doubt_weight,
        }
        for name, weight in weights.items():
            if not 0 <= weight < math.inf:
                raise InputError(f"{name} = {weight} must be at least 0, and finite")
        super().__init__(
            generator,
            discriminator,
            rng=rng,
            objective=objective,
            penalties=penalties,
            augment=augment,
            n_critic=n_critic,
        )
        self.judge_weight, self.back_weight = judge_weight, back_weight
        self.change_weight, self.coarse_weight, self.doubt_weight = change_weight, coarse_weight, doubt_weight
        self.parts = columns_of(attributes)
        self.numbers = [part for part, one in zip(self.parts, attributes, strict=True) if isinstance(one, Number)]

    def play(self, picture: Tensor, own: Tensor, wanted: Tensor, asked: Tensor) -> Request:
        ask = wanted * asked
        return Request(picture, self.generator(picture, ask, own), (own,), {}, own, wanted, ask, own * asked)

    def d_loss(self, round: Request) -> Terms:
        real, fake = self.sloped("real", self.show(round.real)), self.sloped("fake", self.show(round.fake.detach()))
        of_real, of_fake = self.discriminator(real, round.own), self.discriminator(fake, round.wanted)
        self.tell_beliefs(round, of_real[:, :1], of_fake[:, :1])
        terms = {"d_loss": self.objective.d_loss(of_real[:, :1], of_fake[:, :1])}
        terms["d_judged"] = self.judge(of_real, round.own) * self.judge_weight
        terms["d_doubt"] = self.judge(of_fake, round.own) * self.doubt_weight
        return terms | (self.penalise(round, {real: of_real, fake: of_fake}) if self.penalties else {})

    def g_loss(self, round: Request) -> Terms:
        of_fake = self.discriminator(self.show(round.fake), round.wanted)
        of_real = self.look_again(round)[:, :1] if self.objective.g_sees_real else None
        back = absolute(self.generator(round.fake, round.back, round.wanted) - round.real).mean()
        change = round.fake - round.real
        terms = {
            "g_loss": self.objective.g_loss(of_fake[:, :1], of_real),
            "g_judged": self.judge(of_fake, round.wanted) * self.judge_weight,
            "back": back * self.back_weight,
            "change": absolute(change).mean() * self.change_weight,
            "coarse": absolute(avg_pool2d(change, BLOCK)).mean() * self.coarse_weight,
        }
        if self.numbers:
            seen = self.generator.see(self.show(round.real))
            terms["g_seen"] = cross_entropy(seen, round.own, self.numbers)
        return terms

    def judge(self, seen: Tensor, shares: Tensor) -> Tensor:
        """The mean cross-entropy of D's columns from the shares, over pictures and attributes."""
        return cross_entropy(seen[:, 1:], shares, self.parts)

    def measure(self, round: Request) -> None:
        """The share of the pixels that an edit changes, by more than a 20th of all there is between black and white."""
        with no_grad():
            xp = self.backend.xp
            far = xp.abs(round.fake.data - round.real.data).max(axis=1) > 0.1
            round.told["changed"] = Tensor(far.astype(round.real.dtype).mean())


def cross_entropy(logits: Tensor, shares: Tensor, parts: Sequence[slice]) -> Tensor:
    """The mean over rows and ``parts`` of -sum_k c_k log softmax(l)_k, where c and l are the columns of a part.

    logits, shares (N, columns) -> scalar
    """
    terms = [(shares[:, part] * log_softmax(logits[:, part])).sum(1).mean() for part in parts]
    return sum(terms[1:], terms[0]) * (-1 / len(terms))
