"""What the metrics look at instead of pixels: the features that a frozen classifier makes of a picture."""

from __future__ import annotations

import hashlib
from os import PathLike
from pathlib import Path

import numpy as np

from .. import backend, checkpoint
from ..errors import InputError
from ..tensor import Tensor, no_grad
from .classifier import build, probabilities
from .features import Extractor, Features
from .pixels import as_bytes

FILES = Path(__file__).parent / "files"
SHIPPED = ("mnist", "animals")


def load_extractor(name: str | PathLike[str] = "mnist") -> Extractor:
    """``mnist`` or ``animals``, which are bundled; ``inception``; or a file of ``examples/train_classifier.py``.

    Raises InputError for anything else, and for ``inception`` where no package with its weights is installed.

    >>> load_extractor("mnist").describe()  # doctest: +ELLIPSIS
    'mnist classifier, test accuracy 99... %, hash ..., 128 features, batch norm in evaluation mode'
    """
    if name == "inception":
        from .inception import Inception

        return Inception()
    if str(name) in SHIPPED:
        return ClassifierExtractor(FILES / f"{name}.safetensors", str(name))
    path = Path(name)
    if not path.exists() and not path.suffix:
        raise InputError(f"unknown extractor {str(name)!r}: choose one of {', '.join(SHIPPED)}, inception, or a FILE")
    return ClassifierExtractor(path, path.stem)


class ClassifierExtractor:
    """The features of a ``metrics.classifier.Classifier`` from a file of kind "classifier"."""

    def __init__(self, path: str | PathLike[str], name: str) -> None:
        arrays, facts = checkpoint.read(path, "classifier")
        try:
            architecture, classes = dict(facts["architecture"]), tuple(map(str, facts["classes"]))
            self.accuracy = float(facts["accuracy"])  # on pictures that it was not trained on
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: its facts lack {error}; train it with examples/train_classifier.py") from None
        self.name, self.classes = name, classes
        try:
            self.network = build(architecture, np.random.default_rng(0)).to(backend.get("numpy"))
            self.network.load_state_dict(arrays)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        self.network.eval()
        side = architecture.get("image_size", 28)
        self.image_shape = (arrays["body.0.weight"].shape[1], side, side)
        self.dimensions = arrays["head.weight"].shape[1]
        digest = hashlib.blake2b(digest_size=4)
        for key in sorted(arrays):
            digest.update(np.ascontiguousarray(arrays[key]).data)
        self.digest = digest.hexdigest()

    def __call__(self, images: np.ndarray, batch_size: int = 500) -> Features:
        images = as_bytes(images)
        if images.shape[1:] != self.image_shape:
            raise InputError(
                f"images are {images.shape[1:]}, the {self.name} classifier takes {self.image_shape}: train one for "
                "such images with examples/train_classifier.py and name its file as the --extractor"
            )
        features, sure = [], []
        with no_grad():
            for start in range(0, len(images), batch_size):
                pixels = images[start : start + batch_size] / np.float32(127.5) - 1
                found = self.network.features(Tensor(pixels))
                features.append(np.array(found.numpy()))
                sure.append(probabilities(self.network.head(found)))
        return Features(np.concatenate(features), np.concatenate(sure))

    def describe(self) -> str:
        return (
            f"{self.name} classifier, test accuracy {100 * self.accuracy:.1f} %, hash {self.digest}, "
            f"{self.dimensions} features, batch norm in evaluation mode"
        )
