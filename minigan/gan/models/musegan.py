"""MuseGAN with binary neurons (Dong et al. 2018; Dong & Yang 2018): bars of several voices, as a piano roll.

A shared latent says what all voices have in common, and each voice has a private one. A roll is of zeros and ones, and
so is G's: whether a note begins is the choice of a binary neuron, which note that of a one-hot one, both with
straight-through gradients. D sees nothing but such rolls. R1 holds its slope.

The papers draw all of a bar at once, by convolutions. Here the notes are written in the order of time, eighth after
eighth, the outer voices first and the inner ones in view of them: counterpoint is about what came before. As in
``text_gumbel.py`` the noise of each choice is read from z: from the private latent of the voice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import nn, ops
from ...data import Music, music
from ...data.music import WHERE
from ...errors import InputError
from ...ops.straight_through import binary_neuron, gumbel_noise, logistic_noise, one_hot_neuron
from ...sizes import size
from ...tensor import Tensor
from ..penalties import R1
from .model import Model, Networks
from .text_gumbel import Directions

REACH, EMBEDDING = 4, 64  # eighths that are looked back upon, and numbers that each of them becomes
EIGHTH = 2  # steps: sixteenths


class Composer(nn.Module):
    """z (N, z_dim) -> rolls of zeros and ones (N, voices, rows, steps), see ``data.Music``"""

    def __init__(
        self, voices: int, rows: int, steps: int, bar: int, z_dim: int, width: int, rng: np.random.Generator
    ) -> None:
        self.voices, self.rows, self.steps = voices, rows, steps
        self.private = z_dim // (voices + 1)
        self.shared = z_dim - voices * self.private
        self.outer_voices = min(voices, 2)  # the first and the last
        self.directions = nn.ModuleList([Directions(self.private, steps * rows, rng) for _ in range(voices)])
        self.code = nn.Linear(self.shared, width, rng=rng)
        self.before = nn.Linear(self.shared, REACH * EMBEDDING, rng=rng)  # what was written before the first note
        self.embed = nn.Linear(voices * EIGHTH * rows, EMBEDDING, bias=False, rng=rng)
        self.first = nn.Linear(REACH * EMBEDDING, width, rng=rng)
        self.beat = nn.ModuleList([nn.Linear(width, width, rng=rng) for _ in range(bar // EIGHTH)])
        self.outer = nn.Linear(width, self.outer_voices * EIGHTH * rows, rng=rng)
        if voices > 2:
            self.seen = nn.Linear(self.outer_voices * EIGHTH * rows, width, rng=rng)
            self.inner = nn.Linear(width, (voices - 2) * EIGHTH * rows, rng=rng)

    def forward(self, z: Tensor) -> Tensor:
        shared, context = self.code(z[:, : self.shared]), self.before(z[:, : self.shared])
        noise = self.noise(z)
        eighths: list[Tensor] = []  # (N, voices, EIGHTH, rows), the outer voices first
        for start in range(0, self.steps, EIGHTH):
            beat = self.beat[start // EIGHTH % len(self.beat)]
            h = ops.relu(beat(ops.relu(self.first(context) + shared)))
            now, split = noise[:, :, start : start + EIGHTH], self.outer_voices
            last = eighths[-1][:, :, EIGHTH - 1 :] if eighths else None
            written = self.choose(self.outer(h), now[:, :split], last if last is None else last[:, :split])
            if self.voices > 2:
                logits = self.inner(ops.relu(h + self.seen(ops.flatten(written))))
                inner = self.choose(logits, now[:, split:], last if last is None else last[:, split:])
                written = ops.concat([written, inner], axis=1)
            eighths.append(written)
            context = ops.concat([context[:, EMBEDDING:], self.embed(ops.flatten(written))], axis=1)
        rolls = ops.concat(eighths, axis=2).transpose(0, 1, 3, 2)
        if self.voices > 2:  # the second of the outer voices is the last one
            rolls = ops.concat([rolls[:, :1], rolls[:, 2:], rolls[:, 1:2]], axis=1)
        return rolls

    def noise(self, z: Tensor) -> Tensor:
        """(N, voices, steps, rows): Gumbel's for the choice of a pitch, logistic for that of beginning one."""
        parts = []
        order = range(self.voices) if self.voices < 3 else (0, self.voices - 1, *range(1, self.voices - 1))
        for voice in order:
            at = self.shared + voice * self.private
            x = self.directions[voice](z[:, at : at + self.private])
            parts.append(x.reshape(-1, 1, self.steps, self.rows))
        x = ops.concat(parts, axis=1)
        pitches = self.rows - 1
        return ops.concat([gumbel_noise(x[:, :, :, :pitches]), logistic_noise(x[:, :, :, pitches:])], axis=3)

    def choose(self, logits: Tensor, noise: Tensor, last: Tensor | None) -> Tensor:
        """Of some voices, two sixteenths (N, voices, EIGHTH, rows): where no note begins, the ``last`` one is held."""
        pitches = self.rows - 1
        y = logits.reshape(noise.shape) + noise
        pitch = one_hot_neuron(y[:, :, :, :pitches], axis=3, training=self.training)
        begins = binary_neuron(y[:, :, :, pitches:], training=self.training)
        steps, held = [], None if last is None else last[:, :, :, :pitches]
        for i in range(EIGHTH):
            sings, begun = pitch[:, :, i : i + 1], begins[:, :, i : i + 1]
            if held is None:
                begun = begun * 0 + 1  # there is nothing to be held
            else:
                sings = held + begun * (sings - held)
            steps.append(ops.concat([sings, begun], axis=3))
            held = sings
        return ops.concat(steps, axis=2)


