"""PacGAN's experiment in the plane with PacGAN's settings: are as many modes found here as its authors found?

    python -m benchmarks.anchors --work out/anchors                        # ten seeds of all four: days on one core
    python -m benchmarks.anchors --work out/anchors --data grid --seeds 0 1 2 --epochs 100
    python -m benchmarks.anchors --work out/anchors --table                # what there is by now
    python -m benchmarks.anchors --work out/anchors --table --markdown docs/quality.md --plot docs/quality/anchors.png

Each run keeps its state in the folder at the end of every epoch and its statistics after each twentieth one: started
again, the command goes on where it was stopped, and with more ``--epochs`` it prolongs the runs.

The settings are those of Lin, Khetan, Fanti & Oh 2018 (arXiv:1712.04086) and of the authors' code: 100,000 points, 100
packs a step, 400 epochs, Adam with rate 1e-4 and beta1 0.8, z ~ N(0, I_2), weights N(0, 0.02^2); G with four hidden
layers of 400 units, batch norm and ReLU, D with three of 200 maxout units of 5 pieces each. 2,500 points are judged,
made with batch norm's running statistics. Two things differ: theirs updates both players at once, here G answers the
updated D; theirs normalises the first points of PacGAN2's packs apart from the second ones, here all together.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

import minigan
from benchmarks.report import filled, markdown
from minigan import backend, checkpoint, gan, metrics, nn, ops, optim
from minigan.backend import ArrayBackend
from minigan.cli import user_errors
from minigan.commands.arguments import add_backend, natural, positive
from minigan.data.mixtures import grid_of_gaussians, ring_of_gaussians
from minigan.errors import InputError
from minigan.files import write_atomically
from minigan.tensor import Tensor

MIXTURES = {"grid": grid_of_gaussians(), "ring": ring_of_gaussians()}
EPOCHS, SAMPLES, BATCH, JUDGED = 400, 100_000, 100, 2500
Z_DIM, G_WIDTH, D_WIDTH, PIECES = 2, 400, 200, 5
MEASURE_EVERY = 20  # epochs

# Modes found and share of high-quality samples, as published: over 10 runs of 400 epochs.
PUBLISHED = {
    ("grid", 1): ("17.3 ± 0.8", "94.8 %"),
    ("grid", 2): ("23.8 ± 0.7", ""),
    ("ring", 1): ("6.3 ± 0.5", "98.2 %"),
    ("ring", 2): ("7.9 ± 0.1", ""),
}
NAMES = {1: "GAN", 2: "PacGAN2"}
Found = dict[str, Any]  # the statistics after an epoch: epoch, seconds, and the fields of metrics.ModeStatistics


@dataclass(frozen=True)
class Run:
    """One training, by its name in the folder: grid-pac2-seed0."""

    data: str
    pac: int
    seed: int

    def __str__(self) -> str:
        return f"{self.data}-pac{self.pac}-seed{self.seed}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where runs and results are kept")
    parser.add_argument("--data", nargs="+", choices=MIXTURES, default=list(MIXTURES), help="default: both")
    parser.add_argument("--pac", nargs="+", type=int, choices=NAMES, default=list(NAMES), help="default: 1 2")
    parser.add_argument("--seeds", nargs="+", type=natural, default=list(range(10)), help="default: 0 to 9")
    parser.add_argument("--epochs", type=positive, default=EPOCHS, help=f"default: {EPOCHS}, as published")
    add_backend(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores; one is nearly as fast)")
    parser.add_argument("--table", action="store_true", help="train nothing, show what there is")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="fill the table's place in it")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the modes found over the epochs, as PNG")
    return user_errors(work, parser.parse_args())


def work(args: argparse.Namespace) -> None:
    if args.threads:
        minigan.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    if not args.table:
        # Seed by seed, so that a command which is stopped early has been fair to all four games.
        for seed, data, pac in product(args.seeds, args.data, args.pac):
            train(Run(data, pac, seed), args.work, args.epochs, lambda line: print(line, flush=True), args.backend)
    curves = load(args.work)
    if not curves:
        raise InputError(f"--work {args.work} holds no results: leave out --table to make some")
    print(table(curves))
    if args.markdown:
        text = filled(args.markdown.read_text(), {"anchors": table(curves)})
        write_atomically(args.markdown, text.encode())
    if args.plot:
        draw(args.plot, curves)


# ---- one run -----------------------------------------------------------------------------------------------------


def train(run: Run, folder: Path, epochs: int, tell: Callable[[str], object], place: str = "numpy") -> None:
    """Bring a run to ``epochs`` from wherever it stands: at nothing, at its last checkpoint, or there already."""
    init, noise, points, looks = (np.random.default_rng(s) for s in np.random.SeedSequence(run.seed).spawn(4))
    trainer = game(run.pac, init, noise, backend.get(place))
    data = packs(MIXTURES[run.data].sample(SAMPLES, points), run.pac, points)
    z = looks.standard_normal((JUDGED, Z_DIM))

    epoch, seconds, curve = 0, 0.0, list[Found]()
    kept = folder / f"{run}.safetensors"
    if kept.exists():
        arrays, facts = checkpoint.read(kept, "checkpoint")
        trainer.load(arrays, facts["trainer"])
        epoch, seconds, curve = facts["epoch"], facts["seconds"], facts["curve"]
    while epoch < epochs:
        start = time.perf_counter()
        for _ in trainer.steps(map(trainer.game.backend.asarray, batches(data, run.seed, epoch))):
            pass
        seconds += time.perf_counter() - start
        epoch += 1
        if epoch % MEASURE_EVERY == 0 or epoch == epochs:
            made = gan.generate(trainer.game.generator, z, batch_size=JUDGED)
            found = metrics.mode_statistics(made, MIXTURES[run.data].centres, MIXTURES[run.data].std)
            curve.append({"epoch": epoch, "seconds": round(seconds, 1), **asdict(found)})
            result = {**asdict(run), "curve": curve}
            write_atomically(folder / f"{run}.json", (json.dumps(result, indent=1) + "\n").encode())
            tell(f"{run}, epoch {epoch}: {found}  ({seconds / epoch:.1f} s an epoch)")
        facts = {"trainer": trainer.facts(), "epoch": epoch, "seconds": seconds, "curve": curve}
        checkpoint.save(kept, "checkpoint", trainer.arrays(), facts)


def game(pac: int, init: np.random.Generator, noise: np.random.Generator, place: ArrayBackend) -> gan.Trainer:
    generator, discriminator = generator_(init).to(place), discriminator_(pac, init).to(place)
    players = {"d": gan.Packed(discriminator, pac), "g": generator}
    adams = {who: optim.Adam(player.parameters(), lr=1e-4, betas=(0.8, 0.999)) for who, player in players.items()}
    return gan.Trainer(gan.TwoPlayer(generator, players["d"], z_dim=Z_DIM, rng=noise), adams)


def generator_(rng: np.random.Generator) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([Z_DIM] + 4 * [G_WIDTH]):
        norm = nn.BatchNorm2d(outputs, eps=1e-4, momentum=0.05)
        layers += [nn.Linear(inputs, outputs, bias=False, rng=rng), norm, nn.ReLU()]
    return drawn(nn.Sequential(*layers, nn.Linear(G_WIDTH, 2, rng=rng)), rng)


def discriminator_(pac: int, rng: np.random.Generator) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([2 * pac] + 3 * [D_WIDTH]):
        layers += [nn.Linear(inputs, PIECES * outputs, rng=rng), Maxout(PIECES)]
    return drawn(nn.Sequential(*layers, nn.Linear(D_WIDTH, 1, rng=rng)), rng)


class Maxout(nn.Module):
    """nn.Maxout with each unit's pieces apart instead of side by side, of which NumPy takes the maximum much faster."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return ops.amax(x.reshape(len(x), self.pieces, -1), 1)


