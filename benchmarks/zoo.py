"""Every model of the zoo trained by one command, judged by the same classifier, and timed: docs/zoo.md.

    python -m benchmarks.zoo --work out/zoo                                # trains, judges, times: hours on two cores
    python -m benchmarks.zoo --work out/zoo --only dcgan gan               # these rows
    python -m benchmarks.zoo --work out/zoo --table --markdown docs/zoo.md # what there is by now, into the document

A run that is there is not repeated, one that was stopped goes on. Times are of ROUNDS rounds in which the models
take turns, each a few steps with the batches of its training on images that lie ready: they take a machine that does
nothing else, and ``--time`` takes them alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import filled, markdown, number
from minigan import data, gan, viz
from minigan.cli import user_errors
from minigan.commands.arguments import extractor_for
from minigan.commands.sources import open_samples
from minigan.errors import InputError
from minigan.files import write_atomically
from minigan.metrics.evaluation import Evaluator

SAMPLES, ROUNDS, SHOWN, COLUMNS = 10_000, 5, 60, 10


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
        return f"python -m minigan train --model {self.model}{chosen} {self.arguments}"


ROWS = [
    Row("gan", "gan", "--batch-size 64 --epochs 10"),
    Row("dcgan", "dcgan", "--epochs 5"),
    Row("wgan", "wgan", "--batch-size 64 --steps 2100"),
    Row("wgan_gp", "wgan_gp", "--batch-size 64 --epochs 5"),
    Row("sngan", "sngan", "--batch-size 64 --steps 1000"),
    Row("cgan", "cgan", "--batch-size 64 --epochs 5"),
    Row("acgan", "acgan", "--batch-size 64 --epochs 5 --instance-noise 0.3"),
    Row("self_conditioned", "self_conditioned", "--epochs 5"),
    Row("animals_dcgan", "dcgan", "--batch-size 64 --epochs 6", "animals"),
    Row("animals_wgan_gp", "wgan_gp", "--batch-size 64 --steps 3000", "animals"),
    Row(
        "dog",
        "dcgan",
        "--batch-size 64 --steps 1000 --diffaugment color,translation,cutout",
        "animals",
        "dog",
    ),
]
Found = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where runs and scores are kept")
    parser.add_argument("--only", nargs="+", metavar="ROW", help=f"of {', '.join(row.name for row in ROWS)}")
    parser.add_argument(
        "--animals", metavar="DIR", help="the folder of examples/get_animals.py; without it, no animals"
    )
    parser.add_argument("--table", action="store_true", help="train, judge and time nothing, show what there is")
    parser.add_argument("--judge", action="store_true", help="only judge the runs that there are")
    parser.add_argument("--time", action="store_true", help="only time")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="fill its tables, and put the pictures beside it")
    return user_errors(work, parser.parse_args())


def work(args: argparse.Namespace) -> None:
    unknown = set(args.only or ()) - {row.name for row in ROWS}
    if unknown:
        raise InputError(f"--only {' '.join(sorted(unknown))}: choose of {', '.join(row.name for row in ROWS)}")
    args.work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in ROWS if row.name in (args.only or [row.name]) and (args.animals or row.data == "mnist")]
    if not (args.table or args.judge or args.time):
        for row in rows:
            train(row, args.work, args.animals)
    if not (args.table or args.time):
        judge([row for row in rows if (args.work / row.name / "model.safetensors").exists()], args.work, args.animals)
    if not (args.table or args.judge):
        clock([row for row in rows if row.data == "mnist"], args.work)
    found = {row.name: load(args.work / f"{row.name}.json") for row in ROWS}
    made = tables({name: scores for name, scores in found.items() if "frechet_distance" in scores})
    if not made:
        raise InputError(f"--work {args.work} holds no scores: leave out --table to make some")
    print("\n\n".join(made.values()))
    if args.markdown:
        write_atomically(args.markdown, filled(args.markdown.read_text(), made).encode())
        pictures = args.markdown.with_suffix("")
        pictures.mkdir(exist_ok=True)
        for path in args.work.glob("*.png"):
            write_atomically(pictures / path.name, path.read_bytes())


def train(row: Row, folder: Path, animals: str | None) -> None:
    """In a process of its own, exactly as a user would; what is done is recognised by its step count."""
    out = folder / row.name
    if (out / "model.safetensors").exists():
        return
    arguments = row.command.split()[3:]
    arguments = [str(animals) if argument == "animals" else argument for argument in arguments]
    resume = ["--resume"] if (out / "metrics.jsonl").exists() else []
    done = subprocess.run([sys.executable, "-m", "minigan", *arguments, "--out", str(out), *resume])
    if done.returncode:
        raise InputError(f"{row.name}: the training ended with exit code {done.returncode}; see above")


# ---- judging -----------------------------------------------------------------------------------------------------


def judge(rows: list[Row], folder: Path, animals: str | None) -> None:
    """Every metric of SAMPLES samples; a data set's features are taken once for all of its models."""
    evaluators: dict[tuple[str, str | None], Evaluator] = {}
    for row in rows:
        key = row.data, row.only
        if key not in evaluators:
            train_set, test = real_images(row, animals)
            extractor = extractor_for(train_set, None)
            evaluators[key] = Evaluator(train_set, test, extractor, rng=np.random.default_rng(0))
        evaluator, rng = evaluators[key], np.random.default_rng(1)
        samples = open_samples(str(folder / row.name), SAMPLES, evaluator.train, rng=rng, backend_name="numpy")
        found = evaluator.evaluate(samples.images, samples.wanted, baselines=False)
        viz.save_png(folder / f"{row.name}.png", viz.grid(samples.images[shown(samples.wanted)], columns=COLUMNS))
        write(folder / f"{row.name}.json", found.samples.as_dict() | {"extractor": found.extractor})
        print(f"{row.name}: Frechet distance {found.samples.frechet:.3g}", flush=True)


