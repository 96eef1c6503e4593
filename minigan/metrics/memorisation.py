"""Has the generator learnt its training images by heart? Nearest neighbours tell, with held-out images beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .inputs import features_matrix, same_width
from .pairwise import squared_distance_tiles


@dataclass(frozen=True, eq=False)
class MemorisationCheck:
    """Distances to the nearest training image: the fakes' beside those of held-out images, which cannot be copies."""

    share_below: float  # of the fakes nearer to the training set than the held-out images' percentile
    percentile: float  # that percentile, in %: a generator like the data has share_below = percentile / 100
    median_ratio: float  # median of the fakes' distances / median of the held-out ones': below 1 suspects copying
    z: float  # Mann-Whitney: below -3 copies, above 3 the fakes are further away than real images are
    distances: np.ndarray  # (fakes,) to the nearest training image
    nearest: np.ndarray  # (fakes,) that image's index
    test_distances: np.ndarray  # (held-out images,)

    def __str__(self) -> str:
        return (
            f"{100 * self.share_below:.1f} % of the fakes nearer than {self.percentile:g} % of held-out images, "
            f"median distance {self.median_ratio:.2f} of theirs, z {self.z:+.1f}"
        )


def memorisation_check(
    fake: np.ndarray, train: np.ndarray, test: np.ndarray, percentile: float = 1.0
) -> MemorisationCheck:
    """Compare the distances fake -> train with test -> train. All (N, dim): features, or pictures flattened.

    z is the data-copying test of Meehan, Chaudhuri & Dasgupta 2020 with one cell: U counts the pairs (fake, held-out)
    in which the fake is further away, ties half; z = (U - E U) / std U under equal distributions. It grows with the
    sample counts, and a generator that copies a few images and is far off with the rest has z > 0: read ``share_below``
    too, and look at the pairs (i, nearest[i]) of the smallest distances.

    Raises InputError for a percentile outside 0 .. 100.
    """
    fake, train = features_matrix(fake, "fake"), features_matrix(train, "train")
    test = features_matrix(test, "test")
    same_width(fake=fake, train=train, test=test)
    if not 0 < percentile < 100:
        raise InputError(f"memorisation_check: percentile {percentile} must lie between 0 and 100")
    distances, nearest = (found[:, 0] for found in nearest_neighbours(fake, train))
    test_distances = nearest_neighbours(test, train)[0][:, 0]
    test_median = float(np.median(test_distances))
    if test_median == 0:
        raise InputError("memorisation_check: most test images are copies of training images; hold out others")
    return MemorisationCheck(
        share_below=float(np.mean(distances < np.percentile(test_distances, percentile))),
        percentile=percentile,
        median_ratio=float(np.median(distances)) / test_median,
        z=mann_whitney_z(distances, test_distances),
        distances=distances,
        nearest=nearest,
        test_distances=test_distances,
    )


def nearest_neighbours(queries: np.ndarray, references: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(distances, indices), both (N, k), nearest first: the k references (M, dim) nearest to each query (N, dim).

    Euclidean. Tiles find the neighbours; their distances are then taken from the differences, to full precision.

    Raises InputError for k outside 1 .. M.

    >>> distances, indices = nearest_neighbours(np.array([[0.9], [5.0]]), np.array([[0.0], [1.0], [2.0]]))
    >>> indices.ravel(), distances.ravel().round(12)
    (array([1, 2]), array([0.1, 3. ]))
    """
    queries, references = features_matrix(queries, "queries"), features_matrix(references, "references")
    same_width(queries=queries, references=references)
    if not 1 <= k <= len(references):
        raise InputError(f"nearest_neighbours: k {k} must be between 1 and the {len(references)} references")
    distances, indices = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    for rows, tile in squared_distance_tiles(queries, references):
        found = tile.argmin(axis=1)[:, None] if k == 1 else np.argpartition(tile, k - 1, axis=1)[:, :k]
        exact = np.stack([np.linalg.norm(queries[rows] - references[column], axis=1) for column in found.T], axis=1)
        order = np.argsort(exact, axis=1, kind="stable")
        distances[rows] = np.take_along_axis(exact, order, axis=1)
        indices[rows] = np.take_along_axis(found, order, axis=1)
    return distances, indices


def mann_whitney_z(a: np.ndarray, b: np.ndarray) -> float:
    """z of U = the pairs with a > b, ties half: below 0 when ``a`` tends to be smaller. 0 when all values are equal.

    var U = nm/12 (n + m + 1 - sum over ties (t^3 - t) / ((n + m)(n + m - 1))). Mann & Whitney 1947.
    """
    n, m = float(len(a)), float(len(b))
    ordered = np.sort(b)
    u = (np.searchsorted(ordered, a, "left") + np.searchsorted(ordered, a, "right")).sum() / 2
    ties = np.unique(np.concatenate([a, b]), return_counts=True)[1].astype(np.float64)
    variance = n * m / 12 * (n + m + 1 - np.sum(ties**3 - ties) / ((n + m) * (n + m - 1)))
    return float((u - n * m / 2) / np.sqrt(variance)) if variance > 0 else 0.0
