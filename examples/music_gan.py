"""A GAN composes: two bars for four voices, after Bach's chorales or a folder of MIDI files of your own.

    pip install music21 mido
    python examples/get_chorales.py chorales.npz              # of those that music21 brings along
    python examples/music_gan.py --data chorales.npz
    python examples/music_gan.py --data folder-of-midi-files  # in 4/4, a track or channel for each voice

Each fifth piece is kept apart. At the end the music is judged beside those: voice by voice, and by what voices do to
each other. Baselines are bars whose voices come of different pieces, and a Markov chain for each voice, which knows its
last two notes. In the folder of the run final.mid has 64 tunes, final.wav is to be heard, final.png to be seen, and
judged.md has the table.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from minigan import data, gan, metrics
from minigan.cli import user_errors
from minigan.commands.arguments import fixed_by, positive
from minigan.commands.example import add_usual, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.data.music import WHERE, notes_of
from minigan.errors import InputError
from minigan.files import write_atomically
from minigan.media import medium_of
from minigan.optim import LinearDecay
from minigan.runs import Latents, Run

Pieces = tuple[np.ndarray, np.ndarray]  # pitches and onsets (N, T, voices)


def main() -> int:
    return user_errors(train, options().parse_args())


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="SOURCE", help="chorales.npz, see above, or a folder of MIDI files")
    add_usual(parser)
    parser.add_argument("--steps", type=positive, help="default: what the model takes by itself")
    parser.add_argument("--batch-size", type=positive, help="tunes a step (default: 32)")
    parser.add_argument("--width", type=positive, help="of the networks (default: the model's own)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/musegan, -2, -3, ...)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, exactly")
    parser.add_argument("--checkpoint-every", type=positive, metavar="STEPS", help="also within epochs")
    return parser


def train(args: argparse.Namespace) -> None:
    model = gan.MODELS["musegan"]
    if args.dry_run:
        dry_run(args, steps=2, width=4, batch_size=4)
    set_defaults(args, steps=model.steps, batch_size=model.batch_size)
    if args.data is None:
        raise InputError(f"there is nothing to learn from: {WHERE}")
    place = place_of(args)
    init, noise, shuffle, looks, latents = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(5))

    learned, held = data.music(args.data).split(every=5)
    if len(held) < 2:
        raise InputError(f"{args.data}: in each fifth piece there are just two bars to judge by: give more pieces")
    loader = data.Loader(learned, args.batch_size, backend=place, rng=shuffle)
    architecture = {"model": "musegan", **learned.settings, "z_dim": model.z_dim}
    if args.width:
        architecture["width"] = args.width
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    falling = LinearDecay(start=args.steps // 2, end=args.steps + 1)
    trainer = model.trainer(generator, discriminator, z_dim=model.z_dim, rng=noise, schedule=falling)

    with Run(
        args.out,
        trainer,
        loader,
        architecture,
        Latents(model.z_dim, looks, medium=medium_of(architecture)),
        base="out/musegan",
        steps=args.steps,
        config=fixed_by(args),
        resume=args.resume,
        checkpoint_every=args.checkpoint_every,
        quiet=args.quiet,
    ) as run:
        for batch in run.batches():
            run.note(trainer.step(batch))
    print(run.summary())

    rolls = gan.generate(trainer.result(), latents.standard_normal((len(held), model.z_dim)))
    made = {"musegan": data.read_rolls(rolls, learned.lowest), **baselines(learned, len(held), latents)}
    told = judged(made, held)
    write_atomically(run.out / "judged.md", told.encode())
    print(told, end="")


def baselines(learned: data.Music, count: int, rng: np.random.Generator) -> dict[str, Pieces]:
    """So many bars whose voices were never meant for each other, and of chains, voice by voice."""
    pitch, onset = data.read_rolls(learned.rolls, learned.lowest)
    chosen = rng.integers(len(pitch), size=(count, pitch.shape[2]))
    strangers = tuple(
        np.stack([part[chosen[:, voice], :, voice] for voice in range(pitch.shape[2])], axis=2)
        for part in (pitch, onset)
    )
    chains = np.zeros((2, count, *pitch.shape[1:]), int)
    for voice in range(pitch.shape[2]):
        songs = [symbols(pitch[i, :, voice], onset[i, :, voice]) for i in range(len(pitch))]
        chain = metrics.MarkovChain(songs, 2, ends=False)
        for i in range(count):
            at = 0
            for note, length in chain.sample(rng, longest=learned.steps):
                chains[:, i, at : at + length, voice] = [[note], [0]]
                chains[1, i, at : at + 1, voice] = note > 0
                at += length
    return {"voices of different pieces": strangers, "a chain for each voice": (chains[0], chains[1])}


def symbols(pitch: np.ndarray, onset: np.ndarray) -> list[tuple[int, int]]:
    """(pitch, length) of the notes of a voice, and of its rests, of pitch 0."""
    found, now = [], 0
    for begin, end, note in notes_of(pitch, onset):
        if begin > now:
            found.append((0, begin - now))
        found.append((note, end - begin))
        now = end
    return [*found, (0, len(pitch) - now)] if now < len(pitch) else found


def judged(made: dict[str, Pieces], held: data.Music) -> str:
    """Beside the pieces kept apart, and what halves of these differ by, as Markdown."""
    pitch, onset = data.read_rolls(held.rolls, held.lowest)
    half = len(pitch) // 2
    first, second = (pitch[:half], onset[:half]), (pitch[half:], onset[half:])
    found = {"kept apart": metrics.music_statistics(pitch, onset, pitch, onset)}
    found["first half of them"] = metrics.music_statistics(*first, *second)
    found["second half"] = metrics.music_statistics(*second, *first)
    found |= {name: metrics.music_statistics(*pieces, pitch, onset) for name, pieces in made.items()}
    names = list(found["kept apart"])
    lines = [f"| | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}"]
    for name, values in found.items():
        lines.append(f"| {name} | {' | '.join(shown(values[what]) for what in names)} |")
    return "\n".join(lines) + "\n"


def shown(value: float | tuple[float, ...]) -> str:
    return " / ".join(f"{one:.2f}" for one in value) if isinstance(value, tuple) else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
