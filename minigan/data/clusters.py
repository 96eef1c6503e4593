"""Labels where nobody gave any: pictures that look alike are put together, by k-means on small copies of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from .dataset import Dataset

ENOUGH = 100  # pictures a cluster, on average, that two networks can learn from
SMALL = 16  # pixels a side of the copies that are compared, at most
ROUNDS = 20


def clustered(dataset: Dataset, clusters: int, *, seed: int = 0) -> Dataset:
    """The same pictures, each labelled with its cluster: ``clusters`` of them, or one for each 100 pictures if fewer.

    Deterministic: equal pictures and seeds give equal clusters. None of them is empty. Labels that the pictures had
    are not looked at.
    """
    if clusters < 1:
        raise InputError(f"clustered: clusters = {clusters} must be at least 1")
    count = max(1, min(clusters, len(dataset) // ENOUGH))
    labels = k_means(small_copies(dataset.images), count, np.random.default_rng(seed))
    names = tuple(f"cluster {number}" for number in range(labels.max(initial=0) + 1))
    return replace(dataset, labels=labels, classes=names, name=f"{dataset.name} in {len(names)} clusters")


def k_means(x: np.ndarray, k: int, rng: np.random.Generator, rounds: int = ROUNDS) -> np.ndarray:
    """The cluster (N,) of each row of x (N, dim) (Lloyd 1982), numbered without gaps.

    It starts from k of the rows. In float64 and from pixels, which are whole numbers, it comes to the same clusters on
    every machine.
    """
    centres = x[rng.choice(len(x), k, replace=False)]
    labels = np.zeros(len(x), np.int64)
    for _ in range(rounds):
        before, labels = labels, nearest(x, centres)
        if np.array_equal(before, labels):
            break
        for number in np.unique(labels):
            centres[number] = x[labels == number].mean(axis=0)
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The number (N,) of the centre that each row is nearest to: argmin |x - c|^2 = argmin |c|^2 - 2 x.c"""
    squares = (centres * centres).sum(axis=1)
    rows = range(0, len(x), 4096)
    return np.concatenate([(squares - 2 * x[start : start + 4096] @ centres.T).argmin(axis=1) for start in rows])


def small_copies(images: np.ndarray) -> np.ndarray:
    """(N, C, H, W) -> (N, dim), float64: the means of windows as large as leave at most 16 a side"""
    n, channels, height, width = images.shape
    rows, columns = (-(-side // SMALL) for side in (height, width))  # of a window
    kept = images[:, :, : height // rows * rows, : width // columns * columns]
    windows = kept.reshape(n, channels, height // rows, rows, width // columns, columns)
    return np.asarray(windows.mean(axis=(3, 5), dtype=np.float64)).reshape(n, -1)