def shown(wanted: np.ndarray | None) -> np.ndarray:
    """Which samples go into the picture: the first ones, or a column of each class that was asked for."""
    if wanted is None:
        return np.arange(SHOWN)
    of_class = [np.flatnonzero(wanted == k)[: SHOWN // COLUMNS] for k in range(COLUMNS)]
    return np.stack(of_class, axis=1).ravel()


def real_images(row: Row, animals: str | None) -> tuple[data.Dataset, data.Dataset | None]:
    if row.data == "mnist":
        return data.mnist("train"), data.mnist("test")
    images = data.mnist("train", root=animals)
    return (images.of_class(row.only) if row.only else images), None


# ---- timing ------------------------------------------------------------------------------------------------------


def clock(rows: list[Row], folder: Path) -> None:
    """Seconds for 1,000 steps: the median over rounds in which each model takes a few."""
    steps = {row.name: stepping(row) for row in rows}
    seconds: dict[str, list[float]] = {row.name: [] for row in rows}
    for turn in range(ROUNDS + 1):
        for name in list(steps)[:: 1 if turn % 2 else -1]:
            spent = next(steps[name])
            if turn:  # the first round warms up
                seconds[name].append(spent)
    for name, found in seconds.items():
        write(folder / f"{name}.json", {"seconds_per_1000_steps": 1000 * statistics.median(found)})


def stepping(row: Row, steps: int = 5) -> Iterator[float]:
    """Seconds a step, of a few steps at a time; as many as make the rarer updates of G count by their share."""
    model, rng = gan.MODELS[row.model], np.random.default_rng(0)
    options = row.arguments.split()
    batch = int(options[options.index("--batch-size") + 1]) if "--batch-size" in options else 128
    architecture = {"model": row.model, "image_size": 28, "channels": 1, "z_dim": model.z_dim}
    generator, discriminator = gan.build(architecture | ({"classes": 10} if model.conditional else {}), rng)
    trainer = model.trainer(generator, discriminator, z_dim=model.z_dim, rng=rng)
    images = rng.uniform(-1, 1, (batch, 28, 28, 1)).astype(np.float32).transpose(0, 3, 1, 2)
    shown: Any = (images, rng.integers(0, 10, batch)) if model.conditional else images
    while True:
        start = time.perf_counter()
        for _ in trainer.steps([shown] * steps):
            pass
        yield (time.perf_counter() - start) / steps


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
    "model", "Frechet distance", "1,000 x kernel distance", "precision", "recall", "coverage", "modes", "reverse KL",
    "shows what was asked", "s per 1,000 steps", "trained by",
]  # fmt: skip


def line(row: Row, scores: Found) -> list[str]:
    asked, seconds = scores.get("accuracy"), scores.get("seconds_per_1000_steps")
    kernel = f"{1000 * scores['kernel_distance']:.2f} ± {1000 * scores['kernel_distance_standard_error']:.2f}"
    one_class = "--class" in row.arguments  # then there are no modes to find
    return [
        row.name,
        number(scores["frechet_distance"]),
        kernel,
        *(f"{scores[name]:.3f}" for name in ("precision", "recall", "coverage")),
        "" if one_class else f"{scores['modes_found']} of {scores['modes']}",
        "" if one_class else f"{scores['reverse_kl']:.3f}",
        "" if asked is None else f"{asked:.1%}",
        "" if seconds is None else f"{seconds:.0f}",
        f"`{row.command}`",
    ]


if __name__ == "__main__":
    sys.exit(main())
