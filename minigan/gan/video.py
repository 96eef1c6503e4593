"""The game of moving pictures: a forger of clips, a detective who sees them move, and one who sees single frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nn import Module
from ..ops.across import averaged
from ..ops.drawn import drawn
from ..sizes import size
from ..tensor import Tensor, no_grad
from .game import TwoPlayer
from .rules import Round, Terms


class Video(TwoPlayer):
    """G makes clips (N, T, C, H, W), and D judges them whole. Where D has a second judge, ``discriminator.image``, that
    is shown ``frames`` of each clip, drawn anew each time: (N, frames, C, H, W) (Tulyakov et al. 2018, eq. 4).

    d_loss + d_image_loss = objective.d_loss of the judge of clips + the same of the judge of frames
    g_loss + g_image_loss = objective.g_loss of either

    ``frames`` is 1 in the paper; of two, the judge can tell whether they show the same thing. The penalties hold either
    judge; that of clips counts T-fold, as clips of T frames lie sqrt(T) times as far apart as pictures do, and a slope
    as much smaller tells them apart. Other arguments are TwoPlayer's.
    """

    def __init__(self, generator: Module, discriminator: Module, *, frames: int = 2, **settings: Any) -> None:
        super().__init__(generator, discriminator, **settings)
        self.frames = size("frames", frames)
        self.image: Module | None = getattr(discriminator, "image", None)

    def d_loss(self, round: Round) -> Terms:
        terms = super().d_loss(round)
        terms["penalty"] *= float(round.real.shape[1])  # frames of a clip
        if self.image is None:
            return terms
        real, fake = self.sloped("real", self.some(round.real)), self.sloped("fake", self.some(round.fake.detach()))
        real_logits, fake_logits = (self.image(x, *round.given) for x in (real, fake))
        terms["d_image_loss"] = self.objective.d_loss(real_logits, fake_logits)
        if self.due_penalties():
            terms["penalty"] += self.penalise(round, {real: real_logits, fake: fake_logits}, self.image)["penalty"]
        return terms

    def g_loss(self, round: Round) -> Terms:
        terms = super().g_loss(round)
        if self.image is not None:
            fake_logits, real_logits = self.image(self.some(round.fake), *round.given), None
            if self.objective.g_sees_real:
                with no_grad():
                    real_logits = self.image(self.some(round.real), *round.given)
            terms["g_image_loss"] = self.objective.g_loss(fake_logits, real_logits)
        return terms

    def some(self, clips: Tensor) -> Tensor:
        """Frames of each clip, drawn evenly: (N, T, C, H, W) -> (N, frames, C, H, W)"""
        count, length = clips.shape[:2]

        def places(n: int) -> np.ndarray:
            times = self.rng.integers(0, length, (n, self.frames))
            return times + length * (np.arange(n) // (n // count))[:, None]  # each clip's place among its process's own

        chosen = drawn(places, clips, rows=count, dtype=np.int64, rng=self.rng).data
        return self.show(clips.reshape(count * length, *clips.shape[2:])[chosen])

    def measure(self, round: Round) -> None:
        """Beside the spread of the clips, how much a frame differs from the one before it, as a share of how much real
        ones do: a still generator has collapsed in time."""
        super().measure(round)
        xp = self.backend.xp
        if round.real.shape[1] == 1:
            round.told["motion"] = Tensor(xp.full((), np.nan, round.real.dtype))
            return
        moves = (Tensor(xp.abs(clips.data[:, 1:] - clips.data[:, :-1]).mean()) for clips in (round.fake, round.real))
        fake, real = (averaged(move).data for move in moves)
        with np.errstate(invalid="ignore", divide="ignore"):  # real clips that are still
            round.told["motion"] = Tensor(xp.where(real > 0, fake / real, np.nan))
