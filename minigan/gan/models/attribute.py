"""Change one thing: StarGAN (Choi et al. 2018), one editor for all attributes, with a D that is told what to look for.

The editor is a U-Net that sees what it is asked for as planes beside the colours. It adds a change for each attribute
to the picture, as much of it as what is asked for differs from what is there (Wu et al. 2019, RelGAN, tell G that
difference), so that of nothing nothing comes. What is there the data say while it learns, and later it sees for itself.

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

DECIDED = 10.0  # times the logits of a category
WEIGHTS = ("judge_weight", "back_weight", "change_weight", "coarse_weight", "doubt_weight")
GAME_SETTINGS = (*WEIGHTS, "objective", "penalties", "augment", "n_critic")


class Editor(nn.Module):
    """editor(x, ask, own) = x + sum_p amount_p body(x, ask)_p, a change for each attribute p. x (N, C, H, W) is of any
    size; the values in ``ask`` (N, columns) are shown to the body as planes beside the colours. It works on 2x2 pixels
    at a time.

    amount_p is how far what is asked for is from what is there, ``own``: for a category 1 - own's share of the value
    asked for, for a number the difference, with its sign, as a share of its range. What is not asked for has 0, and so
    x stays as it is, to the bit. A number is a direction: the body is not told how far one goes. Without ``own`` it
    is what the editor sees itself, ``seen(x)``.
    """

    def __init__(self, body: nn.Module, eyes: nn.Module, attributes: Sequence[Attribute]) -> None:
        self.body, self.eyes = body, eyes
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        self.parts = [(part.start, part.stop) for part in columns_of(attributes)]
        self.is_number = [isinstance(one, Number) for one in attributes]

    def forward(self, x: Tensor, ask: Tensor, own: Tensor | None = None) -> Tensor:
        height, width = x.shape[2:]
        small = self.halved(x)
        planes = (small[:, :1] * 0 + 1) * self.choices(ask).reshape(len(x), -1, 1, 1)
        changes = self.body(ops.concat([small, planes], axis=1))
        amounts = self.amounts(ask, self.seen(x) if own is None else own).reshape(len(x), -1, 1, 1)
        size = small.shape[1]
        change = self.shuffle(
            sum(changes[:, p * size : (p + 1) * size] * amounts[:, p : p + 1] for p in range(len(self.parts)))
        )
        return x + (change[:, :, :height, :width] if height % 2 or width % 2 else change)

    def choices(self, ask: Tensor) -> Tensor:
        """What is asked for, without the numbers: a direction each, however far one goes."""
        parts = zip(self.parts, self.is_number, strict=True)
        return ops.concat([ask[:, a:z] * (0.0 if is_number else 1.0) for (a, z), is_number in parts], axis=1)

    def see(self, x: Tensor) -> Tensor:
        """What it takes x for: (N, columns) of logits."""
        return self.eyes(self.halved(x))

    def seen(self, x: Tensor) -> Tensor:
        """The same as shares, of a category all but decided: a change by halves is none."""
        logits, parts = self.see(x), zip(self.parts, self.is_number, strict=True)
        return ops.concat(
            [ops.softmax(logits[:, a:z] * (1.0 if is_number else DECIDED), 1) for (a, z), is_number in parts], axis=1
        )

    def halved(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        return self.unshuffle(mirrored(x, height % 2, width % 2))

    def amounts(self, ask: Tensor, own: Tensor) -> Tensor:
        """(N, attributes)"""
        found = []
        for (start, stop), is_number in zip(self.parts, self.is_number, strict=True):
            wanted, there = ask[:, start:stop], own[:, start:stop]
            if is_number:
                further = wanted - there * wanted.sum(1, keepdims=True)
                last = stop - start - 1
                found.append(sum(further[:, knot : knot + 1] * (knot / last) for knot in range(1, last + 1)))
            else:
                found.append((wanted * (1 - there)).sum(1, keepdims=True))
        return ops.concat(found, axis=1)


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
    unet = UNet(4 * channels + columns, 4 * channels * len(known), widths, rng)
    editor = Editor(unet, Eyes(4 * channels, columns, width, rng), known)
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
