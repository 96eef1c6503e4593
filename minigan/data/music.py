"""Music: pieces of several voices, each of which sings one note at a time, as piano rolls of zeros and ones."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..sizes import size
from .drawn import Drawn
from .image_folder import files_of_kind

QUARTER = 4  # steps: a step is a sixteenth
BAR = 4 * QUARTER
REST = 0  # as a pitch
PITCHES = 128  # MIDI numbers
DRUMS = 9  # the channel whose numbers are instruments and no pitches (General MIDI)
WHERE = (
    "name a folder of MIDI files with a track for each voice, or a file that python examples/get_chorales.py writes, "
    "--data SOURCE"
)
NEEDS = 'needs mido: pip install "minigan[music]"'


class Piece(NamedTuple):
    """``pitch`` (T, voices), MIDI numbers, 0 for a rest; ``onset`` (T, voices), whether a note begins. A step is a
    sixteenth, and the first one begins a bar of 4/4. Voices go from high to low."""

    pitch: np.ndarray
    onset: np.ndarray


class Music(Drawn):
    """Piano rolls (N, voices, rows, steps) of whole bars.

    A voice's rows are its pitches, upwards from its lowest; a rest; and whether a note or a rest begins, without which
    a held note and a repeated one look the same. Just one of the rows before the last is 1 in each step.

    >>> scale = Piece(np.arange(60, 92)[:, None], np.ones((32, 1), bool))
    >>> Music([scale], name="scale")
    Music('scale', 1 pieces, 1 times 2 bars of 1 voices)

    steps    of a roll: whole bars, and one begins at each bar of a piece
    lowest   of each voice, a MIDI number, and ``span``: how many pitches up from there (default: those of the pieces; a
             voice too high for as many above its lowest has more below)
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        *,
        steps: int = 2 * BAR,
        lowest: Sequence[int] | None = None,
        span: int | None = None,
        name: str = "music",
        root: str | None = None,
    ) -> None:
        steps = size("steps", steps)
        if steps % BAR:
            raise InputError(f"{name}: steps = {steps} must be a multiple of {BAR}, a bar of sixteenths")
        if not pieces or len({piece.pitch.shape[1] for piece in pieces}) > 1:
            raise InputError(f"{name}: {len(pieces)} pieces, which must be at least one, all of as many voices")
        self.name, self.root, self.pieces, self.steps = name, root, tuple(pieces), steps
        together = np.concatenate([piece.pitch for piece in pieces]).astype(int)
        sung = [column[column > REST] for column in together.T]
        if not all(map(len, sung)):
            raise InputError(f"{name}: a voice has rests alone")
        lows = [int(low) for low in lowest or [notes.min() for notes in sung]]
        self.span = span or max(int(notes.max()) - low + 1 for notes, low in zip(sung, lows, strict=True))
        self.lowest = tuple(lows if lowest else (min(low, PITCHES - self.span) for low in lows))
        rolls = [self.rolls_of(piece) for piece in pieces]
        self.rolls = np.concatenate(rolls)
        if not len(self.rolls):
            raise InputError(f"{name}: no piece is as long as {steps // BAR} bars")

    def rolls_of(self, piece: Piece) -> np.ndarray:
        """(N, voices, rows, steps), one from each bar on where there is room."""
        starts = range(0, len(piece.pitch) - self.steps + 1, BAR)
        windows = [
            roll(piece.pitch[i : i + self.steps], piece.onset[i : i + self.steps], self.lowest, self.span)
            for i in starts
        ]
        return np.array(windows).reshape(-1, len(self.lowest), self.span + 2, self.steps)

    @property
    def settings(self) -> dict[str, Any]:
        return {"lowest": list(self.lowest), "rows": self.span + 2, "steps": self.steps, "bar": BAR}

    def __len__(self) -> int:
        return len(self.rolls)

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[np.ndarray, ...]:
        return (self.rolls[chosen].astype(dtype),)

    def split(self, every: int = 5) -> tuple[Music, Music]:
        """(to learn from, kept apart): each so-many-th piece is kept apart."""
        learned = [piece for i, piece in enumerate(self.pieces) if i % every != every - 1]
        held = [piece for i, piece in enumerate(self.pieces) if i % every == every - 1]
        if not learned or not held:
            raise InputError(f"{self.name}: of {len(self.pieces)} pieces none can be kept apart: give at least {every}")

        def like(pieces: Sequence[Piece]) -> Music:
            return Music(pieces, steps=self.steps, lowest=self.lowest, span=self.span, name=self.name, root=self.root)

        return like(learned), like(held)

    def fingerprint(self) -> str:
        return f"{zlib.crc32(self.rolls.tobytes(), zlib.crc32(repr(self.settings).encode())):08x}"

    def __repr__(self) -> str:
        bars, voices = self.steps // BAR, len(self.lowest)
        return f"Music({self.name!r}, {len(self.pieces)} pieces, {len(self)} times {bars} bars of {voices} voices)"


