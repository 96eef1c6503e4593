"""The same GAN twice: once in minigan, once in PyTorch, with the same weights, z and pictures, compared step by step.

    game = Lockstep(trainer, dcgan_step)      # builds the PyTorch side from the trainer's networks and optimizers
    for real in batches:
        game.step(real)                       # both sides take one step
        game.compare(1e-10)                   # raises AssertionError, naming the first quantity that is off

A new game brings a new step function for PyTorch's side (``dcgan_step`` is the pattern), and a line in ``LAYERS`` or
``OPTIMIZERS`` for whatever it uses that is not there yet. minigan's side is always its own Trainer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from minigan import nn, optim
from minigan.gan import Trainer

Arrays = dict[str, np.ndarray]

# ---- translation: one line a layer -------------------------------------------------------------------------------


def _convolution(kind: type[torch.nn.Module]) -> Callable[[Any], torch.nn.Module]:
    def translate(ours: Any) -> torch.nn.Module:
        a, b, *kernel = ours.weight.shape
        settings = {"stride": ours.stride, "padding": ours.padding, "dilation": ours.dilation}
        if kind is torch.nn.ConvTranspose2d:
            a, b = b, a  # (in, out, kh, kw) instead of (out, in, kh, kw)
            settings["output_padding"] = ours.output_padding
        return kind(b, a, tuple(kernel), bias=ours.bias is not None, **settings)

    return translate


LAYERS: dict[type[nn.Module], Callable[[Any], torch.nn.Module]] = {
    nn.Sequential: lambda m: torch.nn.Sequential(*(_translate(child) for child in m.children().values())),
    nn.Linear: lambda m: torch.nn.Linear(m.weight.shape[1], m.weight.shape[0], bias=m.bias is not None),
    nn.Conv2d: _convolution(torch.nn.Conv2d),
    nn.ConvTranspose2d: _convolution(torch.nn.ConvTranspose2d),
    nn.BatchNorm2d: lambda m: torch.nn.BatchNorm2d(m.weight.shape[0], eps=m.eps, momentum=m.momentum),
    nn.LeakyReLU: lambda m: torch.nn.LeakyReLU(m.negative_slope),
    nn.ReLU: lambda m: torch.nn.ReLU(),
    nn.Tanh: lambda m: torch.nn.Tanh(),
    nn.Sigmoid: lambda m: torch.nn.Sigmoid(),
    nn.Flatten: lambda m: torch.nn.Flatten(),
    nn.Reshape: lambda m: torch.nn.Unflatten(1, m.shape),
    nn.Upsample: lambda m: torch.nn.Upsample(scale_factor=tuple(map(float, m.scale_factor))),
    nn.Embedding: lambda m: torch.nn.Embedding(*m.weight.shape),
}

OPTIMIZERS: dict[type[optim.Optimizer], Callable[[Any, list[torch.nn.Parameter]], torch.optim.Optimizer]] = {
    optim.Adam: lambda o, params: torch.optim.Adam(
        params, lr=o.lr, betas=o.betas, eps=o.eps, weight_decay=o.weight_decay
    ),
    optim.AdamW: lambda o, params: torch.optim.AdamW(
        params, lr=o.lr, betas=o.betas, eps=o.eps, weight_decay=o.weight_decay
    ),
    optim.RMSprop: lambda o, params: torch.optim.RMSprop(params, lr=o.lr, alpha=o.alpha, eps=o.eps),
    optim.SGD: lambda o, params: torch.optim.SGD(
        params, lr=o.lr, momentum=o.momentum, weight_decay=o.weight_decay
    ),
}  # fmt: skip


def _translate(ours: nn.Module) -> torch.nn.Module:
    return LAYERS[type(ours)](ours)


def to_torch(ours: nn.Module) -> torch.nn.Module:
    """The same network in PyTorch, with the same weights, buffers, dtype and mode."""
    theirs = _translate(ours).to(torch.float64 if ours.dtype == np.float64 else torch.float32)
    # strict: the names must be PyTorch's, every one of them
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in ours.state_dict().items()}, strict=True)
    return theirs.train(ours.training)


# ---- what a step is in PyTorch ------------------------------------------------------------------------------------


class TorchSide:
    """PyTorch's networks and optimizers, and the same stream of z that minigan's trainer draws from."""

    def __init__(self, trainer: Trainer) -> None:
        self.generator, self.discriminator = to_torch(trainer.generator), to_torch(trainer.discriminator)
        self.optimizers = {
            "g": _translate_optimizer(trainer.g_optimizer, self.generator),
            "d": _translate_optimizer(trainer.d_optimizer, self.discriminator),
        }
        self.rng = copy.deepcopy(trainer.rng)
        self.z_dim = trainer.z_dim
        self.gradients: Arrays = {}

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(array)).to(next(self.generator.parameters()).dtype)

    def sample_z(self, count: int) -> torch.Tensor:
        return self.tensor(self.rng.standard_normal((count, self.z_dim)))

    def update(self, which: str, loss: torch.Tensor) -> None:
        """Step network ``which`` ("d" or "g") down the gradient of ``loss``; keep the gradients for the comparison."""
        network = {"d": self.discriminator, "g": self.generator}[which]
        self.optimizers[which].zero_grad()
        loss.backward(inputs=list(network.parameters()))
        for name, parameter in network.named_parameters():
            self.gradients[f"{which}.{name}"] = parameter.grad.detach().numpy().copy()
        self.optimizers[which].step()


StepFunction = Callable[[TorchSide, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def dcgan_step(side: TorchSide, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """D's update, then G's, as PyTorch's DCGAN example has them: binary cross-entropy against ones and zeros."""
    bce = F.binary_cross_entropy_with_logits
    fake = side.generator(side.sample_z(len(real)))

    real_logits, fake_logits = side.discriminator(real), side.discriminator(fake.detach())
    d_loss = bce(real_logits, torch.ones_like(real_logits)) + bce(fake_logits, torch.zeros_like(fake_logits))
    side.update("d", d_loss)

    fake_logits = side.discriminator(fake)
    g_loss = bce(fake_logits, torch.ones_like(fake_logits))
    side.update("g", g_loss)
    return d_loss, g_loss


