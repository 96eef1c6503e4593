"""Sounds: one WAV file of them all, and their spectrograms beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import viz
from ..data.audio import Sounds, write_wav
from ..data.spectrogram import Spectrogram, scale_of
from ..errors import InputError
from ..files import write_atomically
from .medium import Medium

PAUSE = 0.15  # seconds of silence between two sounds
ENLARGED = 3  # pixels a side of a spectrogram's cell
# Black, violet, orange, white: as a fire's light grows, and told apart in grey too.
COLOURS = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float)


class Spectrograms(Medium):
    """Log spectrograms (N, 1, bands, frames) in [-1, 1], heard by Griffin-Lim. The architecture has the ``spectrogram``
    scale, see ``data.Spectrogram``."""

    noun, suffix = "sounds", ".wav"

    def picture(self, samples: np.ndarray, columns: int | None = None) -> viz.Picture:
        """Time runs to the right, the pitch upwards."""
        return coloured(samples, columns)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        return save(path, self.waves(samples), self.sample_rate, self.picture(samples, columns))

    @property
    def sample_rate(self) -> int:
        return self.scale.sample_rate

    @property
    def scale(self) -> Spectrogram:
        return scale_of(self.architecture["spectrogram"])

    def waves(self, samples: np.ndarray) -> np.ndarray:
        """(N, 1, bands, frames) -> sounds (N, samples) in [-1, 1]"""
        return self.scale.waves(samples)


class Waves(Medium):
    """Sounds (N, 1, samples) in [-1, 1]; drawn as the spectrograms that they have."""

    noun, suffix = "sounds", ".wav"

    def picture(self, samples: np.ndarray, columns: int | None = None) -> viz.Picture:
        waves = np.nan_to_num(self.waves(samples))
        sounds = Sounds(waves[:, None], sample_rate=self.sample_rate, names=[str(n) for n in range(len(waves))])
        return coloured(Spectrogram.of(sounds).pictures(waves), columns)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        return save(path, self.waves(samples), self.sample_rate, self.picture(samples, columns))

    @property
    def sample_rate(self) -> int:
        return int(self.architecture["sample_rate"])

    def waves(self, samples: np.ndarray) -> np.ndarray:
        if samples.ndim != 3 or samples.shape[1] != 1:
            raise InputError(f"sounds {samples.shape} must be (N, 1, samples)")
        return samples[:, 0]


def save(path: Path, waves: np.ndarray, sample_rate: int, picture: viz.Picture) -> list[Path]:
    """The sounds one after the other as ``path``, their spectrograms as a .png beside it."""
    path = path.with_suffix(".wav")
    write_atomically(path, write_wav(in_a_row(waves, sample_rate), sample_rate))
    beside = path.with_suffix(".png")
    viz.save_png(beside, picture)
    return [path, beside]


def in_a_row(waves: np.ndarray, sample_rate: int) -> np.ndarray:
    """Sounds (N, samples) one after the other, with a pause between."""
    return np.pad(waves, ((0, 0), (0, round(PAUSE * sample_rate)))).ravel()


def coloured(pictures: np.ndarray, columns: int | None = None) -> viz.Picture:
    """Spectrograms (N, 1, bands, frames) in [-1, 1] as one picture, the louder the brighter."""
    places = np.linspace(-1, 1, len(COLOURS))
    grey = np.clip(np.nan_to_num(pictures[:, 0], nan=-1.0), -1, 1)
    colours = np.stack([np.interp(grey, places, channel) for channel in COLOURS.T], axis=1)
    large = np.rint(colours).astype(np.uint8).repeat(ENLARGED, 2).repeat(ENLARGED, 3)
    return viz.grid(large, columns)

