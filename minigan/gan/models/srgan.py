"""SRGAN (Ledig et al. 2017): residual blocks on the small picture, then pixel shuffle, and an adversary for the detail.

Without batch norm, as its successors found better (EDSR, Lim et al. 2017), and with the enlarged picture added at the
end, so that the network learns only what is missing from it.
"""

from __future__ import annotations

import numpy as np

from ... import nn
from ...errors import InputError
from ...tensor import Tensor
from .paired import Networks, PairedModel, Residual, calm_, detective, he_, whole


class Block(nn.Module):
    """x + conv(leaky_relu(conv(x)))"""

    def __init__(self, width: int, rng: np.random.Generator) -> None:
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, rng=rng),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 3, padding=1, rng=rng),
        )
        he_(self.body, rng)
        calm_(self.body[2])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def srgan(
    *,
    rng: np.random.Generator,
    channels: int = 3,
    source_channels: int = 3,
    width: int | None = None,
    d_width: int = 32,
    blocks: int = 4,
    scale: int = 4,
) -> Networks:
    """source (N, source_channels, H, W) -> picture (N, channels, scale H, scale W);
    pictures, sources -> logits (N, patches).

    ``width`` channels (default: 48; the paper's 64) in ``blocks`` residual blocks (the paper's 16).
    """
    width = width or 48
    whole("srgan", width=width, d_width=d_width, blocks=blocks)
    if scale not in (1, 2, 3, 4):
        raise InputError(f"srgan: scale {scale} is not one of 1, 2, 3, 4")
    first = nn.Conv2d(source_channels, width, 3, padding=1, rng=rng)
    last = nn.Conv2d(width, channels * scale * scale, 3, padding=1, rng=rng)
    he_(first, rng)
    he_(last, rng)
    calm_(last)
    body = nn.Sequential(
        first, *(Block(width, rng) for _ in range(blocks)), nn.LeakyReLU(0.2), last, nn.PixelShuffle(scale)
    )
    return Residual(body, channels, scale), detective(channels + source_channels, d_width, rng)


MODEL = PairedModel(
    name="srgan",
    summary="enlarges: residual blocks, pixel shuffle, an adversary for the detail",
    paper="Ledig et al. 2017, arXiv:1609.04802",
    networks=srgan,
    scales=True,
    reach=12,
    step=1,
    g_lr=1e-3,
    betas=(0.9, 0.999),
)
