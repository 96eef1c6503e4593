"""Sounds as pictures and back: log spectrograms on the mel scale, and Griffin-Lim, which finds the phase they lack.

A spectrogram tells how loud each pitch is at each time. Ears do not hear phase, so that is all of a sound that matters
to them; but to be played, a picture that says nothing of it must be given one. Any will not do: frames overlap, and
neighbours must agree on what they share. Griffin and Lim 1984 make them agree, by turns: the loudness that is wanted,
with the phases that a real sound has.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..sizes import size
from .drawn import Arrays
from .sounds import PEAK, Sounds

QUIETEST = 1e-3  # -60 dB of a full-scale sine: what is below it is silence
DEVIATIONS = 3.0  # a band's mean plus and minus so many of its standard deviations are 1 and -1 (Donahue et al. 2019)
LEAST = 0.1  # of a deviation: what is always about as loud is not magnified
FRAME = 0.02  # seconds from one frame to the next


@dataclass(frozen=True)
class Spectrogram:
    """How sounds are drawn as pictures, and heard again.

    Windows of ``window`` samples (Hann), one each ``hop``; the magnitudes of their Fourier transform are summed into
    ``bands`` triangular bands, evenly spaced on the mel scale, by which equal steps sound equal. Of the logarithm each
    band's ``mean`` becomes 0 and ``mean`` +- 3 ``deviation`` become +-1; what is beyond is clipped. The highest band is
    the top row.
    """

    sample_rate: int
    samples: int
    hop: int
    window: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("sample_rate", "samples", "hop", "window"):
            size(f"spectrogram: {name}", getattr(self, name))
        known = all(isinstance(v, int | float) and math.isfinite(v) for v in (*self.mean, *self.deviation))
        if not known or not self.mean or len(self.mean) != len(self.deviation) or min(self.deviation) <= 0:
            raise InputError(
                "spectrogram: mean and deviation must be finite numbers, one for each band, no deviation 0"
            )
        if self.window < self.hop:
            raise InputError(f"spectrogram: windows of {self.window} samples, one each {self.hop}, leave some out")

    @classmethod
    def from_settings(cls, settings: Any) -> Spectrogram:
        """That of ``settings``, as a model's file has them."""
        try:
            plain: Any = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
            return cls(**plain)
        except (TypeError, AttributeError) as error:
            raise InputError(f"spectrogram: {settings!r} are not its settings ({error})") from None

    @classmethod
    def of(cls, sounds: Sounds, bands: int = 32) -> Spectrogram:
        """The scale of these sounds."""
        plain = cls.plain(sounds.sample_rate, sounds.items.shape[2], bands)
        loudness = plain.loudness(sounds.items[:, 0])
        mean, deviation = loudness.mean(axis=(0, 2)), loudness.std(axis=(0, 2))
        return replace(plain, mean=rounded(mean), deviation=rounded(np.maximum(deviation, LEAST)))

    @classmethod
    def plain(cls, sample_rate: int, samples: int, bands: int = 32) -> Spectrogram:
        """Frames of 20 ms and windows of 64 ms; all bands from -60 dB at -1 to 0 dB at 1."""
        hop = max(1, round(FRAME * sample_rate))
        window, middle = 2 ** round(math.log2(3.2 * hop)), math.log10(QUIETEST) / 2
        wide = (size("bands", bands) * (middle,), bands * (-middle / DEVIATIONS,))
        return cls(sample_rate, samples, hop, window, *wide)

    @property
    def bands(self) -> int:
        return len(self.mean)

    @property
    def frames(self) -> int:
        return -(-self.samples // self.hop)

    @property
    def settings(self) -> dict[str, Any]:
        """For a model's file, see ``from_settings``."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def loudness(self, waves: np.ndarray) -> np.ndarray:
        """log10 of the bands' magnitudes: (N, samples) -> (N, bands, frames), the lowest band first."""
        found = [self.filters @ np.abs(stft(part, self.window, self.hop)) for part in in_parts(waves)]
        return np.asarray(np.log10(np.maximum(np.concatenate(found), QUIETEST)))

    def pictures(self, waves: np.ndarray) -> np.ndarray:
        """Sounds (N, samples) in [-1, 1] -> pictures float32 (N, 1, bands, frames) in [-1, 1]"""
        if waves.ndim != 2 or waves.shape[1] != self.samples:
            raise InputError(f"spectrogram: sounds {waves.shape} must be (N, {self.samples})")
        mean, deviation = (np.array(values)[:, None] for values in (self.mean, self.deviation))
        scaled = (self.loudness(waves) - mean) / (DEVIATIONS * deviation)
        return np.asarray(np.clip(scaled, -1, 1)[:, None, ::-1], np.float32)

    def waves(self, pictures: np.ndarray, iterations: int = 32) -> np.ndarray:
        """Pictures (N, 1, bands, frames) -> sounds float32 (N, samples) that look so, with a peak of 0.95."""
        if pictures.ndim != 4 or pictures.shape[1:] != (1, self.bands, self.frames):
            raise InputError(f"spectrogram: pictures {pictures.shape} must be (N, 1, {self.bands}, {self.frames})")
        mean, deviation = (np.array(values, np.float32)[:, None] for values in (self.mean, self.deviation))
        scaled = np.clip(np.nan_to_num(pictures[:, 0, ::-1].astype(np.float32), nan=-1.0), -1, 1)
        bands = 10 ** (scaled * np.float32(DEVIATIONS) * deviation + mean)
        filters, heard = self.filters.astype(np.float32), []
        for part in in_parts(bands):
            heard.append(griffin_lim(spread(part, filters), self.window, self.hop, self.samples, iterations))
        waves: np.ndarray = np.concatenate(heard)
        waves *= np.float32(PEAK) / np.maximum(np.abs(waves).max(axis=1, keepdims=True), np.float32(1e-6))
        return waves

    @property
    def filters(self) -> np.ndarray:
        return mel_filters(self.bands, self.window, self.sample_rate)


def spectrograms(sounds: Sounds, bands: int = 32, *, like: Spectrogram | None = None) -> Arrays:
    """Log spectrograms of sounds, (N, 1, bands, frames) in [-1, 1], drawn by their own scale or ``like`` others'."""
    drawn = Spectrogram.of(sounds, bands) if like is None else like
    return Arrays(
        drawn.pictures(sounds.items[:, 0]),
        sounds.labels,
        sounds.classes,
        name=sounds.name,
        root=sounds.root,
        settings={"image_size": [drawn.bands, drawn.frames], "spectrogram": drawn.settings},
    )


def in_parts(arrays: np.ndarray) -> list[np.ndarray]:
    """A few at a time, so that what is computed of them stays in the cache."""
    return np.array_split(arrays, -(-len(arrays) // 8))


def rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


# ---- from sound to spectrum and back -----------------------------------------------------------------------------


def stft(waves: np.ndarray, window: int, hop: int) -> np.ndarray:
    """The Fourier transform of overlapping windows: (N, samples) -> complex (N, window // 2 + 1, frames).

    Frame t is centred on the middle of samples t * hop to (t + 1) * hop; a full-scale sine has a magnitude of 1.
    """
    frames = -(-waves.shape[1] // hop)
    before = (window - hop) // 2
    padded = np.pad(waves, ((0, 0), (before, (frames - 1) * hop + window - before - waves.shape[1])))
    cut = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, ::hop]
    shape = hann(window).astype(waves.dtype)
    found: np.ndarray = np.fft.rfft(cut * (shape * (2 / shape.sum())), axis=2).transpose(0, 2, 1)
    return found


def istft(spectrum: np.ndarray, window: int, hop: int, samples: int) -> np.ndarray:
    """The sound whose ``stft`` is nearest to a spectrum, by least squares: windows are added where they overlap.

    (N, window // 2 + 1, frames) -> (N, samples)
    """
    count, _, frames = spectrum.shape
    shape, before = hann(window).astype(spectrum.real.dtype), (window - hop) // 2
    parts = np.fft.irfft(spectrum.transpose(0, 2, 1), window, axis=2) * (shape * (shape.sum() / 2))
    added = np.zeros((count, (frames - 1) * hop + window), shape.dtype)
    weight = np.zeros(added.shape[1], shape.dtype)
    for t in range(frames):
        place = slice(t * hop, t * hop + window)
        added[:, place] += parts[:, t]
        weight[place] += shape**2
    added /= np.maximum(weight, shape.dtype.type(1e-8))
    return added[:, before : before + samples]


def griffin_lim(
    magnitude: np.ndarray, window: int, hop: int, samples: int, iterations: int = 32, momentum: float = 0.99
) -> np.ndarray:
    """A sound with these magnitudes: (N, window // 2 + 1, frames) -> (N, samples).

    By turns the nearest sound is taken and its phases kept, from random ones on (Griffin & Lim 1984, with the momentum
    of Perraudin, Balazs & Sondergaard 2013). The random phases are always the same.
    """
    rng = np.random.default_rng(0)
    phase = np.exp(2j * np.pi * rng.random(magnitude.shape[1:])).astype(np.result_type(magnitude, np.complex64))
    before: Any = 0
    for _ in range(iterations):
        found = stft(istft(magnitude * phase, window, hop, samples), window, hop)
        ahead = found + momentum * (found - before)
        phase, before = ahead / np.maximum(np.abs(ahead), 1e-12), found
    return istft(magnitude * phase, window, hop, samples)


def hann(window: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


# ---- the mel scale -----------------------------------------------------------------------------------------------


def mel_filters(bands: int, window: int, sample_rate: int) -> np.ndarray:
    """Triangles of height 1 over the frequencies of ``stft``, (bands, window // 2 + 1), each from its lower to its
    upper neighbour's centre; mel(f) = 2595 log10(1 + f / 700)."""
    top = 2595 * math.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    frequencies = np.arange(window // 2 + 1) * (sample_rate / window)
    low, centre, high = (edges[i : i + bands, None] for i in range(3))
    filters = np.minimum((frequencies - low) / (centre - low), (high - frequencies) / (high - centre))
    return np.asarray(np.maximum(filters, 0))


def spread(bands: np.ndarray, filters: np.ndarray, iterations: int = 50) -> np.ndarray:
    """Magnitudes of all frequencies, none negative, whose bands are nearest to the wanted: the way back from
    ``filters @ magnitudes``, (N, bands, frames) -> (N, frequencies, frames).

    By the multiplicative updates of Lee & Seung 2001 for least squares.
    """
    back = filters.T @ bands
    found: np.ndarray = back / np.maximum(filters.T @ filters.sum(axis=1, keepdims=True), 1e-12)
    for _ in range(iterations):
        found *= back / np.maximum(filters.T @ (filters @ found), 1e-12)
    return found
