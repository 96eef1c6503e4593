"""VGAN (Vondrick, Pirsiavash & Torralba 2016): a clip at once, as something that moves before a background that rests.

The paper's networks convolve in space and time. Here the frames are channels of one picture, for T times less work; the
split into what moves and what does not is the paper's, without its penalty on the mask.
"""

from __future__ import annotations

import numpy as np

from ... import nn
from ...tensor import Tensor
from ..penalties import R1
from ..video import Video
from . import dcgan
from .clips import OPTIONS, ClipJudge, judge, open_clips
from .model import Model, Networks
from .paired import whole
from .sizes import ImageSize


class VganGenerator(nn.Module):
    """clip = mask * foreground + (1 - mask) * background: z (N, z_dim) -> (N, frames, channels, height, width)

    ``foreground`` makes (N, frames * (channels + 1), height, width), of which the last ``frames`` become the masks, a
    value in [0, 1] for each pixel; ``background`` (N, channels, height, width) is the same in all frames.
    """

    def __init__(self, foreground: nn.Module, background: nn.Module, frames: int) -> None:
        self.foreground, self.background, self.frames = foreground, background, frames

    def forward(self, z: Tensor) -> Tensor:
        moving, resting = self.foreground(z), self.background(z)
        count, channels, height, width = resting.shape
        split = self.frames * channels
        front = moving[:, :split].reshape(count, self.frames, channels, height, width)
        mask = moving[:, split:].reshape(count, self.frames, 1, height, width) * 0.5 + 0.5
        back = resting.reshape(count, 1, channels, height, width)
        return back + mask * (front - back)


def vgan(
    *,
    rng: np.random.Generator,
    image_size: ImageSize = 32,
    channels: int = 1,
    frames: int = 16,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) -> clips (N, frames, channels, height, width) in [-1, 1] -> logits (N, 1).

    ``width`` is the number of channels next to the pixels (default: 64, and half of it for the background).
    """
    whole("vgan", frames=frames)
    width = width or 64
    foreground = dcgan.generator(rng, image_size, frames * (channels + 1), z_dim, width)
    background = dcgan.generator(rng, image_size, channels, z_dim, max(1, width // 2))
    discriminator = ClipJudge(judge(rng, image_size, frames * channels, width))
    return VganGenerator(foreground, background, frames), discriminator


MODEL = Model(
    name="vgan",
    summary="clips at once: a moving foreground before a resting background",
    paper="Vondrick, Pirsiavash & Torralba 2016, arXiv:1609.02612",
    networks=vgan,
    plays=Video,
    penalties=(R1(gamma=1.0, every=8),),
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.0, 0.99),
    ema=0.998,
    batch_size=32,
    steps=4500,
    medium="clips",
    open_data=open_clips,
    data_options=OPTIONS,
)
