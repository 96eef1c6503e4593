"""Labels where nobody gave any: pictures that look alike are put together, by k-means on small copies of them."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ..errors import InputError
from .dataset import Dataset
from .drawn import Drawn

ENOUGH = 100  # pictures a cluster, on average, that two networks can learn from
SMALL = 16  # pixels a side of the copies that are compared, at most
ROUNDS = 20


Pictures = TypeVar("Pictures", Dataset, Drawn)


def clustered(dataset: Pictures, clusters: int, *, seed: int = 0) -> Pictures:
    """The same pictures, each labelled with its cluster: ``clusters`` of them, or one for each 100 pictures if fewer.

    Clips are put together by one picture of each, see ``Drawn.stills``.

    Deterministic: equal pictures and seeds give equal clusters. None of them is empty. Labels that the pictures had
    are not looked at.
    """
    if clusters < 1:
        raise InputError(f"clustered: clusters = {clusters} must be at least 1")
    count = max(1, min(clusters, len(dataset) // ENOUGH))
    pictures = dataset.images if isinstance(dataset, Dataset) else dataset.stills()
    labels = k_means(small_copies(pictures), count, np.random.default_rng(seed))
    names = tuple(f"cluster {number}" for number in range(labels.max(initial=0) + 1))
    name = f"{dataset.name} in {len(names)} clusters"
    if isinstance(dataset, Dataset):
        return replace(dataset, labels=labels, classes=names, name=name)
    sorted_clips = copy(dataset)
    sorted_clips.labels, sorted_clips.classes, sorted_clips.name = labels, names, name
    return sorted_clips


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
