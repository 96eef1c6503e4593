"""Phase shuffle as a layer."""

from __future__ import annotations

import numpy as np

from .. import ops
from ..ops.drawn import drawn
from ..sizes import size
from ..tensor import Tensor
from .layers import Rng
from .module import Module


class PhaseShuffle(Module):
    """Moves each sound by -reach to reach samples while training, see ``ops.phase_shuffle``; draws from its own
    ``rng``. (N, C, L) -> (N, C, L)

    Transposed convolutions leave a hum whose phase is always the same. A discriminator would know G's sounds by that
    and learn nothing else; between its layers, this takes it away.
    """

    settings = ("reach",)

    def __init__(self, reach: int = 2, *, rng: Rng = None) -> None:
        self.reach, self.rng = size("PhaseShuffle: reach", reach, least=0), rng or np.random.default_rng()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.reach:
            return x

        def make(n: int) -> np.ndarray:
            return self.rng.integers(-self.reach, self.reach + 1, n)

        shifts = drawn(make, x, rows=len(x), dtype=np.int64, rng=self.rng)
        return ops.phase_shuffle(x, shifts.data, self.reach)
