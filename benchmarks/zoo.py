"""Every model of the zoo trained by one command, and judged by the same two classifiers: docs/zoo.md.

    python -m benchmarks.zoo --work out/zoo                                # trains and judges: two hours of a core
    python -m benchmarks.zoo --work out/zoo --only dcgan gan               # these rows
    python -m benchmarks.zoo --work out/zoo --table --markdown docs/zoo.md # what there is by now, into the document

A run that is there is not repeated, one that was stopped goes on; what the document has beside it stands until it is
measured anew. The second classifier is trained apart, with another seed and half the width; what it says beside the
first shows how much of a distance is the judge's own taste.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import ROOT
from benchmarks.report import fill, markdown, number
from benchmarks.training import is_whole, trained
from minigan import data, metrics, viz
from minigan.cli import user_errors
from minigan.commands.arguments import extractor_for
from minigan.commands.sources import open_samples
from minigan.errors import InputError
from minigan.files import write_atomically
from minigan.metrics.evaluation import Evaluator
from minigan.runs import read_journal

SAMPLES, SHOWN, COLUMNS = 10_000, 60, 10
QUICK = "--backend numba --threads 1"  # of every run; without it the commands come to other roundings, and take longer


@dataclass(frozen=True)
class Row:
    """A run of the zoo: ``minigan train --model model arguments``."""

    name: str
    model: str
    arguments: str
    data: str = "mnist"  # or animals: the folder of examples/get_animals.py
    only: str | None = None

    @property
    def command(self) -> str:
        chosen = ("" if self.data == "mnist" else f" --data {self.data}") + (
            f" --class {self.only}" if self.only else ""
        )
        return f"python -m minigan train --model {self.model}{chosen} {self.arguments} {QUICK}"


KINDS_OF_ONE = "--batch-size 64 --steps 2000 --diffaugment color,translation,cutout"
ROWS = [
    Row("gan", "gan", "--batch-size 64 --epochs 10"),
    *(Row(f"dcgan-{seed}", "dcgan", f"--epochs 5 --seed {seed}") for seed in range(3)),
    Row("wgan", "wgan", "--batch-size 64 --steps 5000"),
    *(Row(f"wgan_gp-{seed}", "wgan_gp", f"--batch-size 64 --epochs 5 --seed {seed}") for seed in range(3)),
    Row("sngan", "sngan", "--width 32 --batch-size 64 --steps 2000"),
    Row("cgan", "cgan", "--batch-size 64 --epochs 5"),
    Row("acgan", "acgan", "--batch-size 64 --epochs 5 --instance-noise 0.3"),
    Row("self_conditioned", "self_conditioned", "--epochs 5"),
    Row("animals_dcgan", "dcgan", "--batch-size 64 --epochs 15", "animals"),
    Row("animals_wgan_gp", "wgan_gp", "--batch-size 64 --steps 3000", "animals"),
    Row("dog", "dcgan", KINDS_OF_ONE, "animals", "dog"),
    Row("bird", "dcgan", KINDS_OF_ONE, "animals", "bird"),
]
Found = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where runs and scores are kept")
    parser.add_argument("--only", nargs="+", metavar="ROW", help=f"of {', '.join(row.name for row in ROWS)}")
    parser.add_argument(
        "--animals", metavar="DIR", help="the folder of examples/get_animals.py; without it, no animals"
    )
    parser.add_argument("--table", action="store_true", help="train and judge nothing, show what there is")
    parser.add_argument("--judge", action="store_true", help="only judge the runs that came to their end")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="fill its tables; pictures and scores beside it")
    return user_errors(work, parser.parse_args())


def work(args: argparse.Namespace) -> None:
    unknown = set(args.only or ()) - {row.name for row in ROWS}
    if unknown:
        raise InputError(f"--only {' '.join(sorted(unknown))}: choose of {', '.join(row.name for row in ROWS)}")
    args.work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in ROWS if row.name in (args.only or [row.name]) and (args.animals or row.data == "mnist")]
    if not (args.table or args.judge):
        for row in rows:
            train(row, args.work, args.animals)
    if not args.table:
        judge([row for row in rows if is_whole(args.work / row.name)], args.work, args.animals)
    beside = args.markdown.with_suffix("") if args.markdown else args.work
    found = {row.name: load(args.work / f"{row.name}.json") or load(beside / f"{row.name}.json") for row in ROWS}
    made = tables({name: scores for name, scores in found.items() if "frechet_distance" in scores})
    if not made:
        raise InputError(f"--work {args.work} holds no scores: leave out --table to make some")
    print("\n\n".join(made.values()))
    if args.markdown:
        fill([args.markdown], made)
        beside.mkdir(exist_ok=True)
        for path in args.work.iterdir():
            if path.stem in found and path.suffix in (".png", ".json"):
                write_atomically(beside / path.name, path.read_bytes())


def train(row: Row, folder: Path, animals: str | None) -> None:
    command = row.command.replace("--data animals", f"--data {animals}")
    minutes = trained(command, folder / row.name, "--quiet")
    if minutes is not None:
        write(folder / f"{row.name}.json", {"minutes": minutes})


# ---- judging -----------------------------------------------------------------------------------------------------


def judge(rows: list[Row], folder: Path, animals: str | None) -> None:
    """Every metric of SAMPLES samples; a data set's features are taken once for all of its models."""
    judges: dict[tuple[str, str | None], list[Evaluator]] = {}
    for row in rows:
        key = row.data, row.only
        if key not in judges:
            train_set, test = real_images(row, animals)
            extractors = extractor_for(train_set, None), second(row.data, folder, animals)
            judges[key] = [Evaluator(train_set, test, one, rng=np.random.default_rng(0)) for one in extractors]
        first, other = judges[key]
        rng = np.random.default_rng(1)
        samples = open_samples(str(folder / row.name), SAMPLES, first.train, rng=rng, backend_name="numpy")
        found = first.evaluate(samples.images, samples.wanted, baselines=False)
        again = other.evaluate(samples.images, samples.wanted, baselines=False).samples.frechet
        viz.save_png(folder / f"{row.name}.png", viz.grid(samples.images[shown(samples.wanted)], columns=COLUMNS))
        steps = max(read_journal(folder / row.name / "metrics.jsonl")[0]["step"])
        facts = {"second_frechet_distance": again, "steps": int(steps), "extractor": found.extractor}
        write(folder / f"{row.name}.json", found.samples.as_dict() | facts)
        print(f"{row.name}: Frechet distance {found.samples.frechet:.3g}, by the other {again:.3g}", flush=True)


