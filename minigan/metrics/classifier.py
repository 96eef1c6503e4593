"""A small convolutional network that names what is in a picture; its last layer but one sees what metrics compare."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn, ops
from ..errors import InputError
from ..tensor import Tensor


class Classifier(nn.Module):
    """x (N, channels, size, size) in [-1, 1] -> logits (N, classes).

    ``features(x)`` (N, 4 width) are what the last layer, a linear one, looks at. Width 32 has 350,000 parameters.
    """

    def __init__(
        self, rng: np.random.Generator, classes: int, image_size: int = 28, channels: int = 1, width: int = 32
    ) -> None:
        if image_size < 8:
            raise InputError(f"Classifier: image_size {image_size} must be at least 8, as the image is halved thrice")
        self.body = nn.Sequential(
            *block(channels, width, 3, 1, rng),
            *block(width, width * 3 // 2, 4, 2, rng),
            *block(width * 3 // 2, 2 * width, 3, 1, rng),
            *block(2 * width, 3 * width, 4, 2, rng),
            *block(3 * width, 4 * width, 4, 2, rng),
        )
        self.head = nn.Linear(4 * width, classes, rng=rng)

    def features(self, x: Tensor) -> Tensor:
        """The mean of each channel of the last map."""
        return self.body(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def block(inputs: int, outputs: int, kernel: int, stride: int, rng: np.random.Generator) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=1, bias=False, rng=rng)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def build(architecture: dict[str, Any], rng: np.random.Generator) -> Classifier:
    """From the keywords classes, image_size, channels, width. Raises InputError for others and for impossible ones."""
    try:
        return Classifier(rng, **architecture)
    except (TypeError, ValueError, MemoryError, ZeroDivisionError) as error:
        raise InputError(f"classifier: the settings {architecture} do not fit ({error})") from None


def probabilities(logits: Tensor) -> np.ndarray:
    """softmax over the classes (N, K), on the host"""
    return np.array(ops.softmax(logits).numpy())
