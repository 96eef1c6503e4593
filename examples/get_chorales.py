"""Bach's four-part chorales out of an installed music21, as pitches in sixteenths.

    pip install music21
    python examples/get_chorales.py chorales.npz       # minutes: music21 reads several hundred scores

The file holds, one chorale after the other, ``pitch`` (T, 4), MIDI numbers of soprano, alto, tenor and bass, 0 for a
rest; ``onset`` (T, 4), where a note begins; ``offsets``, where each chorale begins and the last one ends; its ``name``
and ``meter``. Each begins with a bar, an upbeat after rests. Left out are scores of other than four parts, of changing
metre, of notes that are no sixteenths, and those whose voices are crossed in the mean.

The corpus is distributed with music21 by permission of its encoders (see its corpus/license.txt): that is why it is not
bundled here.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minigan.cli import user_errors
from minigan.commands.arguments import positive
from minigan.errors import InputError
from minigan.files import write_atomically

QUARTER = 4  # steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="FILE", help="what to write, such as chorales.npz")
    parser.add_argument("--limit", type=positive, metavar="N", help="look at the first N scores only")
    return user_errors(run, parser.parse_args())


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    if args.out.suffix != ".npz":
        raise InputError(f"{args.out}: what is written is an .npz file, name it so")
    try:
        from music21 import corpus
    except ImportError:
        raise InputError('get_chorales.py needs music21: pip install "minigan[music]"') from None
    found: dict[str, tuple[np.ndarray, np.ndarray, str]] = {}
    paths = sorted(corpus.getComposer("bach"), key=str)[: args.limit]
    for path in tqdm(paths, unit="score", dynamic_ncols=True):
        chorale = read(corpus.parse(path))
        if chorale is not None:
            found[Path(path).stem] = chorale
    if not found:
        raise InputError(f"none of {len(paths)} scores is a chorale in four parts")
    lengths = [len(pitch) for pitch, _, _ in found.values()]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        pitch=np.concatenate([pitch for pitch, _, _ in found.values()]),
        onset=np.concatenate([onset for _, onset, _ in found.values()]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        meter=np.array([meter for _, _, meter in found.values()]),
        name=np.array(list(found)),
    )
    write_atomically(args.out, buffer.getvalue())
    print(f"{len(found)} of {len(paths)} scores in {args.out}, {sum(lengths) // (4 * QUARTER)} bars")


def read(score: Any) -> tuple[np.ndarray, np.ndarray, str] | None:
    """(pitch, onset, metre) of a music21 score; None where it is to be left out."""
    parts = list(score.parts)
    meters = {signature.ratioString for signature in score.recurse().getElementsByClass("TimeSignature")}
    if len(parts) != 4 or len(meters) != 1:
        return None
    bars = list(parts[0].getElementsByClass("Measure"))
    upbeat = steps(bars[0].paddingLeft) if bars else None
    bar = steps(bars[0].barDuration.quarterLength) if bars else None
    if upbeat is None or not bar:
        return None
    length = -(-(upbeat + round(score.highestTime * QUARTER)) // bar) * bar
    pitch, onset = np.zeros((length, 4), np.uint8), np.zeros((length, 4), np.uint8)
    for voice, part in enumerate(parts):
        for note in part.stripTies().flatten().notes:
            begin, lasts = steps(note.offset), steps(note.quarterLength)
            if begin is None or lasts is None:
                return None
            if lasts:  # not a grace note
                pitch[upbeat + begin : upbeat + begin + lasts, voice] = max(p.midi for p in note.pitches)
                onset[upbeat + begin, voice] = 1
    sung = np.where(pitch > 0, pitch, np.nan)
    if not (pitch > 0).any(axis=0).all() or not (np.diff(np.nanmean(sung, axis=0)) < 0).all():
        return None
    return pitch, onset, meters.pop()


def steps(quarters: float) -> int | None:
    """Sixteenths; None where it is no whole number of them."""
    found = quarters * QUARTER
    return round(found) if abs(found - round(found)) < 1e-6 else None


if __name__ == "__main__":
    sys.exit(main())
