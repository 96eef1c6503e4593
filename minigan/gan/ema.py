"""The generator's moving average: the same network, its jitter averaged away, usually the better one to sample from."""

from __future__ import annotations

import copy

from ..backend.host import on_host
from ..errors import InputError
from ..nn import Module
from ..nn.spectral_norm import SpectralNorm


class EMA:
    """average <- decay * average + (1 - decay) * generator, for every parameter and floating-point buffer.

    ``EMA(g, 0.999).generator`` is the averaged network; ``update`` moves it one step. (Yazici et al. 2019) What
    spectral norm knows of a weight's largest direction is copied: the mean of two unit vectors is none.
    """

    def __init__(self, source: Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise InputError(f"EMA: decay = {decay} must be at least 0 and below 1")
        self.source, self.decay = source, decay
        self.updates = 0
        self.generator = copy.deepcopy(source).requires_grad_(False)

    def update(self) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for average, parameter in zip(self.generator.parameters(), self.source.parameters(), strict=True):
            average.data += (1 - decay) * (parameter.data - average.data)
            on_host(average.bump)
        for averaged, module in zip(self.generator.modules(), self.source.modules(), strict=True):
            for name in module.buffer_names:
                average, buffer = getattr(averaged, name), getattr(module, name)
                if average.dtype.kind == "f" and not isinstance(module, SpectralNorm):
                    average += (1 - decay) * (buffer - average)
                else:
                    average[...] = buffer
