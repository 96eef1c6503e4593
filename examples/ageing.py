"""Older and younger: a face is asked to look so many years old. And measure what that does to it.

    python examples/ageing.py --data faces.png --table faces.tsv --size 32      # a sheet of 32x32 pixels, or a folder

No faces are bundled: pictures of people are theirs. Take portraits of your own, or a set that its licence lets you use,
as UTKFace, with a table (.csv, .tsv) whose column ``age`` has the years. docs/attributes.md says what such pictures may
not be used for.

An editor learns from some of the faces (gan.AttributeEditing). The others, which it has not seen, are asked to look
30, 40, ... years old. Two judges, trained apart, say how old they look: ridge regression on the pixels, and one on the
directions of edges. Age is hard to see in a small picture, so each judge's own error stands beside what it says.

The baseline adds the mean old face less the mean young one, as much of it as looks equally older to the first judge.
What is compared is how far the picture has moved: the root mean square of the difference of 4x4 blocks, in grey levels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from minigan import checkpoint, data, gan
from minigan.cli import user_errors
from minigan.commands.arguments import positive
from minigan.commands.example import add_out, add_usual, out_folder, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.data.attributes import Number, asked, open_attributes
from minigan.errors import InputError
from minigan.optim import LinearDecay
from minigan.table import Table

HOLD_OUT = 5  # each so-many-th picture is not learned from
STEP = 10  # years
Judge = Callable[[np.ndarray], np.ndarray]  # pictures (N, H, W, C) in [-1, 1] -> years


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="PATH", help="a folder of faces, or a sheet of square ones")
    parser.add_argument("--table", required=True, metavar="FILE", help="their ages (.csv, .tsv)")
    parser.add_argument("--column", default="age", help="of the table, with the years (default: age)")
    parser.add_argument(
        "--size", type=positive, default=64, help="pixels a side; of a sheet, of its tiles (default: 64)"
    )
    parser.add_argument("--halve", action="store_true", help="work at half of that size: four times as fast")
    add_out(parser, "out/ageing")
    parser.add_argument("--steps", type=positive, help="of the editor (default: 600)")
    parser.add_argument("--width", type=positive, help="channels of the editor next to the pixels (default: 16)")
    parser.add_argument("--batch-size", type=positive, help="faces a step (default: 16)")
    add_usual(parser)
    return user_errors(run, parser.parse_args())


def run(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, steps=2, width=4, batch_size=4)
    set_defaults(args, steps=600, width=16, batch_size=16)
    place = place_of(args)
    init, noise, shuffle = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(3))

    whole = open_attributes(args.data, args.table, size=args.size, names=[args.column])
    age = whole.attributes[0]
    if not isinstance(age, Number):
        raise InputError(f"{args.table}: the column {args.column} has no numbers of years")
    if args.halve:
        whole = data.Attributes(halved(whole.pictures), whole.table, whole.attributes, name=whole.name)
    is_held = np.arange(len(whole)) % HOLD_OUT == HOLD_OUT - 1
    learned, held = whole.part(~is_held), whole.part(is_held)

    loader = data.Loader(learned, args.batch_size, backend=place, rng=shuffle)
    architecture = {"model": "attribute", **learned.settings, "width": args.width}
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    trainer = gan.EDITORS["attribute"].trainer(
        generator,
        discriminator,
        attributes=learned.attributes,
        rng=noise,
        judge_weight=2.0,  # age is in many places, and each a little: it may cost more than glasses do
        doubt_weight=2.0,  # or G finds a pattern that no face has, and D has never seen
        back_weight=2.0,
        change_weight=0.5,
        coarse_weight=20.0,  # and in the detail: light and shape are to stay
        augment=[gan.DiffAugment("translation")],  # with few faces D would learn them by heart
        schedule=LinearDecay(start=args.steps // 2, end=args.steps + 1),
        ema=0.995,
    )
    args.out = out_folder(args.out, "out/ageing")
    with tqdm(total=args.steps, disable=args.quiet or sys.stderr is None) as bar:
        for batch in loader.forever():
            record = trainer.step(batch)
            bar.update()
            bar.set_postfix(judged=f"{record.g_judged:.2f}", back=f"{record.back:.2f}", refresh=False)
            if record.step == args.steps:
                break
    generator = trainer.result()
    checkpoint.save_model(args.out / "model.safetensors", generator, architecture)

    years, truth = (np.array(part.table[args.column], np.float64) for part in (learned, held))
    faces, sources = (part.pictures / np.float32(127.5) - 1 for part in (learned, held))
    judges = {"pixels": judge(faces, years, pixels), "edges": judge(faces, years, edges)}
    for name, one in judges.items():
        told = one(sources)
        print(f"judge by {name}: off by {np.abs(told - truth).mean():.1f} years, correlation "
              f"{np.corrcoef(told, truth)[0, 1]:.2f}; always the median: "
              f"{np.abs(np.median(years) - truth).mean():.1f} years")  # fmt: skip

    wanted = np.arange(np.ceil(age.low / STEP) * STEP, age.high + 1, STEP)
    rows, moved, looks = [], [], []
    for years_wanted in wanted:
        ask = np.repeat(asked(whole.attributes, {args.column: str(years_wanted)})[None], len(held), axis=0)
        made = gan.edit(generator, sources.transpose(0, 3, 1, 2), ask).clip(-1, 1).transpose(0, 2, 3, 1)
        looks.append([one(made).mean() for one in judges.values()])
        moved.append(low_pass(made - sources))
        rows.append((f"{years_wanted:.0f}", *(f"{found:.1f}" for found in looks[-1]), f"{moved[-1]:.2f}"))
    print(Table(("asked for", *(f"looks, by {name}" for name in judges), "low-pass difference"), rows, names=1))

    # As much of the mean difference as looks as much older or younger.
    old, young = (faces[part].mean(axis=0) for part in (years >= np.quantile(years, 0.75),
                                                        years <= np.quantile(years, 0.25)))  # fmt: skip
    start = judges["pixels"](sources).mean()
    amounts = np.linspace(-6, 6, 121)
    shifted = [(sources + amount * (old - young)).clip(-1, 1) for amount in amounts]
    shifts = np.array([judges["pixels"](made).mean() - start for made in shifted])
    distances = np.array([low_pass(made - sources) for made in shifted])
    compared = []
    for years_wanted, (looks_now, _), distance in zip(wanted, looks, moved, strict=True):
        equal = int(np.abs(shifts - (looks_now - start)).argmin())
        enough = abs(looks_now - start) > 1 and distances[equal] > 0  # to be compared
        ratio = f"{distance / distances[equal]:.2f}" if enough else "-"
        compared.append((f"{years_wanted:.0f}", f"{looks_now - start:+.1f}", f"{shifts[equal]:+.1f}", f"{distance:.2f}",
                         f"{distances[equal]:.2f}", ratio))  # fmt: skip
    print(Table(("asked for", "shift", "its shift", "editor", "mean difference", "ratio"), compared, names=1))
    for name, column in zip(judges, np.array(looks).T, strict=True):
        print(f"by {name}, older the older it is asked to look: {'yes' if (np.diff(column) > 0).all() else 'no'}")
    print(f"model in {args.out}")


# ---- judges --------------------------------------------------------------------------------------


def judge(faces: np.ndarray, years: np.ndarray, features: Callable[[np.ndarray], np.ndarray]) -> Judge:
    """Ridge regression of the years on features, its strength chosen by leaving each face out in turn."""
    x, centre, middle = features(faces), features(faces).mean(axis=0), years.mean()
    gram = (x - centre) @ (x - centre).T
    values, vectors = np.linalg.eigh(gram)
    best = (np.inf, np.zeros(len(x)))
    for strength in np.geomspace(1e-3, 1e3, 25) * values.mean():
        inverse = (vectors / (values + strength)) @ vectors.T
        dual = inverse @ (years - middle)
        error = float(np.square(dual / np.diag(inverse)).mean())  # of each face by the others: Allen's PRESS
        best = min(best, (error, dual), key=lambda one: one[0])
    weights = (x - centre).T @ best[1]
    return lambda pictures: (features(pictures) - centre) @ weights + middle


def pixels(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W, C) -> (N, features), each face with its own brightness and contrast taken out"""
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / (flat.std(axis=1, keepdims=True) + 1e-6)


