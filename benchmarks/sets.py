"""Does the default recipe hold on any small set of pictures? Each set with three seeds, and nothing but its size said.

    python -m benchmarks.sets --work out/sets                                   # silhouettes, heads
    python -m benchmarks.sets --work out/sets --only heads-32 --seeds 1
    python -m benchmarks.sets --work out/sets --folder my/pictures --size 64      # pictures of your own
    python -m benchmarks.sets --work out/sets --table --markdown docs/quality/recipes.md

A run that is there is not repeated, one that was stopped goes on. The sets are those of examples/data. As many samples
as there are pictures are held against these, by 64 principal components of their pixels:

spread     how much samples differ from each other, as a share of how much pictures do (standard deviation of a pixel)
in cluster the same among samples and pictures of one cluster: a collapse that the spread over all of them hides
coverage   the share of pictures whose ball, up to the fifth neighbour, holds a sample (Naeem et al. 2020)
recall     the share of pictures that lie in the ball of a sample (Kynkaanniemi et al. 2019)
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.child import ROOT
from benchmarks.report import fill, markdown, number
from benchmarks.training import trained
from minigan import data, gan, metrics, viz
from minigan.cli import user_errors
from minigan.commands.arguments import LoadedGenerator, natural, positive
from minigan.data.opening import open_images
from minigan.data.paired import tiles
from minigan.errors import InputError
from minigan.files import write_atomically

COMPONENTS, SHOWN = 64, 40
HEADS = ROOT / "examples" / "data" / "avatars" / "avatars.png"
SILHOUETTES = ROOT / "examples" / "data" / "silhouettes"


@dataclass(frozen=True)
class Set:
    """``python -m minigan train --data FOLDER --size SIZE --steps STEPS --seed N``; IDX files have a size already."""

    folder: Path
    steps: int
    size: int | None = None

    def command(self, seed: int, folder: str = "") -> str:
        cut = [] if self.size is None else ["--size", str(self.size)]
        words = ["--data", folder or str(self.folder), *cut, "--steps", str(self.steps), "--seed", str(seed)]
        return " ".join(["python -m minigan train", *words])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where the runs are kept")
    parser.add_argument("--only", nargs="+", metavar="SET", help="default: each in turn")
    parser.add_argument("--folder", type=Path, help="a set of your own: a folder of pictures")
    parser.add_argument("--size", type=positive, default=64, help="pixels a side that its pictures are cut to (64)")
    parser.add_argument("--steps", type=positive, default=1000, help="that it is trained for (default: 1000)")
    parser.add_argument("--seed", type=natural, default=0, help="of the first run (default: 0)")
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument("--threads", type=positive, default=1, help="default: 1")
    parser.add_argument("--table", action="store_true", help="train nothing, show what there is")
    parser.add_argument("--markdown", type=Path, nargs="+", default=[], metavar="FILE", help="fill the table's place")
    return user_errors(work, parser.parse_args())


def work(args: argparse.Namespace) -> None:
    args.work.mkdir(parents=True, exist_ok=True)
    heads = args.work / "heads"
    sets = {
        "silhouettes": Set(SILHOUETTES, 2000),
        "heads-32": Set(heads, 1500, 32),
        "heads-64": Set(heads, 1000, 64),
    }
    if args.folder:
        sets[f"{args.folder.name}-{args.size}"] = Set(args.folder, args.steps, args.size)
    chosen = args.only or ([list(sets)[-1]] if args.folder else list(sets))
    if unknown := set(chosen) - set(sets):
        raise InputError(f"--only {' '.join(sorted(unknown))}: choose of {', '.join(sets)}")
    if not args.table:
        unpack_heads(heads)
        for name in chosen:
            for seed in range(args.seed, args.seed + args.seeds):
                path = args.work / f"{name}-{seed}.json"
                if not path.exists():
                    found = run(sets[name], args.work / f"{name}-{seed}", seed, args.threads)
                    write_atomically(path, (json.dumps({"set": name, "seed": seed, **found}, indent=1) + "\n").encode())
                print(path.read_text(), flush=True)
    results = [json.loads(path.read_text()) for path in sorted(args.work.glob("*-[0-9]*.json"))]
    if not results:
        raise InputError(f"--work {args.work} holds no results: leave out --table to make some")
    made = {"sets": table(results)}
    print(made["sets"])
    fill(args.markdown, made)


def unpack_heads(folder: Path) -> None:
    """The sheet of heads as a folder of pictures."""
    folder.mkdir(exist_ok=True)
    if not any(folder.iterdir()):
        for name, picture in tiles(HEADS, np.asarray(Image.open(HEADS).convert("RGB")), 64).items():
            Image.fromarray(picture).save(folder / f"{name}.png")


def run(one: Set, out: Path, seed: int, threads: int) -> dict[str, Any]:
    """Train as a user would, and judge what came of it."""
    minutes = trained(one.command(seed), out, "--threads", str(threads), "--quiet")
    pictures = open_images(str(one.folder), one.size, 3)
    told = judged(pictures, LoadedGenerator(out / "model.safetensors", "numpy"), out.with_suffix(".png"))
    folder = one.folder.relative_to(ROOT) if one.folder.is_relative_to(ROOT) else one.folder.name
    return {"minutes": minutes, "command": one.command(seed, str(folder)), **told}


def judged(pictures: data.Dataset, loaded: LoadedGenerator, grid: Path) -> dict[str, Any]:
    """Figures of as many samples as there are pictures; the first go into a grid."""
    sorted_ = data.clustered(pictures, gan.MODELS["self_conditioned"].clusters or 1)
    labels, rng = sorted_.labels, np.random.default_rng(0)
    assert labels is not None
    fake = gan.generate(loaded.generator, rng.standard_normal((len(pictures), loaded.z_dim)), labels)
    viz.save_png(grid, viz.grid(fake[rng.permutation(len(fake))[:SHOWN]], columns=10))
    real = pictures.images / np.float32(127.5) - 1
    groups = [labels == cluster for cluster in np.unique(labels)]
    inside = [fake[group].std(axis=0).mean() / real[group].std(axis=0).mean() for group in groups]
    to_components = principal(real)
    halves = [to_components(real[part]) for part in np.array_split(rng.permutation(len(real)), 2)]
    shares = metrics.precision_recall(to_components(real), to_components(fake))
    return {
        "clusters": len(groups),
        "spread": float(fake.std(axis=0).mean() / real.std(axis=0).mean()),
        "in_cluster": float(np.average(inside, weights=[group.sum() for group in groups])),
        "least_in_cluster": float(min(inside)),
        **asdict(shares),
        "halves": asdict(metrics.precision_recall(*halves)),
    }


def principal(images: np.ndarray) -> Any:
    """A function to the first components (N, dim) of pictures, those along which ``images`` differ most."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    axes = np.linalg.svd(flat - mean, full_matrices=False)[2][:COMPONENTS]
    return lambda some: (some.reshape(len(some), -1) - mean) @ axes.T


def table(results: list[dict[str, Any]]) -> str:
    lines = []
    for one in sorted(results, key=lambda one: (one["set"], one["seed"])):
        figures = [number(one[name]) for name in ("spread", "in_cluster", "least_in_cluster", "coverage", "recall")]
        minutes = "" if one["minutes"] is None else f"{one['minutes']:.1f}"
        lines.append([one["set"], *figures, minutes, f"`{one['command']}`"])
    for name, one in {one["set"]: one for one in results}.items():
        halves = one["halves"]
        lines.append([f"{name}: half of them beside the others", "", "", "", number(halves["coverage"]),
                      number(halves["recall"]), "", ""])  # fmt: skip
    return markdown(["", "spread", "in cluster", "least", "coverage", "recall", "minutes of a core", "command"], lines)


if __name__ == "__main__":
    sys.exit(main())
