"""Which classes a generator draws, and whether it draws the one asked for, by a classifier's word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class LabelStatistics:
    """As reported on (stacked) MNIST by VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018)."""

    modes_found: int  # classes that at least one sample was taken for
    modes: int
    reverse_kl: float  # KL(samples' distribution over classes || uniform), in nats: 0 is even
    accuracy: float | None  # share of the samples that show the class asked for

    def __str__(self) -> str:
        line = f"{self.modes_found}/{self.modes} modes, reverse KL {self.reverse_kl:.3f}"
        return line if self.accuracy is None else f"{line}, {100 * self.accuracy:.1f} % as asked"


def label_statistics(labels: np.ndarray, classes: int, wanted: np.ndarray | None = None) -> LabelStatistics:
    """Of a classifier's labels (N,) for generated samples, each 0 .. classes - 1, also 1,000 of stacked MNIST.

    ``wanted`` (N,) are the labels that a conditional generator was asked for. With N samples a perfect generator has
    a reverse KL of about (classes - 1) / 2N, not 0.

    Raises InputError for labels out of range or of another length.

    >>> print(label_statistics(np.array([0, 1, 1, 2]), classes=4, wanted=np.array([0, 1, 2, 2])))
    3/4 modes, reverse KL 0.347, 75.0 % as asked
    """
    labels = _checked(labels, "labels", classes)
    if wanted is not None:
        wanted = _checked(wanted, "wanted", classes)
        if len(wanted) != len(labels):
            raise InputError(f"label_statistics: {len(labels)} labels but {len(wanted)} wanted")
    counts = np.bincount(labels, minlength=classes)
    return LabelStatistics(
        modes_found=int(np.count_nonzero(counts)),
        modes=classes,
        reverse_kl=reverse_kl(counts),
        accuracy=None if wanted is None else float(np.mean(labels == wanted)),
    )


def reverse_kl(counts: np.ndarray) -> float:
    """KL(counts / sum || uniform) in nats, from how many samples each mode (modes,) got."""
    shares = counts[counts > 0] / counts.sum()
    return float(max(0.0, np.sum(shares * np.log(shares * len(counts)))))


def _checked(labels: np.ndarray, name: str, classes: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu":
        raise InputError(f"{name}: must be integers (N,), not {labels.dtype} {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise InputError(f"{name}: {wrong} is not one of the {classes} classes 0 .. {classes - 1}")
    return labels
