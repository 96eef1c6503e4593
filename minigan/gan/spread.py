"""How much generated images differ from each other, beside how much real ones do: what a mode collapse takes away."""

from __future__ import annotations

import numpy as np

from ..backend import Array, backend_of
from ..ops.across import gathered
from ..tensor import Tensor


def spread(fake: Tensor, real: Tensor, labels: Array | None = None) -> Tensor:
    """The standard deviation of generated images as a share of the real ones': 1 where they differ as much; NaN where
    real ones do not differ.

    With ``labels`` (N,) it is that within a label, so that a generator which draws one image for each label is found
    out; where no two images of a batch have the same, it is that over all.
    """
    backend = backend_of(real.data)
    share = backend.constant(np.nan, real.dtype)
    for told in (None, labels):
        given = None if told is None else gathered(Tensor(told)).data
        of_fake, of_real = (deviation(gathered(images).data, given) for images in (fake, real))
        with np.errstate(invalid="ignore", divide="ignore"):  # one image, or all the same
            share = backend.xp.where(of_real > 0, of_fake / of_real, share)
    return Tensor(share)


def deviation(images: Array, labels: Array | None = None) -> Array:
    """The standard deviation of a pixel, on average over pixels; with ``labels`` (N,) that within a label."""
    if labels is None:
        return images.std(axis=0).mean()
    flat = images.reshape(len(images), -1)
    same = (labels[:, None] == labels).astype(images.dtype)
    apart = flat - backend_of(flat).matmul(same / same.sum(axis=1, keepdims=True), flat)
    return ((apart * apart).mean(axis=0) ** 0.5).mean()
