"""The same games as a PyTorch user writes them. Nothing here knows of minigan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .workloads import Workload, dcgan

LAYOUTS = {"torch_nchw": torch.contiguous_format, "torch_channels_last": torch.channels_last}
ADAM: dict[str, dict[str, Any]] = {
    "dcgan": {"lr": 2e-4, "betas": (0.5, 0.999)},
    "wgan_gp": {"lr": 1e-4, "betas": (0.0, 0.9)},
    "sngan": {"lr": 2e-4, "betas": (0.0, 0.9)},
}


def build(workload: Workload) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator; parameters have the names of minigan's."""
    if workload.model == "sngan":
        return sngan(workload)
    return dcgan(nn, lambda *shape: nn.Unflatten(1, shape), workload)


# ---- the step ----------------------------------------------------------------------------------------------------


def training_step(
    networks: tuple[nn.Module, nn.Module],
    images: np.ndarray,
    workload: Workload,
    layout: Any = torch.contiguous_format,
    *,
    tuned: bool = False,
    compiled: bool = False,
    bf16: bool = False,
    lr: float | None = None,
    show: Callable[[Tensor], Tensor] = lambda shown: shown,
) -> Callable[..., tuple[float, ...]]:
    """The step of PyTorch's DCGAN example, on ``images`` or on those it is called with.

    ``tuned``: D frozen in the G step, and the fused Adam. ``lr``: instead of the model's usual one. ``show`` is done to
    all that D sees.
    """
    g, d = (network.to(memory_format=layout) for network in networks)
    real = torch.tensor(np.ascontiguousarray(images)).to(memory_format=layout)
    settings = ADAM[workload.model] | {"fused": tuned} | ({} if lr is None else {"lr": lr})
    g_adam, d_adam = (torch.optim.Adam(network.parameters(), **settings) for network in (g, d))
    d_loss_of, g_loss_of = LOSSES[workload.model]
    generate, judge = g, d
    if compiled:
        torch.compiler.reset()  # or a limit on recompilations lets later workloads run eagerly without a word
        generate, judge = torch.compile(g), torch.compile(d)

    count = 0

    def step(real: Tensor = real) -> tuple[float, ...]:
        nonlocal count
        count += 1
        g_learns = count % workload.n_critic == 0
        d_adam.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            with torch.set_grad_enabled(g_learns):
                fake = generate(torch.randn(len(real), workload.z_dim))
            if workload.gamma:
                real.requires_grad_()
            real_logits, fake_logits = judge(show(real)), judge(show(fake.detach()))
            d_loss = d_loss_of(real_logits, fake_logits)
            if workload.model == "wgan_gp":
                d_loss = d_loss + gradient_penalty(judge, real, fake.detach())
            if workload.gamma:
                d_loss = d_loss + r1(real_logits, real) * (workload.gamma / 2)
                real.requires_grad_(False)
        d_loss.backward()
        d_adam.step()
        report = d_loss.item(), belief(workload, real_logits), belief(workload, fake_logits)
        if not g_learns:
            return report

        g_adam.zero_grad()
        if tuned:
            d.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            g_loss = g_loss_of(judge(show(fake)))
        g_loss.backward()
        g_adam.step()
        d.requires_grad_(True)
        return *report, g_loss.item()

    return step


def belief(workload: Workload, logits: Tensor) -> float:
    return (logits.sigmoid() if workload.model == "dcgan" else logits).mean().item()


def bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


# of D: (real logits, fake logits) -> loss;  of G: fake logits -> loss
LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "dcgan": (lambda real, fake: bce(real, 1.0) + bce(fake, 0.0), lambda fake: bce(fake, 1.0)),
    "wgan_gp": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
    "sngan": (lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(), lambda fake: -fake.mean()),
}


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, weight: float = 10.0) -> Tensor:
    mix = torch.rand(len(real), 1, 1, 1)
    x = (mix * real + (1 - mix) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return weight * ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()


def r1(logits: Tensor, real: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()


# ---- SNGAN's residual networks -----------------------------------------------------------------------------------


class UpBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.skip = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(x)


class DownBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, first: bool = False, shrink: bool = True) -> None:
        super().__init__()
        self.first, self.shrink = first, shrink
        self.conv1 = spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x)))) + self.skip(x)
        return F.avg_pool2d(y, 2) if self.shrink else y


class Critic(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        shrinking = DownBlock(channels, width, first=True), DownBlock(width, width)
        self.blocks = nn.Sequential(*shrinking, *(DownBlock(width, width, shrink=False) for _ in range(2)))
        self.head = spectral_norm(nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.blocks(x)).sum((2, 3)))


def sngan(workload: Workload) -> tuple[nn.Module, nn.Module]:
    wide = 2 * workload.width
    generator = nn.Sequential(
        nn.Linear(workload.z_dim, wide * 4 * 4),
        nn.Unflatten(1, (wide, 4, 4)),
        *(UpBlock(wide, wide) for _ in range(workload.depth)),
        nn.BatchNorm2d(wide),
        nn.ReLU(),
        nn.Conv2d(wide, workload.channels, 3, padding=1),
        nn.Tanh(),
    )
    return generator, Critic(workload.channels, workload.width)
