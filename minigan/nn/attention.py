"""Self-attention over a picture's pixels (SAGAN; Zhang, Goodfellow, Metaxas & Odena 2019, arXiv:1805.08318)."""

from __future__ import annotations

from ..errors import InputError
from ..ops import softmax
from ..sizes import size
from ..tensor import Tensor
from .layers import Conv2d, Rng, new_parameter
from .module import Module


class SelfAttention2d(Module):
    """y = x + gamma o: every pixel adds what it gathers from all pixels. gamma starts at 0, so the layer as identity.

    With f, g, h and v 1x1 convolutions without bias, and i, j numbering the H * W pixels:

        beta[j, i] = softmax over i of <f(x)_i, g(x)_j>     how much pixel j looks at pixel i
        o_j = v(sum_i beta[j, i] h(x)_i)

    f, g and h have C / ``reduction`` channels. x (N, C, H, W) -> y the same; the memory is N (H W)^2 numbers.
    SAGAN normalises all four spectrally: ``for conv in attention.children().values(): spectral_norm(conv)``.
    """

    def __init__(self, in_channels: int, *, reduction: int = 8, rng: Rng = None) -> None:
        size("SelfAttention2d: in_channels", in_channels), size("SelfAttention2d: reduction", reduction)
        if in_channels % reduction:
            raise InputError(f"SelfAttention2d: {in_channels} channels cannot be divided by reduction = {reduction}")
        inner = in_channels // reduction
        self.f, self.g, self.h = (Conv2d(in_channels, inner, 1, bias=False, rng=rng) for _ in range(3))
        self.v = Conv2d(inner, in_channels, 1, bias=False, rng=rng)
        self.gamma = new_parameter((1,), 0)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        f, g, h = (_pixels(conv(x)) for conv in (self.f, self.g, self.h))  # each (N, pixels, inner)
        beta = softmax(g @ f.transpose(0, 2, 1), axis=-1)
        gathered = (beta @ h).reshape(n, height, width, -1).transpose(0, 3, 1, 2)
        return x + self.v(gathered) * self.gamma


def _pixels(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H * W, C), without a copy"""
    n, c, height, width = x.shape
    return x.transpose(0, 2, 3, 1).reshape(n, height * width, c)
