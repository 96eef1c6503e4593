"""A GAN learns to say the digits: it draws their spectrograms, which are then heard, or makes the sounds themselves.

    git clone https://github.com/Jakobovski/free-spoken-digit-dataset
    python examples/speech_gan.py --data free-spoken-digit-dataset/recordings                   # SpecGAN
    python examples/speech_gan.py --data free-spoken-digit-dataset/recordings --model wavegan   # sample by sample

Any folder of WAV files will do whose names or sub-folders say what each of them is. Every fifth recording is kept
apart. At the end the sounds are judged beside those: is it the digit that was asked for, by the word of a linear
classifier that learned from the other recordings; and how many of those kept apart have a sound that is like them. In
the folder of the run final.wav says each digit several times, final.png shows the spectrograms, and judged.md has the
table.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, NamedTuple

import numpy as np

from minigan import data, gan, media, metrics
from minigan.cli import user_errors
from minigan.commands.arguments import fixed_by, positive
from minigan.commands.example import add_usual, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.data.paired import split
from minigan.data.sounds import WHERE
from minigan.errors import InputError
from minigan.files import write_atomically
from minigan.metrics.pairwise import squared_distance_tiles
from minigan.runs import Latents, Run

DRAWS = 5  # sets of sounds that are judged, each as many as there are recordings kept apart


def main() -> int:
    return user_errors(train, options().parse_args())


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", help="a folder of WAV files, named 7_jackson_0.wav or in sub-folders")
    parser.add_argument("--model", choices=("specgan", "wavegan"), default="specgan", help="default: specgan")
    add_usual(parser)
    parser.add_argument("--steps", type=positive, help="default: what the model takes by itself")
    parser.add_argument("--batch-size", type=positive, help="sounds a step (default: 64)")
    parser.add_argument("--width", type=positive, help="of the layer next to the sound (default: the model's own)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/MODEL, -2, -3, ...)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, exactly")
    return parser


def train(args: argparse.Namespace) -> None:
    model = gan.MODELS[args.model]
    if args.dry_run:
        dry_run(args, steps=2, width=2, batch_size=4)
    set_defaults(args, steps=model.steps, batch_size=model.batch_size)
    if args.data is None:
        raise InputError(f"there is nothing to learn from: {WHERE}")
    place = place_of(args)
    init, noise, shuffle, looks, latents = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(5))

    sounds = data.audio(args.data)
    if sounds.labels is None:
        raise InputError(f"{args.data}: neither names nor sub-folders say what the sounds are: see --help")
    learned, held = (sounds.only(names) for names in split(sounds.names, every=5))
    if len(held) < 2:
        raise InputError(f"{args.data}: of {len(sounds)} recordings a fifth is too few to judge by: give at least 10")
    scale = data.Spectrogram.of(learned)
    examples = learned if args.model == "wavegan" else data.spectrograms(learned)
    loader = data.Loader(examples, args.batch_size, backend=place, rng=shuffle, labels=True)

    classes = len(sounds.classes)
    architecture = {"model": args.model, **examples.settings, "classes": classes, "z_dim": model.z_dim}
    if args.width:
        architecture["width"] = args.width
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    trainer = model.trainer(generator, discriminator, z_dim=model.z_dim, rng=noise)
    medium: Any = media.medium_of(architecture)

    with Run(
        args.out,
        trainer,
        loader,
        architecture,
        Latents(model.z_dim, looks, classes, medium),
        base=f"out/{args.model}",
        steps=args.steps,
        config=fixed_by(args),
        resume=args.resume,
        quiet=args.quiet,
    ) as run:
        for batch in run.batches():
            run.note(trainer.step(batch))
    print(run.summary())

    judge = Judge(learned, held, scale)
    made = [
        gan.generate(trainer.result(), latents.standard_normal((len(held), model.z_dim)), held.labels)
        for _ in range(DRAWS)
    ]
    found = {f"{args.model}, heard": [judge(scale.pictures(medium.waves(drawn))) for drawn in made]}
    if args.model == "specgan":
        found["specgan, as drawn"] = [judge(drawn) for drawn in made]
    told = table(found | judge.baselines(latents))
    write_atomically(run.out / "judged.md", told.encode())
    print(told, end="")


class Found(NamedTuple):
    """What a set of sounds, as many as the recordings kept apart and of the same digits, is like."""

    as_asked: float  # share that the judge takes for what was asked for
    coverage: float  # share of the recordings whose ball holds a sound: see metrics.precision_recall
    recall: float  # share of the recordings that lie in the ball of a sound
    nearest: float  # share of the recordings that are the nearest one of some sound
    distance: float  # to the recordings learned from, as a share of the recordings' own: far below 1 are copies


class Judge:
    """Looks at log spectrograms (N, 1, bands, frames), all drawn by one scale, beside those of the recordings."""

    def __init__(self, learned: data.Sounds, held: data.Sounds, scale: data.Spectrogram) -> None:
        self.learned, self.held, self.scale = learned, held, scale
        self.pictures, self.real = scale.pictures(learned.items[:, 0]), scale.pictures(held.items[:, 0])
        self.names = metrics.ridge(self.pictures, learned.labels, len(learned.classes))

    def __call__(self, pictures: np.ndarray) -> Found:
        flat, real = (p.reshape(len(p), -1).astype(np.float64) for p in (pictures, self.real))
        near = metrics.precision_recall(real, flat, k=min(5, len(real) - 1))
        met = np.concatenate([tile.argmin(axis=1) for _, tile in squared_distance_tiles(flat, real)])
        asked = float((self.names(pictures) == self.held.labels).mean())
        known = metrics.memorisation_check(flat, self.pictures.reshape(len(self.pictures), -1), real)
        return Found(asked, near.coverage, near.recall, len(np.unique(met)) / len(real), known.median_ratio)

    def baselines(self, rng: np.random.Generator) -> dict[str, list[Found]]:
        """What recordings come to, and what knows nothing of how sounds differ."""
        labels, known = self.held.labels, self.learned.labels
        means = np.stack([self.pictures[known == k].mean(axis=0) for k in range(len(self.learned.classes))])
        size, spread = self.pictures.mean(), self.pictures.std()

        def others() -> np.ndarray:
            return self.pictures[[rng.choice(np.flatnonzero(known == label)) for label in labels]]

        def noise() -> np.ndarray:
            return np.clip(rng.normal(size, spread, self.real.shape), -1, 1).astype(np.float32)

        return {
            "recordings kept apart": [self(self.real)],
            "the same, through Griffin-Lim": [self(self.scale.pictures(self.scale.waves(self.real)))],
            "recordings learned from": [self(others()) for _ in range(DRAWS)],
            "mean spectrogram of the digit": [self(means[labels])],
            "noise": [self(noise()) for _ in range(DRAWS)],
        }


def table(found: dict[str, list[Found]]) -> str:
    """Means and standard deviations over the sets, as Markdown."""
    lines = ["| | as asked | coverage | recall | nearest | distance |", "|---|--:|--:|--:|--:|--:|"]
    for name, sets in found.items():
        shown = [f"{np.mean(v):.3f}" + (f" ± {np.std(v):.3f}" if len(v) > 1 else "") for v in zip(*sets, strict=True)]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
