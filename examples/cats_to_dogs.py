"""Cats into dogs, learned without a single pair, and judged by who has never seen the game.

    python examples/cats_to_dogs.py                          # the bundled silhouettes; Ctrl-C ends it cleanly
    python examples/cats_to_dogs.py --a my/cats --b my/dogs  # photos of your own, --size 64

There is no dog that belongs to a cat. Two translators learn to undo each other, and two detectives see to it that what
comes out looks like a dog, and what comes back like a cat (gan.Cycle). Each ninth picture is not learned from. On those
cats three numbers tell how well it went, beside what one would do without a network, which is to hand out the dog most
like the cat:

    dogs    the share that a classifier of ten animals, trained on something else, calls dogs
    IoU     how much of the cat's silhouette the dog's has, as a share of both together
    cycle   how far what comes back is from the cat, the mean over the pixels on a scale of 0 to 1

The same without the judge: python -m minigan train --model cyclegan --a my/cats --b my/dogs
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minigan import checkpoint, data, gan, metrics, viz
from minigan.cli import user_errors
from minigan.commands.arguments import positive
from minigan.commands.example import add_out, add_usual, out_folder, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.data.paired import split
from minigan.data.unpaired import square
from minigan.errors import InputError
from minigan.optim import LinearDecay
from minigan.runs.looks import Exchanges

SILHOUETTES = Path(__file__).parent / "data" / "silhouettes"
HELD = 9  # each so-many-th picture is not learned from


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--a", type=Path, metavar="DIR", help="photos of your own instead: what to start from")
    parser.add_argument("--b", type=Path, metavar="DIR", help="and what they are to become")
    parser.add_argument("--size", type=positive, help="pixels a side that photos are brought to (default: 64)")
    add_out(parser, "out/cats-to-dogs")
    parser.add_argument("--steps", type=positive, help="default: 1500")
    parser.add_argument("--batch-size", type=positive, help="pictures of each kind a step (default: 8)")
    add_usual(parser)
    return user_errors(train, parser.parse_args())


def train(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, steps=2, batch_size=2)
    set_defaults(args, steps=1500, batch_size=8)
    if (args.a is None) != (args.b is None):
        raise InputError("--a and --b: give both folders, or none for the bundled silhouettes")
    if args.size is not None and args.a is None:
        raise InputError(f"--size {args.size} does nothing with the bundled silhouettes, which have 28 pixels")
    place = place_of(args)
    init, noise, shuffle = (np.random.default_rng(s) for s in np.random.SeedSequence(args.seed).spawn(3))

    (cats, held_cats), (dogs, held_dogs) = silhouettes() if args.a is None else photos(args.a, args.b, args.size or 64)
    size, channels = cats[0].shape[0], cats[0].shape[2]
    pictures = data.Unpaired(cats, dogs, crop=size, root=None if args.a is None else str(args.a))
    loader = data.Loader(pictures, args.batch_size, backend=place, rng=shuffle)
    settings = {"channels": channels, "width": 8, "d_width": 16}
    model = gan.UNPAIRED["cyclegan"]
    players = [network.to(place) for network in model.players(init, **settings)]
    falling = LinearDecay(start=args.steps // 2, end=args.steps + 1)
    weights = {"cycle_weight": 3.0, "identity_weight": 1.0}
    trainer = model.trainer(*players, rng=noise, **weights, g_lr=1e-3, d_lr=1e-3, schedule=falling, ema=0.99)

    args.out = out_folder(args.out, "out/cats-to-dogs")
    shown = Exchanges(*(as_input(kind[:: max(1, len(kind) // 8)][:8]) for kind in (held_cats, held_dogs)))
    with tqdm(total=args.steps, disable=args.quiet or sys.stderr is None) as bar:
        for record in trainer.steps(islice(loader.forever(), args.steps)):
            bar.update()
            if record.step % 250 == 0 or record.step == args.steps:
                bar.set_postfix(cycle=f"{record.cycle:.2f}", refresh=False)
                viz.save_png(args.out / f"step-{record.step:05d}.png", shown.grid(trainer))
                if args.a is None:
                    tqdm.write(f"step {record.step}: {told(judged(trainer, held_cats))}")
    architecture = {"model": "cyclegan", **settings, "whole": size}
    for name in ("ab", "ba"):
        checkpoint.save_model(args.out / f"{name}.safetensors", trainer.result(name), architecture)
    if args.a is None:
        print(f"the nearest real dog: {told(nearest(held_cats, dogs))}")
        print(f"cats as they are: {told(scores(held_cats, held_cats))}")
    print(f"pictures and models in {args.out}")


# ---- the pictures ------------------------------------------------------------------------------------------------

Kind = tuple[np.ndarray, np.ndarray]  # learned from, held out: uint8 (N, H, W, C)


def silhouettes() -> tuple[Kind, Kind]:
    both = data.mnist("train", root=SILHOUETTES)
    assert both.labels is not None
    cats, dogs = (both.images[both.labels == label].transpose(0, 2, 3, 1) for label in (0, 1))
    return apart(cats), apart(dogs)


def photos(a: Path, b: Path, size: int) -> tuple[Kind, Kind]:
    def kind(folder: Path) -> Kind:
        found = data.read_pictures(folder)
        learned, held = split(list(found), HELD)
        if not held:
            raise InputError(f"{folder} has {len(found)} pictures: at least {HELD}, of which one is only looked at")
        cut = {name: square(picture, size) for name, picture in found.items()}
        return np.stack([cut[name] for name in learned]), np.stack([cut[name] for name in held])

    return kind(a), kind(b)


def apart(pictures: np.ndarray) -> Kind:
    held = np.arange(len(pictures)) % HELD == HELD - 1
    return pictures[~held], pictures[held]


def as_input(pictures: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) -> (N, C, H, W) in [-1, 1]"""
    return pictures.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - 1


# ---- the judge ---------------------------------------------------------------------------------------------------


def judged(trainer: gan.Trainer, cats: np.ndarray) -> dict[str, float]:
    given = as_input(cats)
    made = gan.translate(trainer.result("ab"), given, 64)
    back = gan.translate(trainer.result("ba"), made, 64)
    as_bytes = np.rint(np.clip(made, -1, 1) * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
    return {**scores(as_bytes, cats), "cycle": float(np.abs(back - given).mean() / 2)}


def nearest(cats: np.ndarray, dogs: np.ndarray) -> dict[str, float]:
    """The dog of those learned from whose silhouette overlaps the most."""
    found = dogs[np.array([overlap(cat[None], dogs).argmax() for cat in cats])]
    return scores(found, cats)


def scores(made: np.ndarray, cats: np.ndarray) -> dict[str, float]:
    judge = metrics.load_extractor("animals")
    called = judge(made.transpose(0, 3, 1, 2)).probabilities.argmax(axis=1)
    return {"dogs": float((called == judge.classes.index("dog")).mean()), "IoU": float(overlap(made, cats).mean())}


def overlap(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of silhouettes, which are white on black: uint8 (N, H, W, 1) -> (N,)"""
    one, other = some > 127, others > 127
    return (one & other).sum((1, 2, 3)) / np.maximum((one | other).sum((1, 2, 3)), 1)


def told(values: dict[str, float]) -> str:
    shown = {"dogs": "{:.0%} dogs", "IoU": "IoU {:.3f}", "cycle": "cycle L1 {:.3f}"}
    return ", ".join(shown[name].format(value) for name, value in values.items())


if __name__ == "__main__":
    sys.exit(main())
