"""How much memory a run takes, told before it starts: from what the networks make of one sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..nn import Module
from ..nn.module import mode
from ..observer import Observer
from ..tensor import Op, Tensor, no_grad
from .game import TwoPlayer
from .trainer import Trainer

KEPT = 4  # arrays a parameter: itself, its gradient, and two moments
LOOKS = 2  # at real and at generated images, whose graphs D's update holds together
PENALTY = 1.5  # a double backward's share of one more look


class Memory(NamedTuple):
    """Bytes, as a rule of thumb: right within a factor of two. The interpreter and the data come on top."""

    networks: int
    batch: int

    @property
    def total(self) -> int:
        return self.networks + self.batch

    def __str__(self) -> str:
        networks, batch, total = (f"{size / 2**20:,.0f}" for size in (self.networks, self.batch, self.total))
        return f"some {total} MB of memory: {networks} for networks and optimizers, {batch} for a batch"


def memory_needed(trainer: Trainer[Any], batch_size: int, labels: bool = False) -> Memory:
    """What a step of the two players on ``batch_size`` images, with ``labels`` or without, holds at its peak.

    >>> from minigan import gan
    >>> networks = gan.build({"model": "dcgan", "width": 8}, np.random.default_rng(0))
    >>> trainer = gan.MODELS["dcgan"].trainer(*networks, z_dim=100, rng=np.random.default_rng(1))
    >>> print(memory_needed(trainer, 64))
    some 7 MB of memory: 1 for networks and optimizers, 6 for a batch
    """
    game = trainer.game
    if not isinstance(game, TwoPlayer):
        raise TypeError(f"memory_needed knows the game of two players, not a {type(game).__name__}")
    sizes = {name: sum(p.data.nbytes for p in network.parameters()) for name, network in game.networks.items()}
    averages = sum(sizes[name] for name in trainer.averages)
    z = Tensor(game.backend.asarray(np.zeros((1, game.z_dim), game.generator.dtype)))
    given = (game.backend.asarray(np.zeros(1, np.int64)),) if labels else ()
    of_g, image = outputs(game.generator, z, *given)
    of_d, _ = outputs(game.discriminator, image, *given)
    looks = LOOKS + (PENALTY if game.penalties else 0)
    return Memory(KEPT * sum(sizes.values()) + averages, int(batch_size * (of_g + looks * of_d / trainer.accumulate)))


def outputs(network: Module, *inputs: Any) -> tuple[int, Tensor]:
    """The bytes of all that a forward computes, and its result."""
    with mode(network, training=False), no_grad(), _Bytes() as seen:
        result = network(*inputs)
    return seen.count, result


class _Bytes(Observer):
    count = 0

    def apply(self, op: Op, inputs: tuple[Tensor, ...]) -> Tensor:
        output = super().apply(op, inputs)
        self.count += 0 if op.makes_view else output.data.nbytes
        return output


def available() -> int | None:
    """Bytes that can be had without swapping, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
