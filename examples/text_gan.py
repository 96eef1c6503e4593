"""A GAN invents names, or writes in the style of a novel, letter by letter.

    python examples/text_gan.py                                                       # names that nobody has
    python examples/text_gan.py --data examples/data/austen/pride_and_prejudice.txt.gz
    python examples/text_gan.py --model text_wgan                                     # all letters at once
    python examples/text_gan.py --data my.txt                                         # a text of your own

Some lines of the text, or its last tenth, are kept apart. At the end as many samples are compared with those: by how
often each run of two, three and four letters occurs, beside Markov chains that know the last one, two and three
letters, and by how many of the names are new. In the folder of the run final.txt has samples, and judged.md the table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from minigan import data, gan, metrics
from minigan.cli import user_errors
from minigan.commands.arguments import fixed_by, positive
from minigan.commands.example import add_usual, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.files import write_atomically
from minigan.media import medium_of
from minigan.runs import Latents, Run

NAMES = Path(__file__).parent / "data/names/names.tsv"
JUDGED = 1263  # samples, and texts that they are compared with: the measure depends on how many
RUNS = (2, 3, 4)


def main() -> int:
    return user_errors(train, options().parse_args())


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", default=str(NAMES), metavar="FILE", help="a line each, or running text (default: names)"
    )
    parser.add_argument(
        "--model", choices=("text_gumbel", "text_wgan"), default="text_gumbel", help="default: text_gumbel"
    )
    add_usual(parser)
    parser.add_argument("--steps", type=positive, help="default: what the model takes by itself")
    parser.add_argument("--batch-size", type=positive, help="texts a step (default: 64)")
    parser.add_argument("--width", type=positive, help="of the networks (default: the model's own)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/MODEL, -2, -3, ...)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, exactly")
    return parser


def train(args: argparse.Namespace) -> None:
    model = gan.MODELS[args.model]
    if args.dry_run:
        dry_run(args, steps=2, width=4, batch_size=4)
    set_defaults(args, steps=model.steps, batch_size=model.batch_size)
    place = place_of(args)
    init, noise, shuffle, looks, latents = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(5))

    whole = data.text(args.data)
    apart = min(JUDGED, len(whole) // 3)
    learned, held = whole.split(apart, np.random.default_rng(0))  # the same ones whatever the seed
    loader = data.Loader(learned, args.batch_size, backend=place, rng=shuffle)

    architecture = {"model": args.model, **learned.settings, "z_dim": model.z_dim}
    if args.width:
        architecture["width"] = args.width
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    trainer = model.trainer(generator, discriminator, z_dim=model.z_dim, rng=noise)

    with Run(
        args.out,
        trainer,
        loader,
        architecture,
        Latents(model.z_dim, looks, medium=medium_of(architecture)),
        base=f"out/{args.model}",
        steps=args.steps,
        config=fixed_by(args),
        resume=args.resume,
        quiet=args.quiet,
    ) as run:
        for batch in run.batches():
            run.note(trainer.step(batch))
    print(run.summary())

    samples = gan.generate(trainer.result(), latents.standard_normal((apart, model.z_dim)))
    written = data.read_text(samples, learned.alphabet)
    told = judged({args.model: written, **baselines(learned, apart, latents)}, learned, held.excerpts(apart, latents))
    write_atomically(run.out / "judged.md", told.encode())
    print(f"{told}\n{', '.join(written[:40]) if learned.lines else chr(10).join(written[:10])}")


def baselines(learned: data.Text, count: int, rng: np.random.Generator) -> dict[str, list[str]]:
    """Markov chains, which know only the last few letters, and texts that were learned from."""
    texts = learned.excerpts(len(learned), rng)
    found = {}
    for order, name in enumerate(("independent letters", "bigram chain", "trigram chain", "4-gram chain")):
        chain = metrics.MarkovChain(texts, order, ends=learned.lines)
        found[name] = ["".join(chain.sample(rng, learned.length)) for _ in range(count)]
    return {**found, "texts learned from": texts[:count]}


def judged(made: dict[str, list[str]], learned: data.Text, held: list[str]) -> str:
    """How far from the texts kept apart, as Markdown."""
    known = set(learned.texts)
    lines = [f"| {len(held)} texts of | JS-2 | JS-3 | JS-4 | new | different |", "|---|--:|--:|--:|--:|--:|"]
    for name, texts in made.items():
        js = [f"{metrics.ngram_divergence(texts, held, n, ends=learned.lines):.3f}" for n in RUNS]
        new = sum(text not in known if learned.lines else text not in learned.texts[0] for text in texts) / len(texts)
        lines.append(f"| {name} | {' | '.join(js)} | {new:.0%} | {len(set(texts)) / len(texts):.0%} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
