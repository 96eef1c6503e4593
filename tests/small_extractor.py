"""An extractor for tests: a random network for any images, with fewer features than the real ones and no file."""

from typing import NamedTuple

import numpy as np


class Features(NamedTuple):
    features: np.ndarray
    probabilities: np.ndarray


class SmallExtractor:
    name, digest, accuracy = "small", "0badcafe", 0.5

    def __init__(self, dimensions=5, classes=("a", "b", "c")):
        self.dimensions, self.classes = dimensions, classes

    def __call__(self, images, batch_size=500):
        pixels = images.reshape(len(images), -1) / 127.5 - 1 if images.dtype == np.uint8 else images
        pixels = pixels.reshape(len(images), -1).astype(np.float64)
        pixels -= pixels.mean(axis=1, keepdims=True)
        rng = np.random.default_rng(0)
        hidden = np.maximum(pixels @ rng.standard_normal((pixels.shape[1], 24)), 0)
        features = hidden @ rng.standard_normal((24, self.dimensions)) / 24
        logits = 4 * features[:, : len(self.classes)]
        weights = np.exp(logits)
        return Features(features.astype(np.float32), (weights / weights.sum(1, keepdims=True)).astype(np.float32))

    def describe(self):
        return f"small (0badcafe), {self.dimensions} features, batch norm in evaluation mode"
