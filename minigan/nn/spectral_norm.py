"""Spectral normalisation (Miyato et al. 2018, arXiv:1802.05957): the weights of D's layers have spectral norm 1.

What that bounds: a linear layer stretches nothing by more than 1. A convolution may, since its kernel, seen as a
matrix, is applied at overlapping places: an all-ones 3x3 kernel, which becomes 1/3 each, stretches a constant picture
by nearly 3. It stretches nothing by more than the root of how often a pixel is looked at,
sqrt(ceil(kh / sh) ceil(kw / sw)) for a kernel (kh, kw) and a stride (sh, sw). So D's slope is bounded by the product of
these numbers, but not by 1.

The weight W, as a matrix with one row per output, is divided by its largest singular value sigma. Power iteration finds
it: u and v, kept from step to step, turn towards the singular vectors, and sigma = u^T W v. In the gradient u and v are
constants: d sigma / dW = u v^T, which at the singular vectors is exact.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, TypeVar

import numpy as np

from ..backend import Array, backend_of
from ..errors import InputError
from ..sizes import size
from ..tensor import Tensor
from .layers import Rng, TransposedConvolution
from .module import Module, Parameter

Layer = TypeVar("Layer", bound=Module)


def spectral_norm(layer: Layer, *, n_power_iterations: int = 1, eps: float = 1e-12, rng: Rng = None) -> Layer:
    """``layer`` itself, its weight divided by its largest singular value from now on.

    For Linear, Conv1d, Conv2d, Embedding and the transposed convolutions. Each forward in training turns u and v by
    ``n_power_iterations``; in evaluation they stay. The state has PyTorch's names (of
    ``torch.nn.utils.parametrizations.spectral_norm``): parametrizations.weight.original, .0._u and .0._v.
    """
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Parameter) or weight.ndim < 2:
        raise InputError(f"spectral_norm: {layer} has no weight matrix to normalise, or it is normalised already")
    n_power_iterations = size("spectral_norm: n_power_iterations", n_power_iterations)
    if not 0 <= eps < math.inf:
        raise InputError(f"spectral_norm: eps = {eps} must be at least 0, and finite")
    axis = 1 if isinstance(layer, TransposedConvolution) else 0
    norm = SpectralNorm(weight, axis, n_power_iterations, eps, rng or np.random.default_rng())
    parametrizations = Module()
    parametrizations.weight = Normalised(weight, norm)
    del layer.weight  # type: ignore[attr-defined]
    layer.parametrizations = parametrizations
    layer.__class__ = _with_normalised_weight(type(layer))  # type: ignore[assignment, arg-type]
    return layer


@cache
def _with_normalised_weight(kind: type[Module]) -> type[Module]:
    """The layer ``kind`` with a weight that is worked out when it is read."""

    class SpectrallyNormalised(kind):  # type: ignore[misc, valid-type]
        @property
        def weight(self) -> Tensor:
            weight: Tensor = self.parametrizations.weight()
            return weight

        def forward(self, *inputs: Any) -> Any:
            if self.training:
                parametrization = self.parametrizations.weight
                parametrization.norm.turn(parametrization.original)
            return super().forward(*inputs)

        def __reduce__(self) -> tuple[Any, ...]:  # this class has no name to be found by
            return _empty, (kind,), vars(self)

        def __repr__(self) -> str:
            return f"spectral_norm({kind.__name__}({self.extra_repr()}))"

    SpectrallyNormalised.__name__ = f"SpectrallyNormalised{kind.__name__}"
    return SpectrallyNormalised


def _empty(kind: type[Module]) -> Module:
    """A normalised ``kind`` without its attributes, for pickle and deepcopy."""
    return Module.__new__(_with_normalised_weight(kind))  # type: ignore[arg-type]


class SpectralNorm(Module):
    """The estimate of the largest singular value of a weight: singular vectors u (outputs,) and v (everything else)."""

    buffer_names = ("_u", "_v")

    def __init__(
        self, weight: Tensor, axis: int, n_power_iterations: int, eps: float, rng: np.random.Generator
    ) -> None:
        self.axis, self.n_power_iterations, self.eps = axis, n_power_iterations, eps
        rows = self.matrix(weight)
        self._u, self._v = (
            _unit(weight.backend.asarray(rng.standard_normal(size).astype(weight.dtype)), eps) for size in rows.shape
        )
        self.turn(weight, 15)  # a good start, as in PyTorch

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with its output axis first, the others as one."""
        others = [a for a in range(weight.ndim) if a != self.axis]
        return weight.transpose(self.axis, *others).reshape(weight.shape[self.axis], -1)

    def turn(self, weight: Tensor, times: int | None = None) -> None:
        """Power iteration, ``times`` (default: n_power_iterations): u <- W v / |W v|,  v <- W^T u / |W^T u|"""
        w, backend = self.matrix(weight.detach()).data, weight.backend
        for _ in range(self.n_power_iterations if times is None else times):
            self._u[...] = _unit(backend.matmul(w, self._v), self.eps)
            self._v[...] = _unit(backend.matmul(w.T, self._u), self.eps)

    def forward(self, weight: Tensor) -> Tensor:
        """W / sigma, sigma = u^T W v"""
        u, v = Tensor(self._u.copy()), Tensor(self._v.copy())  # the next forward in training changes them in place
        sigma = u.reshape(1, -1) @ self.matrix(weight) @ v.reshape(-1, 1)
        return weight / sigma.reshape(())


class Normalised(Module):
    """A layer's own weight, ``original``, and the norm it is divided by, under the names that PyTorch gives them."""

    def __init__(self, weight: Parameter, norm: SpectralNorm) -> None:
        self.original = weight
        setattr(self, "0", norm)

    @property
    def norm(self) -> SpectralNorm:
        norm: SpectralNorm = vars(self)["0"]
        return norm

    def forward(self) -> Tensor:
        return self.norm(self.original)


def _unit(x: Array, eps: float) -> Array:
    return x / backend_of(x).xp.maximum((x * x).sum() ** 0.5, eps)
