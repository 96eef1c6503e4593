"""A face into an emoji: photos of people into cartoon heads, learned without a pair.

    python examples/emoji.py --faces my/portraits       # a folder of portraits, the face in the middle
    python examples/emoji.py --faces faces.png          # or a sheet of 64-pixel tiles, labels in faces.tsv
    python -m minigan translate me.jpg --model out/emoji/ab.safetensors

The heads are bundled (examples/data/avatars), and cut as closely as a portrait is. The portraits are yours to find:
many public bodies publish those of their members, such as github.com/CivilServiceUSA/us-house (MIT). No face is
searched for: crop the pictures to the head.

The game makes one heap look like the other, as a whole: where half of the heads have long hair, half of the emoji will,
whoever is in the portraits. So say what there is in yours, and the heads are drawn in that mix (--mix).

What is to come through? Nobody said; the cycle term only asks that the photo can be found again. With a table of labels
beside the sheet (columns age, gender, in the sheet's order), each ninth portrait is held out, and judged:

    hair    whether a judge of the heads' hair finds it long where the label is "female", and only there: the mean of
            both genders' shares
    white   whether white hair goes with age: the rank correlation of age and the judge's belief in white
    skin    the rank correlation of how bright the middle of the face is, in the photo and in the emoji
    heads   the share that a judge of heads and photos takes for heads, where it accepts 95 % of real ones

beside what one would do without a network, the head most like the photo pixel by pixel.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm
from train_classifier import fit, held_back

from minigan import backend, checkpoint, data, gan, metrics, viz
from minigan.cli import user_errors
from minigan.commands.arguments import positive
from minigan.commands.example import add_out, add_usual, out_folder, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.data import Dataset
from minigan.data.unpaired import square
from minigan.errors import InputError
from minigan.optim import LinearDecay
from minigan.runs.looks import Exchanges

AVATARS = Path(__file__).parent / "data" / "avatars"
TILE = 64  # pixels a side, on a sheet
CORNER, SIDE = (11, 8), 48  # what is looked at of a head's tile: hair and eyes are then where a portrait has them
HELD = 9  # each so-many-th portrait and head is not learned from
WHITE = "dee1f5"  # the hair colour
DARK = ("623d36", "92594b", "b16a5b")  # of the seven colours of skin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, metavar="PATH", help="portraits: a folder, or a sheet")
    add_out(parser, "out/emoji")
    parser.add_argument("--size", type=positive, default=32, help="pixels a side of the emoji (default: 32)")
    parser.add_argument("--steps", type=positive, help="default: 2400")
    parser.add_argument("--batch-size", type=positive, help="pictures of each kind a step (default: 8)")
    parser.add_argument("--identity-weight", type=float, default=2.0, help="of heads that are to stay (default: 2)")
    parser.add_argument(
        "--mix",
        type=float,
        nargs=3,
        metavar=("LONG", "WHITE", "DARK"),
        help="shares of the portraits with long hair, white hair, dark skin (default: those of the heads)",
    )
    parser.add_argument("--judge-epochs", type=positive, help="of each judge (default: 6)")
    add_usual(parser)
    return user_errors(train, parser.parse_args())


def train(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, steps=2, batch_size=2, judge_epochs=1)
    set_defaults(args, steps=2400, batch_size=8, judge_epochs=6)
    place = place_of(args)
    init, noise, shuffle, mix = (np.random.default_rng(s) for s in np.random.SeedSequence(args.seed).spawn(4))

    faces, heads = pictures(args.faces, args.size), all_heads(args.size)
    labels = args.faces.with_suffix(".tsv")
    people = table(labels) if args.faces.is_file() and labels.is_file() else []
    if len(people) > len(faces):
        raise InputError(f"{labels}: {len(people)} lines, but there are {len(faces)} pictures: one for each")
    faces = faces[: len(people) or None]  # what fills up the last row of a sheet is none
    kept = [np.arange(len(kind)) % HELD != HELD - 1 for kind in (faces, heads)]
    if kept[0].all():
        raise InputError(
            f"--faces {args.faces}: {len(faces)} portraits; at least {HELD}, of which one is only looked at"
        )
    root = str(args.faces) if args.faces.is_dir() else None
    drawn = in_mix(args.mix, np.flatnonzero(kept[1]), mix)
    both = data.Unpaired(faces[kept[0]], heads[drawn], crop=args.size, root=root)
    loader = data.Loader(both, args.batch_size, backend=place, rng=shuffle)
    settings = {"channels": 3, "width": 12, "d_width": 24, "resize": True}
    model = gan.UNPAIRED["cyclegan"]
    players = [network.to(place) for network in model.players(init, **settings)]
    falling = LinearDecay(start=args.steps // 2, end=args.steps + 1)
    weights = {"cycle_weight": 4.0, "identity_weight": args.identity_weight}
    trainer = model.trainer(*players, rng=noise, **weights, g_lr=1e-3, d_lr=1e-3, schedule=falling, ema=0.99)

    args.out = out_folder(args.out, "out/emoji")
    shown = Exchanges(*(as_input(kind[~few][:8]) for kind, few in zip((faces, heads), kept, strict=True)))
    with tqdm(total=args.steps, disable=args.quiet or sys.stderr is None) as bar:
        for record in trainer.steps(islice(loader.forever(), args.steps)):
            bar.update()
            if record.step % 100 == 0 or record.step == args.steps:
                bar.set_postfix(cycle=f"{record.cycle:.2f}", refresh=False)
                viz.save_png(args.out / f"step-{record.step:05d}.png", shown.grid(trainer))
    architecture = {"model": "cyclegan", **settings, "whole": args.size}
    for name in ("ab", "ba"):
        checkpoint.save_model(args.out / f"{name}.safetensors", trainer.result(name), architecture)
    print(f"pictures and models in {args.out}")

    if not people:
        print("no table of labels beside the portraits: nothing is judged")
        return
    people = [row for row, learned in zip(people, kept[0], strict=True) if not learned]
    if len({row["gender"] for row in people} & {"male", "female"}) < 2:
        raise InputError(f"{labels}: the {len(people)} held-out portraits are not of both genders, male and female")
    held = faces[~kept[0]]
    judges = train_judges(args, place, faces[kept[0]], heads, kept[1])
    made = as_bytes(gan.translate(trainer.result("ab"), as_input(held)))
    for name, emoji in (("cyclegan", made), ("the nearest head", nearest(held, heads[kept[1]]))):
        print(f"{name}: {told(judged(judges, held, emoji, people))}")


# ---- the pictures ------------------------------------------------------------------------------------------------


def pictures(path: Path, size: int) -> np.ndarray:
    """uint8 (N, size, size, 3)"""
    return np.stack([square(picture, size) for picture in data.read_pictures(path, TILE).values()])


def all_heads(size: int) -> np.ndarray:
    """uint8 (N, size, size, 3)"""
    tiles = data.read_pictures(AVATARS / "avatars.png", TILE).values()
    return np.stack([square(tile, size, CORNER, SIDE) for tile in tiles])


def traits() -> dict[str, np.ndarray]:
    """What is so of which head: bool (N,)"""
    parts = table(AVATARS / "avatars.tsv")
    length = {row["hair"]: row["length"] for row in table(AVATARS / "hair_lengths.tsv")}
    return {
        "long": np.array([length[part["hair"]] == "long" for part in parts]),
        "white": np.array([part["hairColor"] == WHITE and part["hair"] != "bald" for part in parts]),
        "dark": np.array([part["skinColor"] in DARK for part in parts]),
    }


def in_mix(mix: Sequence[float] | None, numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Heads drawn from these, some of them repeatedly, so that each trait has its share; without a mix, these."""
    if mix is None:
        return numbers
    odds = np.ones(len(numbers))
    for (name, has), share in zip(traits().items(), mix, strict=True):
        if not 0 <= share <= 1:
            raise InputError(f"--mix: {share} is to be the share of {name}, from 0 to 1")
        common = has[numbers].mean()
        odds *= np.where(has[numbers], share / common, (1 - share) / (1 - common))
    return np.asarray(rng.choice(numbers, 2 * len(numbers), p=odds / odds.sum()))


