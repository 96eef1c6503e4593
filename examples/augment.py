"""What are generated images good for? Here: for training a classifier that has only a few labelled digits.

For 100, 300 and 1,000 labelled digits a conditional GAN is trained on those and no others. Then classifiers learn from
the digits alone, from shifted ones, with generated ones for half of every batch, and with both. All take as many steps
on as large batches, and are tested on the 10,000 test digits. What comes out is reported as it is: a GAN knows nothing
that was not in its digits, and to move these about by two pixels may well help more.

The GAN is the zoo's cgan, but D judges four digits of a class at a time (PacGAN): from so few it would otherwise learn
to draw one digit of each class, and that same one for every z.

    python examples/augment.py                              # a quarter of an hour on two cores
    python examples/augment.py --labels 100 --seed 1        # other digits, another GAN
    python examples/augment.py --dry-run                    # a few steps of everything, to see that all works
"""

import argparse
import io
import json
import statistics
import sys
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minigan
from minigan import backend, data, gan, nn, optim, viz
from minigan.cli import user_errors
from minigan.commands.arguments import THREADS, add_backend, natural, positive
from minigan.commands.options import check, dry_run, set_defaults
from minigan.data import Dataset
from minigan.errors import InputError
from minigan.files import write_atomically
from minigan.gan.models import dcgan
from minigan.gan.models.cgan import ConditionalDiscriminator
from minigan.gan.objectives import cross_entropy
from minigan.ops.translate import translate
from minigan.runs import claim_folder
from minigan.tensor import Tensor, grad, no_grad

SHIFT = 2  # pixels
PACK = 4  # digits that D judges at a time


class Arm(NamedTuple):
    """What a classifier is given beside the labelled digits."""

    name: str
    shifted: bool
    generated: bool


