"""Are minigan's GANs as good as PyTorch's? The same DCGAN and WGAN-GP trained with both, many seeds, and a test.

    python -m benchmarks.quality --work out/quality --only dcgan --seeds 20 --control --jobs 2
    python -m benchmarks.quality --work out/quality --only wgan_gp --seeds 10 --jobs 2
    python -m benchmarks.quality --work out/quality --table                # what there is by now
    python -m benchmarks.quality --work out/quality --table --markdown docs/quality.md docs/quality/equivalence.md

The folder keeps each run's samples and scores, so that a command which was stopped goes on with the first run that
is missing. The two engines share nothing but the configuration: each draws its own weights from the same law, its own
order of the data and its own z, and makes its own samples; a seed of one has nothing to do with the same seed of the
other. Every run is judged by the same frozen classifier, against MNIST's test images.

``--control`` adds minigan with a broken batch norm (eps 0.8 instead of 1e-5, in G and in D). It must not pass.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice, product
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import minigan
from benchmarks.report import fill, markdown, number
from benchmarks.workloads import Workload
from minigan import backend, data, gan, metrics, nn
from minigan.cli import user_errors
from minigan.commands.arguments import positive
from minigan.errors import InputError
from minigan.files import write_atomically

if TYPE_CHECKING:
    from benchmarks.equivalence import Comparison

# Cheap enough for many seeds, long enough for digits.
WORKLOADS = {
    "dcgan": Workload("dcgan", side=28, channels=1, width=32, depth=2, z_dim=100),
    "wgan_gp": Workload("wgan_gp", side=28, channels=1, width=32, depth=2, z_dim=128, n_critic=5, batch=32),
}
LR = {"dcgan": 2e-4, "wgan_gp": 5e-4}  # the zoo's; five times the zoo's, to come to digits in so few steps
STEPS = {"dcgan": 1200, "wgan_gp": 3000}
SAMPLES = 5000
BROKEN_EPS = 0.8
NAMES = {"torch": "PyTorch", "minigan": "minigan", "control": f"control: minigan, batch norm's eps {BROKEN_EPS}"}
METRICS = {
    "frechet": "Frechet distance",
    "kid": "kernel distance",
    "precision": "precision",
    "recall": "recall",
}
DECIDES = "frechet"
Scores = dict[str, Any]  # a run's fields, seconds, extractor, samples, and a number for each of METRICS


@dataclass(frozen=True)
class Run:
    """One training, by its name in the folder: dcgan-width32-batch64-steps1200-minigan-seed3."""

    model: str
    width: int
    batch: int
    steps: int
    engine: str
    seed: int

    def __str__(self) -> str:
        return f"{self.model}-width{self.width}-batch{self.batch}-steps{self.steps}-{self.engine}-seed{self.seed}"

    @property
    def workload(self) -> Workload:
        found = WORKLOADS[self.model]
        return Workload(**(asdict(found) | {"width": self.width, "batch": self.batch}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where samples and scores are kept")
    parser.add_argument("--only", choices=WORKLOADS, help="default: both")
    parser.add_argument("--seeds", type=positive, default=10, metavar="N", help="runs of each engine (default: 10)")
    parser.add_argument("--control", action="store_true", help="minigan with a broken batch norm too")
    parser.add_argument("--steps", type=positive, help=f"updates of D (default: {STEPS})")
    parser.add_argument("--width", type=positive, help="channels next to the pixels (default: 32)")
    parser.add_argument("--batch-size", type=positive, help="default: 64")
    parser.add_argument("--jobs", type=positive, default=1, help="runs at a time, of one thread each (default: 1)")
    parser.add_argument("--extractor", default="mnist", metavar="NAME", help="default: mnist")
    parser.add_argument("--samples-only", action="store_true", help="train and keep samples, judge them another time")
    parser.add_argument("--table", action="store_true", help="train and judge nothing, show what there is")
    parser.add_argument("--markdown", type=Path, nargs="+", default=[], metavar="FILE", help="fill the tables' places")
    return user_errors(work, parser.parse_args())


def work(args: argparse.Namespace) -> None:
    args.work.mkdir(parents=True, exist_ok=True)
    if not args.table:
        do(runs(args), args.work, args.jobs, None if args.samples_only else args.extractor)
    if args.samples_only:
        return
    scores = load(args.work)
    if not scores:
        raise InputError(f"--work {args.work} holds no scores: leave out --table to make some")
    made = tables(scores)
    print("\n\n".join(made.values()))
    fill(args.markdown, made)


def runs(args: argparse.Namespace) -> list[Run]:
    """Seed by seed, so that a command which is stopped early has been fair to all engines."""
    engines = [engine for engine in NAMES if engine != "control" or args.control]
    return [
        Run(
            model=model,
            width=args.width or WORKLOADS[model].width,
            batch=args.batch_size or WORKLOADS[model].batch,
            steps=args.steps or STEPS[model],
            engine=engine,
            seed=seed,
        )
        for seed, model, engine in product(range(args.seeds), [args.only] if args.only else WORKLOADS, engines)
    ]


def do(wanted: list[Run], folder: Path, jobs: int, extractor: str | None) -> None:
    """Every run that is not there yet, ``jobs`` at a time in processes of their own; without extractor only samples."""
    ignore = signal.SIGINT, signal.SIG_IGN  # the parent ends its children
    with get_context("spawn").Pool(jobs, signal.signal, ignore) as pool:
        tasks = ((run, folder, extractor) for run in wanted)
        for line in pool.imap_unordered(_one, tasks):
            print(line, flush=True)


def _one(task: tuple[Run, Path, str | None]) -> str:
    run, folder, extractor = task
    minigan.set_num_threads(1)
    minigan.keep_freed_memory().__enter__()  # as in a run
    samples = folder / f"{run}.npz"
    if not samples.exists():
        start = time.perf_counter()
        images = train(run)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=images, seconds=time.perf_counter() - start)
        write_atomically(samples, buffer.getvalue())
    with np.load(samples) as kept:
        images, seconds = kept["images"], float(kept["seconds"])
    if extractor is None:
        return f"{run}: {seconds:.0f} s"
    path = folder / f"{run}.json"
    if not path.exists() or json.loads(path.read_text())["extractor"] != judge(extractor)[0].describe():
        scores = asdict(run) | {"seconds": round(seconds, 1)} | score(images, *judge(extractor))
        write_atomically(path, (json.dumps(scores, indent=1) + "\n").encode())
    return f"{run}: {seconds:.0f} s, Frechet distance {json.loads(path.read_text())['frechet']:.2f}"


# ---- a run -------------------------------------------------------------------------------------------------------


def train(run: Run) -> np.ndarray:
    """SAMPLES images (N, 1, 28, 28), uint8, of the trained generator in evaluation mode."""
    made = (train_torch if run.engine == "torch" else train_minigan)(run)
    if not np.isfinite(made).all():
        raise InputError(f"{run}: the generator makes NaN")
    return np.rint(made * 127.5 + 127.5).astype(np.uint8)


def train_minigan(run: Run) -> np.ndarray:
    """The zoo's model with the zoo's settings."""
    init, noise, order, looks = (np.random.default_rng(s) for s in np.random.SeedSequence(run.seed).spawn(4))
    model, place = gan.MODELS[run.model], backend.get("numpy")
    networks = gan.build({"model": run.model, "width": run.width, "z_dim": run.workload.z_dim}, init)
    if run.engine == "control":
        break_batch_norm(*networks)
    generator, discriminator = (network.to(place) for network in networks)
    rates = {"g_lr": LR[run.model], "d_lr": LR[run.model]}
    trainer = model.trainer(generator, discriminator, z_dim=run.workload.z_dim, rng=noise, **rates)
    loader = data.Loader(data.mnist(), run.batch, backend=place, rng=order, prefetch=0)
    for _ in trainer.steps(islice(loader.forever(), run.steps)):
        pass
    return gan.generate(generator, looks.standard_normal((SAMPLES, run.workload.z_dim)))


def break_batch_norm(*networks: nn.Module) -> None:
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eps = BROKEN_EPS


def train_torch(run: Run) -> np.ndarray:
    """As a PyTorch user writes it, with PyTorch's own random numbers throughout."""
    import torch

    from benchmarks import pytorch

    torch.set_num_threads(1)
    torch.manual_seed(run.seed)
    generator, discriminator = pytorch.build(run.workload)
    for layer in (*generator.modules(), *discriminator.modules()):
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(layer.weight, 1.0, 0.02)
        elif isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            torch.nn.init.normal_(layer.weight, 0.0, 0.02)
    digits = torch.from_numpy(data.mnist().images)

    def batches() -> Iterator[Any]:
        while True:
            order = torch.randperm(len(digits))
            for start in range(0, len(order) - run.batch + 1, run.batch):
                yield digits[order[start : start + run.batch]].float() / 127.5 - 1

    nothing = np.zeros((1, 1, 28, 28), np.float32)
    step = pytorch.training_step((generator, discriminator), nothing, run.workload, lr=LR[run.model])
    for real in islice(batches(), run.steps):
        step(real)
    generator.eval()
    with torch.no_grad():
        return torch.cat([generator(torch.randn(500, run.workload.z_dim)) for _ in range(SAMPLES // 500)]).numpy()


# ---- its scores --------------------------------------------------------------------------------------------------


@cache
def judge(extractor: str) -> tuple[Any, np.ndarray]:
    """The classifier, and its features of MNIST's test images."""
    found = metrics.load_extractor(extractor)
    return found, found(data.mnist("test").images).features


def score(images: np.ndarray, extractor: metrics.Extractor, real: np.ndarray) -> Scores:
    fake = extractor(images).features
    shares = metrics.precision_recall(real, fake)
    return {
        "extractor": extractor.describe(),
        "samples": len(images),
        "frechet": metrics.frechet_distance(real, fake),
        "kid": metrics.kernel_distance(real, fake, np.random.default_rng(0)).value,
        "precision": shares.precision,
        "recall": shares.recall,
    }


def load(folder: Path) -> list[Scores]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*-seed*.json"))]


# ---- tables ------------------------------------------------------------------------------------------------------


def tables(scores: list[Scores]) -> dict[str, str]:
    """Markdown of the four tables: the verdicts in short, then means, tests, and every run."""
    games = _games(scores)
    return {
        "verdicts": verdicts_table(games),
        "quality": means_table(games),
        "equivalence": tests_table(games),
        "every_run": runs_table(games),
    }


def _games(scores: list[Scores]) -> dict[str, dict[str, list[Scores]]]:
    """The runs of each engine, by configuration. Scores of different extractors are not compared."""
    judges = {one["extractor"] for one in scores}
    if len(judges) > 1:
        raise InputError(f"the scores are of different extractors ({'; '.join(judges)}): leave out --table")
    games: dict[str, dict[str, list[Scores]]] = {}
    for one in sorted(scores, key=lambda one: (one["model"], list(NAMES).index(one["engine"]), one["seed"])):
        title = f"{one['model']}, width {one['width']}, batch {one['batch']}, {one['steps']} steps"
        games.setdefault(title, {}).setdefault(one["engine"], []).append(one)
    return games


def verdicts_table(games: dict[str, dict[str, list[Scores]]]) -> str:
    """Each engine against PyTorch in the metric that decides."""
    from benchmarks.equivalence import compare  # with scipy

    lines = []
    for game, engines in games.items():
        for engine, found in engines.items():
            reference = engines.get("torch", [])
            if engine == "torch" or min(len(found), len(reference)) < 2:
                continue
            ours, theirs = values(found, DECIDES), values(reference, DECIDES)
            _, interval, margin, *_, verdict = cells(compare(ours, theirs))
            runs = f"{len(found)}, {len(reference)}"
            lines.append([f"{game}: {NAMES[engine]}", runs, spread(ours), spread(theirs), interval, margin, verdict])
    head = [METRICS[DECIDES], "runs", "these", "PyTorch's", "90 % interval of the difference", "margin", "verdict"]
    return markdown(head, lines)


def means_table(games: dict[str, dict[str, list[Scores]]]) -> str:
    lines = []
    for game, engines in games.items():
        for engine, found in engines.items():
            columns = [values(found, name) for name in METRICS]
            lines.append([f"{game}: {NAMES[engine]}", str(len(found)), *(spread(column) for column in columns)])
    return markdown(["mean ± standard deviation", "runs", *METRICS.values()], lines)


def tests_table(games: dict[str, dict[str, list[Scores]]]) -> str:
    """Each engine against PyTorch in each metric, and what the test could have seen."""
    from benchmarks.equivalence import compare, pass_rate  # with scipy, which only this table needs

    lines, powers = [], []
    for game, engines in games.items():
        reference = engines.get("torch", [])
        for engine, found in engines.items():
            if engine == "torch" or min(len(found), len(reference)) < 2:
                continue
            for name, title in METRICS.items():
                result = compare(values(found, name), values(reference, name))
                lines.append([f"{game}: {NAMES[engine]}, {title}", *cells(result)])
            n, m = len(found), len(reference)
            powers.append(
                f"- {game}: {NAMES[engine]}, {n} runs against {m}: engines that are equal pass with probability "
                f"{pass_rate(n, m):.2f}, engines one standard deviation apart with {pass_rate(n, m, 1.0):.2f}."
            )
    head = ["against PyTorch", "difference", "90 % interval", "margin", "p of TOST", "p of Welch", "p of permutation"]
    return markdown([*head, "verdict"], lines) + "\n\n" + "\n".join(powers)


def cells(result: Comparison) -> list[str]:
    interval = f"{number(result.low)} .. {number(result.high)}"
    tests = (f"{p:.2g}" for p in (result.equal_p, result.differ_p, result.permutation_p))
    return [number(result.difference), interval, number(result.margin), *tests, f"**{result.verdict}**"]


def runs_table(games: dict[str, dict[str, list[Scores]]]) -> str:
    lines = [
        [f"{game}: {NAMES[engine]}, {one['seed']}", *(number(one[name]) for name in METRICS)]
        for game, engines in games.items()
        for engine, found in engines.items()
        for one in found
    ]
    return markdown(["run and seed", *METRICS.values()], lines)


def values(found: list[Scores], name: str) -> np.ndarray:
    return np.array([one[name] for one in found])


def spread(column: np.ndarray) -> str:
    deviation = f" ± {number(statistics.stdev(column))}" if len(column) > 1 else ""
    return number(statistics.fmean(column)) + deviation


if __name__ == "__main__":
    sys.exit(main())
