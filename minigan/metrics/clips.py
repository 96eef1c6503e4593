"""How good are clips of a moving digit? Whether it stays itself, how it moves, and how far clips are from real ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..ops import resize
from ..tensor import Tensor, no_grad
from .extractor import load_extractor
from .features import Extractor
from .frechet import Gaussian, frechet_distance
from .pixels import as_bytes

SIDE = 28  # pixels a side of what the digits' classifier looks at
KEPT = 0.9  # share of the frames in which a digit has to be named the same
WHOLE = 0.8  # share of its usual ink that a digit has to have in each frame
NAMED = 200  # clips whose digit is named, at most: that takes the longest
PAIRS = 8  # frames, each with the one after it, that a clip's features are taken of


class ClipStatistics(NamedTuple):
    """What N clips of one bright thing on a black ground are like. Each but ``distance`` is a mean over the clips."""

    kept: float  # share of the clips in which the classifier names the same digit in at least 9 frames of 10
    jerk: float  # |second difference of the centroid|, in pixels
    speed: float  # |first difference|, in pixels a frame
    whole: float  # share of the clips in which no frame has less than 0.8 of the clip's median ink, as at a wall
    distance: float  # the Frechet distance to real clips


class ClipJudge:
    """Judges clips (N, T, 1, H, W) in [-1, 1] beside ``real`` ones.

    The distance is the Frechet distance of features: a clip's are the mean, over its frames, of what ``extractor`` sees
    in a frame, beside the mean of what it sees in half the difference to the next one. So it tells what is shown and
    how it changes, of neighbouring frames: not what comes back later. More than twice as many clips are needed as the
    extractor has features.
    """

    def __init__(self, real: np.ndarray, extractor: Extractor | None = None) -> None:
        self.extractor = extractor or load_extractor("mnist")
        self.real = Gaussian.of(self.features(real), "features of the real clips")

    def __call__(self, clips: np.ndarray) -> ClipStatistics:
        path = centroids(clips)
        return ClipStatistics(
            kept=float((self.agreement(clips[:NAMED]) >= KEPT).mean()),
            jerk=float(np.linalg.norm(np.diff(path, 2, axis=1), axis=2).mean()),
            speed=float(np.linalg.norm(np.diff(path, axis=1), axis=2).mean()),
            whole=float(whole(clips).mean()),
            distance=frechet_distance(self.real, self.features(clips)),
        )

    def agreement(self, clips: np.ndarray) -> np.ndarray:
        """(N,) the share of a clip's frames in which the digit, brought to the centre, is called what it is most."""
        frames = centred(clips).reshape(-1, 1, SIDE, SIDE)
        names = self.extractor(frames).probabilities.argmax(axis=1).reshape(clips.shape[:2])
        names[~ink(clips).any(axis=(2, 3))] = -1  # a black frame shows none
        counts = (names[:, :, None] == np.arange(len(self.extractor.classes))).sum(axis=1)
        return counts.max(axis=1) / clips.shape[1]

    def features(self, clips: np.ndarray) -> np.ndarray:
        """(N, 2 * the extractor's dimensions)"""
        if clips.ndim != 5 or clips.shape[1] < 2 or clips.shape[2] != 1:
            raise InputError(f"clips {clips.shape} must be (N, T, 1, H, W), of two frames or more")
        times = np.unique(np.linspace(0, clips.shape[1] - 2, PAIRS).round().astype(int))
        first, second = clips[:, times], clips[:, times + 1]
        seen = [self.extractor(small(frames)).features for frames in (first, (second - first) / 2)]
        return np.concatenate([f.reshape(len(clips), len(times), -1).mean(axis=1) for f in seen], axis=1)


def ink(clips: np.ndarray) -> np.ndarray:
    """How bright each pixel is, in [0, 1]: (N, T, 1, H, W) -> (N, T, H, W), without the faint grey of a generator."""
    bright = np.clip(np.nan_to_num(clips[:, :, 0], nan=-1.0), -1, 1) / 2 + 0.5
    return np.where(bright < 0.1, 0, bright)


def centroids(clips: np.ndarray) -> np.ndarray:
    """Where the ink is on average, (N, T, 2) in pixels: row and column; of a black frame, the middle."""
    bright = ink(clips)
    total = bright.sum(axis=(2, 3))
    found = []
    for axis, side in ((3, bright.shape[2]), (2, bright.shape[3])):
        moment = (bright.sum(axis=axis) * np.arange(side)).sum(axis=2)
        found.append(np.where(total > 0, moment / np.maximum(total, 1e-9), (side - 1) / 2))
    return np.stack(found, axis=2)


def centred(clips: np.ndarray) -> np.ndarray:
    """Each frame moved by whole pixels so that its centroid is in the middle of 28x28: (N, T, 1, 28, 28)."""
    count, length, channels = clips.shape[:3]
    found = np.full((count, length, channels, SIDE, SIDE), -1.0, np.float32)
    around = np.pad(clips, [(0, 0)] * 3 + [(SIDE, SIDE)] * 2, constant_values=-1.0)
    corners = np.rint(centroids(clips) - (SIDE - 1) / 2).astype(int) + SIDE
    for n, t in np.ndindex(count, length):
        top, left = corners[n, t]
        found[n, t] = around[n, t, :, top : top + SIDE, left : left + SIDE]
    return found


def whole(clips: np.ndarray) -> np.ndarray:
    """(N,) whether each frame has ink, and most of what the clip has at its median: none is cut off by a wall."""
    total = ink(clips).sum(axis=(2, 3))
    least: np.ndarray = total.min(axis=1)
    return (least > 0) & (least >= WHOLE * np.median(total, axis=1))


def small(frames: np.ndarray) -> np.ndarray:
    """(N, T, 1, H, W) -> bytes (N * T, 1, 28, 28)"""
    flat = np.ascontiguousarray(frames.reshape(-1, *frames.shape[2:]), np.float32)
    if flat.shape[2:] == (SIDE, SIDE):
        return as_bytes(flat)
    with no_grad():
        return as_bytes(np.concatenate([
            np.array(resize(Tensor(flat[start : start + 512]), (SIDE, SIDE), mode="bilinear").numpy())
            for start in range(0, len(flat), 512)
        ]))  # fmt: skip
