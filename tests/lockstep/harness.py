"""The same GAN twice: once in minigan, once in PyTorch, with the same weights, z and pictures, compared step by step.

    game = Lockstep(trainer, dcgan_step)      # builds the PyTorch side from the trainer's networks and optimizers
    for real in batches:
        game.step(real)                       # both sides take one step; game.step(real, labels) for a conditional GAN
        game.compare(1e-10)                   # raises AssertionError, naming the first quantity that is off

A new game brings a step function for PyTorch's side: ``play`` makes one from the losses as PyTorch's users write them,
and ``dcgan_step`` is written out, to be read. minigan.interop translates the networks; one of a test's own brings a
line in ``NETWORKS``: its forward in PyTorch. minigan's side is always its own Trainer.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from minigan import interop, nn, optim
from minigan.gan import Game, Trainer, Turn

Arrays = dict[str, np.ndarray]

# ---- translation: layers by minigan.interop, networks by a line each ---------------------------------------------


NETWORKS: dict[type[nn.Module], Callable[..., torch.Tensor]] = {}  # the tests' own: their forward in PyTorch


class Twin(torch.nn.Module):
    """The twin of a network with a forward of its own: the same children by the same names."""

    def __init__(self, ours: nn.Module) -> None:
        super().__init__()
        self.ours = ours
        for name, child in ours.children().items():
            self.add_module(name, to_torch(child))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return NETWORKS[type(self.ours)](self, *inputs)


def to_torch(ours: nn.Module) -> torch.nn.Module:
    """The same network in PyTorch, with the same weights, buffers, dtype and mode."""
    if isinstance(ours, nn.Sequential):
        theirs: torch.nn.Module = torch.nn.Sequential(*map(to_torch, ours.children().values()))
    else:
        theirs = Twin(ours) if type(ours) in NETWORKS else interop.to_torch(ours)
    # the names must be PyTorch's, every one of them; the parameters' order too, since optimizers number them
    assert set(theirs.state_dict()) == set(ours.state_dict())
    assert [name for name, _ in theirs.named_parameters()] == [name for name, _ in ours.named_parameters()]
    return theirs.train(ours.training)


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


# ---- what a step is in PyTorch ------------------------------------------------------------------------------------


class TorchSide:
    """PyTorch's networks and optimizers, and the same stream of random numbers that minigan's game draws from."""

    def __init__(self, trainer: Trainer) -> None:
        game = trainer.game
        self.networks = {name: to_torch(network) for name, network in game.networks.items()}
        self.players = {turn.name: players(game, turn) for turn in game.turns}
        self.optimizers = {
            turn: OPTIMIZERS[type(optimizer)](optimizer, [p for _, p in self.named_parameters(turn)])
            for turn, optimizer in trainer.optimizers.items()
        }
        self.rng = copy.deepcopy(game.rng)
        self.z_dim = getattr(game, "z_dim", 0)
        self.gradients: Arrays = {}

    @property
    def generator(self) -> torch.nn.Module:
        return self.networks["generator"]

    @property
    def discriminator(self) -> torch.nn.Module:
        return self.networks["discriminator"]

    def named_parameters(self, turn: str) -> list[tuple[str, torch.nn.Parameter]]:
        """Of the networks that learn in a turn: ("d.0.weight", ...)"""
        held = self.players[turn].items()
        return [(prefix + name, p) for prefix, key in held for name, p in self.networks[key].named_parameters()]

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        found = torch.from_numpy(np.array(array))
        dtype = next(next(iter(self.networks.values())).parameters()).dtype
        return found.to(dtype) if found.is_floating_point() else found

    def sample_z(self, count: int) -> torch.Tensor:
        return self.tensor(self.rng.standard_normal((count, self.z_dim)))

    def update(self, turn: str, loss: torch.Tensor) -> None:
        """Step the networks of a turn down the gradient of ``loss``; keep the gradients for the comparison."""
        own = self.named_parameters(turn)
        self.optimizers[turn].zero_grad()
        loss.backward(inputs=[parameter for _, parameter in own])
        for name, parameter in own:
            self.gradients[name] = parameter.grad.detach().numpy().copy()
        self.optimizers[turn].step()


def players(game: Game, turn: Turn) -> dict[str, str]:
    """The names of the networks that learn in a turn, by the prefix of their parameters: {"d.": "discriminator"}."""
    names = {id(network): name for name, network in game.networks.items()}
    own = [names[id(network)] for network in turn.networks]
    return {f"{turn.name}." if len(own) == 1 else f"{turn.name}.{name}.": name for name in own}


Losses = dict[str, torch.Tensor]  # by the names of minigan's Record
StepFunction = Callable[..., Losses]  # of a TorchSide, real images and, in a conditional GAN, labels


def dcgan_step(side: TorchSide, real: torch.Tensor) -> Losses:
    """D's update, then G's, as PyTorch's DCGAN example has them: binary cross-entropy against ones and zeros."""
    bce = F.binary_cross_entropy_with_logits
    fake = side.generator(side.sample_z(len(real)))

    real_logits, fake_logits = side.discriminator(real), side.discriminator(fake.detach())
    d_loss = bce(real_logits, torch.ones_like(real_logits)) + bce(fake_logits, torch.zeros_like(fake_logits))
    side.update("d", d_loss)

    fake_logits = side.discriminator(fake)
    g_loss = bce(fake_logits, torch.ones_like(fake_logits))
    side.update("g", g_loss)
    return {"d_loss": d_loss, "g_loss": g_loss}


