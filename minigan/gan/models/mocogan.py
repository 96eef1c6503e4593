"""MoCoGAN (Tulyakov et al. 2018): what is in a clip is drawn once, how it moves is drawn frame by frame.

A clip's z is its content, which all of its frames share, and its motion: the first state of a recurrent unit, and fresh
noise for each frame, which the unit turns into a path. So the same content can be moved otherwise, another content
moved the same way, and a clip be as long as one likes.

In the paper a picture generator draws each frame anew from content and state, and here that failed: where a thing was
became what it was. So the generator draws content once, up to the maps before its last layer; each frame's state says
how far these are moved, and the last layer makes a picture of them. And all players are told the cluster of alike clips
that the first number of z chooses, as in ``self_conditioned.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import nn
from ...backend import Array
from ...errors import InputError
from ...nn.layers import new_parameter
from ...ops import abs as absolute
from ...ops import concat, relu
from ...tensor import Tensor
from ..penalties import R1
from ..video import Video
from . import dcgan
from .clips import OPTIONS, judge_of_clips, judge_of_frames, open_clips
from .model import Model, Networks
from .paired import whole
from .self_conditioned import EMBEDDING, SelfConditionedGenerator, counted
from .sizes import ImageSize

STATE = 16  # numbers of a motion's state
NOISE = 4  # numbers that are drawn for each frame
KEEP = 2.0  # added to the bias of the gate that keeps the state (after Jozefowicz et al. 2015)


class Film(nn.Module):
    """w (N, content + state + T * noise + told) -> clips (N, T, channels, height, width): a longer w, a longer clip.

    Of w, the first ``content`` numbers and the last ``told`` are what is in the clip: ``drawing`` makes maps of them,
    once. The ``state`` behind the content is what the motion begins in, and the other numbers are the noise, frame
    after frame. Of a frame's state, ``place`` makes how far its maps are moved, and ``last`` makes a picture of them.

    There are maps for each of ``things``, which are moved by themselves and added up. With None there is one thing, and
    maps that rest behind it; and the state may change how it looks. Both have no weight at first.
    """

    def __init__(
        self,
        drawing: nn.Module,
        last: nn.Module,
        *,
        content: int,
        state: int,
        noise: int,
        told: int,
        maps: int,
        things: int | None,
        rng: np.random.Generator,
    ) -> None:
        self.content, self.state, self.noise, self.told, self.things = content, state, noise, told, things or 1
        self.drawing, self.last = drawing, last
        self.gru = nn.GRUCell(noise, state, rng=rng)
        bias = self.gru.bias_hh
        if bias is not None:  # the gate that keeps the state is open at first: a path begins smooth, and remembers
            bias.assign(bias.numpy() + KEEP * (np.arange(3 * state) // state == 1))
        self.place = nn.Linear(state, 2 * self.things, rng=rng)
        self.rest = new_parameter((1,), 0) if things is None else None
        self.look = nn.Linear(state, maps, bias=False) if things is None else None
        if self.look is not None:
            nn.init.constant_(self.look.weight, 0)

    def forward(self, w: Tensor) -> Tensor:
        first, last = self.content + self.state, w.shape[1] - self.told
        frames, rest = divmod(last - first, self.noise)
        if frames < 1 or rest:
            raise InputError(f"a clip of T frames is made of {first} + {self.noise} T + {self.told} numbers: {w.shape}")
        drawn = self.drawing(concat([w[:, : self.content], w[:, last:]], axis=1))
        state, states = w[:, self.content : first], []
        for start in range(first, last, self.noise):
            state = self.gru(w[:, start : start + self.noise], state)
            states.append(state)
        path = concat(states, axis=1).reshape(-1, self.state)  # (N T, state)
        parts = drawn.reshape(len(w), self.things + (self.rest is not None), -1, *drawn.shape[2:])
        by = self.place(path).reshape(-1, frames, self.things, 2)
        seen = shifted(parts[:, : self.things], by).sum(2)
        if self.rest is not None and self.look is not None:
            seen += parts[:, self.things :] * self.rest + self.look(path).reshape(-1, frames, parts.shape[2], 1, 1)
        pictures = self.last(seen.reshape(-1, *seen.shape[2:]))
        return pictures.reshape(len(w), frames, *pictures.shape[1:])


def shifted(x: Tensor, by: Tensor) -> Tensor:
    """Maps x (N, P, C, H, W), moved down and to the right by (N, T, P, 2) pixels: (N, T, P, C, H, W).

    y[n, t, p, c] = R x[n, p, c] C^T, with R[i, j] ~ max(0, 2 - |i - by[n, t, p, 0] - j|) for the rows, each of which
    adds up to 1, and C like it (Jaderberg et al. 2015, who have 1 for 2: there a map that is rough from pixel to pixel
    fades and comes back as it moves by half of one). From outside comes what lies at the edge.
    """
    _, p, c, height, width = x.shape
    frames, away = by.shape[1], by.transpose(0, 2, 1, 3)  # (N, P, T, 2)

    def mixing(side: int, axis: int) -> Tensor:
        places = Tensor(x.backend.asarray(x.backend.xp.arange(side, dtype=x.dtype)))
        source = places - away[:, :, :, axis : axis + 1]
        inside = relu(source) - relu(source - (side - 1))
        weights = relu(2 - absolute(inside.reshape(-1, p, frames, side, 1) - places))  # (N, P, T, to, from)
        return weights / weights.sum(4, keepdims=True)

    lines = x.transpose(0, 1, 3, 2, 4).reshape(-1, height, c * width)
    down = mixing(height, 0).reshape(-1, frames * height, height) @ lines
    across = down.reshape(-1, height * c, width) @ mixing(width, 1).reshape(-1, width, width).transpose(0, 2, 1)
    return across.reshape(-1, p, frames, height, c, width).transpose(0, 2, 1, 4, 3, 5)


class MocoganGenerator(SelfConditionedGenerator):
    """z (N, content + state + T * noise) -> clips (N, T, channels, height, width): a longer z makes a longer clip.

    Of z, the first ``content`` numbers are the content, the very first of them the cluster's; the next ``state`` are
    what the motion begins in, and the rest is noise, frame after frame. generator(z, clusters) draws from these
    clusters.
    """

    def __init__(self, film: Film, counts: Sequence[int], rng: np.random.Generator) -> None:
        super().__init__(film, counts, film.told, rng)
        self.content, self.state, self.noise = film.content + 1, film.state, film.noise

    def z_dim_for(self, frames: int) -> int:
        """How many numbers z has for a clip of so many frames."""
        return self.content + self.state + frames * self.noise

    def mapping(self, z: Tensor, clusters: Array | None = None) -> Tensor:
        fixed = self.content + self.state
        if z.shape[1] <= fixed or (z.shape[1] - fixed) % self.noise:
            raise InputError(f"z {z.shape}: a clip of T frames needs {fixed} + {self.noise} T numbers")
        return super().mapping(z, clusters)


class MocoganDiscriminator(nn.Module):
    """Judges clips by its ``video``; its ``image`` judges single frames, see ``gan.Video``."""

    def __init__(self, video: nn.Module, image: nn.Module) -> None:
        self.video, self.image = video, image

    def forward(self, clips: Tensor, clusters: Array | None = None) -> Tensor:
        return self.video(clips, clusters)


def mocogan(
    *,
    rng: np.random.Generator,
    clusters: Sequence[int] = (1,),
    image_size: ImageSize = 32,
    channels: int = 1,
    frames: int = 16,
    z_dim: int = 112,
    width: int | None = None,
    things: int | None = None,
    state: int = STATE,
    noise: int = NOISE,
) -> Networks:
    """z (N, z_dim) -> clips (N, frames, channels, height, width) in [-1, 1]; clips, clusters (N,) -> logits (N, 1).

    Motion takes ``state`` + frames * ``noise`` of z_dim, content the rest. ``clusters`` says how many clips of the data
    are in each, ``things`` how many things move, each by itself, where nothing else is to be seen; see ``Film``.
    ``width`` is the number of channels next to the pixels (default: 24).
    """
    whole("mocogan", frames=frames, things=things or 1, state=state, noise=noise)
    width, motion, counts = width or 24, state + frames * noise, counted(clusters)
    if z_dim <= motion + 1:
        raise InputError(
            f"z_dim = {z_dim}: the motion of {frames} frames takes {motion} numbers, the content two at least: give "
            "more (--z-dim)"
        )
    content = z_dim - motion - 1
    layers = list(dcgan.generator(rng, image_size, channels, content + EMBEDDING, width).children().values())
    split = nn.Conv2d(width, width * (things or 2), 3, padding=1, bias=False, rng=rng)
    nn.init.dcgan_(split, rng)
    film = Film(
        nn.Sequential(*layers[:-2], split),
        nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), *layers[-2:]),
        content=content,
        state=state,
        noise=noise,
        told=EMBEDDING,
        maps=width,
        things=things,
        rng=rng,
    )
    video = judge_of_clips(rng, image_size, channels * frames, width, len(counts))
    image = judge_of_frames(rng, image_size, channels, width, len(counts))
    return MocoganGenerator(film, counts, rng), MocoganDiscriminator(video, image)


MODEL = Model(
    name="mocogan",
    summary="clips: content is drawn once, motion by a recurrent unit; a judge of clips, one of frames",
    paper="Tulyakov et al. 2018, arXiv:1707.04993",
    networks=mocogan,
    plays=Video,
    clusters=100,
    z_dim=48,
    z_per_frame=NOISE,
    penalties=(R1(gamma=1.0, every=8),),
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.0, 0.99),
    ema=0.998,
    batch_size=16,
    steps=2000,
    medium="clips",
    open_data=open_clips,
    data_options=OPTIONS,
)
