"""What is timed: games, their DCGANs described once for both libraries, and minigan's training step on them.

Importing this imports neither library, so that a process can be measured that uses one of them only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

NEVER = 10**9


@dataclass(frozen=True)
class Workload:
    """One training step: D on real and generated images, then G in each ``n_critic``-th step, each with its Adam."""

    model: str  # of the zoo: says losses, penalty and optimizers
    side: int
    channels: int
    width: int  # channels next to the pixels
    depth: int  # how often the side is halved
    z_dim: int = 100
    n_critic: int = 1
    batch: int = 64
    gamma: float = 0.0  # of the R1 penalty on D, which then has no batch norm


WORKLOADS = {
    "mnist_dcgan": Workload("dcgan", side=28, channels=1, width=128, depth=2, batch=128),
    "dcgan64": Workload("dcgan", side=64, channels=3, width=64, depth=4),
    "wgan_gp_critic": Workload("wgan_gp", side=28, channels=1, width=128, depth=2, z_dim=128, n_critic=NEVER),
    "mnist_r1": Workload("dcgan", side=28, channels=1, width=48, depth=2, gamma=1.0),
    "sngan32": Workload("sngan", side=32, channels=3, width=128, depth=3, z_dim=128),
}
HEADLINE = [("mnist_dcgan", 128), ("dcgan64", 64)]
ALL = [
    *(("mnist_dcgan", batch) for batch in (1, 8, 32, 64, 128, 512)),
    *(("dcgan64", batch) for batch in (16, 64, 128)),
    *(("wgan_gp_critic", batch) for batch in (64, 128)),
    ("mnist_r1", 64),
    ("sngan32", 64),
]


def dcgan(nn: Any, unflatten: Callable[..., Any], workload: Workload) -> tuple[Any, Any]:
    """Generator and discriminator in ``nn``, which is minigan.nn or torch.nn: the zoo's, and its kin of other sides.

    ``unflatten(c, h, w)`` makes the layer (N, c h w) -> (N, c, h, w). A D under a penalty has no batch norm.
    """
    halving = {"stride": 2, "padding": 1, "bias": False}
    widths = [workload.width * 2**i for i in range(workload.depth)]
    deep, low = widths[-1], workload.side >> workload.depth  # channels and side of the smallest map
    if low == 4:
        start = [unflatten(workload.z_dim, 1, 1), nn.ConvTranspose2d(workload.z_dim, deep, 4, bias=False)]
        end = [nn.Conv2d(deep, 1, 4, bias=False), nn.Flatten()]
    else:
        start = [nn.Linear(workload.z_dim, deep * low * low, bias=False), unflatten(deep, low, low)]
        end = [nn.Flatten(), nn.Linear(deep * low * low, 1, bias=False)]
    grow: list[Any] = []
    for wide, narrow in pairwise([*widths[::-1], workload.channels]):
        grow += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, **halving)]
    shrink = [nn.Conv2d(workload.channels, widths[0], 4, **halving), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        norm = [nn.BatchNorm2d(wide)] if workload.model == "dcgan" and not workload.gamma else []
        shrink += [nn.Conv2d(narrow, wide, 4, **halving), *norm, nn.LeakyReLU(0.2)]
    return nn.Sequential(*start, *grow, nn.Tanh()), nn.Sequential(*shrink, *end)


def images(workload: Workload, batch: int) -> np.ndarray:
    """(N, C, H, W) in [-1, 1], channels-last in memory."""
    shape = batch, workload.side, workload.side, workload.channels
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32).transpose(0, 3, 1, 2)


def minigan_trainer(workload: Workload, backend: str = "numpy") -> Any:
    """The zoo's networks and settings."""
    from minigan import gan, nn

    rng = np.random.default_rng(0)
    if workload.model == "sngan":
        networks = gan.build({"model": "sngan", "image_size": workload.side, "width": workload.width}, rng)
    else:
        networks = dcgan(nn, nn.Reshape, workload)
    networks = tuple(network.to(backend) for network in networks)
    settings: dict[str, Any] = {"penalties": [gan.R1(gamma=workload.gamma)]} if workload.gamma else {}
    model = gan.MODELS[workload.model]
    return model.trainer(*networks, z_dim=workload.z_dim, rng=rng, n_critic=workload.n_critic, **settings)


def minigan_step(trainer: Any, real: np.ndarray) -> Callable[[], Any]:
    place = trainer.game.backend
    return lambda: trainer.step(place.asarray(real))
