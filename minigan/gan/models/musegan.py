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
CIRCLE = 24  # semitones: D does not tell intervals apart that differ by two octaves; fewer where all are smaller
LOUD = 4.0  # a one-hot is mostly zeros: so many times as fast do the layers learn that read it


class Composer(nn.Module):
    """z (N, z_dim) -> rolls of zeros and ones (N, voices, rows, steps), see ``data.Music``"""

    buffer_names = ("start",)

    def __init__(
        self, voices: int, rows: int, steps: int, bar: int, z_dim: int, width: int, rng: np.random.Generator
    ) -> None:
        self.voices, self.rows, self.steps = voices, rows, steps
        self.private = z_dim // (voices + 1)
        self.shared = z_dim - voices * self.private
        self.directions = nn.ModuleList([Directions(self.private, steps * rows, rng) for _ in range(voices)])
        self.code = nn.Linear(self.shared, width, rng=rng)
        self.before = nn.Linear(self.shared, REACH * EMBEDDING, rng=rng)  # what was written before the first note
        self.embed = nn.Linear(voices * EIGHTH * rows, EMBEDDING, bias=False, rng=rng)
        self.first = nn.Linear((REACH + 1) * EMBEDDING, width, rng=rng)
        self.beat = nn.ModuleList([nn.Linear(width, width, rng=rng) for _ in range(bar // EIGHTH)])
        # Of the voice that is written first, second, ...: it knows its own last note, and what those before it sing.
        known = [rows - 1 + place * EIGHTH * rows for place in range(voices)]
        self.hear = nn.ModuleList([nn.Linear(count, width, rng=rng) for count in known])
        self.sing = nn.ModuleList([nn.Linear(width + count, EIGHTH * rows, rng=rng) for count in known])
        self.start = np.zeros((steps, rows), np.float32)
        self.start[0, -1] = 100  # logits: with the first step a note begins

    @property
    def order(self) -> list[int]:
        """In which the voices are written: the outer ones first."""
        return [0, self.voices - 1, *range(1, self.voices - 1)][: self.voices]

    def forward(self, z: Tensor) -> Tensor:
        shared, context = self.code(z[:, : self.shared]), self.before(z[:, : self.shared])
        noise = self.noise(z)
        held = [part[:, : self.rows - 1] * 0 for part in noise]  # the note that each voice sings
        eighths = []  # (N, voices * EIGHTH * rows), voices as they are written
        past = context[:, :EMBEDDING] * 0  # the sum of all that was written, which tells the key
        for start in range(0, self.steps, EIGHTH):
            h = ops.relu(self.first(ops.concat([context, past], axis=1)) + shared)
            h = self.beat[start // EIGHTH % len(self.beat)](h)
            now = slice(start * self.rows, (start + EIGHTH) * self.rows)
            written: list[Tensor] = []
            for place, voice in enumerate(self.order):
                known = ops.concat([held[voice], *written], axis=1) * LOUD
                logits = self.sing[place](ops.concat([ops.relu(h + self.hear[place](known)), known], axis=1))
                notes, held[voice] = self.choose(logits + noise[voice][:, now], held[voice])
                written.append(notes)
            eighths.append(ops.concat(written, axis=1))
            last = self.embed(eighths[-1])
            context, past = ops.concat([context[:, EMBEDDING:], last], axis=1), past + last
        rolls = ops.concat([e.reshape(-1, self.voices, EIGHTH, self.rows) for e in eighths], axis=2)
        back = [self.order.index(voice) for voice in range(self.voices)]
        return ops.concat([rolls[:, place : place + 1] for place in back], axis=1).transpose(0, 1, 3, 2)

    def noise(self, z: Tensor) -> list[Tensor]:
        """Of each voice (N, steps * rows): Gumbel's for the choice of a pitch, logistic for that of beginning one."""
        found, pitches = [], self.rows - 1
        for voice, directions in enumerate(self.directions):
            at = self.shared + voice * self.private
            x = directions(z[:, at : at + self.private]).reshape(-1, self.steps, self.rows)
            x = ops.concat([gumbel_noise(x[:, :, :pitches]), logistic_noise(x[:, :, pitches:])], axis=2)
            found.append(ops.flatten(x + Tensor(self.start)))
        return found

    def choose(self, y: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        """Two sixteenths of a voice (N, EIGHTH * rows), and what it holds then: where no note begins, the last one."""
        notes = []
        for at in range(0, EIGHTH * self.rows, self.rows):
            last = at + self.rows - 1
            pitch = one_hot_neuron(y[:, at:last], axis=1, training=self.training)
            begins = binary_neuron(y[:, last : last + 1], training=self.training)
            held = held + begins * (pitch - held)
            notes += [held, begins]
        return ops.concat(notes, axis=1), held


class Listener(nn.Module):
    """Rolls (N, voices, rows, steps) -> (N, 1): what happens in a step, in view of those around, summed over time.

    Beside the notes it is shown intervals: from a voice's last note to its next one, from voice to voice, and those
    that are kept while both voices move. So what it learns of a cadence in one key, it knows in all.
    """

    buffer_names = ("wheel", "back")

    def __init__(self, voices: int, rows: int, steps: int, channels: int, rng: np.random.Generator) -> None:
        circle = min(CIRCLE, 2 * (rows - 2) - 1)  # so many intervals there are between the pitches of a voice
        frequency = np.arange(circle // 2 + 1)
        turns = np.outer(frequency, np.arange(rows)) * (2 * np.pi / circle)
        wheel = np.concatenate([np.cos(turns), np.sin(turns)])
        wheel[:, rows - 2 :] = 0  # a rest is no pitch
        turns = np.outer(np.arange(circle), frequency) * (2 * np.pi / circle)
        share = np.where(2 * frequency % circle, 2, 1) / circle
        back = np.concatenate([np.cos(turns) * share, np.sin(turns) * share], axis=1)
        self.wheel, self.back = wheel.astype(np.float32), back.astype(np.float32)
        pairs = voices * (voices - 1) // 2
        self.now = nn.Linear(voices * rows + (voices + 2 * pairs) * circle, channels, rng=rng)
        self.place = nn.Parameter(np.zeros((steps, channels), np.float32))  # in the bar
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv1d(channels, channels, 4, stride=2, padding=1, rng=rng),
            nn.LeakyReLU(0.2),
            nn.Conv1d(channels, channels, 5, padding=2, rng=rng),
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(channels, 1, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 3, 1, 2)  # (N, steps, voices, rows)
        seen = ops.concat([ops.flatten(part, 2) for part in (x, *self.intervals(x))], axis=2) * LOUD
        return self.head(self.body((self.now(seen) + self.place).transpose(0, 2, 1)).sum(2))

    def intervals(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, steps, voices, rows) -> one-hot, modulo a circle, (N, steps, ..., circle): of each voice and of each pair
        of them; and of each pair what it keeps while both move.

        Of two one-hots the interval is their correlation, which is a product of what Fourier makes of them.
        """
        waves, half, voices = ops.linear(x, Tensor(self.wheel)), len(self.wheel) // 2, x.shape[2]
        sides = [(waves, later(waves)), *((waves[:, :, :-n], waves[:, :, n:]) for n in range(1, voices))]
        a, b = (ops.concat(side, axis=2) for side in zip(*sides, strict=True))
        cos_a, sin_a, cos_b, sin_b = a[..., :half], a[..., half:], b[..., :half], b[..., half:]
        product = ops.concat([cos_a * cos_b + sin_a * sin_b, sin_a * cos_b - cos_a * sin_b], axis=3)
        found = ops.linear(product, Tensor(self.back))
        moves, chords = found[:, :, :voices, 1:].sum(3, keepdims=True), found[:, :, voices:]
        if voices == 1:
            return found, chords
        both = ops.concat([moves[:, :, :-n] * moves[:, :, n:] for n in range(1, voices)], axis=2)
        return found, chords * later(chords) * both


def later(x: Tensor) -> Tensor:
    """(N, steps, ...) a step later: zeros first, and the last step falls off."""
    return ops.pad(x[:, :-1], [(0, 0), (1, 0), *[(0, 0)] * (x.ndim - 2)])


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
    discriminator = Listener(voices, rows, steps, channels, rng)
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
    g_lr=3e-3,
    d_lr=1.5e-3,
    betas=(0.0, 0.99),
    ema=0.995,
    batch_size=32,
    steps=2000,
    medium="music",
    open_data=open_music,
)
