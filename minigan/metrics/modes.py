"""Which modes of a known mixture a generator found, and how evenly: the measure of mode collapse."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .inputs import features_matrix
from .labels import reverse_kl


@dataclass(frozen=True)
class ModeStatistics:
    """As reported by VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018)."""

    modes_found: int  # modes that have at least one high-quality sample
    modes: int
    high_quality: float  # share of the samples within three standard deviations of a mode
    reverse_kl: float  # KL(samples' distribution over modes || uniform), in nats: 0 is even, log(modes) one mode only

    def __str__(self) -> str:
        return (
            f"{self.modes_found}/{self.modes} modes, {100 * self.high_quality:.0f} % high quality, "
            f"reverse KL {self.reverse_kl:.2f}"
        )


def mode_statistics(samples: np.ndarray, centres: np.ndarray, std: float) -> ModeStatistics:
    """Assign each sample (N, dim) to its nearest centre (modes, dim) of Gaussians of standard deviation ``std``.

    The reverse KL is over the modes of all samples, high quality or not.

    Raises InputError for shapes that do not fit, for NaN and infinity, and for a ``std`` that is not above 0.

    >>> centres = np.array([[0.0, 0.0], [9.0, 0.0]])
    >>> print(mode_statistics(np.array([[0.1, 0.0], [0.0, 0.2], [4.0, 0.0]]), centres, std=0.1))
    1/2 modes, 67 % high quality, reverse KL 0.69
    """
    samples, centres = features_matrix(samples, "samples"), features_matrix(centres, "centres")
    if samples.shape[1] != centres.shape[1]:
        raise InputError(f"mode_statistics: samples {samples.shape} and centres {centres.shape} differ in width")
    if not 0 < std < math.inf:
        raise InputError(f"mode_statistics: std = {std} must be above 0, and finite")
    distances = np.linalg.norm(samples[:, None] - centres, axis=2)
    nearest, near = distances.argmin(1), distances.min(1) <= 3 * std
    return ModeStatistics(
        modes_found=len(np.unique(nearest[near])),
        modes=len(centres),
        high_quality=float(near.mean()),
        reverse_kl=reverse_kl(np.bincount(nearest, minlength=len(centres))),
    )
