"""Pictures as every metric takes them: the bytes that a PNG would hold."""

from __future__ import annotations

import numpy as np

from ..errors import InputError

SLACK = 0.01  # beyond [-1, 1], for rounding


def as_bytes(images: np.ndarray, name: str = "images") -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1], or already uint8, as uint8.

    Real images are bytes, so generated ones are rounded too: else a metric could tell the two by that alone, and the
    same samples would score otherwise when they come from a file.

    Raises InputError for other shapes, dtypes and ranges.

    >>> as_bytes(np.array([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)).ravel()
    array([  0, 128, 255], dtype=uint8)
    """
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"{name}: shape {images.shape} must be (N, C, H, W), none of them 0")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise InputError(f"{name}: dtype {images.dtype} must be uint8, or floating-point in [-1, 1]")
    bad = int((~np.isfinite(images)).any(axis=(1, 2, 3)).sum())
    if bad:
        raise InputError(f"{name}: {bad} of {len(images)} hold NaN or infinity: look at the run's alarms")
    low, high = float(images.min()), float(images.max())
    if low < -1 - SLACK or high > 1 + SLACK:
        raise InputError(
            f"{name}: values from {low:.3g} to {high:.3g}, expected [-1, 1] in floating point: "
            "scale them, or give uint8 from 0 to 255"
        )
    return np.rint(np.clip(images, -1, 1) * 127.5 + 127.5).astype(np.uint8)
