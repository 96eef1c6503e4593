"""Change one thing about a cartoon head: its hair, its skin, glasses, a beard. And measure that it is one thing.

    python examples/avatars.py                 # the bundled heads; Ctrl-C ends it cleanly
    python examples/avatars.py --backend numba # faster

Each head comes with what it was drawn of, so much can be told that is unknown of photographs. An editor learns from
some (gan.AttributeEditing). Of the others, which it has not seen, each is asked to change in every way that it can:

    judged   how often a classifier, trained apart on the same heads, sees what was asked for
    kept     how often it sees all other attributes as before
    outside  how much changed where nothing should: the mean distance in grey levels, outside of the attribute's region

The baseline is the nearest head, by its pixels, that has the attribute that is wanted.

The editor alone: python -m minigan train --model attribute --data examples/data/avatars/avatars.png \\
    --table examples/data/avatars/attributes.tsv
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minigan import backend, checkpoint, data, gan, nn, optim, viz
from minigan.cli import user_errors
from minigan.commands.arguments import positive
from minigan.commands.example import add_out, add_usual, out_folder, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.data.attributes import asked, read_table
from minigan.gan.attributes import cross_entropy
from minigan.gan.models.paired import he_
from minigan.optim import LinearDecay
from minigan.table import Table
from minigan.tensor import Tensor, grad, no_grad

HEADS = Path(__file__).parent / "data" / "avatars"
HOLD_OUT = 8  # each so-many-th head is not learned from
SEEN = 40  # grey levels that a parameter moves a pixel by, to count as its region


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_out(parser, "out/avatars")
    parser.add_argument("--steps", type=positive, help="of the editor (default: 1800)")
    parser.add_argument("--judge-steps", type=positive, help="of the judge (default: 400)")
    parser.add_argument("--width", type=positive, help="channels of the editor next to the pixels (default: 16)")
    parser.add_argument("--batch-size", type=positive, help="heads a step (default: 16)")
    add_usual(parser)
    return user_errors(run, parser.parse_args())


def run(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, steps=2, judge_steps=2, width=4, batch_size=4)
    set_defaults(args, steps=1800, judge_steps=400, width=16, batch_size=16)
    place = place_of(args)
    init, noise, shuffle, judging = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(4))

    whole = data.open_attributes(HEADS / "avatars.png", HEADS / "attributes.tsv", flip=False)
    if args.dry_run:
        whole = whole.part(np.arange(160))
    is_held = np.arange(len(whole)) % HOLD_OUT == HOLD_OUT - 1
    learned, held = whole.part(~is_held), whole.part(is_held)

    # The editor.
    loader = data.Loader(learned, args.batch_size, backend=place, rng=shuffle)
    architecture = {"model": "attribute", **learned.settings, "width": args.width}
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    schedule = LinearDecay(start=args.steps // 2, end=args.steps + 1)
    trainer = gan.EDITORS["attribute"].trainer(
        generator, discriminator, attributes=learned.attributes, rng=noise, schedule=schedule
    )
    args.out = out_folder(args.out, "out/avatars")
    with tqdm(total=args.steps, disable=args.quiet or sys.stderr is None) as bar:
        for batch in loader.forever():
            record = trainer.step(batch)
            bar.update()
            bar.set_postfix(judged=f"{record.g_judged:.2f}", back=f"{record.back:.2f}", refresh=False)
            if record.step == args.steps:
                break
    checkpoint.save_model(args.out / "model.safetensors", generator, architecture)

    # How good it is, by a judge who knows nothing of it.
    judge = train_judge(learned, place, judging, args)
    right = as_told(judge, held, held.pictures, held.own)
    told = (f"{one.name} {100 * right[known, number].mean():.1f} %"
            for number, (one, known) in enumerate(zip(held.attributes, held.known.T, strict=True)))  # fmt: skip
    print(f"the judge, of heads that it has not seen: {', '.join(told)}")
    print(
        measure(
            generator, judge, learned, held, regions(whole, read_table(HEADS / "avatars.tsv")[: len(whole)])[is_held]
        )
    )
    viz.save_png(args.out / "strips.png", viz.grid(strips(generator, held), columns=12))
    print(f"model and strips in {args.out}")


# ---- the judge -----------------------------------------------------------------------------------


def train_judge(learned: data.Attributes, place: backend.ArrayBackend, rng: np.random.Generator, args) -> nn.Module:
    """A classifier of all attributes, which shares nothing with the editor's D but the heads."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 24), (24, 48), (48, 64), (64, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, rng=rng), nn.BatchNorm2d(outputs), nn.ReLU()]
    judge = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, learned.parts[-1].stop, rng=rng)).to(place)
    he_(judge, rng)
    adam = optim.Adam(judge.parameters(), lr=2e-3)
    falling = LinearDecay(start=args.judge_steps // 2, end=args.judge_steps + 1)
    loader = data.Loader(learned, 32, backend=place, rng=rng)
    for step, (x, own, *_) in enumerate(loader.forever(), 1):
        adam.lr = 2e-3 * falling(step)
        loss = cross_entropy(judge(Tensor(x)), Tensor(own), learned.parts)
        adam.step(grad(loss, adam.params))
        if step == args.judge_steps:
            return judge.eval()
    raise AssertionError


def as_told(judge: nn.Module, told: data.Attributes, pictures: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """bool (N, attributes): whether the judge sees in pictures (N, H, W, C) what ``shares`` (N, columns) say."""
    with no_grad():
        logits = judge(Tensor(judge.backend.asarray(as_floats(pictures)))).numpy()
    return np.stack([logits[:, part].argmax(1) == shares[:, part].argmax(1) for part in told.parts], axis=1)


# ---- where a head may change ---------------------------------------------------------------------


def regions(told: data.Attributes, drawn_of: list[dict[str, str]]) -> np.ndarray:
    """bool (N, attributes, H, W): the pixels that an attribute may change in each head.

    Heads with the same hair are drawn of the same shapes, so each pixel is a sum: something for the colour of the hair,
    something for the skin, for the clothes and so on. That sum is fitted, and where an attribute moves it by more than
    SEEN grey levels, there is its region, and the pixels around. Glasses and beards lie where they lie on any hair.
    """
    pixels = told.pictures.reshape(len(told), -1).astype(np.float64)
    found = np.zeros((len(told), len(told.attributes), *told.pictures.shape[1:3]), bool)

    def moved(rows: np.ndarray, parameter: str) -> np.ndarray:
        """Where the parameter moves a pixel in these heads: bool (H, W)"""
        columns, own = [np.ones((len(rows), 1))], slice(0)
        for name in drawn_of[0]:
            values = sorted({drawn_of[i][name] for i in rows})
            if name == parameter:
                own = slice(sum(c.shape[1] for c in columns), sum(c.shape[1] for c in columns) + len(values))
            columns.append(np.array([[drawn_of[i][name] == value for value in values] for i in rows], np.float64))
        design = np.concatenate(columns, axis=1)
        effects = np.linalg.solve(design.T @ design + 0.3 * np.eye(design.shape[1]), design.T @ pixels[rows])[own]
        span = (effects.max(axis=0) - effects.min(axis=0)).reshape(told.pictures.shape[1:]).max(axis=2)
        return grown(span > SEEN)

    everyone = np.arange(len(told))
    glasses, beard = moved(everyone, "eyes"), moved(everyone, "facialHair")
    by_hair = defaultdict(list)
    for i, row in enumerate(drawn_of):
        by_hair[row["hair"]].append(i)
    for rows in map(np.array, by_hair.values()):
        where = {"glasses": glasses, "facial_hair": beard, "hair_color": moved(rows, "hairColor"),
                 "skin": moved(rows, "skinColor")}  # fmt: skip
        for number, attribute in enumerate(told.attributes):
            found[rows, number] = where[attribute.name]
    names = [attribute.name for attribute in told.attributes]
    bearded = np.array([row["facialHair"] != "none" for row in drawn_of])
    found[bearded, names.index("hair_color")] |= beard  # a beard has the colour of the hair
    return found


def grown(where: np.ndarray) -> np.ndarray:
    """And the pixels around."""
    wide = np.pad(where, 1)
    height, width = where.shape
    return np.any([wide[a : a + height, b : b + width] for a in range(3) for b in range(3)], axis=0)


# ---- the table -----------------------------------------------------------------------------------


def measure(
    generator: nn.Module, judge: nn.Module, learned: data.Attributes, held: data.Attributes, where: np.ndarray
) -> Table:
    """Each head that was held out, asked for each value that it does not have: the editor, and the nearest head."""
    rows, totals = [], []
    flat = learned.pictures.reshape(len(learned), -1).astype(np.float32)
    for number, (attribute, part) in enumerate(zip(held.attributes, held.parts, strict=True)):
        results: dict[str, list[np.ndarray]] = {"editor": [], "nearest head": []}
        for value, text in zip(range(part.start, part.stop), attribute.values, strict=True):
            others = np.flatnonzero(held.known[:, number] & (held.own[:, value] == 0))
            sources, wanted = held.pictures[others], held.own[others]
            ask = np.repeat(asked(held.attributes, {attribute.name: text})[None], len(others), axis=0)
            wanted[:, part] = ask[:, part]
            having = np.flatnonzero(learned.own[:, value] == 1)
            distance = ((flat[having][None] - sources.reshape(len(others), 1, -1)) ** 2).mean(2)
            made = {
                "editor": as_bytes(gan.edit(generator, as_floats(sources), ask)),
                "nearest head": learned.pictures[having[distance.argmin(1)]],
            }
            outside = ~where[others, number]
            for method, pictures in made.items():
                right = as_told(judge, held, pictures, wanted)
                kept = np.delete(right | ~held.known[others], number, axis=1).all(axis=1)
                change = np.abs(pictures.astype(np.float64) - sources).mean(axis=3)
                error = (change * outside).sum((1, 2)) / outside.sum((1, 2))
                results[method].append(np.stack([100 * right[:, number], 100 * kept, error]))
        for method, found in results.items():
            rows.append((attribute.name, method, np.concatenate(found, axis=1)))
    for method in ("editor", "nearest head"):
        totals.append(("all", method, np.concatenate([found for _, which, found in rows if which == method], axis=1)))
    shown = [(name, method, *(f"{value:.1f}" for value in found.mean(axis=1))) for name, method, found in rows + totals]
    return Table(("attribute", "", "judged %", "kept %", "outside"), shown, names=2)


def strips(generator: nn.Module, held: data.Attributes, heads: int = 8) -> np.ndarray:
    """Heads, a row each: as it is, then with each value of each attribute."""
    ways = [(one.name, value) for one in held.attributes for value in one.values]
    sources = as_floats(held.pictures[np.linspace(0, len(held) - 1, heads).round().astype(int)])
    ask = [np.repeat(asked(held.attributes, dict([way]))[None], heads, axis=0) for way in ways]
    return np.stack([sources, *(gan.edit(generator, sources, one) for one in ask)], axis=1).reshape(-1, 3, 64, 64)


def as_floats(pictures: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) -> [-1, 1] (N, C, H, W)"""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)) / np.float32(127.5) - 1


def as_bytes(pictures: np.ndarray) -> np.ndarray:
    """[-1, 1] (N, C, H, W) -> uint8 (N, H, W, C)"""
    return np.rint(np.clip(pictures, -1, 1) * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1)


if __name__ == "__main__":
    sys.exit(main())
