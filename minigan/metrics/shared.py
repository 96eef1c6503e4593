"""The features of many pictures, worked out by several processes together."""

from __future__ import annotations

import numpy as np

from ..parallel import Communicator
from .features import Extractor, Features


class Shared:
    """An extractor that all ranks ask for the features of the same pictures: each works out its part of them."""

    def __init__(self, extractor: Extractor, ranks: Communicator) -> None:
        self.extractor, self.ranks = extractor, ranks
        self.name, self.dimensions, self.classes = extractor.name, extractor.dimensions, extractor.classes

    def __call__(self, images: np.ndarray, batch_size: int = 500) -> Features:
        if len(images) < self.ranks.size:
            return self.extractor(images, batch_size)
        found = self.extractor(self.ranks.own(images), batch_size)
        return Features(*map(self.ranks.gather_uneven, found))

    def describe(self) -> str:
        return self.extractor.describe()
