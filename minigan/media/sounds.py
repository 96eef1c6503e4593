"""Sounds: one WAV file of them all, and their spectrograms beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import viz
from ..data.sounds import write_wav
from ..data.spectrogram import Spectrogram
from ..errors import InputError
from ..files import write_atomically
from ..sizes import size
from .medium import Medium

PAUSE = 0.15  # seconds of silence between two sounds
ENLARGED = 3  # pixels a side of a spectrogram's cell
# Black, violet, orange, white: as a fire's light grows, and told apart in grey too.
COLOURS = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float)


class Sounds(Medium):
    """What every sound has, however its generator made it: it is heard, and seen as a spectrogram."""

    noun, suffix = "sounds", ".wav"

    @property
    def sample_rate(self) -> int:
        raise NotImplementedError(f"{type(self).__name__}.sample_rate")

    def waves(self, samples: np.ndarray) -> np.ndarray:
        """Samples of the generator -> sounds (N, samples) in [-1, 1]"""
        raise NotImplementedError(f"{type(self).__name__}.waves")

    def spectrograms(self, samples: np.ndarray) -> np.ndarray:
        """Samples of the generator -> pictures (N, 1, bands, frames) in [-1, 1]"""
        raise NotImplementedError(f"{type(self).__name__}.spectrograms")

    def picture(self, samples: np.ndarray, columns: int | None = None) -> viz.Picture:
        """Time runs to the right, the pitch upwards; what is louder is brighter."""
        return viz.grid(coloured(self.spectrograms(samples)), columns)

    def one(self, sample: np.ndarray) -> viz.Picture:
        return viz.grid(coloured(self.spectrograms(sample[None])), padding=0)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        """The sounds one after the other as ``path``, their spectrograms as a .png beside it."""
        path = path.with_suffix(self.suffix)
        row = np.pad(self.waves(samples), ((0, 0), (0, round(PAUSE * self.sample_rate)))).ravel()
        write_atomically(path, write_wav(row, self.sample_rate))
        viz.save_png(path.with_suffix(".png"), self.picture(samples, columns))
        return [path, path.with_suffix(".png")]


class Spectrograms(Sounds):
    """Log spectrograms (N, 1, bands, frames) in [-1, 1], heard by Griffin-Lim. The architecture has the scale under
    "spectrogram", see ``data.Spectrogram``."""

    def __init__(self, architecture: dict[str, Any]) -> None:
        super().__init__(architecture)
        if "spectrogram" not in architecture:
            raise InputError("this model's file does not tell its spectrograms' scale: train it on data.spectrograms")
        self.scale = Spectrogram.from_settings(architecture["spectrogram"])

    @property
    def sample_rate(self) -> int:
        return self.scale.sample_rate

    def waves(self, samples: np.ndarray) -> np.ndarray:
        return self.scale.waves(samples)

    def spectrograms(self, samples: np.ndarray) -> np.ndarray:
        return samples


class Waves(Sounds):
    """Sounds (N, 1, samples) in [-1, 1]"""

    @property
    def sample_rate(self) -> int:
        return size("sample_rate", self.architecture.get("sample_rate", 8000))

    def waves(self, samples: np.ndarray) -> np.ndarray:
        if samples.ndim != 3 or samples.shape[1] != 1:
            raise InputError(f"sounds {samples.shape} must be (N, 1, samples)")
        return np.nan_to_num(samples[:, 0])

    def spectrograms(self, samples: np.ndarray) -> np.ndarray:
        waves = self.waves(samples)
        return Spectrogram.plain(self.sample_rate, waves.shape[1]).pictures(waves)


def coloured(pictures: np.ndarray) -> np.ndarray:
    """Spectrograms (N, 1, bands, frames) in [-1, 1] -> uint8 (N, 3, height, width), enlarged."""
    places = np.linspace(-1, 1, len(COLOURS))
    grey = np.clip(np.nan_to_num(pictures[:, 0], nan=-1.0), -1, 1)
    colours = np.stack([np.interp(grey, places, channel) for channel in COLOURS.T], axis=1)
    return np.rint(colours).astype(np.uint8).repeat(ENLARGED, 2).repeat(ENLARGED, 3)