def roll(pitch: np.ndarray, onset: np.ndarray, lowest: Sequence[int], span: int) -> np.ndarray:
    """bool (voices, rows, steps); what sounds at the beginning, begins there."""
    row = np.where(pitch > REST, pitch.astype(int) - np.array(lowest), span)
    if row.min() < 0 or row.max() > span:
        raise InputError(f"a pitch lies outside of the {span} from {tuple(lowest)} on")
    begins = onset.astype(bool) | np.diff(row, axis=0, prepend=-1).astype(bool)
    rows = np.concatenate([np.eye(span + 1, dtype=bool)[row], begins[..., None]], axis=2)
    found: np.ndarray = rows.transpose(1, 2, 0)
    return found


def read_rolls(rolls: np.ndarray, lowest: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Rolls (N, voices, rows, steps) -> pitches (N, steps, voices), 0 for a rest, and onsets of notes, bool."""
    rolls = np.asarray(rolls)
    if rolls.ndim != 4 or rolls.shape[1] != len(lowest):
        raise InputError(f"rolls {rolls.shape} must be (N, {len(lowest)}, rows, steps)")
    row = rolls[:, :, :-1].argmax(axis=2)
    pitch = np.where(row < rolls.shape[2] - 2, row + np.array(lowest)[:, None], REST)
    begins = (rolls[:, :, -1] > 0.5) | np.diff(pitch, axis=2, prepend=-1).astype(bool)
    return pitch.transpose(0, 2, 1), (begins & (pitch > REST)).transpose(0, 2, 1)


def music(source: str | os.PathLike[str], *, steps: int = 2 * BAR) -> Music:
    """What ``chorales`` or ``midi`` reads."""
    return midi(source, steps=steps) if Path(source).is_dir() else chorales(source, steps=steps)


def chorales(path: str | os.PathLike[str], *, steps: int = 2 * BAR) -> Music:
    """The file that ``examples/get_chorales.py`` makes of the chorales in an installed music21; those in 4/4.

    Raises InputError for any other file.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} is no music: {WHERE}")
    if not zipfile.is_zipfile(path):  # NumPy would speak of pickles
        raise InputError(f"{path} does not hold chorales: {WHERE}")
    try:
        with np.load(path) as found:
            pitch, onset, offsets, meter = (found[name] for name in ("pitch", "onset", "offsets", "meter"))
        parts = [Piece(pitch[a:b], onset[a:b]) for a, b in pairwise(offsets.tolist())]
        pieces = [part for part, beats in zip(parts, meter, strict=True) if beats == "4/4"]
    except Exception as error:  # a damaged archive can raise nearly anything
        raise InputError(f"{path} does not hold chorales ({error}): {WHERE}") from None
    return Music(pieces, steps=steps, name=Path(path).name)


def midi(folder: str | os.PathLike[str], *, steps: int = 2 * BAR) -> Music:
    """The MIDI files in a folder and its sub-folders, a track or channel a voice, without drums.

    Notes are moved to the nearest sixteenth, and of several at a time in one voice the highest is kept. Left out, with
    a warning, are files that cannot be read, in other metres than 4/4, shorter than ``steps``, and of another number of
    voices than most have. Raises InputError where none is left.
    """
    root, steps = Path(folder), size("steps", steps)
    names = files_of_kind(root, (".mid", ".midi"))
    if not names:
        raise InputError(f"{folder} holds no MIDI file: {WHERE}")
    import_mido(f"{root / names[0]} {NEEDS}")
    pieces, skipped = dict[str, Piece](), dict[str, str]()
    for name in names:
        try:
            piece = read_midi(root / name)
        except InputError as error:
            skipped[name] = str(error).removeprefix(f"{root / name} ").removesuffix(": leave it out")
            continue
        if piece is None:
            skipped[name] = "has no notes, or another metre than 4/4"
        elif len(piece.pitch) < steps:
            skipped[name] = f"is shorter than {steps // BAR} bars"
        else:
            pieces[name] = piece
    counts = Counter(piece.pitch.shape[1] for piece in pieces.values())
    voices = max(counts, key=lambda count: counts[count], default=0)
    for name in [name for name, piece in pieces.items() if piece.pitch.shape[1] != voices]:
        skipped[name] = f"has {pieces.pop(name).pitch.shape[1]} voices, most have {voices}"
    if skipped:
        some = [f"{name} {reason}" for name, reason in list(skipped.items())[:3]] + ["..."] * (len(skipped) > 3)
        told = "; ".join(some)
        if not pieces:
            raise InputError(f"{folder} has no music among its {len(names)} MIDI files ({told}): {WHERE}")
        warnings.warn(f"{folder}: skipped {len(skipped)} of {len(names)} files ({told})", stacklevel=2)
    return Music(list(pieces.values()), steps=steps, name=root.resolve().name, root=str(root))


