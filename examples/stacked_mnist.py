"""The 1,000 modes of stacked MNIST: how many of them does a GAN draw, and how many one whose D sees two at a time?

Three digits picked at random are the red, the green and the blue of one picture, so there are 1,000 kinds of pictures.
26,000 generated ones are looked at colour by colour with the MNIST classifier that is bundled. As published, a DCGAN
draws 99 of the 1,000 (Srivastava et al. 2017, VEEGAN), a PacDCGAN2 all of them (Lin et al. 2018, PacGAN).

    python examples/stacked_mnist.py --backend numba --width 16 --steps 10000   # for CPUs: some twenty minutes of one
    python examples/stacked_mnist.py --backend cupy                 # the DCGAN: hours on a GPU
    python examples/stacked_mnist.py --backend cupy --pack 2        # the PacDCGAN2
    python examples/stacked_mnist.py --out DIR --resume             # goes on exactly where it was stopped
    python examples/stacked_mnist.py --dry-run                      # two steps of a small model, to see that all works

The setting is that of the PacGAN authors' code: 128,000 pictures, 64 packs a step, 50 passes, Adam with rate 2e-4 and
beta1 0.5, and a DCGAN of four 5x5 convolutions with 64 to 512 channels. Two things differ: theirs updates G twice a
step, here once, and theirs draws z from U(-1, 1), here from N(0, 1).
"""

import argparse
import json
import sys
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import minigan
from minigan import backend, data, gan, metrics, nn
from minigan.cli import user_errors
from minigan.commands.arguments import add_backend, fixed_by, natural, positive
from minigan.commands.options import dry_run, set_defaults
from minigan.files import write_atomically
from minigan.runs import Latents, Run

SIDES = [28, 14, 7, 4, 2]  # of the maps, from the pixels inwards
Z_DIM = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=positive, default=1, help="pictures that D judges together (default: 1)")
    add_backend(parser)
    parser.add_argument("--steps", type=positive, help="default: 100,000, which is 50 passes over all packs")
    parser.add_argument("--batch-size", type=positive, help="packs a step (default: 64)")
    parser.add_argument("--images", type=positive, help="to train on (default: 128,000)")
    parser.add_argument("--width", type=positive, help="channels next to the pixels (default: 64)")
    parser.add_argument("--samples", type=positive, help="to find modes in (default: 26,000)")
    parser.add_argument(
        "--count-every", type=positive, metavar="STEPS", help="count the modes so often (default: 5,000)"
    )
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default: 0)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/stacked-mnist, -2, -3, ...)")
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, exactly")
    parser.add_argument(
        "--checkpoint-every", type=positive, default=500, metavar="STEPS", help="also within epochs (default: 500)"
    )
    parser.add_argument("--dry-run", action="store_true", help="two steps of a small model, to see that all works")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return user_errors(train, parser.parse_args())


def train(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, width=4, images=64, batch_size=4, samples=50, count_every=1)
    set_defaults(args, width=64, images=128_000, batch_size=64, samples=26_000, count_every=5000)
    if args.threads:
        minigan.set_num_threads(args.threads)
    total = args.steps or (2 if args.dry_run else 100_000)
    place, judge = backend.get(args.backend), metrics.load_extractor("mnist")
    init, noise, shuffle, looks, picks, latents = (
        np.random.default_rng(s) for s in np.random.SeedSequence(args.seed).spawn(6)
    )

    pictures = stack(data.mnist("train"), args.images, picks)
    loader = data.Loader(pictures, args.pack * args.batch_size, backend=place, rng=shuffle)
    networks = generator(args.width, init), discriminator(args.width, 3 * args.pack, init)
    made, judged = (network.to(place) for network in networks)
    trainer = gan.Trainer(gan.TwoPlayer(made, gan.Packed(judged, args.pack), z_dim=Z_DIM, rng=noise))
    z = latents.standard_normal((args.samples, Z_DIM))

    print(f"modes counted by {judge.describe()}")
    with Run(
        args.out,
        trainer,
        loader,
        {"model": "stacked_mnist", "width": args.width, "z_dim": Z_DIM},
        Latents(Z_DIM, looks),
        base="out/stacked-mnist",
        steps=total,
        config=fixed_by(args),
        resume=args.resume,
        checkpoint_every=args.checkpoint_every,
        quiet=args.quiet,
    ) as run:
        counts = Counts(run.out / "modes.jsonl", trainer.step_count)
        for record in run.steps():
            if record.step % args.count_every == 0 or record.step == total:
                print(counts.add(record.step, count_modes(trainer.game.generator, z, judge)), flush=True)
    print(f"{trainer.step_count} steps; pictures in {run.out}, modes in {counts.path}")


