"""The affine map, the table look-up and dropout, composed of primitives: their gradients come for free."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..tensor import Tensor
from .drawn import drawn


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x @ weight^T + bias;  x (..., in), weight (out, in), bias (out,) -> y (..., out)"""
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[1]:
        raise InputError(f"linear: input {x.shape} does not fit weight {weight.shape}, which is (out, in)")
    y = x @ weight.T
    return y if bias is None else y + bias


def embedding(index: np.ndarray, weight: Tensor) -> Tensor:
    """Row ``index`` of the table: index (...) of whole numbers, weight (rows, dim) -> y (..., dim)"""
    host = index.data if isinstance(index, Tensor) else index
    if host.dtype.kind not in "iu":
        raise InputError(f"embedding: the index must be whole numbers, not {host.dtype}")
    span = weight.backend.span(host)
    if span and not 0 <= span[0] <= span[1] < weight.shape[0]:
        raise InputError(f"embedding: index {span[0]}..{span[1]} is outside the table of {weight.shape[0]} rows")
    return weight[host]


def dropout(x: Tensor, p: float, rng: np.random.Generator, training: bool = True) -> Tensor:
    """Each element set to 0 with probability ``p``, the others divided by 1 - p (Srivastava et al. 2014).

    ``rng`` is a host generator, so every backend drops the same elements.
    """
    if not 0 <= p < 1:
        raise InputError(f"dropout: p = {p} must be at least 0 and below 1")
    if not training or p == 0:
        return x
    return x * drawn(lambda: (rng.random(x.shape) >= p) / (1 - p), x)