def drawn(network: nn.Module, rng: np.random.Generator) -> nn.Module:
    """Weights N(0, 0.02^2), biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, rng, std=0.02)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, 0)
    return network


def packs(points: np.ndarray, pac: int, rng: np.random.Generator) -> np.ndarray:
    """As many packs (packs, pac, 2) as points (N, 2), each of points picked at random: the same ones in every epoch."""
    return points[rng.integers(len(points), size=(len(points), pac))].astype(np.float32)


def batches(data: np.ndarray, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """The packs in an order of this epoch's own, BATCH at a time: points (BATCH pac, 2), a pack's side by side."""
    order = np.random.default_rng((seed, epoch)).permutation(len(data))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        yield data[order[start : start + BATCH]].reshape(-1, data.shape[2])


# ---- what came out -----------------------------------------------------------------------------------------------


def load(folder: Path) -> dict[Run, list[Found]]:
    """The statistics of every run in the folder."""
    results = (json.loads(path.read_text()) for path in sorted(folder.glob("*-pac*-seed*.json")))
    return {Run(one["data"], one["pac"], one["seed"]): one["curve"] for one in results}


def table(curves: dict[Run, list[Found]]) -> str:
    """A line for each game and each length that runs of it have come to, beside what was published."""
    groups: dict[tuple[str, int, int], list[Found]] = {}
    for run, curve in curves.items():
        groups.setdefault((run.data, run.pac, curve[-1]["epoch"]), []).append(curve[-1])
    lines = []
    for (data, pac, epoch), found in sorted(groups.items()):
        modes, quality = PUBLISHED[data, pac]
        lines.append([
            f"{data} of {len(MIXTURES[data].centres)}, {NAMES[pac]}",
            f"{epoch}" if epoch >= EPOCHS else f"{epoch} of {EPOCHS}",
            f"{len(found)}",
            spread([one["modes_found"] for one in found], 1),
            modes,
            spread([100 * one["high_quality"] for one in found], 1) + " %",
            quality,
            spread([one["reverse_kl"] for one in found], 2),
        ])  # fmt: skip
    head = ["", "epochs", "seeds", "modes", "published", "high quality", "published", "reverse KL"]
    return markdown(head, lines)


def spread(values: list[float], digits: int) -> str:
    """Mean and standard deviation.

    >>> spread([1, 2, 6], 1), spread([2], 1)
    ('3.0 ± 2.6', '2.0')
    """
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def draw(path: Path, curves: dict[Run, list[Found]]) -> None:
    """The modes found over the epochs, a line a seed, with the published mean dashed."""
    import io

    from matplotlib.figure import Figure

    games = sorted({(run.data, run.pac) for run in curves})
    figure = Figure(figsize=(3.4 * len(games), 2.8), layout="constrained")
    for axes, (data, pac) in zip(figure.subplots(1, len(games), squeeze=False)[0], games, strict=True):
        for run, curve in curves.items():
            if (run.data, run.pac) == (data, pac):
                axes.plot([one["epoch"] for one in curve], [one["modes_found"] for one in curve], "o-", markersize=3)
        axes.axhline(float(PUBLISHED[data, pac][0].split()[0]), color="black", linestyle="--", linewidth=1)
        axes.set(title=f"{data}, {NAMES[pac]}", xlabel="epoch", xlim=(0, EPOCHS), ylabel="modes")
        axes.set_ylim(0, len(MIXTURES[data].centres) + 0.5)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
