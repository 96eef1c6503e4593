"""A network as a table: what each layer makes of its input, with how many parameters and operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor, no_grad
from ..tracing import Table, trace
from ..tracing.events import dims
from .module import Module, mode

ROOT = "network"


def summary(module: Module, input_shape: tuple[int, ...], *given: Any) -> Table:
    """Layer, output shape, parameters and FLOPs of one forward of one sample, in evaluation mode.

    ``input_shape`` is without the batch axis; ``given`` is handed on to forward, such as labels, one for the sample.
    Nothing of the module changes. FLOPs count a multiply-add as two.

    >>> from minigan import nn
    >>> summary(nn.Sequential(nn.Conv2d(1, 8, 4, stride=2, padding=1), nn.Flatten(), nn.Linear(128, 1)), (1, 8, 8))
    layer  kind     output   parameters  FLOPs
    0      Conv2d   1x8x4x4         136  4,224
    1      Flatten  1x128             0      0
    2      Linear   1x1             129    257
    265 parameters, 4,481 FLOPs for one sample of 1x8x8
    """
    x = Tensor(module.backend.asarray(np.zeros((1, *input_shape), module.dtype)))
    with mode(module, training=False), no_grad(), trace(**{ROOT: module}) as t:
        module(x, *given)

    shapes = {id(called): dims(shape) for _, called, shape in t.calls}
    flops: dict[str, int] = {}
    for event in t.events:
        name = _layer(event.layer.removeprefix(ROOT).removeprefix("."))
        flops[name] = flops.get(name, 0) + event.flops
    rows = []
    first: dict[int, str] = {}
    for name, layer in module.named_modules():
        parameters = _own_parameters(layer)
        if _layer(name) != name or (_has_layers(layer) and not parameters and not flops.get(name)):
            continue
        if id(layer) in first:  # one module that stands at several places
            rows.append((name, f"{_kind(layer)} (as {first[id(layer)]})", shapes.get(id(layer), ""), "", ""))
            continue
        first[id(layer)] = name
        shape = shapes.get(id(layer), "fused" if hasattr(layer, "is_fusable") else "not used")
        rows.append((name or ROOT, _kind(layer), shape, f"{parameters:,}", f"{flops.get(name, 0):,}"))
    total = f"{sum(p.size for p in module.parameters()):,} parameters, {sum(e.flops for e in t.events):,} FLOPs"
    footer = f"{total} for one sample of {dims(tuple(input_shape))}"
    return Table(("layer", "kind", "output", "parameters", "FLOPs"), rows, footer, names=2)


def _layer(name: str) -> str:
    """The layer that a path belongs to: what computes a weight is part of the layer that has the weight."""
    return name.split(".parametrizations")[0]


def _has_layers(module: Module) -> bool:
    return any(name != "parametrizations" for name in module.children())


def _own_parameters(module: Module) -> int:
    """How many numbers this layer itself learns."""
    below = [child for name, child in module.children().items() if name != "parametrizations"]
    return sum(p.size for p in module.parameters()) - sum(p.size for child in below for p in child.parameters())


def _kind(module: Module) -> str:
    name = type(module).__name__
    plain = name.removeprefix("SpectrallyNormalised")
    return plain if plain == name else f"spectral_norm({plain})"
