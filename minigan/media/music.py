"""Music: a MIDI file, the same synthesised, and a picture of the piano rolls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import viz
from ..data.music import BAR, PITCHES, QUARTER, Piece, notes_of, read_rolls, write_midi
from ..data.sounds import write_wav
from ..errors import InputError
from ..files import write_atomically
from .medium import Medium

BEATS_A_MINUTE = 90
SAMPLE_RATE = 8000
# Of a voice each; where two sing the same note the later one is seen.
COLOURS = np.array([(214, 69, 65), (230, 160, 40), (70, 150, 90), (55, 90, 170), (140, 80, 160)], np.uint8)
PAPER, LINES = 255, 225
CELL = 3  # pixels a step and a pitch


class Music(Medium):
    """Piano rolls (N, voices, rows, steps), see ``data.Music``; the architecture has each voice's lowest pitch."""

    noun, suffix = "tunes", ".mid"

    def __init__(self, architecture: dict[str, Any]) -> None:
        super().__init__(architecture)
        self.lowest, self.span = architecture["lowest"], architecture["rows"] - 2
        if not all(isinstance(low, int) and 0 < low <= PITCHES - self.span for low in self.lowest):
            raise InputError(f"lowest = {self.lowest} must be MIDI numbers with {self.span} pitches above them")

    def pieces(self, samples: np.ndarray) -> list[Piece]:
        return [Piece(*found) for found in zip(*read_rolls(samples, self.lowest), strict=True)]

    def picture(self, samples: np.ndarray, columns: int | None = None) -> viz.Picture:
        """Time runs to the right, the pitch upwards; a colour for each voice, darker where a note begins."""
        return viz.grid(np.stack([self.drawn(piece) for piece in self.pieces(samples)]), columns)

    def one(self, sample: np.ndarray) -> viz.Picture:
        return viz.grid(self.drawn(*self.pieces(sample[None]))[None], padding=0)

    def drawn(self, piece: Piece) -> np.ndarray:
        """uint8 (3, height, width)"""
        bottom, steps = min(self.lowest), len(piece.pitch)
        canvas = np.full((3, max(self.lowest) + self.span - bottom, steps), PAPER, np.uint8)
        canvas[:, :, ::BAR] = LINES
        for voice, (pitch, onset) in enumerate(zip(piece.pitch.T, piece.onset.T, strict=True)):
            colour = COLOURS[voice % len(COLOURS)][:, None]
            for begin, end, note in notes_of(pitch, onset):
                canvas[:, note - bottom, begin:end] = colour
                canvas[:, note - bottom, begin] = colour[:, 0] // 2
        return canvas[:, ::-1].repeat(CELL, 1).repeat(CELL, 2)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        """The tunes one after the other, a bar of rest between: ``path``, a .wav beside it, and the rolls as a .png."""
        rest = np.zeros((BAR, len(self.lowest)), int)
        pieces = self.pieces(samples)
        whole = Piece(
            np.concatenate([part for piece in pieces for part in (piece.pitch, rest)]),
            np.concatenate([part for piece in pieces for part in (piece.onset, rest.astype(bool))]),
        )
        path = path.with_suffix(self.suffix)
        write_atomically(path, write_midi(whole, beats_a_minute=BEATS_A_MINUTE))
        write_atomically(path.with_suffix(".wav"), write_wav(synthesised(whole), SAMPLE_RATE))
        viz.save_png(path.with_suffix(".png"), self.picture(samples, columns))
        return [path, path.with_suffix(".wav"), path.with_suffix(".png")]


def synthesised(piece: Piece) -> np.ndarray:
    """A sound in [-1, 1]: each note a tone with a few overtones, struck and fading."""
    step = round(SAMPLE_RATE * 60 / BEATS_A_MINUTE / QUARTER)
    sound = np.zeros(len(piece.pitch) * step)
    for pitch, onset in zip(piece.pitch.T, piece.onset.T, strict=True):
        for begin, end, note in notes_of(pitch, onset):
            t = np.arange((end - begin) * step) / SAMPLE_RATE
            hertz = 440 * 2 ** ((note - 69) / 12)
            tone = sum(np.sin(2 * np.pi * hertz * k * t) / k**2 for k in (1, 2, 3, 4) if k * hertz < SAMPLE_RATE / 2)
            edge = np.minimum(1, np.minimum(t, t[::-1]) / 0.01)  # without a click
            sound[begin * step : end * step] += tone * edge * np.exp(-1.5 * t)
    return sound / max(np.abs(sound).max(), 1e-9) * 0.9
