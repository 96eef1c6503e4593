"""MoCoGAN (Tulyakov et al. 2018): what is in a clip is drawn once, how it moves is drawn frame by frame.

A clip's z is its content, which all of its frames share, and its motion: the first state of a recurrent unit, and fresh
noise for each frame, which the unit turns into a path. A picture generator draws each frame from content and state. So
the same content can be moved otherwise, another content moved the same way, and a clip be as long as one likes.
"""

from __future__ import annotations

import numpy as np

from ... import nn
from ...errors import InputError
from ...ops import concat
from ...tensor import Tensor
from ..penalties import R1
from ..video import Video
from . import dcgan
from .clips import OPTIONS, ClipJudge, judge, judge_of_frames, open_clips
from .model import Model, Networks
from .paired import whole
from .sizes import ImageSize

STATE = 16  # numbers of a motion's state
PLACE = 4  # numbers of it that a frame is drawn from: too few to say what is in it
NOISE = 4  # numbers that are drawn for each frame
KEEP = 2.0  # added to the bias of the gate that keeps the state (after Jozefowicz et al. 2015)
HIDDEN = 256  # units between a frame's vector and its picture


class MocoganGenerator(nn.Module):
    """z (N, content + state + T * noise) -> clips (N, T, channels, height, width): a longer z makes a longer clip.

    Of z, the first ``content`` numbers are the content, the next ``state`` the state that the motion begins in, and the
    rest the noise, frame after frame. ``place`` makes a few numbers of a state, ``network`` pictures of content and
    place.
    """

    def __init__(self, network: nn.Module, content: int, state: int, noise: int, rng: np.random.Generator) -> None:
        self.content, self.state, self.noise = content, state, noise
        self.gru = nn.GRUCell(noise, state, rng=rng)
        bias = self.gru.bias_hh
        if bias is not None:  # the gate that keeps the state is open at first: a path begins smooth, and remembers
            bias.assign(bias.numpy() + KEEP * (np.arange(3 * state) // state == 1))
        self.place = nn.Linear(state, PLACE, rng=rng)
        self.network = network

    def z_dim_for(self, frames: int) -> int:
        """How many numbers z has for a clip of so many frames."""
        return self.content + self.state + frames * self.noise

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
            vectors += [content, self.place(state)]
        pictures = self.network(concat(vectors, axis=1).reshape(len(z) * frames, -1))
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
    z_dim: int = 112,
    width: int | None = None,
    state: int = STATE,
    noise: int = NOISE,
) -> Networks:
    """z (N, z_dim) -> clips (N, frames, channels, height, width) in [-1, 1] -> logits (N, 1).

    Motion takes ``state`` + frames * ``noise`` of z_dim, content the rest. ``width`` is the number of channels next to
    the pixels (default: 24).
    """
    whole("mocogan", frames=frames, state=state, noise=noise)
    width, motion = width or 24, state + frames * noise
    if z_dim <= motion:
        raise InputError(f"z_dim = {z_dim}: the motion of {frames} frames takes {motion} numbers: give more (--z-dim)")
    picture = nn.Sequential(
        nn.Linear(z_dim - motion + PLACE, HIDDEN, rng=rng),
        nn.LeakyReLU(0.2),
        dcgan.generator(rng, image_size, channels, HIDDEN, width),
    )
    generator = MocoganGenerator(picture, z_dim - motion, state, noise, rng)
    video = ClipJudge(judge(rng, image_size, channels * frames, width))
    return generator, MocoganDiscriminator(video, judge_of_frames(rng, image_size, channels, width))


MODEL = Model(
    name="mocogan",
    summary="clips: content is drawn once, motion by a recurrent unit; a judge of clips, one of frames",
    paper="Tulyakov et al. 2018, arXiv:1707.04993",
    networks=mocogan,
    plays=Video,
    z_dim=48,
    z_per_frame=NOISE,
    penalties=(R1(gamma=0.5, every=8),),
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.0, 0.99),
    ema=0.998,
    batch_size=8,
    steps=6000,
    medium="clips",
    open_data=open_clips,
    data_options=OPTIONS,
)