def play(
    d_loss: Callable[..., torch.Tensor],
    g_loss: Callable[..., torch.Tensor],
    *,
    penalty: Callable[..., torch.Tensor] | None = None,
    n_critic: int = 1,
    clip: float | None = None,
) -> StepFunction:
    """Any of the GANs: ``d_loss(real_logits, fake_logits, *labels)``, and ``g_loss`` of the same; a ``penalty`` is a
    function of (critic, real, fake, numpy generator), whose critic knows the logits of the very ``real`` and ``fake``
    already. In g_loss the real logits come from D once more, if it calls for
    them: they are a function without arguments there.
    """
    count = 0

    def step(side: TorchSide, real: torch.Tensor, *given: torch.Tensor) -> Losses:
        nonlocal count
        count += 1

        def critic(images: torch.Tensor) -> torch.Tensor:
            return side.discriminator(images, *given)

        fake = side.generator(side.sample_z(len(real)), *given)
        shown = [images.detach().requires_grad_(penalty is not None) for images in (real, fake)]
        logits = [critic(images) for images in shown]
        losses = {"d_loss": d_loss(*logits, *given)}
        if penalty is not None:

            def asked_again(images: torch.Tensor) -> torch.Tensor:
                known = [told for seen, told in zip(shown, logits, strict=True) if seen is images]
                return known[0] if known else critic(images)

            losses["penalty"] = penalty(asked_again, *shown, side.rng)
        side.update("d", sum(losses.values()))
        if clip is not None:
            with torch.no_grad():
                for parameter in side.discriminator.parameters():
                    parameter.clamp_(-clip, clip)

        if count % n_critic == 0:

            def real_logits() -> torch.Tensor:
                with torch.no_grad():
                    return critic(real)

            losses["g_loss"] = g_loss(real_logits, critic(fake), *given)
            side.update("g", losses["g_loss"])
        return losses

    return step


# ---- side by side -------------------------------------------------------------------------------------------------


