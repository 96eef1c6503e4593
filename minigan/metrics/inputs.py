"""What every metric asks of the features it is given."""

from __future__ import annotations

import numpy as np

from ..errors import InputError


def features_matrix(features: np.ndarray, name: str) -> np.ndarray:
    """The features in float64, one sample a row: (N, dim), N >= 1, finite.

    Raises InputError, with ``name`` in it, for anything else.
    """
    if not isinstance(features, np.ndarray) or features.dtype.kind not in "fiub":
        kind = features.dtype if isinstance(features, np.ndarray) else type(features).__name__
        raise InputError(f"{name}: must be a NumPy array of real numbers, not {kind}")
    if features.ndim != 2 or 0 in features.shape:
        raise InputError(
            f"{name}: shape {features.shape} must be (N, dim), neither of them 0; "
            "flatten pictures with x.reshape(len(x), -1)"
        )
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise InputError(
            f"{name}: {len(bad)} of {len(features)} rows hold NaN or infinity, the first is row {bad[0]}: "
            "look for the pictures that the extractor made them of"
        )
    return features.astype(np.float64)


def same_width(**named: np.ndarray) -> None:
    """InputError unless all these matrices have the same number of columns."""
    if len({features.shape[1] for features in named.values()}) > 1:
        widths = ", ".join(f"{name} {features.shape[1]}" for name, features in named.items())
        raise InputError(f"features of different widths: {widths}; take them all from the same extractor")