def table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def as_input(kind: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) -> (N, C, H, W) in [-1, 1]"""
    return kind.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - 1


def as_bytes(made: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(made, -1, 1) * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1)


def nearest(faces: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """The head whose pixels differ the least from the photo's."""
    known = heads.astype(np.float32)
    return np.stack([heads[np.square(known - face).sum((1, 2, 3)).argmin()] for face in faces.astype(np.float32)])


# ---- the judges --------------------------------------------------------------------------------------------------

Judges = Mapping[str, metrics.Extractor]


def train_judges(
    args: argparse.Namespace, place: backend.ArrayBackend, faces: np.ndarray, heads: np.ndarray, learned: np.ndarray
) -> Judges:
    """Three classifiers by ``train_classifier.fit``. They learn from the heads that the game does not hold out, too."""
    known = traits()
    sets = {
        "hair": (heads, known["long"], ("short", "long")),
        "white": (heads, known["white"], ("coloured", "white")),
        "head": (
            np.concatenate([faces, heads[learned]]),
            np.arange(len(faces) + learned.sum()) >= len(faces),
            ("photo", "head"),
        ),
    }
    judges = {}
    for name, (kind, labels, classes) in sets.items():
        dataset = Dataset(kind.transpose(0, 3, 1, 2), labels.astype(np.int64), classes, name)
        file = args.out / f"judge-{name}.safetensors"
        settings = {"epochs": args.judge_epochs, "batch_size": 32, "width": 8, "flip": True, "quiet": True}
        fit(*held_back(dataset), file, place=place, seed=args.seed, **settings)
        judges[name] = metrics.load_extractor(file)
    return judges