def musegan(
    *,
    rng: np.random.Generator,
    lowest: Sequence[int],
    rows: int,
    steps: int = 32,
    bar: int = 16,
    z_dim: int = 320,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) -> rolls (N, voices, rows, steps) -> logits (N, 1), with a voice for each of the ``lowest`` pitches.

    ``width`` units in G's layers, three quarters as many channels in D's (default: 128). Each voice's private latent
    is an equal part of z, as is the shared one.
    """
    voices, width = len(lowest), width or 128
    rows, steps, bar = size("rows", rows, 3), size("steps", steps), size("bar", bar)
    if not voices or z_dim <= voices:
        raise InputError(f"musegan: z_dim = {z_dim} must be more than the {voices} voices, and these at least one")
    if bar % EIGHTH or steps % (2 * EIGHTH):
        raise InputError(f"musegan: steps = {steps} must be a multiple of {2 * EIGHTH}, and bar = {bar} of {EIGHTH}")
    channels = max(width * 3 // 4, 1)
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Reshape(voices * rows, steps),
        nn.Conv1d(voices * rows, channels, 4, stride=2, padding=1, rng=rng),
        nn.LeakyReLU(0.2),
        nn.Conv1d(channels, channels, 5, padding=2, rng=rng),
        nn.LeakyReLU(0.2),
        nn.Conv1d(channels, channels, 4, stride=2, padding=1, rng=rng),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(channels * (steps // 4), channels, rng=rng),
        nn.LeakyReLU(0.2),
        nn.Linear(channels, 1, rng=rng),
    )
    return Composer(voices, rows, steps, bar, z_dim, width, rng), discriminator


def open_music(source: str) -> Music:
    if source == "mnist":
        raise InputError(f"this model learns from music: {WHERE}")
    return music(source)


MODEL = Model(
    name="musegan",
    summary="music: bars of several voices, a shared latent and private ones, binary neurons; R1",
    paper="Dong & Yang 2018, arXiv:1804.09399",
    networks=musegan,
    penalties=(R1(gamma=0.02, every=8),),
    z_dim=320,
    g_lr=2e-3,
    d_lr=2e-3,
    betas=(0.0, 0.99),
    ema=0.995,
    batch_size=64,
    steps=1200,
    medium="music",
    open_data=open_music,
)