def stack(digits: data.Dataset, count: int, rng: np.random.Generator) -> data.Dataset:
    """``count`` pictures (N, 3, H, W) of three digits each; a picture's label is the three-digit number that it shows.

    Channels-last in memory, as the loader wants them: these are too many to hold twice.
    """
    chosen = rng.integers(len(digits), size=(count, 3))
    images = np.empty((count, *digits.image_shape[1:], 3), np.uint8)
    for color in range(3):
        images[..., color] = digits.images[chosen[:, color], 0]
    labels = digits.labels[chosen] @ [100, 10, 1]
    return data.Dataset(images.transpose(0, 3, 1, 2), labels, tuple(f"{n:03d}" for n in range(1000)), "stacked-mnist")


def count_modes(generator: nn.Module, z: np.ndarray, judge: Any) -> metrics.LabelStatistics:
    """Which of the 1,000 numbers the pictures for ``z`` show, each colour judged on its own."""
    numbers = []
    for start in range(0, len(z), 1000):
        pictures = gan.generate(generator, z[start : start + 1000], batch_size=250)
        digits = [judge(pictures[:, color : color + 1]).probabilities.argmax(1) for color in range(3)]
        numbers.append(np.stack(digits, axis=1) @ [100, 10, 1])
    return metrics.label_statistics(np.concatenate(numbers), 1000)


class Counts:
    """A line of JSON for each count, in a file. One that is taken up again at ``step`` forgets what was after it."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.lines = [line for line in map(json.loads, lines) if line["step"] <= step]

    def add(self, step: int, found: metrics.LabelStatistics) -> str:
        self.lines.append({"step": step, **asdict(found)})
        write_atomically(self.path, "".join(json.dumps(line) + "\n" for line in self.lines).encode())
        return f"step {step}: {found}"


# ---- the networks --------------------------------------------------------------------------------


def generator(width: int, rng: np.random.Generator) -> nn.Module:
    """z (N, 100) -> pictures (N, 3, 28, 28) in [-1, 1]"""
    widths = [width * 2**depth for depth in range(4)]
    deep, low = widths[-1], SIDES[-1]
    layers = [nn.Linear(Z_DIM, deep * low * low, rng=rng), nn.Reshape(deep, low, low)]
    for (wide, narrow), (small, large) in zip(pairwise([*widths[::-1], 3]), pairwise(SIDES[::-1]), strict=True):
        rest = large - (2 * small - 1)
        grow = nn.ConvTranspose2d(wide, narrow, 5, stride=2, padding=2, output_padding=rest, rng=rng)
        layers += [nn.BatchNorm2d(wide), nn.ReLU(), grow]
    network = nn.Sequential(*layers, nn.Tanh())
    nn.init.dcgan_(network, rng)
    return network


def discriminator(width: int, channels: int, rng: np.random.Generator) -> nn.Module:
    """Packs (N, channels, 28, 28) -> logits (N, 1)"""
    half: dict[str, Any] = {"stride": 2, "padding": 2, "rng": rng}
    widths = [width * 2**depth for depth in range(4)]
    layers = [nn.Conv2d(channels, width, 5, **half), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        layers += [nn.Conv2d(narrow, wide, 5, **half), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * SIDES[-1] ** 2, 1, rng=rng))
    nn.init.dcgan_(network, rng)
    return network


if __name__ == "__main__":
    sys.exit(main())