def edges(pictures: np.ndarray, cells: int = 8, directions: int = 8) -> np.ndarray:
    """How strong edges are in each cell, by their direction: (N, cells cells directions), square roots."""
    grey = pictures.mean(axis=3).astype(np.float64)
    down, right = np.gradient(grey, axis=(1, 2))
    strength, turn = np.hypot(down, right), (np.arctan2(down, right) % np.pi) / np.pi * directions
    side = grey.shape[1] // cells
    found = []
    for direction in range(directions):
        part = strength * np.clip(1 - np.abs((turn - direction + directions / 2) % directions - directions / 2), 0, 1)
        part = part[:, : side * cells, : side * cells].reshape(len(grey), cells, side, cells, side)
        found.append(np.sqrt(part.mean(axis=(2, 4))).reshape(len(grey), -1))
    return np.concatenate(found, axis=1)


def low_pass(change: np.ndarray) -> float:
    """The root mean square of the means of 4x4 blocks, in grey levels: what is left of fine detail is not counted."""
    count, height, width, channels = change.shape
    blocks = change[:, : height // 4 * 4, : width // 4 * 4].reshape(count, height // 4, 4, width // 4, 4, channels)
    return float(np.sqrt(np.square(blocks.mean(axis=(2, 4))).mean()) * 127.5)


def halved(pictures: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C), 2x2 pixels made one"""
    count, height, width, channels = pictures.shape
    parts = pictures[:, : height // 2 * 2, : width // 2 * 2].reshape(count, height // 2, 2, width // 2, 2, channels)
    return np.rint(parts.mean(axis=(2, 4))).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