def second(of: str, folder: Path, animals: str | None) -> metrics.Extractor:
    """The classifier that is trained apart; a file of the folder, once it has been."""
    path = folder / f"second-{of}.safetensors"
    if not path.exists():
        settings = ["--seed", "7", "--width", "16", "--batch-size", "100", "--out", str(path)]
        settings += ["--epochs", "2"] if of == "mnist" else ["--epochs", "12", "--flip", "--data", str(animals)]
        subprocess.run([sys.executable, str(ROOT / "examples" / "train_classifier.py"), *settings], check=True)
    return metrics.load_extractor(str(path))


def shown(wanted: np.ndarray | None) -> np.ndarray:
    """Which samples go into the picture: the first ones, or a column of each class that was asked for."""
    if wanted is None:
        return np.arange(SHOWN)
    of_class = [np.flatnonzero(wanted == k)[: SHOWN // COLUMNS] for k in range(COLUMNS)]
    return np.stack(of_class, axis=1).ravel()


def real_images(row: Row, animals: str | None) -> tuple[data.Dataset, data.Dataset]:
    if row.data == "mnist":
        return data.mnist("train"), data.mnist("test")
    train_set, test = (data.mnist(split, root=animals) for split in ("train", "test"))
    return (train_set.of_class(row.only), test.of_class(row.only)) if row.only else (train_set, test)


# ---- what came out -----------------------------------------------------------------------------------------------


def load(path: Path) -> Found:
    return json.loads(path.read_text()) if path.exists() else {}


def write(path: Path, found: Found) -> None:
    """Add to what the file holds."""
    write_atomically(path, (json.dumps(load(path) | found, indent=1) + "\n").encode())


def tables(found: dict[str, Found]) -> dict[str, str]:
    """One for each data set, a line for each model."""
    made = {}
    for place, wanted in (("zoo", "mnist"), ("animals", "animals")):
        rows = [row for row in ROWS if row.data == wanted and row.name in found]
        if rows:
            made[place] = markdown(HEAD, [line(row, found[row.name]) for row in rows])
    return made


HEAD = [
    "model", "Frechet distance", "second classifier's", "precision", "recall", "coverage", "modes", "as asked",
    "like copies", "steps", "minutes of a core", "trained by",
]  # fmt: skip


def line(row: Row, scores: Found) -> list[str]:
    asked, minutes = scores.get("accuracy"), scores.get("minutes")
    return [
        row.name,
        number(scores["frechet_distance"]),
        number(scores["second_frechet_distance"]),
        *(f"{scores[name]:.3f}" for name in ("precision", "recall", "coverage")),
        "" if row.only else f"{scores['modes_found']} of {scores['modes']}",  # one class has no modes to find
        "" if asked is None else f"{asked:.1%}",
        f"{scores['copies_share_below']:.1%}",
        f"{scores['steps']:,}",
        "" if minutes is None else f"{minutes:.1f}",
        f"`{row.command}`",
    ]


if __name__ == "__main__":
    sys.exit(main())
