"""Change one thing: StarGAN (Choi et al. 2018), one editor for all attributes, with a D that is told what to look for.

The editor is a U-Net that sees which values it is asked for as planes beside the colours, and adds its change to the
picture. A number, such as an age, is a direction, gone as far as what is asked for is from what is there (RelGAN, Wu et
al. 2019, tells G that difference). What is there the data say while it learns, and later it sees for itself.

A mask of where to paint, as in GANimation (Pumarola et al. 2018), was tried: it closes in the first fifty steps, and
through a closed mask nothing is learned. What a change costs (``change_weight``) keeps it small without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from ... import nn, ops, optim
from ...data.attributes import Attribute, Number, attributes_from, columns_of
from ...errors import InputError
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

WEIGHTS = ("judge_weight", "back_weight", "change_weight", "coarse_weight", "doubt_weight")
GAME_SETTINGS = (*WEIGHTS, "objective", "penalties", "augment", "n_critic")


class Editor(nn.Module):
    """editor(x, ask, own) = x + choice + sum_p amount_p direction_p, for x (N, C, H, W) of any size.

    The body makes one change for all categories, whose values in ``ask`` (N, columns) it is shown as planes beside the
    colours, and a direction for each number p. amount_p is how far what is asked for is from what is there, ``own``,
    with its sign, as a share of p's range; it is 0 where p is not asked for. So a number that is there already, or
    not asked for, changes nothing, to the bit. Without ``own`` it is what the editor sees itself, softmax(see(x)).
    It works on 2x2 pixels at a time.
    """

    def __init__(self, body: nn.Module, eyes: nn.Module | None, attributes: Sequence[Attribute]) -> None:
        self.body, self.eyes = body, eyes
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        parts = [(part.start, part.stop) for part in columns_of(attributes)]
        self.numbers = [part for part, one in zip(parts, attributes, strict=True) if isinstance(one, Number)]
        self.categories = [part for part in parts if part not in self.numbers]
        self.columns = parts[-1][1]

    def forward(self, x: Tensor, ask: Tensor, own: Tensor | None = None) -> Tensor:
        height, width = x.shape[2:]
        if ask.shape != (len(x), self.columns):
            raise InputError(f"Editor: ask is {ask.shape}, these attributes have ({len(x)}, {self.columns})")
        small = self.halved(x)
        made = small
        if self.categories:
            told = ops.concat([ask[:, start:stop] for start, stop in self.categories], axis=1)
            made = ops.concat([small, (small[:, :1] * 0 + 1) * told.reshape(len(x), -1, 1, 1)], axis=1)
        made, each = self.body(made), small.shape[1]
        changes = [made[:, start : start + each] for start in range(0, made.shape[1], each)]
        if self.numbers:
            amounts = self.amounts(x, ask, own)
            changes[-len(amounts) :] = [
                direction * amount.reshape(len(x), 1, 1, 1)
                for direction, amount in zip(changes[-len(amounts) :], amounts, strict=True)
            ]
        change = self.shuffle(sum(changes[1:], changes[0]))
        return x + (change[:, :, :height, :width] if height % 2 or width % 2 else change)

    def amounts(self, x: Tensor, ask: Tensor, own: Tensor | None) -> list[Tensor]:
        """For each number: (N, 1)"""
        seen, found = self.see(x) if own is None else own, []
        for start, stop in self.numbers:
            wanted, there = ask[:, start:stop], seen[:, start:stop]
            there = ops.softmax(there, 1) if own is None else there
            further, last = wanted - there * wanted.sum(1, keepdims=True), stop - start - 1
            knots = [further[:, knot : knot + 1] * (knot / last) for knot in range(1, last + 1)]
            found.append(sum(knots[1:], knots[0]))
        return found

    def see(self, x: Tensor) -> Tensor:
        """What it takes x for: (N, columns) of logits, of which those of numbers mean something."""
        return self.eyes(self.halved(x))  # type: ignore[misc]

    def halved(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        return self.unshuffle(mirrored(x, height % 2, width % 2))


class Eyes(nn.Module):
    """(N, inputs, H, W), of any size -> (N, columns) of logits: three halvings, then of each map the mean and the
    largest, which is where there is something anywhere."""

    def __init__(self, inputs: int, columns: int, width: int, rng: np.random.Generator) -> None:
        layers: list[nn.Module] = []
        for narrow, wide in pairwise((inputs, width, 2 * width, 4 * width)):
            layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1, rng=rng), nn.LeakyReLU(0.2)]
        self.body, self.tell = nn.Sequential(*layers), nn.Linear(8 * width, columns, rng=rng)
        he_(self.body, rng)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.body(x)
        return self.tell(ops.concat([maps.mean(axis=(2, 3)), ops.amax(ops.amax(maps, 3), 2)], axis=1))


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
    """picture (N, channels, H, W), ask (N, columns) -> picture, see ``Editor``; picture, told -> (N, 1 + columns).

    ``attributes`` are those of ``data.Attributes``, or their ``as_dict``. ``width`` channels in G next to the pixels
    (default: 16), twice as many after each of the ``halve`` halvings, up to 4 times.
    """
    known = attributes_from([one if isinstance(one, dict) else one.as_dict() for one in attributes])
    width = width or 16
    for name, value in (("width", width), ("d_width", d_width), ("halve", halve)):
        size(f"attribute: {name}", value)
    columns = columns_of(known)[-1].stop
    widths = [width * min(2**i, 4) for i in range(halve + 1)]
    numbers = [one for one in known if isinstance(one, Number)]
    told = columns - sum(one.columns for one in numbers)  # as planes
    unet = UNet(4 * channels + told, 4 * channels * (len(numbers) + (told > 0)), widths, rng)
    editor = Editor(unet, Eyes(4 * channels, columns, width, rng) if numbers else None, known)
    shrink = nn.Sequential(
        *dcgan.shrinking(rng, image_size, channels, d_width, batch_norm=False, bias=True), nn.Flatten()
    )
    he_(shrink, rng)
    (rows, across), features = halvings(image_size)[-1], dcgan.widths(image_size, d_width)[-1]
    return editor, Detective(shrink, features * rows * across, columns, rng)


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
    coarse_weight: float = 0.0
    doubt_weight: float = 0.0
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
