"""A classifier learns to name what is in a picture. The metrics compare images by what it sees in them.

The two that are bundled with minigan were trained by

    python examples/train_classifier.py --epochs 6 --out mnist.safetensors
    python examples/train_classifier.py --data animals --flip --epochs 24 --out animals.safetensors

and any other labelled set of square pictures in IDX form works the same way; give the file to ``--extractor``. Each
picture is moved by up to two pixels before it is shown. The accuracy is that on the set's test split, or, where it has
none, on 100 pictures of each class that are held back. The epoch best by it is kept, which flatters it a little. The
animals' folder held 9,000 pictures without a test split; ``get_animals.py`` splits the same package in another way, so
the second command makes a classifier like that one, not the very same.
"""

import argparse
import sys

import numpy as np

import minigan
from minigan import backend, checkpoint, data, optim
from minigan.cli import user_errors
from minigan.commands.arguments import add_backend, natural, positive
from minigan.data import Dataset
from minigan.errors import InputError
from minigan.gan.objectives import cross_entropy
from minigan.metrics.classifier import Classifier
from minigan.ops.translate import translate
from minigan.tensor import Tensor, grad, no_grad

SHIFT = 2  # pixels
HELD_BACK = 100  # of each class


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", help="a folder of IDX files (default: the MNIST that is bundled)")
    parser.add_argument("--flip", action="store_true", help="mirror half of the pictures: not for digits or letters")
    parser.add_argument("--epochs", type=positive, default=8, help="passes over the data (default: 8)")
    parser.add_argument("--batch-size", type=positive, default=128, help="images a step (default: 128)")
    parser.add_argument("--lr", type=float, default=2e-3, help="Adam's learning rate, falling to 0 (default: 2e-3)")
    parser.add_argument("--width", type=positive, default=32, help="a quarter of the features (default: 32)")
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default: 0)")
    parser.add_argument("--out", default="classifier.safetensors", metavar="FILE", help="default: %(default)s")
    add_backend(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    with minigan.keep_freed_memory():
        return user_errors(train, parser.parse_args())


def train(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    if args.threads:
        minigan.set_num_threads(args.threads)
    init, shuffle, moves = (np.random.default_rng(s) for s in np.random.SeedSequence(args.seed).spawn(3))
    place = backend.get(args.backend)
    learnt, tested = splits(args.data)
    channels, height, width = learnt.image_shape
    if height != width:
        raise InputError(f"--data: images of {height}x{width} pixels; the classifier takes square ones")
    loader = data.Loader(learnt, args.batch_size, backend=place, rng=shuffle, labels=True)
    architecture = {"classes": len(learnt.classes), "image_size": height, "channels": channels, "width": args.width}
    classifier = Classifier(init, **architecture).to(place)
    adam = optim.Adam(classifier.parameters(), lr=args.lr)
    falling = optim.LinearDecay(start=0, end=args.epochs * len(loader) + 1)

    best = -1.0
    for epoch in range(1, args.epochs + 1):
        classifier.train()
        for images, labels in tqdm(loader, desc=f"epoch {epoch}", disable=args.quiet, dynamic_ncols=True, leave=False):
            adam.lr = args.lr * falling(adam.step_count + 1)
            loss = cross_entropy(classifier(moved(Tensor(images), args.flip, moves)), labels)
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
            checkpoint.save(args.out, "classifier", classifier.state_dict(), facts)
    print(f"{100 * best:.2f} %: {args.out}")


def splits(folder: str | None) -> tuple[Dataset, Dataset]:
    """What is learnt from, and what tells how well."""
    learnt = data.mnist("train", root=folder)
    if learnt.labels is None:
        raise InputError(f"--data {folder} has no labels: add train-labels-idx1-ubyte")
    if folder is None or "test" in data.idx_splits(folder):
        return learnt, data.mnist("test", root=folder)
    rng = np.random.default_rng(0)
    places = [rng.permutation(np.flatnonzero(learnt.labels == k)) for k in range(len(learnt.classes))]
    if min(map(len, places)) <= HELD_BACK:
        raise InputError(f"--data {folder} has no test split and too few images to hold back {HELD_BACK} a class")
    kept, held = (
        np.sort(np.concatenate(part)) for part in zip(*((p[HELD_BACK:], p[:HELD_BACK]) for p in places), strict=True)
    )

    def part(chosen: np.ndarray) -> Dataset:
        return Dataset(learnt.images[chosen], learnt.labels[chosen], learnt.classes, learnt.name)

    return part(kept), part(held)


def moved(images: Tensor, flip: bool, rng: np.random.Generator) -> Tensor:
    """Each by its own few pixels, and half of them mirrored; black comes in at the edges."""
    if flip:
        mirrored = images.backend.asarray(rng.random((len(images), 1, 1, 1)) < 0.5)
        images = Tensor(images.backend.xp.where(mirrored, images.data[..., ::-1], images.data))
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
