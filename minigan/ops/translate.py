"""Moving each image of a batch by its own whole number of pixels."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..tensor import Op, Tensor, apply


def translate(x: Tensor, offsets: np.ndarray) -> Tensor:
    """y[n, c, i, j] = x[n, c, i - offsets[n, 0], j - offsets[n, 1]], zero where that is outside.

    x (N, C, H, W), offsets (N, 2) whole numbers on the host -> (N, C, H, W)
    """
    if x.ndim != 4 or offsets.shape != (len(x), 2) or offsets.dtype.kind != "i":
        raise InputError(
            f"translate: offsets {offsets.dtype}{offsets.shape} must be whole numbers (N, 2) for {x.shape}"
        )
    return apply(Translate(offsets), x)


class Translate(Op):
    """Adjoint: the move back."""

    reads_inputs = False

    def __init__(self, offsets: np.ndarray) -> None:
        self.offsets = offsets

    def forward(self, backend, x):
        height, width = x.shape[2:]
        y = backend.empty(x.shape, x.dtype)
        y[...] = 0
        for n, (down, right) in enumerate(self.offsets.tolist()):
            to_rows, from_rows = _overlap(down, height)
            to_cols, from_cols = _overlap(right, width)
            y[n, :, to_rows, to_cols] = x[n, :, from_rows, from_cols]
        return y

    def vjp(self, g, y, x):
        return (lambda: apply(Translate(-self.offsets), g),)


def _overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Where in the output, and where in the input, the pixels lie that stay inside."""
    kept = max(0, size - abs(offset))
    start = min(max(offset, 0), size)
    return slice(start, start + kept), slice(start - min(offset, size), start - min(offset, size) + kept)
