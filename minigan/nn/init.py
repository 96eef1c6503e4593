"""Initialisers. Each draws from a host generator in index order, so every backend gets the same numbers."""

from __future__ import annotations

import math

import numpy as np

from ..errors import InputError
from .module import Module, Parameter


def normal_(parameter: Parameter, rng: np.random.Generator, *, mean: float = 0.0, std: float = 1.0) -> None:
    """N(mean, std^2)"""
    parameter.assign(mean + std * rng.standard_normal(parameter.shape))


def uniform_(parameter: Parameter, rng: np.random.Generator, *, low: float, high: float) -> None:
    """U(low, high)"""
    parameter.assign(rng.uniform(low, high, parameter.shape))


def constant_(parameter: Parameter, value: float) -> None:
    parameter.assign(np.full(parameter.shape, value))


def kaiming_uniform_(parameter: Parameter, rng: np.random.Generator, *, fan_in: int, gain: float) -> None:
    """U(-b, b), b = gain sqrt(3 / fan_in) (He et al. 2015)"""
    bound = gain * math.sqrt(3 / fan_in)
    uniform_(parameter, rng, low=-bound, high=bound)


def xavier_uniform_(parameter: Parameter, rng: np.random.Generator, *, gain: float = 1.0) -> None:
    """U(-b, b), b = gain sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010)"""
    field = math.prod(parameter.shape[2:])
    bound = gain * math.sqrt(6 / ((parameter.shape[0] + parameter.shape[1]) * field))
    uniform_(parameter, rng, low=-bound, high=bound)


def dcgan_(model: Module, rng: np.random.Generator) -> None:
    """DCGAN's (Radford et al. 2016): convolutions and linear maps N(0, 0.02^2), norms N(1, 0.02^2), their biases 0."""
    for module in model.modules():
        kind, weight, bias = type(module).__name__, getattr(module, "weight", None), getattr(module, "bias", None)
        if "parametrizations" in module.children():
            raise InputError(f"dcgan_: the weight of {module} is worked out already: initialise before spectral_norm")
        if not isinstance(weight, Parameter) or not ("Norm" in kind or kind.startswith(("Conv", "Linear"))):
            continue
        normal_(weight, rng, mean=1.0 if "Norm" in kind else 0.0, std=0.02)
        if bias is not None:
            constant_(bias, 0)
