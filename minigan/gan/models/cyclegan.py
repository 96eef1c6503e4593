"""CycleGAN (Zhu et al. 2017): cats into dogs, photos into paintings, without a picture of one beside the other.

The translator halves the picture, changes it in residual blocks, and doubles it back. Instance norm takes out how
bright and how contrasted each channel of *this* picture is, which is a good part of a style, and the layer after it
puts another's there. The detective judges patches.
"""

from __future__ import annotations

import numpy as np

from ... import nn
from ...errors import InputError
from ...tensor import Tensor
from .model import Networks
from .paired import PatchGAN, whole
from .pix2pix import mirrored
from .unpaired import UnpairedModel


class NormedBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x)))))"""

    by_sample = True

    def __init__(self, width: int, rng: np.random.Generator) -> None:
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False, rng=rng),
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False, rng=rng),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Translator(nn.Module):
    """(N, channels, H, W) -> the same, for any size: it is mirrored up to one that can be halved so often."""

    by_sample = True

    def __init__(
        self, channels: int, width: int, halvings: int, blocks: int, resize: bool, rng: np.random.Generator
    ) -> None:
        def normed(conv: nn.Module, outputs: int) -> list[nn.Module]:
            return [conv, nn.InstanceNorm2d(outputs), nn.ReLU()]

        self.halvings = halvings
        wide = width * 2**halvings
        layers = normed(nn.Conv2d(channels, width, 7, padding=3, bias=False, rng=rng), width)
        for number in range(halvings):
            inputs = width * 2**number
            conv = nn.Conv2d(inputs, 2 * inputs, 3, stride=2, padding=1, bias=False, rng=rng)
            layers += normed(conv, 2 * inputs)
        layers += [NormedBlock(wide, rng) for _ in range(blocks)]
        for number in reversed(range(halvings)):
            outputs = width * 2**number
            up: list[nn.Module] = (
                [nn.Upsample(2), nn.Conv2d(2 * outputs, outputs, 3, padding=1, bias=False, rng=rng)]
                if resize
                else [nn.ConvTranspose2d(2 * outputs, outputs, 4, stride=2, padding=1, bias=False, rng=rng)]
            )
            layers += [*up, nn.InstanceNorm2d(outputs), nn.ReLU()]
        self.network = nn.Sequential(*layers, nn.Conv2d(width, channels, 7, padding=3, rng=rng), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        times = 2**self.halvings
        y = self.network(mirrored(x, -height % times, -width % times))
        return y if y.shape[2:] == (height, width) else y[:, :, :height, :width]


def cyclegan(
    *,
    rng: np.random.Generator,
    channels: int = 3,
    width: int | None = None,
    d_width: int = 32,
    halvings: int = 2,
    blocks: int = 3,
    layers: int = 2,
    resize: bool = False,
) -> Networks:
    """picture (N, channels, H, W) -> picture (N, channels, H, W);  pictures -> logits (N, patches).

    The translator has ``width`` channels next to the pixels (default: 16; the paper's 64), twice as many after each of
    ``halvings``, and ``blocks`` there (the paper's 6 for 128 pixels, 9 for 256). The detective's patches have 16 pixels
    a side with 1 of ``layers``, 34 with 2, 70 with 3 as in the paper. With ``resize`` the way back up repeats pixels
    and convolves (Odena et al. 2016); the paper's transposed convolutions easily leave squares.
    """
    width = width or 16
    whole("cyclegan", width=width, d_width=d_width, halvings=halvings, blocks=blocks, layers=layers)
    if channels not in (1, 3):
        raise InputError(f"cyclegan: channels = {channels} must be 1 (grey) or 3 (colour)")
    return Translator(channels, width, halvings, blocks, resize, rng), PatchGAN(channels, d_width, layers, rng)


MODEL = UnpairedModel(
    name="cyclegan",
    summary="pictures of one kind into another, learned without pairs",
    paper="Zhu et al. 2017, arXiv:1703.10593",
    networks=cyclegan,
)