def _translate_optimizer(ours: optim.Optimizer, network: torch.nn.Module) -> torch.optim.Optimizer:
    return OPTIMIZERS[type(ours)](ours, list(network.parameters()))


# ---- side by side -------------------------------------------------------------------------------------------------


class Lockstep:
    """A minigan Trainer and its twin. ``step`` both, then ``compare`` whatever there is to compare."""

    def __init__(self, trainer: Trainer, step: StepFunction) -> None:
        self.trainer, self.torch_step = trainer, step
        self.twin = TorchSide(trainer)
        self.gradients: Arrays = {}
        self.losses: tuple[Arrays, Arrays] = ({}, {})
        self.count = 0
        for which, network in (("d", trainer.discriminator), ("g", trainer.generator)):
            self._watch(which, network, {"d": trainer.d_optimizer, "g": trainer.g_optimizer}[which])

    def _watch(self, which: str, network: nn.Module, optimizer: optim.Optimizer) -> None:
        """Copy every gradient on its way to ``optimizer``."""
        names = [name for name, _ in network.named_parameters()]
        update = optimizer.update

        def watched(backend: Any, params: Any, grads: Any) -> None:
            for name, g in zip(names, grads, strict=True):
                self.gradients[f"{which}.{name}"] = np.array(backend.to_numpy(g))
            update(backend, params, grads)

        optimizer.update = watched  # type: ignore[method-assign]

    def step(self, real: np.ndarray) -> None:
        """One step on each side, on the same pictures (N, C, H, W)."""
        place, dtype = self.trainer.discriminator.backend, self.trainer.discriminator.dtype
        (record,) = self.trainer.steps([place.channels_last(place.asarray(real, dtype))])
        ours = {"d_loss": np.array(record.d_loss), "g_loss": np.array(record.g_loss)}
        d_loss, g_loss = self.torch_step(self.twin, self.twin.tensor(real))
        self.losses = ours, {"d_loss": d_loss.detach().numpy(), "g_loss": g_loss.detach().numpy()}
        self.count += 1

    def compare(self, bound: float) -> None:
        """Losses, every gradient, optimizer state, parameters and buffers agree to ``bound``."""
        self.compare_losses(bound)
        assert_close("gradient", self.gradients, self.twin.gradients, bound, self.count)
        trainer, twin = self.trainer, self.twin
        for which, network, optimizer, twin_network in (
            ("d", trainer.discriminator, trainer.d_optimizer, twin.discriminator),
            ("g", trainer.generator, trainer.g_optimizer, twin.generator),
        ):
            theirs = {name: value.numpy() for name, value in twin_network.state_dict().items()}
            assert_close(f"{which}:", network.state_dict(), theirs, bound, self.count)
            moments = _torch_state(twin.optimizers[which], optimizer.slots)
            ours = {name: array for name, array in optimizer.state_dict().items() if name != "step"}
            assert_close(f"{which} optimizer:", ours, moments, bound, self.count)

    def compare_losses(self, bound: float) -> None:
        assert_close("loss", *self.losses, bound, self.count)


def _torch_state(optimizer: torch.optim.Optimizer, slots: tuple[str, ...]) -> Arrays:
    """The state under minigan's names, which are PyTorch's with the parameter's number behind them."""
    states = [optimizer.state[p] for group in optimizer.param_groups for p in group["params"]]
    return {f"{slot}.{number}": state[slot].numpy() for slot in slots for number, state in enumerate(states)}


def assert_close(what: str, ours: Arrays, theirs: Arrays, bound: float, step: int) -> None:
    """Each array agrees to ``bound`` of its largest element: a small gradient has to be as right as a large one."""
    assert ours.keys() == theirs.keys(), f"{what} names differ: {sorted(ours.keys() ^ theirs.keys())}"
    for name, theirs_array in theirs.items():
        a, b = np.asarray(ours[name], np.float64), np.asarray(theirs_array, np.float64)
        assert a.shape == b.shape, f"{what} {name} is {a.shape}, PyTorch's is {b.shape}"
        error = np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)
        if not error <= bound:  # written so that NaN fails too
            raise AssertionError(f"step {step}: {what} {name} is off by {error:.1e} of its size (allowed: {bound:.0e})")
