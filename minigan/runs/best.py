"""The best generator of a run: the one whose samples came nearest to the data, by Frechet distance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checkpoint
from ..data import Dataset
from ..errors import InputError
from ..gan import generate
from ..metrics import Gaussian, frechet_distance
from ..metrics.pixels import as_bytes
from ..nn import Module
from ..parallel import ALONE, Communicator

if TYPE_CHECKING:
    from ..metrics import Extractor

REFERENCES = 10_000  # at most so many real images stand for the data
PREFIX = "best/"  # of its arrays in a checkpoint


class Best:
    """Measures a generator at every ``every``-th step, and keeps the best one so far.

    The distance is that of ``samples`` images, always of the same latents (and, if ``conditional``, of the same labels,
    drawn as often as the data have them), to at most REFERENCES images of the data. ``rng`` is a stream of its own and
    the generator is run in evaluation mode, so a run that is measured is, bit for bit, the same as another.

    Raises InputError when the extractor does not take such images, or has more features than there are images.
    """

    def __init__(
        self,
        dataset: Dataset,
        extractor: Extractor,
        *,
        every: int,
        samples: int,
        z_dim: int,
        conditional: bool,
        rng: np.random.Generator,
    ) -> None:
        if every < 1:
            raise InputError(f"every = {every} steps must be at least 1: so often is the distance measured")
        if samples <= extractor.dimensions:
            raise InputError(
                f"{samples} samples are too few for the covariance of {extractor.dimensions} features: "
                f"take at least {extractor.dimensions + 1}, better some thousands"
            )
        self.every, self.samples, self.extractor = every, samples, extractor
        self.z = rng.standard_normal((samples, z_dim))
        self.labels = rng.choice(dataset.labels, samples) if conditional and dataset.labels is not None else None
        chosen = rng.permutation(len(dataset))[:REFERENCES]
        self.reference = Gaussian.of(extractor(dataset.images[chosen]).features, "real images")
        self.last = math.nan
        self.step, self.distance = 0, math.inf  # of the best so far
        self.state: dict[str, np.ndarray] = {}

    def __str__(self) -> str:
        """What the numbers depend on: equal for two runs whose distances may be compared."""
        return f"Frechet distance of {self.samples} samples every {self.every} steps, {self.extractor.describe()}"

    def look(self, step: int, generator: Module, ranks: Communicator = ALONE) -> bool:
        """Measure the generator, as ``last``; whether it is the best so far. One that is not finite is at NaN.

        Of several processes each draws its part of the samples.
        """
        images = generate(generator, ranks.own(self.z), None if self.labels is None else ranks.own(self.labels))
        features = np.full((len(images), self.extractor.dimensions), np.nan)
        if np.isfinite(images).all():
            features = self.extractor(as_bytes(np.clip(images, -1, 1))).features
        features = ranks.gather_uneven(features)
        self.last = ranks.on_first(lambda: self._distance(features))
        if not self.last < self.distance:
            return False
        self.step, self.distance = step, self.last
        self.state = generator.state_dict()
        return True

    def _distance(self, features: np.ndarray) -> float:
        return frechet_distance(self.reference, Gaussian.of(features)) if np.isfinite(features).all() else math.nan

    def save(self, path: Path, architecture: dict[str, Any]) -> None:
        """Write the best generator as a model file, or remove it when there is none yet."""
        if not self.state:
            path.unlink(missing_ok=True)
            return
        facts = {"architecture": architecture, "step": self.step, "frechet_distance": self.distance}
        checkpoint.save(path, "model", self.state, {**facts, "extractor": self.extractor.describe()})

    # ---- what a checkpoint carries ---------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        return {PREFIX + name: array for name, array in self.state.items()}

    def facts(self) -> dict[str, Any]:
        return {"step": self.step, "distance": self.distance} if self.state else {}

    def load(self, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        """Go back to the best of a checkpoint."""
        self.state = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
        self.step, self.distance = int(facts.get("step", 0)), float(facts.get("distance", math.inf))
        self.last = math.nan
