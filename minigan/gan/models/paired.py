"""What the models from picture to picture share: what makes one, the residual around a body, and the PatchGAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import nn, ops, optim
from ...errors import InputError
from ...sizes import size
from ...tensor import Tensor
from ..objectives import NonSaturating, Objective
from ..paired import Paired
from ..trainer import Trainer

Networks = tuple[nn.Module, nn.Module]
LEAST = 12  # pixels a side: what a detective of two halvings can judge


@dataclass(frozen=True, kw_only=True)
class PairedModel:
    """A network of the literature that turns a picture into a picture, with the adversary that judges it.

    ``networks`` takes the keywords rng, channels, source_channels, width and the model's own, and returns G(source) and
    D(picture, source). Both are fully convolutional: trained on crops, they take a picture of any size, and what they
    make of its parts fits together (``reach``, ``step``).
    """

    name: str
    summary: str
    paper: str
    networks: Callable[..., Networks]
    scales: bool = False  # whether G makes pictures larger by itself
    reach: int  # pixels of the source around one of G's output that may bear on it, at most so many
    step: int = 1  # G does the same to a source that begins so many pixels later
    objective: Objective = field(default_factory=NonSaturating)
    l1_weight: float = 100.0
    g_lr: float = 2e-4
    d_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)

    def __repr__(self) -> str:
        return f"PairedModel({self.name}: {self.summary}; {self.paper})"

    def trainer(
        self, generator: nn.Module, discriminator: nn.Module | None, *, rng: np.random.Generator, **changes: Any
    ) -> Trainer[Paired]:
        """A trainer with this model's settings, or ``changes`` of them: l1_weight, objective, penalties, n_critic,
        g_lr, d_lr, betas, a Trainer's. Without a discriminator it is the L1 term alone that G learns from."""
        own: dict[str, Any] = {"l1_weight": self.l1_weight}
        if discriminator is not None:
            own["objective"] = self.objective
        for name in ("l1_weight", "objective", "penalties", "n_critic"):
            if name in changes:
                own[name] = changes.pop(name)
        rates = {"g": changes.pop("g_lr", self.g_lr), "d": changes.pop("d_lr", self.d_lr)}
        betas = changes.pop("betas", self.betas)
        players = {"g": generator, "d": discriminator}
        optimizers = {
            turn: optim.Adam(player.parameters(), lr=rates[turn], betas=betas)
            for turn, player in players.items()
            if player is not None
        }
        game = Paired(generator, discriminator, rng=rng, **own)
        return Trainer(game, **({"optimizers": optimizers} | changes))


class Residual(nn.Module):
    """y = x + body(x): the body learns only what is to be changed.

    A grey x is taken for all of ``channels``. Where x has one channel more than the picture, the last one is a mask of
    what is missing, and y = x + mask body(x): all else stays as it is. With ``scale``, body(x) is that much larger, and
    x is enlarged for the sum.
    """

    def __init__(self, body: nn.Module, channels: int, scale: int = 1) -> None:
        self.body, self.channels, self.scale = body, channels, scale
        self.enlarge = nn.Upsample(scale, mode="bilinear")

    def forward(self, x: Tensor) -> Tensor:
        change, start = self.body(x), x
        if x.shape[1] == self.channels + 1:
            change, start = change * x[:, self.channels :], x[:, : self.channels]
        elif x.shape[1] not in (1, self.channels):
            raise InputError(f"Residual: a source of {x.shape[1]} channels, for a picture of {self.channels}")
        if self.scale > 1:
            start = self.enlarge(start)
        return start + change


CLEAR = 4.0


class PatchGAN(nn.Module):
    """D(picture, source) or D(picture) -> logits (N, patches), each of a patch of the picture: strided 4x4 convolutions
    that see nothing further.

    What is judged is a source beside what was changed in it, ``CLEAR`` times as strong: in the picture itself it would
    be drowned by what true and made ones have in common. A smaller source is enlarged, a grey one taken for every
    colour. With ``layers`` = 2 a patch has 34 pixels a side, with 3 it has 70, as in pix2pix. No batch norm: with few
    pictures a step it would tell D which of them come together.
    """

    by_sample = True

    def __init__(self, channels: int, width: int, layers: int, rng: np.random.Generator) -> None:
        modules: list[nn.Module] = []
        inputs = channels
        for number in range(layers):
            outputs = width * min(2**number, 8)
            modules += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, rng=rng), nn.LeakyReLU(0.2)]
            inputs = outputs
        outputs = inputs * 2
        modules += [nn.Conv2d(inputs, outputs, 4, padding=1, rng=rng), nn.LeakyReLU(0.2)]
        self.network = nn.Sequential(*modules, nn.Conv2d(outputs, 1, 4, padding=1, rng=rng))

    def forward(self, picture: Tensor, source: Tensor | None = None) -> Tensor:
        if source is None:
            return ops.flatten(self.network(picture))
        if source.shape[2:] != picture.shape[2:]:
            source = ops.resize(source, picture.shape[2:], mode="bilinear")
        start = source[:, : picture.shape[1]]  # without the mask
        return ops.flatten(self.network(ops.concat([source, (picture - start) * CLEAR], axis=1)))


def calm_(network: nn.Module, factor: float = 0.1) -> None:
    """Shrink a layer's parameters: the last one of a residual body, so that it starts near doing nothing."""
    for parameter in network.parameters():
        parameter.assign(parameter.numpy() * factor)


def he_(network: nn.Module, rng: np.random.Generator) -> None:
    """Weights as for ReLUs (He et al. 2015), biases 0: PyTorch's default is too small for many layers without norm."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fan_in = module.weight.shape[1] * module.weight.shape[2] * module.weight.shape[3]
            nn.init.kaiming_uniform_(module.weight, rng, fan_in=fan_in, gain=2**0.5)
            if module.bias is not None:
                nn.init.constant_(module.bias, 0)


def detective(channels: int, width: int, rng: np.random.Generator) -> PatchGAN:
    """A PatchGAN that begins with He's weights. With PyTorch's, and without norm, each layer shrinks what it gets, and
    D learns more slowly: it told enlarged photos from true ones by 0.04 after 100 steps, with these by 0.15."""
    network = PatchGAN(channels, width, 2, rng)
    he_(network, rng)
    return network


def whole(name: str, **settings: int) -> None:
    """That each is a whole number of at least 1."""
    for setting, value in settings.items():
        size(f"{name}: {setting}", value)
