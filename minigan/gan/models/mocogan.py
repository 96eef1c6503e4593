"""MoCoGAN (Tulyakov et al. 2018): what is in a clip is drawn once, how it moves is drawn frame by frame.

A clip's z is its content, which all of its frames share, and its motion: the first state of a recurrent unit, and fresh
noise for each frame, which the unit turns into a path. A picture generator draws each frame from content and state. So
the same content can be moved otherwise, another content moved the same way, and a clip be as long as one likes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import nn
from ...errors import InputError
from ...ops import concat
from ...tensor import Tensor
from ..penalties import R1
from ..video import Video
from . import dcgan
from .clips import OPTIONS, ClipJudge, judge, open_clips
from .model import Model, Networks
from .paired import whole
from .sizes import ImageSize

STATE = 32  # numbers of a motion's state, which begins as N(0, I)
NOISE = 4  # numbers that are drawn for each frame
HIDDEN = 256  # units between a frame's vector and its picture


class MocoganGenerator(nn.Module):
    """z (N, content + STATE + T * NOISE) -> clips (N, T, channels, height, width): a longer z makes a longer clip.

    ``network`` makes pictures of vectors (N, content + STATE).
    """

    def __init__(self, network: nn.Module, content: int, rng: np.random.Generator) -> None:
        self.content, self.state, self.noise = content, STATE, NOISE
        self.gru = nn.GRUCell(NOISE, STATE, rng=rng)
        self.network = network

    def forward(self, z: Tensor) -> Tensor:
        fixed = self.content + self.state
        frames, rest = divmod(z.shape[1] - fixed, self.noise)
        if frames < 1 or rest:
            raise InputError(f"z {z.shape}: a clip of T frames needs {fixed} + {self.noise} T numbers")
        content, state = z[:, : self.content], z[:, self.content : fixed]
        vectors = []
        for frame in range(frames):
            start = fixed + frame * self.noise
            state = self.gru(z[:, start : start + self.noise], state)
            vectors += [content, state]
        pictures = self.network(concat(vectors, axis=1).reshape(len(z) * frames, fixed))
        return pictures.reshape(len(z), frames, *pictures.shape[1:])


class MocoganDiscriminator(nn.Module):
    """Judges clips by its ``video``; its ``image`` judges single frames, see ``gan.Video``."""

    def __init__(self, video: nn.Module, image: nn.Module) -> None:
        self.video, self.image = video, image

    def forward(self, clips: Tensor) -> Tensor:
        return self.video(clips)


def mocogan(
    *,
    rng: np.random.Generator,
    image_size: ImageSize = 32,
    channels: int = 1,
    frames: int = 16,
    z_dim: int = 128,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) -> clips (N, frames, channels, height, width) in [-1, 1] -> logits (N, 1).

    What the motion leaves of z_dim is the content. ``width`` is the number of channels next to the pixels (default: 32).
    """
    whole("mocogan", frames=frames)
    width, content = width or 32, z_dim - STATE - frames * NOISE
    if content < 1:
        raise InputError(
            f"z_dim = {z_dim}: the motion of {frames} frames takes {STATE + frames * NOISE} numbers, and the content "
            "needs some too"
        )
    picture = nn.Sequential(
        nn.Linear(content + STATE, HIDDEN, rng=rng), nn.LeakyReLU(0.2), dcgan.generator(rng, image_size, channels, HIDDEN, width)
    )
    video = ClipJudge(judge(rng, image_size, channels * frames, width))
    return MocoganGenerator(picture, content, rng), MocoganDiscriminator(video, judge(rng, image_size, channels, width))


MODEL = Model(
    name="mocogan",
    summary="clips: content is drawn once, motion by a recurrent unit; a judge of clips, one of frames",
    paper="Tulyakov et al. 2018, arXiv:1707.04993",
    networks=mocogan,
    plays=Video,
    z_dim=64,
    z_per_frame=NOISE,
    penalties=(R1(gamma=1.0, every=8),),
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.0, 0.99),
    ema=0.998,
    batch_size=16,
    steps=4500,
    medium="clips",
    open_data=open_clips,
    data_options=OPTIONS,
)