def judged(judges: Judges, faces: np.ndarray, emoji: np.ndarray, people: list[dict[str, str]]) -> dict[str, float]:
    def belief(name: str, kind: np.ndarray) -> np.ndarray:
        return judges[name](kind.transpose(0, 3, 1, 2)).probabilities[:, 1]

    female = np.array([row["gender"] == "female" for row in people])
    age = np.array([float(row["age"]) for row in people])
    long = belief("hair", emoji) > 0.5
    real = all_heads(emoji.shape[1])[HELD - 1 :: HELD]
    threshold = np.quantile(belief("head", real), 0.05)
    return {
        "hair": float(long[female].mean() + (~long)[~female].mean()) / 2,
        "white": rank_correlation(age, belief("white", emoji)),
        "skin": rank_correlation(skin(faces), skin(emoji)),
        "heads": float((belief("head", emoji) >= threshold).mean()),
    }


def skin(kind: np.ndarray) -> np.ndarray:
    """How bright the middle of a face is, between eyes and mouth."""
    side = kind.shape[1]
    part = kind[:, side // 2 : side * 11 // 16, side * 3 // 8 : side * 5 // 8].astype(np.float64)
    return np.median(part @ [0.299, 0.587, 0.114], axis=(1, 2))


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's: of the ranks, where equal values share theirs."""

    def ranks(values: np.ndarray) -> np.ndarray:
        _, place, count = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(count) - (count - 1) / 2)[place]

    a, b = ranks(x), ranks(y)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else 0.0


def told(values: Mapping[str, float]) -> str:
    shown = {"hair": "hair {:.0%}", "white": "white {:+.2f}", "skin": "skin {:+.2f}", "heads": "heads {:.0%}"}
    return ", ".join(shown[name].format(value) for name, value in values.items())


if __name__ == "__main__":
    sys.exit(main())