ARMS = [
    Arm("nothing", False, False),
    Arm("shifts", True, False),
    Arm("GAN", False, True),
    Arm("shifts and GAN", True, True),
]
Accuracies = dict[int, dict[str, list[float]]]  # by the number of labels, then by arm: of each classifier


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", nargs="+", type=positive, help="default: 100 300 1000")
    parser.add_argument("--classifiers", type=positive, help="from so many seeds (default: 5)")
    parser.add_argument("--steps", type=positive, help="of each classifier (default: 400)")
    parser.add_argument("--gan-steps", type=positive, help="of each GAN (default: 2000)")
    parser.add_argument("--width", type=positive, help="of the GAN (default: 32)")
    parser.add_argument("--batch-size", type=positive, help="of all runs (default: 64)")
    parser.add_argument("--seed", type=natural, default=0, help="picks the digits, and all else (default: 0)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/augment, -2, -3, ...)")
    add_backend(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--dry-run", action="store_true", help="a few steps of everything, to see that all works")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    with minigan.keep_freed_memory():
        return user_errors(run, parser.parse_args())


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    check(args, THREADS)
    if args.threads:
        minigan.set_num_threads(args.threads)
    train, test = data.mnist("train"), data.mnist("test")
    if args.dry_run:
        dry_run(args, labels=[40, 50], classifiers=2, steps=2, gan_steps=2, width=4, batch_size=8)
        test = Dataset(test.images[:100], test.labels[:100], test.classes, test.name)
    set_defaults(args, labels=[100, 300, 1000], classifiers=5, steps=400, gan_steps=2000, width=32, batch_size=64)
    if args.batch_size % PACK:
        raise InputError(f"--batch-size {args.batch_size}: D judges {PACK} digits at a time, give a multiple of {PACK}")
    for count in args.labels:
        if count % len(train.classes) or count < PACK * len(train.classes):
            raise InputError(f"--labels {count}: give a multiple of 10, and at least {PACK} of each class")
    place = backend.get(args.backend)
    accuracies: Accuracies = {}
    total = len(args.labels) * (args.gan_steps + len(ARMS) * args.classifiers * args.steps)
    bar = tqdm(total=total, unit="step", disable=args.quiet, dynamic_ncols=True)
    with claim_folder(args.out, "out/augment") as out, bar:
        (out / "samples").mkdir(exist_ok=True)
        for count in args.labels:
            picks, *streams = (np.random.default_rng(s) for s in np.random.SeedSequence((args.seed, count)).spawn(5))
            digits = balanced(train, count, picks)
            bar.set_description(f"{count} labels, GAN")
            drawn = forge(digits, args, place, streams, bar)
            viz.save_png(out / "samples" / f"labels-{count}.png", viz.grid(drawn.images[:100] / 127.5 - 1, columns=10))
            accuracies[count] = {arm.name: [] for arm in ARMS}
            for seed in range(args.classifiers):
                for arm in ARMS:
                    bar.set_description(f"{count} labels, classifier {seed}, {arm.name}")
                    network = learn(digits, drawn if arm.generated else None, arm.shifted, seed, args, place, bar)
                    accuracies[count][arm.name].append(accuracy(network, test))
            bar.write(f"{count} labels: {verdict(accuracies[count])}")
            keep(out, accuracies)
    print(f"{table(accuracies)}\n\npictures and table in {out}")


def balanced(digits: Dataset, count: int, rng: np.random.Generator) -> Dataset:
    """``count`` digits, as many of each class."""
    each = count // len(digits.classes)
    kinds = range(len(digits.classes))
    chosen = np.concatenate([rng.choice(np.flatnonzero(digits.labels == k), each, replace=False) for k in kinds])
    return Dataset(digits.images[chosen], digits.labels[chosen], digits.classes, f"{count} digits")


# ---- the GAN -------------------------------------------------------------------------------------


class PackedByClass(nn.Module):
    """discriminator(x, labels) -> (N / PACK, 1): PACK digits of a class judged at a time, told which class it is."""

    def __init__(self, width: int, classes: int, rng: np.random.Generator) -> None:
        self.discriminator = ConditionalDiscriminator(dcgan.discriminator(rng, 28, PACK + 1, width), classes, 28, rng)

    def forward(self, x: Tensor, labels: np.ndarray) -> Tensor:
        return self.discriminator(x.reshape(len(x) // PACK, PACK, 28, 28), labels[::PACK])


def packs(digits: Dataset, count: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches (images in [-1, 1], labels) without end, of ``count`` packs: PACK different digits of a random class."""
    members = [np.flatnonzero(digits.labels == kind) for kind in range(len(digits.classes))]
    while True:
        kinds = rng.integers(len(members), size=count)
        yield scaled(digits, np.concatenate([rng.choice(members[kind], PACK, replace=False) for kind in kinds]))


def scaled(digits: Dataset, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The chosen images, in [-1, 1], and their labels."""
    return (digits.images[chosen] / 127.5 - 1).astype(np.float32), digits.labels[chosen]


def forge(digits: Dataset, args: argparse.Namespace, place, streams, bar) -> Dataset:
    """10,000 digits of a conditional GAN that was trained on ``digits`` alone, as many of each class."""
    init, noise, picks, looks = streams
    model, classes = gan.MODELS["cgan"], len(digits.classes)
    generator, _ = gan.build({"model": "cgan", "width": args.width, "classes": classes}, init)
    networks = generator.to(place), PackedByClass(args.width, classes, init).to(place)
    trainer = model.trainer(*networks, z_dim=model.z_dim, rng=noise, ema=0.995)
    batches = islice(packs(digits, args.batch_size // PACK, picks), args.gan_steps)
    for _ in trainer.steps(tuple(map(place.asarray, batch)) for batch in batches):
        bar.update()
    labels = np.arange(100 if args.dry_run else 10_000) % classes
    z = looks.standard_normal((len(labels), model.z_dim))
    images = gan.generate(trainer.result(), z, labels, batch_size=250)
    return Dataset(np.rint((images + 1) * 127.5).astype(np.uint8), labels, digits.classes, "generated digits")


# ---- the classifier ------------------------------------------------------------------------------


def classifier(classes: int, rng: np.random.Generator) -> nn.Module:
    """Images (N, 1, 28, 28) -> class logits (N, classes)"""
    layers: list[nn.Module] = []
    for narrow, wide in pairwise([1, 32, 64, 128]):
        halve = nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False, rng=rng)
        layers += [halve, nn.BatchNorm2d(wide), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4 * 4, classes, rng=rng))


def learn(
    digits: Dataset, drawn: Dataset | None, shifted: bool, seed: int, args: argparse.Namespace, place, bar
) -> nn.Module:
    """A classifier after ``args.steps`` steps. With ``drawn``, half of each batch is taken from there.

    Classifiers of one seed start from the same weights.
    """
    init, shuffle, moves = (np.random.default_rng(s) for s in np.random.SeedSequence((args.seed, seed)).spawn(3))
    network = classifier(len(digits.classes), init).to(place)
    adam = optim.Adam(network.parameters(), lr=1e-3)
    decay = optim.LinearDecay(start=args.steps // 2, end=args.steps + 1)
    sources = [digits] if drawn is None else [digits, drawn]
    batches = [shuffled(source, args.batch_size // len(sources), shuffle) for source in sources]
    for step in range(1, args.steps + 1):
        parts = [next(batch) for batch in batches]
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        x = Tensor(place.asarray(images))
        if shifted:
            offsets = moves.integers(-SHIFT, SHIFT + 1, (len(images), 2))
            x = translate(x + 1, offsets) - 1  # black is -1, and translate fills up with 0
        adam.lr = 1e-3 * decay(step)
        adam.step(grad(cross_entropy(network(x), labels), adam.params))
        bar.update()
    return network


def shuffled(source: Dataset, count: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches (images in [-1, 1], labels) without end: each image once before any is shown again."""
    left = np.empty(0, np.int64)
    while True:
        while len(left) < count:
            left = np.concatenate([left, rng.permutation(len(source))])
        chosen, left = left[:count], left[count:]
        yield scaled(source, chosen)


def accuracy(network: nn.Module, test: Dataset) -> float:
    """The share of the test digits that it names right, in evaluation mode."""
    network.eval()
    right = 0
    with no_grad():
        for start in range(0, len(test), 500):
            images, labels = scaled(test, np.arange(start, min(start + 500, len(test))))
            logits = network(Tensor(network.backend.asarray(images))).numpy()
            right += int((logits.argmax(1) == labels).sum())
    return right / len(test)


# ---- what came out -------------------------------------------------------------------------------


def keep(out: Path, accuracies: Accuracies) -> None:
    """Write down what has come out so far."""
    lines = (json.dumps({"labels": count, **found}) + "\n" for count, found in accuracies.items())
    write_atomically(out / "metrics.jsonl", "".join(lines).encode())
    write_atomically(out / "table.md", (table(accuracies) + "\n").encode())
    draw(out / "accuracy.png", accuracies)


def table(accuracies: Accuracies) -> str:
    """Markdown: test accuracy, mean and standard deviation over the classifiers."""
    names = [arm.name for arm in ARMS]
    lines = ["| labelled digits | " + " | ".join(names) + " |", "|--:" * (1 + len(names)) + "|"]
    for count, found in accuracies.items():
        lines.append(f"| {count} | " + " | ".join(f"{percent(found[name])} %" for name in names) + " |")
    return "\n".join(lines)


def verdict(found: dict[str, list[float]]) -> str:
    """What the GAN's digits changed, in points, classifier by classifier of the same seed."""
    parts = []
    for without, with_gan in (("nothing", "GAN"), ("shifts", "shifts and GAN")):
        gains = [b - a for a, b in zip(found[without], found[with_gan], strict=True)]
        parts.append(f"{percent(gains, sign=True)} points on top of {without}")
    return "the GAN's digits change the accuracy by " + ", ".join(parts)


def percent(values: list[float], sign: bool = False) -> str:
    """
    >>> percent([0.5, 0.52]), percent([0.5], sign=True)
    ('51.0 ± 1.4', '+50.0')
    """
    mean = f"{100 * statistics.fmean(values):{'+' if sign else ''}.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def draw(path: Path, accuracies: Accuracies) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    counts = list(accuracies)
    for number, arm in enumerate(ARMS):
        found = [100 * np.array(accuracies[count][arm.name]) for count in counts]
        aside = 1 + 0.02 * (number - 1.5)  # so that the bars do not hide each other
        axes.errorbar(
            [count * aside for count in counts],
            [values.mean() for values in found],
            [values.std(ddof=1) if len(values) > 1 else 0 for values in found],
            marker="o", markersize=3.5, capsize=2, linewidth=1, label=arm.name,
        )  # fmt: skip
    axes.set(xscale="log", xlabel="labelled digits", ylabel="test accuracy (%)")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.legend(title="beside the digits", fontsize=8, title_fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    write_atomically(path, buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
