"""A folder of WAV files as data: one channel, one sample rate, silence trimmed off, equally loud, all of one length."""

from __future__ import annotations

import io
import math
import os
import re
import struct
import warnings
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..sizes import size
from .drawn import Arrays
from .image_folder import _labels, files_of_kind

UNIT = 256  # a sound's length in samples is a multiple of it, so that networks can divide it by 4 four times
STEP = 0.16  # seconds: a length that is chosen by the data is a multiple of it
PEAK = 0.95  # the largest sample of a sound
FASTEST = 1_000_000  # Hz: what tells of a higher sample rate is damaged
SILENCE = 0.01  # -40 dB: parts this much quieter than the loudest are none, at the ends
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # how a WAV file has its numbers; the last: it says so further behind
TAKE = re.compile(r"(?P<label>[^_]+)_[^_]+_\d+", re.ASCII)  # 7_jackson_0: what is said, by whom, which take

WHERE = (
    "give a folder of WAV files, --data DIR. Spoken digits are in the Free Spoken Digit Dataset (CC BY-SA 4.0): "
    "git clone https://github.com/Jakobovski/free-spoken-digit-dataset, "
    "then --data free-spoken-digit-dataset/recordings"
)


class Sounds(Arrays):
    """Sounds of one length: ``items`` float32 (N, 1, samples) in [-1, 1], what is shorter ends in silence.

    ``names`` are their files, ``skipped`` a (name, reason) for each file that was left out, ``cut`` how many were
    longer. Made by ``audio``.
    """

    def __init__(
        self,
        items: np.ndarray,
        labels: np.ndarray | None = None,
        classes: Sequence[str] = (),
        *,
        sample_rate: int,
        names: Sequence[str],
        name: str = "sounds",
        root: str | None = None,
        skipped: Sequence[tuple[str, str]] = (),
        cut: int = 0,
    ) -> None:
        settings = {"sample_rate": int(sample_rate), "samples": items.shape[2]}
        super().__init__(items, labels, classes, name=name, root=root, settings=settings)
        self.names, self.skipped, self.cut, self.sample_rate = tuple(names), tuple(skipped), cut, int(sample_rate)

    def only(self, names: Sequence[str]) -> Sounds:
        """Those of these names; labels keep their meaning."""
        wanted = set(names)
        chosen = np.array([name in wanted for name in self.names], bool)
        return Sounds(
            self.items[chosen],
            None if self.labels is None else self.labels[chosen],
            self.classes,
            sample_rate=self.sample_rate,
            names=[name for name in self.names if name in wanted],
            name=self.name,
            root=self.root,
        )

    def __repr__(self) -> str:
        classes = "no labels" if self.labels is None else f"{len(self.classes)} classes"
        seconds = self.items.shape[2] / self.sample_rate
        told = "".join(f", {n} {what}" for n, what in ((self.cut, "cut"), (len(self.skipped), "skipped")) if n)
        return f"Sounds({self.name!r}, {len(self)} of {seconds:.3g} s at {self.sample_rate} Hz, {classes}{told})"


def audio(path: str | os.PathLike[str], *, sample_rate: int = 8000, seconds: float | None = None) -> Sounds:
    """Every WAV file under ``path``, ordered by relative path.

    Channels are averaged, other sample rates resampled (by scipy), silence at both ends is trimmed off, and each sound
    is scaled to a peak of 0.95. All are brought to ``seconds``, rounded up to a multiple of 256 samples: shorter ones
    end in silence, longer ones are cut. By default that is as long as nine of ten are, rounded up to 0.16 s.

    When every file lies in a subfolder, the immediate subfolders are the classes. When they lie at the top and are all
    named as those of the Free Spoken Digit Dataset, ``7_jackson_0.wav`` (what, who, which take), what is said is the
    class. Else there are no labels. A file that is no readable sound is left out, with a warning.

    Raises InputError for a folder that is missing or has no readable sound, and where scipy is needed and missing.
    """
    folder, sample_rate = Path(path), size("audio: sample_rate", sample_rate)
    if seconds is not None and not 0 < seconds < math.inf:
        raise InputError(f"audio: seconds = {seconds} must be above 0, and finite")
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}, expected a folder of WAV files: check the path")
    names = files_of_kind(folder, (".wav",))
    if not names:
        raise InputError(f"{folder} holds no WAV file: check the path, or convert what it holds to .wav")
    sounds, skipped = dict[str, np.ndarray](), list[tuple[str, str]]()
    for name in names:
        try:
            heard, rate = read_wav(folder / name)
        except (OSError, ValueError) as error:
            skipped.append((name, str(error)))
            continue
        sound = trimmed(resampled(heard, rate, sample_rate), sample_rate)
        if len(sound):
            sounds[name] = sound * np.float32(PEAK / np.abs(sound).max())
        else:
            skipped.append((name, "silence"))
    if skipped:
        first = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3]) + ("; ..." if len(skipped) > 3 else "")
        if not sounds:
            raise InputError(f"{folder} has no readable sound among its {len(names)} WAV files ({first})")
        warnings.warn(f"{folder}: skipped {len(skipped)} of {len(names)} files ({first})", stacklevel=2)
    if seconds is None:
        seconds = STEP * math.ceil(np.quantile([len(sound) for sound in sounds.values()], 0.9) / sample_rate / STEP)
    samples = UNIT * math.ceil(round(seconds * sample_rate) / UNIT)
    items = np.stack([fitted(sound, samples, sample_rate) for sound in sounds.values()])[:, None]
    labels, classes = labels_of(list(sounds))
    return Sounds(
        items,
        labels,
        classes,
        sample_rate=sample_rate,
        names=list(sounds),
        name=folder.resolve().name,
        root=str(folder),
        skipped=skipped,
        cut=sum(len(sound) > samples for sound in sounds.values()),
    )


