"""Everything that is measured of a set of samples, in one table beside what real images, a blur and noise come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Dataset
from ..errors import InputError
from .baselines import pca_gaussian, uniform_noise
from .frechet import Gaussian, frechet_distance
from .inception_score import InceptionScore, inception_score
from .kernel import KernelDistance, kernel_distance
from .labels import LabelStatistics, label_statistics
from .memorisation import MemorisationCheck, memorisation_check, nearest_neighbours
from .mifid import memorisation_distance, mifid
from .pixels import as_bytes
from .prdc import PrecisionRecall, precision_recall

if TYPE_CHECKING:
    from .extractor import Extractor, Features

SAMPLES, TEST, HALVES, PCA, NOISE = "samples", "test images", "half / half", "PCA Gaussian", "noise"
BALLS_AMONG = 10_000  # real images at most whose balls are looked at for precision and recall
DECIMALS = 5  # shown at most
COPIES = 0.5  # a generator this much nearer to its training images than held-out ones are is punished by MiFID


def evaluate(
    images: np.ndarray,
    train: Dataset,
    test: Dataset | None,
    extractor: Extractor,
    *,
    rng: np.random.Generator,
    wanted: np.ndarray | None = None,
    baselines: bool = True,
) -> Evaluation:
    """Measure samples (N, C, H, W), uint8 or in [-1, 1], against ``train``; ``test`` are held-out real images.

    ``wanted`` (N,) are the classes that a conditional generator was asked for. ``rng`` draws the subsets and baselines.
    Use an ``Evaluator`` to measure several generators against the same images.
    """
    evaluator = Evaluator(train, test, extractor, rng=rng)
    return evaluator.evaluate(images, wanted, baselines)


@dataclass(frozen=True)
class Scores:
    """What was measured of one set of images. None: not measured of it, or not known without test images."""

    count: int
    frechet: float
    kernel: KernelDistance
    inception: InceptionScore
    manifold: PrecisionRecall
    labels: LabelStatistics
    memorisation: float | None = None  # mean cosine distance to the nearest training image, which MiFID looks at
    mifid: float | None = None
    copies: MemorisationCheck | None = None

    def as_dict(self) -> dict[str, Any]:
        """Every number by name, as JSON can hold it."""
        found = {
            "count": self.count,
            "frechet_distance": self.frechet,
            "kernel_distance": self.kernel.value,
            "kernel_distance_standard_error": self.kernel.standard_error,
            "inception_score": self.inception.mean,
            "inception_score_std": self.inception.std,
            **asdict(self.manifold),
            **asdict(self.labels),
            "memorisation_distance": self.memorisation,
            "mifid": self.mifid,
        }
        if self.copies is not None:
            names = ("share_below", "percentile", "median_ratio", "z")
            found |= {f"copies_{name}": getattr(self.copies, name) for name in names}
        return found


@dataclass(frozen=True)
class Evaluation:
    """The scores of the samples, and of the baselines by their names. ``str`` is the table."""

    samples: Scores
    baselines: dict[str, Scores]
    extractor: str  # its name, accuracy and hash, and how its batch norm is run
    against: str  # the real images

    def as_dict(self) -> dict[str, Any]:
        columns = {SAMPLES: self.samples, **self.baselines}
        facts = {"extractor": self.extractor, "against": self.against}
        return facts | {name: scores.as_dict() for name, scores in columns.items()}

    def __str__(self) -> str:
        columns = {SAMPLES: self.samples, **self.baselines}
        lines = [["", *columns, "better"]]
        for title, better, show in ROWS:
            cells = [show(scores) for scores in columns.values()]
            if cells[0]:
                lines.append([title, *(cell or "-" for cell in cells), better])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = [
            "  ".join([f"{title:{widths[0]}}", *(f"{cell:>{w}}" for cell, w in zip(cells, widths[1:], strict=True))])
            for title, *cells in lines
        ]
        return "\n".join([f"against {self.against}", self.extractor, "", *map(str.rstrip, rows)])


def _with_error(value: float, error: float) -> str:
    """Two digits of the error, and as many decimals of the value, but no more than five.

    >>> _with_error(0.012345, 0.00049), _with_error(987.65, 43.21), _with_error(1.0, 2e-15)
    ('0.01235 +- 0.00049', '988 +- 43', '1.00000 +- 0.00000')
    """
    decimals = min(max(0, 1 - math.floor(math.log10(error))), DECIMALS) if error else 0
    return f"{value:.{decimals}f} +- {error:.{decimals}f}"


def _known(pattern: str, value: float | None) -> str:
    return "" if value is None else pattern.format(value)


ROWS: Sequence[tuple[str, str, Callable[[Scores], str]]] = (
    ("images", "", lambda s: f"{s.count:,}"),
    ("Frechet distance", "lower", lambda s: f"{s.frechet:.4g}"),
    ("kernel distance", "lower", lambda s: _with_error(s.kernel.value, s.kernel.standard_error)),
    ("inception score", "higher", lambda s: _with_error(*s.inception)),
    ("precision", "higher", lambda s: f"{s.manifold.precision:.3f}"),
    ("recall", "higher", lambda s: f"{s.manifold.recall:.3f}"),
    ("density", "1", lambda s: f"{s.manifold.density:.3f}"),
    ("coverage", "higher", lambda s: f"{s.manifold.coverage:.3f}"),
    ("modes found", "all", lambda s: f"{s.labels.modes_found}/{s.labels.modes}"),
    ("reverse KL of the modes", "lower", lambda s: f"{s.labels.reverse_kl:.4f}"),
    ("shows what was asked for", "higher", lambda s: _known("{:.2%}", s.labels.accuracy)),
    ("MiFID", "lower", lambda s: _known("{:.4g}", s.mifid)),
    ("nearer than 99 % of test", "1 %", lambda s: "" if s.copies is None else f"{s.copies.share_below:.1%}"),
    ("copying, z", "above -3", lambda s: "" if s.copies is None else f"{s.copies.z:+.1f}"),
)  # fmt: skip


class Evaluator:
    """Holds the features of the real images, and measures sets of images against them.

    Frechet and kernel distance, and what tells of copies, take all of ``train``; precision, recall, density and
    coverage at most 10,000 of them. Equal images get equal scores, in whatever order they are measured. ``tell`` is
    called with what is to be done next, which may take seconds.

    Raises InputError when the extractor does not take such images.
    """

    def __init__(
        self,
        train: Dataset,
        test: Dataset | None,
        extractor: Extractor,
        *,
        rng: np.random.Generator,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        if test is not None and test.image_shape != train.image_shape:
            raise InputError(
                f"test images are {test.image_shape}, {train.name}'s are {train.image_shape}: take both from one set"
            )
        self.train, self.test, self.extractor, self.tell = train, test, extractor, tell
        self.seed = int(rng.integers(2**63))
        tell(f"{len(train)} training images")
        self.real = _Real(extractor(train.images), self.seed)
        if test is not None:
            tell(f"{len(test)} test images")
            self.held_out = extractor(test.images)
            self.memorisation = memorisation_distance(self.real.features, self.held_out.features)

    def evaluate(self, images: np.ndarray, wanted: np.ndarray | None = None, baselines: bool = True) -> Evaluation:
        """Measure the samples (N, C, H, W), and the baselines with as many images."""
        self.tell(f"{len(images)} {SAMPLES}")
        found = self.features(images)
        samples = self.real.scores(found, wanted)
        if self.test is not None:
            self.tell("copies among them")
            copies = memorisation_check(found.features, self.real.features, self.held_out.features)
            memorisation = memorisation_distance(self.real.features, found.features)
            samples = replace(self._with_mifid(samples, memorisation), copies=copies)
        others = self.baselines(len(images)) if baselines else {}
        return Evaluation(
            samples, others, self.extractor.describe(), f"{len(self.train):,} images of {self.train.name}"
        )

    def features(self, images: np.ndarray) -> Features:
        """Of samples that can be compared with the real images; InputError for others."""
        images = as_bytes(images, "samples")
        if images.shape[1:] != self.train.image_shape:
            raise InputError(
                f"samples are {images.shape[1:]}, the images of {self.train.name} {self.train.image_shape}: "
                "name the --data that the model was trained on"
            )
        if len(images) <= self.extractor.dimensions:
            raise InputError(
                f"{len(images)} samples are too few for the covariance of {self.extractor.dimensions} features: "
                f"take at least {self.extractor.dimensions + 1}, better 10,000"
            )
        return self.extractor(images)

    def baselines(self, count: int) -> dict[str, Scores]:
        """The scale of the numbers: what ``count`` real images, samples of a Gaussian, and noise come to."""
        rng = np.random.default_rng([self.seed, 1])
        columns = {}
        if self.test is not None and len(self.test) > self.extractor.dimensions:
            self.tell(TEST)
            chosen = rng.permutation(len(self.test))[:count]
            found = _part(self.held_out, chosen)
            known = self.test.labels if self.test.classes == self.extractor.classes else None
            scores = self.real.scores(found, None if known is None else known[chosen])
            columns[TEST] = self._with_mifid(scores, self.memorisation)
        elif len(self.train) // 2 > self.extractor.dimensions:
            self.tell(HALVES)
            one, other = np.array_split(rng.permutation(len(self.train)), 2)
            half = _Real(_part(self.real.found, one), self.seed)
            columns[HALVES] = half.scores(_part(self.real.found, other[:count]))
        for name, images in (
            (PCA, pca_gaussian(self.train.images, count, rng)),
            (NOISE, uniform_noise((count, *self.train.image_shape), rng)),
        ):
            self.tell(name)
            columns[name] = self.real.scores(self.extractor(images))
        return columns

    def neighbours(self, images: np.ndarray, rows: int = 12, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) the samples nearest to a training image, nearest first; (rows, k) what lies nearest to each."""
        features = self.features(images).features
        distances, _ = nearest_neighbours(features, self.real.features)
        closest = np.argsort(distances[:, 0], kind="stable")[:rows]
        return closest, nearest_neighbours(features[closest], self.real.features, k)[1]

    def _with_mifid(self, scores: Scores, memorisation: float) -> Scores:
        threshold = COPIES * self.memorisation
        return replace(scores, memorisation=memorisation, mifid=mifid(scores.frechet, memorisation, threshold))


class _Real:
    """Real images to be compared with."""

    def __init__(self, found: Features, seed: int) -> None:
        self.found, self.features, self.seed = found, found.features, seed
        self.gaussian = Gaussian.of(self.features, "real images")
        chosen = np.random.default_rng([seed, 0]).permutation(len(self.features))[:BALLS_AMONG]
        self.some = self.features[chosen]

    def scores(self, found: Features, wanted: np.ndarray | None = None) -> Scores:
        features, probabilities = found.features, found.probabilities
        rng = np.random.default_rng([self.seed, 2])
        shuffled = probabilities[rng.permutation(len(probabilities))]  # lest a split of the score be of one class
        return Scores(
            count=len(features),
            frechet=frechet_distance(self.gaussian, Gaussian.of(features, "samples")),
            kernel=kernel_distance(self.features, features, rng),
            inception=inception_score(shuffled),
            manifold=precision_recall(self.some, features),
            labels=label_statistics(probabilities.argmax(axis=1), probabilities.shape[1], wanted),
        )


def _part(found: Features, chosen: np.ndarray) -> Features:
    return type(found)(found.features[chosen], found.probabilities[chosen])
