"""The training loop: the detective learns from the forger, the forger from the detective, in turns."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..nn import Module
from ..ops import sigmoid
from ..optim import Adam, Optimizer
from ..tensor import Tensor, grad, no_grad
from .objectives import NonSaturating, Objective


@dataclass(frozen=True)
class Record:
    """What one step did. ``d_real`` and ``d_fake`` are D's mean belief that real and generated images are real."""

    step: int
    d_loss: float
    g_loss: float
    d_real: float
    d_fake: float
    seconds: float
    images_per_second: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Trainer:
    """Trains a generator against a discriminator.

    >>> import minigan, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> g, d = minigan.gan.build({"model": "dcgan", "width": 8, "z_dim": 10}, rng)
    >>> trainer = Trainer(g, d, z_dim=10, rng=rng)
    >>> batches = [rng.uniform(-1, 1, (4, 1, 28, 28)).astype(np.float32)] * 3
    >>> [record.step for record in trainer.steps(batches)]
    [1, 2, 3]

    ``rng`` draws z on the host, so every backend sees the same. The optimizers default to DCGAN's Adam.
    """

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        *,
        z_dim: int,
        rng: np.random.Generator,
        objective: Objective | None = None,
        g_optimizer: Optimizer | None = None,
        d_optimizer: Optimizer | None = None,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.z_dim, self.rng = z_dim, rng
        self.objective = objective or NonSaturating()
        self.g_optimizer = g_optimizer or Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.d_optimizer = d_optimizer or Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.step_count = 0

    def steps(self, batches: Iterable[Array]) -> Iterator[Record]:
        """One step on each batch of real images (N, C, H, W) in [-1, 1], as they are asked for."""
        for real in batches:
            start = time.perf_counter()
            losses = self.step(Tensor(real))
            seconds = time.perf_counter() - start
            self.step_count += 1
            yield Record(self.step_count, *losses, seconds=seconds, images_per_second=len(real) / seconds)

    def step(self, real: Tensor) -> tuple[float, float, float, float]:
        """The discriminator's update, then the generator's; d_loss, g_loss, d_real, d_fake as they were before."""
        generator, discriminator = self.generator.train(), self.discriminator.train()
        fake = generator(self.sample_z(len(real)))

        # D learns to tell them apart. Cutting the fakes off their graph keeps G out of it, and G's graph for later.
        real_logits, fake_logits = discriminator(real), discriminator(fake.detach())
        d_loss = self.objective.d_loss(real_logits, fake_logits)
        self.d_optimizer.step(grad(d_loss, self.d_optimizer.params))

        # G learns what would have fooled the D that has just learned. D's weight gradients are never computed.
        g_loss = self.objective.g_loss(discriminator(fake))
        self.g_optimizer.step(grad(g_loss, self.g_optimizer.params))

        with no_grad():
            d_real, d_fake = sigmoid(real_logits).mean(), sigmoid(fake_logits).mean()
        return d_loss.item(), g_loss.item(), d_real.item(), d_fake.item()

    def sample_z(self, count: int) -> Tensor:
        """z ~ N(0, I), (count, z_dim)"""
        return _latent(self.generator, self.rng.standard_normal((count, self.z_dim)))


def generate(generator: Module, z: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] on the host for z (N, z_dim), in evaluation mode."""
    if z.ndim != 2 or not len(z):
        raise InputError(f"generate: z is {z.shape}, it must be (N, z_dim) with N at least 1")
    mode = generator.training
    generator.eval()
    try:
        with no_grad():
            parts = (generator(_latent(generator, z[i : i + batch_size])) for i in range(0, len(z), batch_size))
            return np.concatenate([np.asarray(part.numpy()) for part in parts])
    finally:
        generator.train(mode)


def _latent(generator: Module, z: np.ndarray) -> Tensor:
    return Tensor(generator.backend.asarray(z.astype(generator.dtype)))
