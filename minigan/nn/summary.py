"""A network as a table: what each layer makes of its input, with how many parameters and operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..observer import Observer
from ..ops.flops import count_flops
from ..table import Table, dims
from ..tensor import Op, Tensor, no_grad
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
    names = {id(layer): name for name, layer in module.named_modules()}
    with mode(module, training=False), no_grad(), Counter(names) as seen:
        module(x, *given)
    shapes, flops = seen.shapes, seen.flops
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
    total = f"{sum(p.size for p in module.parameters()):,} parameters, {sum(flops.values()):,} FLOPs"
    footer = f"{total} for one sample of {dims(tuple(input_shape))}"
    return Table(("layer", "kind", "output", "parameters", "FLOPs"), rows, footer, names=2)


class Counter(Observer):
    """Notes the shape of what each layer puts out, and counts what it computes."""

    def __init__(self, names: dict[int, str]) -> None:
        self.names, self.inside = names, [""]  # the layers being called, outermost first
        self.shapes: dict[int, str] = {}  # by the module's id
        self.flops: dict[str, int] = {}  # by the layer's name

    def call(self, module: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        self.inside.append(self.names.get(id(module), self.inside[-1]))
        output = super().call(module, inputs, settings)
        self.inside.pop()
        self.shapes[id(module)] = dims(output.shape)
        return output

    def apply(self, op: Op, inputs: tuple[Tensor, ...]) -> Tensor:
        output = super().apply(op, inputs)
        name = _layer(self.inside[-1])
        count = count_flops(type(op).__name__, tuple(t.shape for t in inputs), output.shape)
        self.flops[name] = self.flops.get(name, 0) + count
        return output


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
