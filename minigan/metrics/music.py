"""What four-part music is like, counted: voice by voice, and what voices do to each other.

Pieces are pitches (N, T, voices), MIDI numbers from high to low voice, 0 for a rest, and onsets of notes, of the same
shape, in steps of a sixteenth.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np

from .ngrams import jensen_shannon

BAR, BEAT = 16, 4  # steps
PERFECT = (0, 7)  # semitones: octave or unison, fifth


def notes_a_bar(pitch: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """(voices,): notes that begin, over bars."""
    return (onset.astype(bool) & (pitch > 0)).sum(axis=(0, 1)) / (pitch.shape[0] * pitch.shape[1] / BAR)


def steps_of(pitch: np.ndarray, onset: np.ndarray, voice: int = 0) -> Counter[int]:
    """How often a voice goes so many semitones from a note to the next, 0 where it repeats one."""
    found: Counter[int] = Counter()
    for line, begins in zip(pitch[:, :, voice].astype(int), onset[:, :, voice].astype(bool), strict=True):
        found.update(np.diff(line[begins & (line > 0)]).tolist())
    return found


def pitch_classes(pitch: np.ndarray, onset: np.ndarray) -> Counter[tuple[int, int]]:
    """How often each voice begins each of the twelve pitch classes: (voice, class)."""
    n, t, voice = np.nonzero(onset.astype(bool) & (pitch > 0))
    return Counter(zip(voice.tolist(), (pitch[n, t, voice] % 12).tolist(), strict=True))


def parallels_a_bar(pitch: np.ndarray, onset: np.ndarray) -> float:
    """Parallel fifths and octaves over bars: two voices that begin a note at once, are a perfect interval apart before
    and after, the same one, and have moved."""
    before, after = pitch[:, :-1].astype(int), pitch[:, 1:].astype(int)
    begins, count = onset[:, 1:].astype(bool), 0
    for a, b in combinations(range(pitch.shape[2]), 2):
        was, now = (before[..., a] - before[..., b]) % 12, (after[..., a] - after[..., b]) % 12
        sung = (before[..., [a, b]] > 0).all(-1) & (after[..., [a, b]] > 0).all(-1)
        moved = (before[..., a] != after[..., a]) & (before[..., b] != after[..., b])
        count += int((sung & moved & begins[..., a] & begins[..., b] & (was == now) & np.isin(now, PERFECT)).sum())
    return count / (pitch.shape[0] * pitch.shape[1] / BAR)


def crossings(pitch: np.ndarray) -> float:
    """The share of steps in which a voice is below the next lower one."""
    high, low = pitch[:, :, :-1].astype(int), pitch[:, :, 1:].astype(int)
    return float(((high > 0) & (low > 0) & (high < low)).any(axis=2).mean())


def chord_classes(pitch: np.ndarray) -> Counter[frozenset[int]]:
    """How often each chord stands on a beat: the set of intervals above the lowest note, modulo the octave."""
    found: Counter[frozenset[int]] = Counter()
    for chord in pitch[:, ::BEAT].reshape(-1, pitch.shape[2]).astype(int):
        sung = chord[chord > 0]
        if len(sung):
            found[frozenset(((sung - sung.min()) % 12).tolist())] += 1
    return found


def music_statistics(
    pitch: np.ndarray, onset: np.ndarray, real_pitch: np.ndarray, real_onset: np.ndarray
) -> dict[str, Any]:
    """All of the above; distributions as their Jensen-Shannon divergence from those of ``real`` music, in bits."""
    real = real_pitch, real_onset
    return {
        "notes a bar": tuple(notes_a_bar(pitch, onset).tolist()),
        "steps of the soprano": jensen_shannon(steps_of(pitch, onset), steps_of(*real)),
        "pitch classes": jensen_shannon(pitch_classes(pitch, onset), pitch_classes(*real)),
        "parallels a bar": parallels_a_bar(pitch, onset),
        "crossings": crossings(pitch),
        "chord classes": jensen_shannon(chord_classes(pitch), chord_classes(real_pitch)),
    }
