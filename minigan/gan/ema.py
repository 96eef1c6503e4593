"""The generator's moving average: the same network, its jitter averaged away, usually the better one to sample from."""

from __future__ import annotations

import copy

import numpy as np

from ..errors import InputError
from ..nn import Module
from ..nn.spectral_norm import SpectralNorm
from ..ops.drawn import drawn
from ..optim import Optimizer


class EMA:
    """average <- d average + (1 - d) generator, for every parameter and floating-point buffer.

    ``EMA(g, 0.999).generator`` is the averaged network; ``update`` moves it one step. (Yazici et al. 2019) What
    spectral norm knows of a weight's largest direction is copied: the mean of two unit vectors is none.

    In the n-th update d = min(decay, (1 + n) / (10 + n)): the average reaches back over some ninth of all updates until
    ``decay`` is the shorter memory. A fixed decay would for long hold on to the network that knew nothing.
    n is the ``optimizer``'s count of the source's updates, also where they began before; without, the average's own.
    """

    def __init__(self, source: Module, decay: float = 0.999, *, optimizer: Optimizer | None = None) -> None:
        if not 0 <= decay < 1:
            raise InputError(f"EMA: decay = {decay} must be at least 0 and below 1")
        self.source, self.decay, self.optimizer = source, decay, optimizer
        self.generator = copy.deepcopy(source).requires_grad_(False)
        self._own_updates = 0

    @property
    def updates(self) -> int:
        """n, of the update that was the last."""
        return self._own_updates if self.optimizer is None else self.optimizer.step_count

    def decay_at(self, update: int) -> float:
        """d of the ``update``-th one, counted from 1."""
        return min(self.decay, (1 + update) / (10 + update))

    def update(self) -> None:
        self.advance()
        here, there = ((network.backend, network.dtype) for network in (self.generator, self.source))
        if here != there:  # the generator has been moved by ``to``
            self.generator.to(*there)
        averages, parameters = list(self.generator.parameters()), list(self.source.parameters())
        arrays = [average.data for average in averages], [parameter.data for parameter in parameters]
        share = drawn(lambda: np.array(1 - self.decay_at(self.updates)), self.generator).data
        self.generator.backend.average(*arrays, share=share)
        for averaged, module in zip(self.generator.modules(), self.source.modules(), strict=True):
            for name in module.buffer_names:
                average, buffer = getattr(averaged, name), getattr(module, name)
                if average.dtype.kind == "f" and not isinstance(module, SpectralNorm):
                    average += share * (buffer - average)
                else:
                    average[...] = buffer

    def advance(self) -> None:
        """Count an update, and say that the average has changed: a backward through the former one raises."""
        self._own_updates += 1
        for average in self.generator.parameters():
            average.bump()