class Lockstep:
    """A minigan Trainer and its twin. ``step`` both, then ``compare`` whatever there is to compare.

    ``zero`` is a pattern of the parameters ("g.0.bias") whose gradient is zero but for rounding: see ``assert_close``.
    """

    def __init__(self, trainer: Trainer, step: StepFunction, zero: str = "(?!)") -> None:
        self.trainer, self.torch_step, self.zero = trainer, step, zero
        self.twin = TorchSide(trainer)
        self.gradients: Arrays = {}
        self.losses: tuple[Arrays, Arrays] = ({}, {})
        self.count = 0
        for turn in trainer.optimizers:
            self._watch(turn)

    def _watch(self, turn: str) -> None:
        """Copy every gradient on its way to the turn's optimizer."""
        optimizer, names = self.trainer.optimizers[turn], [name for name, _ in self.twin.named_parameters(turn)]
        update = optimizer.update

        def watched(backend: Any, params: Any, grads: Any) -> None:
            for name, g in zip(names, grads, strict=True):
                self.gradients[name] = np.array(backend.to_numpy(g))
            update(backend, params, grads)

        optimizer.update = watched  # type: ignore[method-assign]

    def step(self, *batch: np.ndarray) -> None:
        """One step on each side, on the same pictures (N, C, H, W), and labels or whatever the game wants besides."""
        place, dtype = self.trainer.game.backend, next(iter(self.trainer.game.networks.values())).dtype
        own = [place.channels_last(place.asarray(a, dtype)) if a.dtype.kind == "f" else a for a in batch]
        (record,) = self.trainer.steps([tuple(own)])
        theirs = self.torch_step(self.twin, *map(self.twin.tensor, batch))
        ours = {name: np.array(getattr(record, name)) for name in theirs}
        self.losses = ours, {name: loss.detach().numpy() for name, loss in theirs.items()}
        self.count += 1

    def compare(self, bound: float) -> None:
        """Losses, every gradient, optimizer state, parameters and buffers agree to ``bound``."""
        self.compare_losses(bound)
        for turn in self.trainer.optimizers:
            self.compare_network(turn, bound, moments=bound, parameters=bound)

    def compare_losses(self, bound: float) -> None:
        # A critic's loss is a mean of scores of both signs, of which little may be left.
        assert_close("loss", *self.losses, bound, self.count, least=0.01)

    def compare_network(self, turn: str, bound: float, *, moments: float, parameters: float) -> None:
        """Of a turn, such as "d": gradients and buffers agree to ``bound``, moments and parameters to their own."""
        names = [name for name, _ in self.twin.named_parameters(turn)]
        ours, theirs = ({name: found[name] for name in names} for found in (self.gradients, self.twin.gradients))
        assert_close("gradient", ours, theirs, bound, self.count, self.zero)

        optimizer = self.trainer.optimizers[turn]
        for slot in optimizer.slots:
            found = [array for name, array in optimizer.state_dict().items() if name.startswith(f"{slot}.")]
            ours, theirs = dict(zip(names, found, strict=True)), _torch_moments(self.twin.optimizers[turn], slot, names)
            assert_close(f"optimizer's {slot} of", ours, theirs, moments, self.count, self.zero)

        for prefix, key in self.twin.players[turn].items():
            network, twin = self.trainer.game.networks[key], self.twin.networks[key]
            ours = {prefix + name: array for name, array in network.state_dict().items()}
            theirs = {prefix + name: value.numpy() for name, value in twin.state_dict().items()}
            assert ours.keys() == theirs.keys()
            for what, those, allowed in (("parameter", True, parameters), ("buffer", False, bound)):
                part = [name for name in ours if (name in names) == those]
                assert_close(what, {n: ours[n] for n in part}, {n: theirs[n] for n in part}, allowed, self.count)


def _torch_moments(optimizer: torch.optim.Optimizer, slot: str, names: list[str]) -> Arrays:
    states = [optimizer.state[p] for group in optimizer.param_groups for p in group["params"]]
    return {name: state[slot].numpy() for name, state in zip(names, states, strict=True)}


def assert_close(
    what: str, ours: Arrays, theirs: Arrays, bound: float, step: int, zero: str = "(?!)", least: float = 0.0
) -> None:
    """Each array agrees to ``bound`` of its largest element: a small gradient has to be as right as a large one.

    Those whose name matches ``zero`` are 0 but for rounding, and two right answers have no digit in common: each has to
    be below ``bound`` of the largest element of all. An array below the share ``least`` of that is taken for as large.
    """
    assert ours.keys() == theirs.keys(), f"{what} names differ: {sorted(ours.keys() ^ theirs.keys())}"
    largest = max((np.abs(array).max() for array in theirs.values()), default=0.0)
    for name, theirs_array in theirs.items():
        a, b = np.asarray(ours[name], np.float64), np.asarray(theirs_array, np.float64)
        assert a.shape == b.shape, f"{what} {name} is {a.shape}, PyTorch's is {b.shape}"
        if re.fullmatch(zero, name):
            error = max(np.abs(a).max(), np.abs(b).max()) / largest
        else:
            error = np.abs(a - b).max() / max(np.abs(b).max(), least * largest, 1e-12)
        if not error <= bound:  # written so that NaN fails too
            raise AssertionError(f"step {step}: {what} {name} is off by {error:.1e} of its size (allowed: {bound:.0e})")
