"""The Gaussian error function, which NumPy lacks, and the activation made of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import chebyshev

from ..backend import Array, ArrayBackend
from ..errors import InputError
from ..tensor import Gradients, Op, Tensor, apply
from .elementwise import exp, floating, tanh


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x Phi(x), Phi the chance that a standard normal number is below x (Hendrycks & Gimpel 2016).

    Phi(x) = (1 + erf(x / sqrt 2)) / 2. With ``approximate="tanh"``: (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
    """
    x = floating(x)
    if approximate == "none":
        return x * 0.5 * (erf(x * math.sqrt(0.5)) + 1)
    if approximate == "tanh":
        return x * 0.5 * (tanh((x + x**3 * 0.044715) * math.sqrt(2 / math.pi)) + 1)
    raise InputError(f'gelu: approximate {approximate!r} must be "none" or "tanh"')


def erf(x: Tensor) -> Tensor:
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x, in (-1, 1). Exact to 1e-14 of it in float64.

    >>> erf(Tensor([-9.0, 0.0, 0.5]))
    Tensor([-1.        ,  0.        ,  0.52049994], dtype=float32)
    """
    return apply(Erf(), floating(x))


class Erf(Op):
    """y = erf x;  dx = g 2 / sqrt(pi) e^(-x^2)"""

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        xp = backend.xp
        within = xp.clip(x, -LARGEST, LARGEST)
        t = _chebyshev_variable(within * within)
        ratio = xp.full_like(t, COEFFICIENTS[-1])
        for coefficient in COEFFICIENTS[-2::-1]:  # Horner's scheme
            ratio *= t
            ratio += coefficient
        return xp.where(xp.abs(x) < LARGEST, within * ratio, xp.sign(x))

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g * exp(-(x * x)) * (2 / math.sqrt(math.pi)),)


# erf(x) / x is a smooth function of x^2, without the cancellation that 1 - erfc(x) has near 0. So it is fitted, once,
# as a polynomial in a variable t in [-1, 1] that stretches the small x^2, where the function bends.

LARGEST = 6.0  # from here on erf(x) is 1 in float64
BEND = 20.0


def _chebyshev_variable(square: Array) -> Array:
    """x^2 in [0, LARGEST^2] -> t in [-1, 1], growing as x^2 / (x^2 + BEND) does"""
    return square / (square + BEND) * (2 * (1 + BEND / LARGEST**2)) - 1


def _fit(degree: int, points: int = 101) -> list[float]:
    """Coefficients of erf(x) / x in powers of t: its Chebyshev series through many points, cut off."""
    t = chebyshev.chebpts1(points)
    s = (t + 1) / (2 * (1 + BEND / LARGEST**2))
    ratio = [math.erf(x) / x for x in np.sqrt(BEND * s / (1 - s))]
    series = chebyshev.chebvander(t, degree).T @ ratio * (2 / points)  # at these points the T_k are orthogonal
    series[0] /= 2
    return [float(c) for c in chebyshev.cheb2poly(series)]


COEFFICIENTS = _fit(24)
