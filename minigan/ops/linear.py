"""The affine map, the table look-up and dropout."""

from __future__ import annotations

import numpy as np

from ..backend import Array, ArrayBackend
from ..backend.host import span
from ..errors import InputError
from ..tensor import Gradients, Op, Tensor, apply, check_dtypes
from .drawn import drawn


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x @ weight^T + bias;  x (N, ..., in), weight (out, in), bias (out,) -> y (N, ..., out)"""
    if weight.ndim != 2 or x.ndim < 2 or x.shape[-1] != weight.shape[1]:
        raise InputError(f"linear: input {x.shape} does not fit weight {weight.shape}, which is (out, in)")
    check_dtypes("linear", x, weight, *([] if bias is None else [bias]))
    if bias is None:
        return apply(Linear(), x, weight)
    if bias.shape != weight.shape[:1]:
        raise InputError(f"linear: bias {bias.shape} does not fit weight {weight.shape}, which is (out, in)")
    return apply(Linear(), x, weight, bias)


def embedding(index: np.ndarray, weight: Tensor) -> Tensor:
    """Row ``index`` of the table: index (...) of whole numbers, weight (rows, dim) -> y (..., dim)"""
    if weight.ndim != 2:
        raise InputError(f"embedding: the table {weight.shape} must be (rows, dim)")
    host = index.data if isinstance(index, Tensor) else np.asarray(index) if isinstance(index, list | tuple) else index
    if host.dtype.kind not in "iu":
        raise InputError(f"embedding: the index must be whole numbers, not {host.dtype}")
    reach = span(weight.backend, host)
    if reach and not 0 <= reach[0] <= reach[1] < weight.shape[0]:
        raise InputError(f"embedding: index {reach[0]}..{reach[1]} is outside the table of {weight.shape[0]} rows")
    return weight[host]


def dropout(x: Tensor, p: float, rng: np.random.Generator, training: bool = True) -> Tensor:
    """Each element set to 0 with probability ``p``, the others divided by 1 - p (Srivastava et al. 2014).

    ``rng`` is a host generator, so every backend drops the same elements.
    """
    if not 0 <= p < 1:
        raise InputError(f"dropout: p = {p} must be at least 0 and below 1")
    if not training or p == 0:
        return x
    return x * drawn(lambda n: (rng.random((n, *x.shape[1:])) >= p) / (1 - p), x, rows=len(x))


class Linear(Op):
    """y = x w^T + b;  dx = g w, dw = g^T x, db = sum g

    Composed of primitives its gradients would come for free, but it is most of what a small network does, and the
    tape would carry five nodes for one.
    """

    reads_output = False

    def forward(self, backend: ArrayBackend, x: Array, w: Array, *bias: Array) -> Array:
        y = backend.matmul(x, w.T)
        for b in bias:
            y += b
        return y

    def vjp(self, g: Tensor, y: Tensor, x: Tensor, w: Tensor, *bias: Tensor) -> Gradients:
        def rows(t: Tensor) -> Tensor:
            return t if t.ndim == 2 else t.reshape(-1, t.shape[-1])

        return lambda: g @ w, lambda: rows(g).T @ rows(x), *(lambda: g.sum_to(y.shape[-1:]) for _ in bias)
