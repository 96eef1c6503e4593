"""A folder of small WAV files: hums of two pitches, as recordings of two words by two speakers."""

import wave

import numpy as np

PITCHES = {"low": 300.0, "high": 1500.0}
SECONDS = 0.2


def hum(pitch, sample_rate=8000, seconds=SECONDS, loudness=0.5, breath=0.0):
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    noise = breath * np.random.default_rng(0).standard_normal(len(t))
    return loudness * (np.sin(2 * np.pi * pitch * t) + noise) * np.hanning(len(t)) ** 0.25


def write(path, sound, sample_rate=8000, width=2, channels=1):
    """A sound (samples,) or (samples, channels) in [-1, 1]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.rint(np.asarray(sound) * (2.0 ** (8 * width - 1) - 1)).astype(np.int64)
    content = (numbers + 128).astype(np.uint8).tobytes() if width == 1 else numbers.astype("<i8").tobytes()
    if width > 1:
        content = np.frombuffer(content, np.uint8).reshape(-1, 8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(sample_rate)
        file.writeframes(content)


def folder_of(path, takes=5):
    """``takes`` of each word and speaker, named low_ann_0.wav."""
    rng = np.random.default_rng(0)
    for word, pitch in PITCHES.items():
        for who in ("ann", "bob"):
            for take in range(takes):
                write(path / f"{word}_{who}_{take}.wav", hum(pitch * rng.uniform(0.9, 1.1), breath=0.02))
    return path


def read(path):
    """What the wave module finds: int16 samples, and the sample rate."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
