"""Change one thing: StarGAN (Choi et al. 2018) with the attention mask of GANimation (Pumarola et al. 2018).

One generator for all attributes. It is a U-Net that is told what to change as planes beside the colours; it paints, and
says by a mask where the paint is to lie. What the mask leaves out is the picture itself, to the bit.
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
from .paired import Networks, calm_, he_
from .pix2pix import UNet
from .sizes import ImageSize, halvings

GAME_SETTINGS = ("judge_weight", "back_weight", "change_weight", "objective", "penalties", "augment", "n_critic")


class Editor(nn.Module):
    """editor(x, ask) = (1 - mask) x + mask paint, of any size; mask and paint are made by ``body`` of x (N, C, H, W)
    and of ``ask`` (N, columns), which it sees as planes."""

    def __init__(self, body: nn.Module, channels: int) -> None:
        self.body, self.channels = body, channels

    def forward(self, x: Tensor, ask: Tensor) -> Tensor:
        paint, mask = self.parts(x, ask)
        return x + mask * (paint - x)

    def parts(self, x: Tensor, ask: Tensor) -> tuple[Tensor, Tensor]:
        """The paint, (N, C, H, W) in [-1, 1], and the mask, (N, 1, H, W) from 0 to 1."""
        one = x[:, :1] * 0 + 1
        planes = one * ask.reshape(len(x), -1, 1, 1)
        made = self.body(ops.concat([x, planes], axis=1))
        return ops.tanh(made[:, : self.channels]), ops.sigmoid(made[:, self.channels :])


def attribute(
    *,
    rng: np.random.Generator,
    attributes: Sequence[Any],
    image_size: ImageSize = 64,
    channels: int = 3,
    width: int | None = None,
    d_width: int = 32,
    halve: int = 3,
) -> Networks:
    """picture (N, channels, H, W), ask (N, columns) -> picture; pictures -> (N, 1 + columns).

    ``attributes`` are those of ``data.Attributes``, or their ``as_dict``. ``width`` channels next to the pixels
    (default: 16), twice as many after each of the ``halve`` halvings, up to 4 times.
    """
    known = attributes_from([one if isinstance(one, dict) else one.as_dict() for one in attributes])
    width = width or 16
    for name, value in (("width", width), ("d_width", d_width), ("halve", halve)):
        size(f"attribute: {name}", value)
    columns = columns_of(known)[-1].stop
    body = UNet(channels + columns, channels + 1, [width * min(2**number, 4) for number in range(halve + 1)], rng)
    shrink = dcgan.shrinking(rng, image_size, channels, d_width, batch_norm=False, bias=True)
    (rows, across), features = halvings(image_size)[-1], dcgan.widths(image_size, d_width)[-1]
    discriminator = nn.Sequential(*shrink, nn.Flatten(), nn.Linear(features * rows * across, 1 + columns, rng=rng))
    he_(discriminator, rng)
    calm_(list(discriminator.children().values())[-1])
    return Editor(body, channels), discriminator


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
    back_weight: float = 10.0
    change_weight: float = 1.0
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
    summary="changes one thing in a picture: a mask keeps the rest, a judge in D names what is seen",
    paper="Choi et al. 2018, arXiv:1711.09020; Pumarola et al. 2018, arXiv:1807.09251",
    networks=attribute,
    penalties=(R1(gamma=1.0, every=8),),
)
