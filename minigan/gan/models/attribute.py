"""Change one thing: StarGAN (Choi et al. 2018), one editor for all attributes, with a D that is told what to look for.

The editor is a U-Net that sees what it is asked for as planes beside the colours, and adds its change to the picture. A
mask of where to paint, as in GANimation (Pumarola et al. 2018), was tried: it closes in the first fifty steps, and
through a closed mask nothing is learned. What a change costs (``change_weight``) keeps it small without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import nn, ops, optim
from ...data.attributes import Attribute, attributes_from, columns_of
from ...sizes import size
from ...tensor import Tensor
from ..attributes import AttributeEditing
from ..objectives import NonSaturating, Objective
from ..penalties import R1, Penalty
from ..trainer import Trainer
from . import dcgan
from .paired import Networks, he_
from .pix2pix import UNet, mirrored
from .sizes import ImageSize, halvings

GAME_SETTINGS = ("judge_weight", "back_weight", "change_weight", "objective", "penalties", "augment", "n_critic")


class Editor(nn.Module):
    """editor(x, ask) = x + body(x, ask), of any size: ``ask`` (N, columns) is shown to the body as planes beside the
    colours of x (N, C, H, W). It works on 2x2 pixels at a time, as channels of one."""

    def __init__(self, body: nn.Module) -> None:
        self.body = body
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(2), nn.PixelShuffle(2)

    def forward(self, x: Tensor, ask: Tensor) -> Tensor:
        height, width = x.shape[2:]
        small = self.unshuffle(mirrored(x, height % 2, width % 2))
        planes = (small[:, :1] * 0 + 1) * ask.reshape(len(x), -1, 1, 1)
        change = self.shuffle(self.body(ops.concat([small, planes], axis=1)))
        return x + (change[:, :, :height, :width] if height % 2 or width % 2 else change)


class Detective(nn.Module):
    """detective(x, told) -> (N, 1 + columns): a logit of x being a real picture that ``told`` (N, columns) is true of,
    then what it sees itself.

    The logit is psi(h) + <V h, told>, a projection (Miyato & Koyama 2018); h = body(x), (N, features)."""

    def __init__(self, body: nn.Module, features: int, columns: int, rng: np.random.Generator) -> None:
        self.body = body
        self.psi = nn.Linear(features, 1, rng=rng)
        self.match = nn.Linear(features, columns, bias=False, rng=rng)
        self.see = nn.Linear(features, columns, rng=rng)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.body(x)
        logit = self.psi(h) + (self.match(h) * told).sum(1, keepdims=True)
        return ops.concat([logit, self.see(h)], axis=1)


def attribute(
    *,
    rng: np.random.Generator,
    attributes: Sequence[Any],
    image_size: ImageSize = 64,
    channels: int = 3,
    width: int | None = None,
    d_width: int = 16,
    halve: int = 2,
) -> Networks:
    """picture (N, channels, H, W), ask (N, columns) -> picture; picture, told (N, columns) -> (N, 1 + columns).

    ``attributes`` are those of ``data.Attributes``, or their ``as_dict``. ``width`` channels in G next to the pixels
    (default: 16), twice as many after each of the ``halve`` halvings, up to 4 times.
    """
    known = attributes_from([one if isinstance(one, dict) else one.as_dict() for one in attributes])
    width = width or 16
    for name, value in (("width", width), ("d_width", d_width), ("halve", halve)):
        size(f"attribute: {name}", value)
    columns = columns_of(known)[-1].stop
    unet = UNet(4 * channels + columns, 4 * channels, [width * min(2**i, 4) for i in range(halve + 1)], rng)
    shrink = nn.Sequential(
        *dcgan.shrinking(rng, image_size, channels, d_width, batch_norm=False, bias=True), nn.Flatten()
    )
    he_(shrink, rng)
    (rows, across), features = halvings(image_size)[-1], dcgan.widths(image_size, d_width)[-1]
    return Editor(unet), Detective(shrink, features * rows * across, columns, rng)


@dataclass(frozen=True, kw_only=True)
class AttributeModel:
    """An editor of the literature, with how it is trained; ``networks`` takes the settings of ``data.Attributes``."""

    name: str
    summary: str
    paper: str
    networks: Any
    objective: Objective = field(default_factory=NonSaturating)
    penalties: tuple[Penalty, ...] = ()
    judge_weight: float = 1.0
    back_weight: float = 5.0
    change_weight: float = 0.3
    g_lr: float = 1e-3
    d_lr: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.99)
    batch_size: int = 16

    def __repr__(self) -> str:
        return f"AttributeModel({self.name}: {self.summary}; {self.paper})"

    def trainer(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        attributes: Sequence[Attribute],
        rng: np.random.Generator,
        **changes: Any,
    ) -> Trainer[AttributeEditing]:
        """A trainer with this model's settings, or ``changes`` of them: the game's, g_lr, d_lr, betas, a Trainer's."""
        own = {name: getattr(self, name) for name in GAME_SETTINGS if hasattr(self, name)}
        own |= {name: changes.pop(name) for name in GAME_SETTINGS if name in changes}
        g_lr, d_lr = changes.pop("g_lr", self.g_lr), changes.pop("d_lr", self.d_lr)
        betas = changes.pop("betas", self.betas)
        optimizers = {
            "d": optim.Adam(discriminator.parameters(), lr=d_lr, betas=betas),
            "g": optim.Adam(generator.parameters(), lr=g_lr, betas=betas),
        }
        game = AttributeEditing(generator, discriminator, attributes=attributes, rng=rng, **own)
        return Trainer(game, **({"optimizers": optimizers} | changes))


MODEL = AttributeModel(
    name="attribute",
    summary="changes one thing in a picture and keeps the rest; a judge in D names what is seen",
    paper="Choi et al. 2018, arXiv:1711.09020; Miyato & Koyama 2018, arXiv:1802.05637",
    networks=attribute,
    penalties=(R1(gamma=1.0, every=8),),
)