def read_midi(path: str | os.PathLike[str]) -> Piece | None:
    """The voices of a MIDI file, no drums, from high to low; None where there are none, or another metre than 4/4."""
    mido = import_mido(f"{path} {NEEDS}")
    try:
        file = mido.MidiFile(path)
    except Exception as error:  # a damaged file can raise nearly anything, errors of mido's own among it
        raise InputError(f"{path} is no MIDI file ({str(error) or 'it ends too early'}): leave it out") from None
    if file.ticks_per_beat <= 0:
        raise InputError(f"{path} counts time in frames, not in beats: leave it out")
    step = file.ticks_per_beat / QUARTER
    notes: dict[tuple[int, int], list[tuple[int, int, int]]] = {}  # of a track and channel: (begin, end, pitch)
    for track, messages in enumerate(file.tracks):
        now, sounding = 0, dict[tuple[int, int], int]()
        for message in messages:
            now += message.time
            if message.type == "time_signature" and (message.numerator, message.denominator) != (4, 4):
                return None
            if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
                continue
            key = (message.channel, message.note)
            if key in sounding:
                begin, end = round(sounding.pop(key) / step), round(now / step)
                notes.setdefault((track, message.channel), []).append((begin, max(end, begin + 1), message.note))
            if message.type == "note_on" and message.velocity:
                sounding[key] = now
    if not notes:
        return None
    voices = sorted(notes.values(), key=lambda voice: -np.mean([pitch for _, _, pitch in voice]))
    length = -(-max(end for voice in voices for _, end, _ in voice) // BAR) * BAR
    pitch, onset = np.zeros((length, len(voices)), np.uint8), np.zeros((length, len(voices)), bool)
    for number, voice in enumerate(voices):
        for begin, end, note in sorted(voice, key=lambda found: (found[2], found[0])):  # a higher one covers others
            pitch[begin:end, number], onset[begin:end, number] = note, np.arange(end - begin) == 0
    return Piece(pitch, onset)


def write_midi(piece: Piece, *, beats_a_minute: float = 90) -> bytes:
    """A MIDI file with a track for each voice."""
    mido = import_mido(f"a .mid file {NEEDS}")
    file = mido.MidiFile(ticks_per_beat=480)
    for number, (pitch, onset) in enumerate(zip(piece.pitch.T, piece.onset.T, strict=True)):
        track = mido.MidiTrack()
        if not number:
            track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(beats_a_minute)))
            track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
        file.tracks.append(track)
        channel, now = number % 9, 0  # the tenth is the drums'
        for begin, end, note in notes_of(pitch, onset):
            for kind, at, velocity in (("note_on", begin, 80), ("note_off", end, 0)):
                ticks = at * 480 // QUARTER
                track.append(mido.Message(kind, note=note, velocity=velocity, channel=channel, time=ticks - now))
                now = ticks
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def notes_of(pitch: np.ndarray, onset: np.ndarray) -> list[tuple[int, int, int]]:
    """(begin, end, pitch) of each note of a voice: pitches (T,), onsets (T,).

    >>> notes_of(np.array([60, 60, 60, 0, 62]), np.array([1, 0, 1, 0, 1]))
    [(0, 2, 60), (2, 3, 60), (4, 5, 62)]
    """
    begins = np.flatnonzero(onset.astype(bool) | np.diff(pitch.astype(int), prepend=-1).astype(bool))
    ends = [*begins[1:], len(pitch)]
    return [(int(a), int(b), int(pitch[a])) for a, b in zip(begins, ends, strict=True) if pitch[a] > REST]


def import_mido(message: str) -> Any:
    try:
        import mido
    except ImportError:
        raise InputError(message) from None
    return mido
