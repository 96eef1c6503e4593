"""VGAN (Vondrick, Pirsiavash & Torralba 2016): a clip at once, as something that moves before a background that rests.

The paper's networks convolve in space and time. Here the frames are channels of one picture, for T times less work; the
split into what moves and what does not is the paper's, without its penalty on the mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import nn
from ...errors import InputError
from ...tensor import Tensor
from ..penalties import R1
from ..video import Video
from . import dcgan
from .clips import OPTIONS, judge_of_clips, open_clips
from .model import Model, Networks
from .paired import whole
from .self_conditioned import EMBEDDING, SelfConditionedGenerator, counted
from .sizes import ImageSize


class Scene(nn.Module):
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
    clusters: Sequence[int] = (1,),
    image_size: ImageSize = 32,
    channels: int = 1,
    frames: int = 16,
    things: int | None = None,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) -> clips (N, frames, channels, height, width) in [-1, 1]; clips, clusters (N,) -> logits (N, 1).

    ``clusters`` says how many clips of the data are in each. ``width`` is the number of channels next to the pixels
    (default: 48, and half of it for the background). However many ``things`` move, one foreground shows them.
    """
    whole("vgan", frames=frames)
    width, counts, inputs = width or 48, counted(clusters), z_dim - 1 + EMBEDDING
    if z_dim < 2:
        raise InputError(f"z_dim = {z_dim} must be at least 2: the first number chooses the cluster")
    foreground = dcgan.generator(rng, image_size, frames * (channels + 1), inputs, width)
    background = dcgan.generator(rng, image_size, channels, inputs, max(1, width // 2))
    generator = SelfConditionedGenerator(Scene(foreground, background, frames), counts, EMBEDDING, rng)
    return generator, judge_of_clips(rng, image_size, frames * channels, width, len(counts))


MODEL = Model(
    name="vgan",
    summary="clips at once: a moving foreground before a resting background",
    paper="Vondrick, Pirsiavash & Torralba 2016, arXiv:1609.02612",
    networks=vgan,
    plays=Video,
    clusters=100,
    penalties=(R1(gamma=1.0, every=8),),
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.0, 0.99),
    ema=0.998,
    batch_size=16,
    steps=1500,
    medium="clips",
    open_data=open_clips,
    data_options=OPTIONS,
)
