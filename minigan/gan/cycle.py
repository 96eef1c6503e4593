"""The game without pairs: pictures of two kinds, a translator each way who is to be undone by the other, a detective
for each kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError
from ..nn import Module, together
from ..ops import abs as absolute
from ..ops.across import averaged
from ..parallel import current
from ..tensor import Tensor, no_grad
from .fakes import FakeBuffer
from .objectives import LeastSquares, Objective
from .rules import Game, Terms, Turn
from .spread import spread


@dataclass
class Exchange:
    """Pictures of both kinds (N, C, H, W), what each was made into, and what the translator into its own kind made of
    it, where that matters."""

    a: Tensor
    b: Tensor
    fake_a: Tensor
    fake_b: Tensor
    same_a: Tensor | None = None
    same_b: Tensor | None = None
    told: dict[str, Tensor] = field(default_factory=dict)


class Cycle(Game):
    """CycleGAN (Zhu et al. 2017). Batches are (a, b), pictures that have nothing to do with each other; networks are
    the translators ab(a) and ba(b), the detectives a(picture) and b(picture).

    d_a_loss = objective.d_loss(a(real a), a(an earlier ba(b))),  d_b_loss likewise
    g_loss + cycle + identity = objective.g_loss(a(ba(b))) + objective.g_loss(b(ab(a)))
                              + cycle_weight (E|ba(ab(a)) - a| + E|ab(ba(b)) - b|)
                              + identity_weight (E|ba(a) - a| + E|ab(b) - b|)

    cycle_weight     10 in the paper: what was made of a picture must still tell which picture it was made of
    identity_weight  5 in the paper, where colours were to stay: what is of the right kind already is left as it is.
                     With 0 the term is not computed
    buffer           how many earlier fakes are kept for each detective (``FakeBuffer``), 50 in the paper
    objective        default: LeastSquares
    """

    results = ("ab", "ba")

    def __init__(
        self,
        ab: Module,
        ba: Module,
        a: Module,
        b: Module,
        *,
        rng: np.random.Generator,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.0,
        buffer: int = 50,
        objective: Objective | None = None,
    ) -> None:
        if not 0 < cycle_weight < math.inf:
            raise InputError(f"cycle_weight = {cycle_weight} must be above 0, and finite")
        if not 0 <= identity_weight < math.inf:
            raise InputError(f"identity_weight = {identity_weight} must be at least 0, and finite")
        self.networks = {"ab": ab, "ba": ba, "a": a, "b": b}
        self.ab, self.ba, self.a, self.b = ab, ba, a, b
        self.rng, self.objective = rng, objective or LeastSquares()
        if self.objective.g_sees_real:
            raise InputError(f"Cycle: {self.objective} judges a fake beside the real picture, and here there is none")
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.fakes = [FakeBuffer(buffer), FakeBuffer(buffer)]

    @property
    def turns(self) -> Sequence[Turn]:
        return (
            Turn("d_a", (self.a,), self.a_loss, records_play=False),
            Turn("d_b", (self.b,), self.b_loss, records_play=False),
            Turn("g", (self.ab, self.ba), self.g_loss),
        )

    def play(self, a: Tensor, b: Tensor) -> Exchange:
        if not self.identity_weight:
            return Exchange(a, b, self.ba(b), self.ab(a))
        (fake_a, same_a), (fake_b, same_b) = together(self.ba, (b,), (a,)), together(self.ab, (a,), (b,))
        return Exchange(a, b, fake_a, fake_b, same_a, same_b)

    def a_loss(self, round: Exchange) -> Terms:
        return {"d_a_loss": self.d_loss(round, self.a, round.a, round.fake_a, self.fakes[0])}

    def b_loss(self, round: Exchange) -> Terms:
        return {"d_b_loss": self.d_loss(round, self.b, round.b, round.fake_b, self.fakes[1])}

    def g_loss(self, round: Exchange) -> Terms:
        fooled = self.objective.g_loss(self.a(round.fake_a)) + self.objective.g_loss(self.b(round.fake_b))
        to_a, to_b = distance(self.ba(round.fake_b), round.a), distance(self.ab(round.fake_a), round.b)
        self.tell_what_returns(round, to_a, to_b)
        terms = {"g_loss": fooled, "cycle": (to_a + to_b) * self.cycle_weight}
        if round.same_a is not None and round.same_b is not None:
            stays = distance(round.same_a, round.a) + distance(round.same_b, round.b)
            terms["identity"] = stays * self.identity_weight
        return terms

    # ---- what the lines above leave to be said ---------------------------------------------------

    def d_loss(self, round: Exchange, judge: Module, real: Tensor, fake: Tensor, fakes: FakeBuffer) -> Tensor:
        shown = fakes.show(fake, self.rng, self.step, self.rounds)
        real_logits, fake_logits = together(judge, (real,), (shown,))
        with no_grad():
            for name, logits in (("d_real", real_logits), ("d_fake", fake_logits)):
                half = self.objective.belief(logits).mean() * 0.5  # the other half is the other detective's
                round.told[name] = round.told[name] + half if name in round.told else half
        return self.objective.d_loss(real_logits, fake_logits)

    def tell_what_returns(self, round: Exchange, to_a: Tensor, to_b: Tensor) -> None:
        """``returns``: 1 where a picture comes back from the other kind as it was; 0 where it is no nearer to it than
        the batch's mean is: then nothing of it was in what it was made into. The worse of both ways."""
        xp = self.backend.xp
        with no_grad(), np.errstate(invalid="ignore", divide="ignore"):  # one picture, or all the same
            shares = [
                averaged(error).data / distance_from_mean(real).data
                for error, real in ((to_a, round.a), (to_b, round.b))
            ]
            round.told["returns"] = Tensor(1 - xp.maximum(*shares))

    def measure(self, round: Exchange) -> None:
        """The spread of translated pictures; the worse way."""
        shares = (spread(fake, real).data for fake, real in ((round.fake_a, round.a), (round.fake_b, round.b)))
        round.told["spread"] = Tensor(self.backend.xp.minimum(*shares))

    def lead(self, record: Mapping[str, float]) -> float:
        """That of both detectives together."""
        return self.objective.lead({"d_loss": math.nan, **record})

    def holders(self) -> dict[str, Any]:
        return {**self.networks, "fakes_a": self.fakes[0], "fakes_b": self.fakes[1]}


def distance(x: Tensor, y: Tensor) -> Tensor:
    """E|x - y|"""
    return absolute(x - y).mean()


def distance_from_mean(pictures: Tensor) -> Tensor:
    """How far pictures are from their mean, E|x - mean|; of one alone, from its mean colour."""
    alone = len(pictures) * current().size == 1
    mean = pictures.mean((2, 3) if alone else (0,), keepdims=True)
    return averaged(distance(pictures, averaged(mean)))
