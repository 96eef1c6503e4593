"""Which recipe draws the best digits? Each changes one thing; the table says what became of the Frechet distance.

    python -m benchmarks.recipes --work out/recipes                          # every recipe that is not there yet
    python -m benchmarks.recipes --work out/recipes --only "50 clusters" --steps 1000 --seeds 3
    python -m benchmarks.recipes --work out/recipes --table                  # what there is by now
    python -m benchmarks.recipes --work out/recipes --table --markdown docs/quality.md docs/quality/recipes.md

A run is kept in the folder as soon as it is over, so that a command which was stopped goes on with the first that is
missing. All are judged by the shipped classifier, on 5,000 samples of the generator's average against MNIST's training
images, and none by the classifier that the default was confirmed with (docs/quality.md).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import minigan
from benchmarks.report import fill, markdown, number
from minigan import backend, data, gan, metrics, nn, ops, optim
from minigan.backend import Array
from minigan.cli import user_errors
from minigan.commands.arguments import natural, positive
from minigan.data.clusters import small_copies
from minigan.errors import InputError
from minigan.files import write_atomically
from minigan.tensor import Tensor

EMBEDDING = 50
SAMPLES = 5000
AT = (500, 937, 1000, 1500, 2000, 3000, 4000, 4685)  # steps; an epoch has 937


@dataclass(frozen=True)
class Setting:
    """One recipe: a DCGAN of 28 pixels without batch norm in D, R1, Adam, batches of 64, z of 100 numbers."""

    width: int = 32
    hidden: int = 256  # units of a layer before D's last; 0 for none
    group: int = 4  # of the minibatch standard deviation; 0 for none
    clusters: int = 0
    by: str = "k-means"  # how the pictures are sorted, see ``sorted_by``
    every: int = 8  # R1 in each so-many-th step
    gamma: float = 1.0
    lr: float = 1e-3
    more_conv: bool = False  # a 3x3 convolution more in G, at 14x14


PLAIN = Setting(hidden=0, group=0, every=1)
TOLD = Setting(clusters=50)
SETTINGS = {
    "R1 alone, width 64": replace(PLAIN, width=64),
    "R1 alone": PLAIN,
    "a hidden layer and minibatch std in D": replace(PLAIN, hidden=256, group=4),
    "50 clusters": replace(TOLD, every=1),
    "16 clusters": replace(TOLD, every=1, clusters=16),
    "256 clusters": replace(TOLD, every=1, clusters=256),
    "64 clusters, cut at medians": replace(TOLD, every=1, clusters=64, by="medians"),
    "64 cells that only D sees": replace(TOLD, every=1, clusters=64, by="cells"),
    "50 clusters, a convolution more in G": replace(TOLD, every=1, more_conv=True),
    "50 clusters, R1 each 8th step": TOLD,
    "50 clusters, R1 each 8th step, rate 5e-4": replace(TOLD, lr=5e-4),
    "50 clusters, R1 each 8th step, no minibatch std": replace(TOLD, group=0),
    "50 clusters, R1 each 8th step, width 48": replace(TOLD, width=48),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where the results are kept")
    parser.add_argument("--only", choices=SETTINGS, help="default: each in turn")
    parser.add_argument("--seed", type=natural, default=100, help="of the first run (default: 100)")
    parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="runs of each (default: 1)")
    parser.add_argument("--steps", type=positive, default=500, help="default: 500")
    parser.add_argument("--threads", type=positive, default=1, help="default: 1")
    parser.add_argument("--table", action="store_true", help="train nothing, show what there is")
    parser.add_argument("--markdown", type=Path, nargs="+", default=[], metavar="FILE", help="fill the tables' places")
    return user_errors(work, parser.parse_args())


def work(args: argparse.Namespace) -> None:
    args.work.mkdir(parents=True, exist_ok=True)
    minigan.set_num_threads(args.threads)
    if not args.table:
        for seed in range(args.seed, args.seed + args.seeds):
            for name in [args.only] if args.only else SETTINGS:
                path = args.work / f"{list(SETTINGS).index(name):02}-steps{args.steps}-seed{seed}.json"
                if not path.exists():
                    found = train(SETTINGS[name], args.steps, seed)
                    write_atomically(path, (json.dumps({"name": name, **found}, indent=1) + "\n").encode())
                print(f"{name}, seed {seed}: {json.loads(path.read_text())['distances']}", flush=True)
    results = [json.loads(path.read_text()) for path in sorted(args.work.glob("*-seed*.json"))]
    if not results:
        raise InputError(f"--work {args.work} holds no results: leave out --table to make some")
    made = {"recipes": table(results), "search": short_table(results)}
    print(made["recipes"])
    fill(args.markdown, made)


def table(results: list[dict[str, Any]]) -> str:
    """A row for each recipe, length and seed: the distances of G's average at the steps that some run was judged at,
    and that of its last weights at the end."""
    columns = sorted({int(step) for one in results for step in one["distances"]})
    lines = []
    for one in sorted(results, key=lambda one: (list(SETTINGS).index(one["name"]), one["steps"], one["seed"])):
        distances = [number(one["distances"][str(step)]) if str(step) in one["distances"] else "" for step in columns]
        others = [number(one[name]) if name in one else "" for name in ("last", "coverage", "precision", "recall")]
        command = f'`--only "{one["name"]}" --steps {one["steps"]} --seed {one["seed"]}`'
        lines.append([one["name"], *distances, *others, f"{one['ms']:.0f}", command])
    head = [
        "Frechet distance after",
        *(f"{step:,} steps" for step in columns),
        "last weights",
        "coverage",
        "precision",
        "recall",
    ]
    return markdown([*head, "ms a step", "command"], lines)


def short_table(results: list[dict[str, Any]]) -> str:
    """What a page has room for: the distance at step 500 of each run that was judged there."""
    judged = [one for one in results if "500" in one["distances"]]
    lines = [
        [one["name"], number(one["distances"]["500"])]
        for one in sorted(judged, key=lambda one: (list(SETTINGS).index(one["name"]), one["seed"]))
    ]
    return markdown(["Frechet distance after", "500 steps"], lines)


# ---- a run -----------------------------------------------------------------------------------------------------------


def train(setting: Setting, steps: int, seed: int) -> dict[str, Any]:
    """Train and judge: at each step of AT, and at the end with coverage, precision and recall."""
    init, noise, order, looks = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))
    digits, told = data.mnist(), setting.clusters > 0 and setting.by != "cells"
    if setting.clusters:
        labels = sorted_by(setting.by, digits, setting.clusters)
        digits = replace(digits, labels=labels, classes=tuple(map(str, range(setting.clusters))))
    place = backend.get("numpy")
    generator, discriminator = (network.to(place) for network in networks(setting, digits, init))
    loader = data.Loader(digits, 64, backend=place, rng=order, prefetch=0, labels=told)
    penalties = [gan.R1(gamma=setting.gamma, every=setting.every)]
    game = gan.TwoPlayer(generator, discriminator, z_dim=100, rng=noise, penalties=penalties)
    adam = {"lr": setting.lr, "betas": (0.0, 0.99)}
    optimizers = {turn.name: optim.Adam(turn.networks[0].parameters(), **adam) for turn in game.turns}
    trainer = gan.Trainer(game, optimizers, ema=0.998)

    extractor = metrics.load_extractor("mnist")
    real = extractor(data.mnist().images).features
    law = metrics.Gaussian.of(real, "real images")
    z = looks.standard_normal((SAMPLES, 100))
    wanted = digits.labels[looks.choice(len(digits), SAMPLES)] if told and digits.labels is not None else None
    distances: dict[str, float] = {}
    start, judging = time.process_time(), 0.0
    features = np.zeros((0, 0))

    def judged(network: nn.Module) -> tuple[np.ndarray, float]:
        images = gan.generate(network, z, wanted)
        found = extractor(np.rint(images * 127.5 + 127.5).astype(np.uint8)).features
        return found, metrics.frechet_distance(law, metrics.Gaussian.of(found, "samples"))

    for record in trainer.steps(islice(loader.forever(), steps)):
        if record.step in AT or record.step == steps:
            before = time.process_time()
            features, distances[str(record.step)] = judged(trainer.result())
            judging += time.process_time() - before
    milliseconds = 1000 * (time.process_time() - start - judging) / steps
    some = real[np.random.default_rng(0).permutation(len(real))[:10_000]]
    shares = asdict(metrics.precision_recall(some, features))
    facts = {"setting": asdict(setting), "steps": steps, "seed": seed, "samples": SAMPLES, "ms": milliseconds}
    judgement = {"extractor": extractor.describe(), "distances": distances, "last": judged(generator)[1]}
    return facts | judgement | shares


def sorted_by(how: str, digits: data.Dataset, clusters: int) -> np.ndarray:
    """Each picture's cluster. "medians" and "cells" halve at the median of the first principal component, and on."""
    if how == "k-means":
        labels = data.clustered(digits, clusters).labels
        assert labels is not None
        return labels
    x = small_copies(digits.images)
    label = np.zeros(len(x), np.int64)
    while label.max() + 1 < clusters:
        halved = 2 * label
        for number_ in np.unique(label):
            rows = np.flatnonzero(label == number_)
            centred = x[rows] - x[rows].mean(axis=0)
            axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
            halved[rows[np.argsort(centred @ axis, kind="stable")[len(rows) // 2 :]]] += 1
        label = halved
    return label


def networks(setting: Setting, digits: data.Dataset, rng: np.random.Generator) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator of a recipe."""
    width, wide, cells = setting.width, 2 * setting.width, setting.by == "cells"
    half: dict[str, Any] = {"stride": 2, "padding": 1, "rng": rng}
    told = 0 if cells or not setting.clusters else EMBEDDING
    grow: list[nn.Module] = [nn.Linear(100 + told, wide * 49, bias=False, rng=rng), nn.Reshape(wide, 7, 7)]
    grow += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, width, 4, bias=False, **half)]
    if setting.more_conv:
        grow += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False, rng=rng)]
    grow += [nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, 1, 4, bias=False, **half), nn.Tanh()]
    generator = nn.Sequential(*([OneHot(setting.clusters)] if cells else []), *grow)

    shrink: list[nn.Module] = [nn.Conv2d(1, width, 4, **half), nn.LeakyReLU(0.2)]
    shrink += [nn.Conv2d(width, wide, 4, **half), nn.LeakyReLU(0.2)]
    shrink += [nn.MinibatchStd(group_size=setting.group)] if setting.group else []
    features = (wide + bool(setting.group)) * 49
    shrink.append(nn.Flatten())
    if setting.hidden:
        shrink += [nn.Linear(features, setting.hidden, rng=rng), nn.LeakyReLU(0.2)]
        features = setting.hidden
    shrink += [] if setting.clusters else [nn.Linear(features, 1, rng=rng)]
    discriminator = nn.Sequential(*shrink)
    for network in (generator, discriminator):
        nn.init.dcgan_(network, rng)
    if not setting.clusters:
        return generator, discriminator
    judge = Told(discriminator, features, setting.clusters, rng)
    if cells:
        return generator, InCells(judge, digits)
    return ToldGenerator(generator, setting.clusters, rng), judge


class ToldGenerator(nn.Module):
    """G(z, clusters)"""

    def __init__(self, network: nn.Module, clusters: int, rng: np.random.Generator) -> None:
        self.network, self.embedding = network, nn.Embedding(clusters, EMBEDDING, rng=rng)

    def forward(self, z: Tensor, clusters: Array) -> Tensor:
        return self.network(ops.concat([z, self.embedding(clusters)], axis=1))


class Told(nn.Module):
    """D(x, clusters)"""

    def __init__(self, body: nn.Module, features: int, clusters: int, rng: np.random.Generator) -> None:
        self.body, self.head = body, nn.ProjectionHead(features, num_classes=clusters, rng=rng)
        for weight in (self.head.embed.weight, self.head.psi.weight):
            nn.init.normal_(weight, rng, std=0.02)

    def forward(self, x: Tensor, clusters: Array) -> Tensor:
        return self.head(self.body(x), clusters)


class InCells(nn.Module):
    """D(x): it looks up by itself which of the cells' means is nearest, in generated pictures too."""

    def __init__(self, network: nn.Module, digits: data.Dataset) -> None:
        x, labels = small_copies(digits.images) / 127.5 - 1, digits.labels
        self.network = network
        self.means = np.stack([x[labels == cell].mean(axis=0) for cell in range(len(digits.classes))])

    def forward(self, x: Tensor) -> Tensor:
        seen = small_copies(x.data)
        cells = ((self.means**2).sum(axis=1) - 2 * seen @ self.means.T).argmin(axis=1)
        return self.network(x, cells)


class OneHot(nn.Module):
    """The first k numbers of z become one-hot: sqrt(k) in the place of their largest."""

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, z: Tensor) -> Tensor:
        first = z.data[:, : self.k]
        hot = (first == first.max(axis=1, keepdims=True)) * np.float32(self.k**0.5)
        return ops.concat([Tensor(hot), z[:, self.k :]], axis=1)


if __name__ == "__main__":
    sys.exit(main())