def labels_of(names: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """By folder, or by what is said where all names tell it."""
    takes = [TAKE.fullmatch(Path(name).stem) for name in names if "/" not in name]
    if len(takes) == len(names) and all(takes):
        return _labels([f"{take['label']}/" for take in takes if take])
    return _labels(names)


# ---- one sound ---------------------------------------------------------------------------------------------------


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """A file of whole numbers (PCM) of 8 to 32 bits, or of floating-point ones, as float32 (samples,) of full scale 1,
    and its sample rate. Of a file that is cut short it is what there is. Raises ValueError for any other."""
    chunks = riff_chunks(path.read_bytes())
    head, content = chunks.get(b"fmt ", b""), chunks.get(b"data")
    if len(head) < 16 or content is None:
        raise ValueError("no WAV file, or its head is damaged")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", head)
    if kind == EXTENSIBLE and len(head) >= 26:
        (kind,) = struct.unpack_from("<H", head, 24)
    if kind not in (PCM, FLOAT):
        raise ValueError(f"compressed, in format {kind}: save it as PCM")
    width = (bits + 7) // 8
    if width not in ((1, 2, 3, 4) if kind == PCM else (4, 8)) or not channels or not 0 < rate <= FASTEST:
        raise ValueError(f"{channels} channels of {bits} bits at {rate} Hz")
    content = content[: len(content) // (channels * width) * channels * width]
    if kind == FLOAT:
        numbers = np.frombuffer(content, f"<f{width}").astype(np.float64)
        if not (np.abs(numbers) <= 2.0**31).all():  # some programs leave whole numbers as they are
            raise ValueError("some of its numbers are NaN, or far too large")
    elif width == 1:
        numbers = np.frombuffer(content, np.uint8) / 128 - 1
    else:  # little-endian: moved to the upper end of 32 bits
        wide = np.zeros((len(content) // width, 4), np.uint8)
        wide[:, 4 - width :] = np.frombuffer(content, np.uint8).reshape(-1, width)
        numbers = wide.view("<i4")[:, 0] / 2.0**31
    return numbers.reshape(-1, channels).mean(axis=1).astype(np.float32), rate


def riff_chunks(content: bytes) -> dict[bytes, bytes]:
    """The parts of a WAV file by name, up to the sound. The standard library's ``wave`` reads whole numbers only, and
    before Python 3.12 not those of more than 16 bits as most programs write them."""
    chunks, at = dict[bytes, bytes](), 12
    while content[:4] == b"RIFF" and content[8:12] == b"WAVE" and at + 8 <= len(content) and b"data" not in chunks:
        name, length = struct.unpack_from("<4sI", content, at)
        chunks[name] = content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return chunks


def resampled(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """As it would have been recorded at another sample rate."""
    if rate == wanted or not len(sound):
        return sound
    try:
        from scipy.signal import resample_poly
    except ImportError:
        raise InputError(
            f'sounds of {rate} Hz are to be brought to {wanted} Hz, which needs scipy: pip install "minigan[audio]"'
        ) from None
    common = math.gcd(rate, wanted)
    return np.asarray(resample_poly(sound, wanted // common, rate // common), np.float32)


def trimmed(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """Without the silence at both ends: parts of 10 ms that are 40 dB below the loudest. Of silence nothing is left."""
    part = max(1, sample_rate // 100)
    parts = np.pad(sound, (0, -len(sound) % part)).reshape(-1, part)
    loudness = np.sqrt((parts.astype(np.float64) ** 2).mean(axis=1))
    heard = np.flatnonzero(loudness > SILENCE * loudness.max(initial=0))
    return sound[heard[0] * part : (heard[-1] + 1) * part] if len(heard) else sound[:0]


def fitted(sound: np.ndarray, samples: int, sample_rate: int) -> np.ndarray:
    """Of a length: silence after it, or cut, with 10 ms in which it fades, so that there is no click."""
    whole = np.zeros(samples, np.float32)
    kept = sound[:samples]
    whole[: len(kept)] = kept
    if len(sound) > samples:
        fade = min(samples, max(1, sample_rate // 100))
        whole[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return whole


def write_wav(sound: np.ndarray, sample_rate: int) -> bytes:
    """A sound (samples,) in [-1, 1] as a WAV file of 16 bits; what is louder is clipped."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.rint(np.clip(np.nan_to_num(sound), -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
