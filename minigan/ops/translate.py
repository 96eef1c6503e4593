"""Moving each image of a batch by its own whole number of pixels."""

from __future__ import annotations

from ..backend import Array, ArrayBackend
from ..errors import InputError
from ..tensor import Gradients, Op, Tensor, apply


def translate(x: Tensor, offsets: Array) -> Tensor:
    """y[n, c, i, j] = x[n, c, i - offsets[n, 0], j - offsets[n, 1]], zero where that is outside.

    x (N, C, H, W), offsets (N, 2) whole numbers, on the host or where x is -> (N, C, H, W)
    """
    if x.ndim != 4 or offsets.shape != (len(x), 2) or offsets.dtype.kind not in "iu":
        raise InputError(
            f"translate: offsets {offsets.dtype}{offsets.shape} must be whole numbers (N, 2) for {x.shape}"
        )
    return apply(Translate(x.backend.asarray(offsets.copy())), x)  # the backward needs them as they are now


class Translate(Op):
    """Adjoint: the move back."""

    reads_inputs = reads_output = False

    def __init__(self, offsets: Array) -> None:
        self.offsets = offsets

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.translate(x, self.offsets)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: apply(Translate(-self.offsets), g),)
