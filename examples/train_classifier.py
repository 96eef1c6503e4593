"""A classifier learns to name what is in a picture. The metrics compare images by what it sees in them.

The two that are bundled with minigan were trained by

    python examples/train_classifier.py --epochs 6 --out mnist.safetensors
    python examples/train_classifier.py --data animals --flip --epochs 24 --out animals.safetensors

and any other labelled set works the same way: IDX files of square pictures, or a folder with a subfolder of pictures
for each class, which are brought to ``--size`` pixels a side. Give the file to ``--extractor``, or be judged by it:

    python examples/train_classifier.py --data my/pictures --size 64 --flip --out judge.safetensors
    python -m minigan evaluate out/dcgan --data my/pictures --size 64 --extractor judge.safetensors

Each picture is moved by up to two pixels before it is shown. The accuracy is that on the set's test split, or, where it
has none, on pictures that are held back: 100 of each class, or a fifth where it has fewer than 500. The best epoch by
that is kept, which flatters it a little. The animals' folder held 9,000 pictures without a test split;
``get_animals.py`` splits the same package in another way, so the second command makes a classifier like that one, not
the very same.

Other examples train their judges by ``fit``, in Python.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import minigan
from minigan import backend, checkpoint, data, optim
from minigan.cli import user_errors
from minigan.commands.arguments import PICTURES, add_backend, add_pictures, natural, positive
from minigan.commands.options import check
from minigan.data import Dataset
from minigan.errors import InputError
from minigan.files import check_suffix
from minigan.gan.objectives import cross_entropy
from minigan.metrics.classifier import Classifier
from minigan.ops.translate import translate
from minigan.tensor import Tensor, grad, no_grad

OUT = "classifier.safetensors"
SHIFT = 2  # pixels
HELD_BACK = 100  # of each class, or a fifth of it


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", default="mnist", metavar="DIR", help="IDX files, or a folder for each class (default: MNIST)"
    )
    add_pictures(parser)
    parser.add_argument("--flip", action="store_true", help="mirror half of the pictures: not for digits or letters")
    parser.add_argument("--epochs", type=positive, default=8, help="passes over the data (default: 8)")
    parser.add_argument("--batch-size", type=positive, default=128, help="images a step (default: 128)")
    parser.add_argument("--lr", type=float, default=2e-3, help="Adam's learning rate, falling to 0 (default: 2e-3)")
    parser.add_argument("--width", type=positive, default=32, help="a quarter of the features (default: 32)")
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default: 0)")
    parser.add_argument("--out", metavar="FILE", help=f"default: {OUT}, if there is none yet")
    add_backend(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    with minigan.keep_freed_memory():
        return user_errors(train, parser.parse_args())


def train(args: argparse.Namespace) -> None:
    check(args, PICTURES)
    if args.out is None and Path(OUT).exists():
        raise InputError(f"{OUT} is there already: name the file to write, --out FILE")
    args.out = args.out or OUT
    check_suffix(args.out, ".safetensors")
    if args.threads:
        minigan.set_num_threads(args.threads)
    learnt, tested = splits(args.data, args.size, args.channels)
    settings = {name: getattr(args, name) for name in ("flip", "epochs", "batch_size", "lr", "width", "seed", "quiet")}
    best = fit(learnt, tested, args.out, place=backend.get(args.backend), **settings)
    print(f"{100 * best:.2f} %: {args.out}")


def fit(
    learnt: Dataset,
    tested: Dataset,
    out: str | Path,
    *,
    place: backend.ArrayBackend,
    flip: bool = False,
    epochs: int = 8,
    batch_size: int = 128,
    lr: float = 2e-3,
    width: int = 32,
    seed: int = 0,
    quiet: bool = False,
) -> float:
    """Train a classifier of the one, and write to ``out`` what is best on the other; how good that is, from 0 to 1."""
    from tqdm import tqdm

    init, shuffle, moves = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    channels, height, across = learnt.image_shape
    if height != across:
        raise InputError(f"--data: images of {height}x{across} pixels; the classifier takes square ones")
    loader = data.Loader(learnt, batch_size, backend=place, rng=shuffle, labels=True)
    architecture = {"classes": len(learnt.classes), "image_size": height, "channels": channels, "width": width}
    classifier = Classifier(init, **architecture).to(place)
    adam = optim.Adam(classifier.parameters(), lr=lr)
    falling = optim.LinearDecay(start=0, end=epochs * len(loader) + 1)

    best = -1.0
    for epoch in range(1, epochs + 1):
        classifier.train()
        for images, labels in tqdm(loader, desc=f"epoch {epoch}", disable=quiet, dynamic_ncols=True, leave=False):
            adam.lr = lr * falling(adam.step_count + 1)
            loss = cross_entropy(classifier(moved(Tensor(images), flip, moves)), labels)
            adam.step(grad(loss, adam.params))
        right = accuracy(classifier, tested, place)
        print(f"epoch {epoch}: {100 * right:.2f} % of {len(tested)} test images")
        if right > best:
            best = right
            facts = {
                "architecture": architecture,
                "classes": learnt.classes,
                "accuracy": right,
                "data": learnt.name,
                "fingerprint": learnt.fingerprint(),
            }
            checkpoint.save(out, "classifier", classifier.state_dict(), facts)
    return best


def splits(source: str, size: int | None = None, channels: int = 3) -> tuple[Dataset, Dataset]:
    """What is learnt from, and what tells how well."""
    learnt = data.open_images(source, size, channels)
    if learnt.labels is None:
        lacking = "add train-labels-idx1-ubyte" if data.is_idx_folder(source) else "put each class into a subfolder"
        raise InputError(f"--data {source} has no labels: {lacking}")
    if len(learnt.classes) < 2:
        raise InputError(f"--data {source} has one class: there is nothing to tell apart")
    if source == "mnist" or (data.is_idx_folder(source) and "test" in data.idx_splits(source)):
        return learnt, data.open_images(source, size, channels, "test")
    return held_back(learnt)


def held_back(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """The dataset without some pictures of each class, and those."""
    assert dataset.labels is not None
    rng = np.random.default_rng(0)
    kept, held = [], []
    for label, name in enumerate(dataset.classes):
        places = rng.permutation(np.flatnonzero(dataset.labels == label))
        few = min(HELD_BACK, len(places) // 5)
        if not few:
            raise InputError(
                f"{dataset.name}: {len(places)} images of {name}; at least 5, of which a fifth is held back"
            )
        kept.append(places[few:])
        held.append(places[:few])

    def part(chosen: list[np.ndarray]) -> Dataset:
        places = np.sort(np.concatenate(chosen))
        return Dataset(dataset.images[places], dataset.labels[places], dataset.classes, dataset.name)

    return part(kept), part(held)


def moved(images: Tensor, flip: bool, rng: np.random.Generator) -> Tensor:
    """Each by its own few pixels, and half of them mirrored; black comes in at the edges."""
    if flip:
        place = images.backend
        mirrored = place.asarray(rng.random((len(images), 1, 1, 1)) < 0.5)
        images = Tensor(place.asarray(place.xp.where(mirrored, images.data[..., ::-1], images.data)))
    offsets = rng.integers(-SHIFT, SHIFT + 1, (len(images), 2))
    return translate(images + 1, offsets) - 1


def accuracy(classifier: Classifier, tested: Dataset, place: backend.ArrayBackend) -> float:
    """The share of the pictures whose class gets the largest logit."""
    classifier.eval()
    right = 0
    with no_grad():
        for start in range(0, len(tested), 500):
            part = slice(start, start + 500)
            pixels = tested.images[part] / np.float32(127.5) - 1
            logits = classifier(Tensor(place.asarray(pixels))).numpy()
            right += int((logits.argmax(axis=1) == tested.labels[part]).sum())
    return right / len(tested)


if __name__ == "__main__":
    sys.exit(main())
