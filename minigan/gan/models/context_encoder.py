"""The context encoder (Pathak et al. 2016): a hole is filled with what its surroundings suggest.

An encoder brings the surroundings together, a decoder paints the hole. Where the paper lets every place see every other
by a dense layer, so that the picture's size is fixed, here dilated convolutions reach across (Iizuka et al. 2017): it
takes a picture of any size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import nn, ops
from ...tensor import Tensor
from .paired import Networks, PairedModel, Residual, calm_, detective, he_, whole
from .pix2pix import mirrored


class EncoderDecoder(nn.Module):
    """Two halvings, dilated convolutions, two doublings; the border of the hole comes over from the first map."""

    def __init__(
        self, inputs: int, outputs: int, width: int, dilations: tuple[int, ...], rng: np.random.Generator
    ) -> None:
        def conv(wide: int, wider: int, **settings: Any) -> list[nn.Module]:
            return [nn.Conv2d(wide, wider, 3, rng=rng, **settings), nn.LeakyReLU(0.2)]

        self.enter = nn.Sequential(*conv(inputs, width, padding=1))
        self.encode = nn.Sequential(
            *conv(width, 2 * width, stride=2, padding=1),
            *conv(2 * width, 4 * width, stride=2, padding=1),
            *(layer for d in dilations for layer in conv(4 * width, 4 * width, padding=d, dilation=d)),
        )
        self.decode = nn.Sequential(
            *conv(4 * width, 8 * width, padding=1),
            nn.PixelShuffle(2),
            *conv(2 * width, 4 * width, padding=1),
            nn.PixelShuffle(2),
        )
        self.merge = nn.Sequential(*conv(2 * width, width, padding=1))
        he_(self, rng)
        self.leave = nn.Conv2d(width, outputs, 3, padding=1, rng=rng)
        calm_(self.leave)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = mirrored(x, -height % 4, -width % 4)
        near = self.enter(x)
        y = self.leave(self.merge(ops.concat([self.decode(self.encode(near)), near], axis=1)))
        return y if y.shape[2:] == (height, width) else y[:, :, :height, :width]


def context_encoder(
    *,
    rng: np.random.Generator,
    channels: int = 3,
    source_channels: int = 4,
    width: int | None = None,
    d_width: int = 32,
) -> Networks:
    """source (N, source_channels, H, W) -> picture (N, channels, H, W); pictures, sources -> logits (N, patches).

    ``width`` channels next to the pixels (default: 16), four times as many where the surroundings meet.
    """
    width = width or 16
    whole("context_encoder", width=width, d_width=d_width)
    network = EncoderDecoder(source_channels, channels, width, (1, 2, 4, 2), rng)
    return Residual(network, channels), detective(channels + source_channels, d_width, rng)


MODEL = PairedModel(
    name="context_encoder",
    summary="fills holes with what their surroundings suggest",
    paper="Pathak et al. 2016, arXiv:1604.07379",
    networks=context_encoder,
    reach=64,
    step=4,
    g_lr=5e-4,
    betas=(0.5, 0.999),
)
