"""The same network in PyTorch, layer for layer and number for number: for lockstep tests and benchmarks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .. import nn
from ..errors import InputError
from .spelling import loader

__all__ = ["loader", "to_torch"]


def to_torch(module: nn.Module) -> Any:
    """A ``torch.nn.Module`` of the same structure, dtype, parameter names and values (copied).

    Raises InputError for a layer that has no twin, and when PyTorch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise InputError('PyTorch is not installed: pip install "minigan[bench]"') from None
    twin = _translate(module, torch.nn)
    state = {name: torch.from_numpy(array) for name, array in module.state_dict().items()}
    twin.to(getattr(torch, module.dtype.name)).load_state_dict(state)
    below = dict(twin.named_modules())
    for name, layer in module.named_modules():
        below[name].training = layer.training
    learning = dict(module.named_parameters())
    for name, parameter in twin.named_parameters():
        if name in learning:
            parameter.requires_grad_(learning[name].requires_grad)
    return twin


def _translate(m: nn.Module, torch: Any) -> Any:
    """``m`` in the namespace ``torch.nn``, not yet with its values."""
    twin = _layer(m, torch)
    if "parametrizations" in m.children():
        norm: Any = m.children()["parametrizations"].children()["weight"].children()["0"]
        settings = {"n_power_iterations": norm.n_power_iterations, "eps": norm.eps, "dim": norm.axis}
        twin = torch.utils.parametrizations.spectral_norm(twin, **settings)
    return twin


def _layer(m: nn.Module, torch: Any) -> Any:
    if not type(m).__module__.startswith("minigan."):  # somebody's own class may do something else than its base
        raise InputError(f"{type(m).__name__} has no PyTorch twin: it is not minigan's own")
    kind: Any = getattr(torch, type(m).__name__.removeprefix("SpectrallyNormalised"), None)
    bias = {"bias": getattr(m, "bias", None) is not None}
    match m:
        case nn.Sequential():
            return torch.Sequential(*(_translate(child, torch) for child in m.children().values()))
        case nn.ModuleList():
            return torch.ModuleList(_translate(child, torch) for child in m)
        case nn.ModuleDict():
            return torch.ModuleDict({name: _translate(child, torch) for name, child in m.items()})
        case nn.Conv1d() | nn.Conv2d():
            return kind(**m.arguments(), **bias, dilation=m.dilation)
        case nn.ConvTranspose1d() | nn.ConvTranspose2d():
            return kind(**m.arguments(), **bias, dilation=m.dilation, output_padding=m.output_padding)
        case nn.LayerNorm():
            return kind(**m.arguments(), **bias)
        case nn.GRUCell():
            return kind(**m.arguments(), bias=m.bias_ih is not None)
        case nn.Reshape():
            return torch.Unflatten(1, m.shape)
        case nn.Resize():
            return torch.Upsample(**m.arguments())
        case (
            nn.Linear() | nn.Embedding() | nn.BatchNorm1d() | nn.BatchNorm2d() | nn.GroupNorm() | nn.InstanceNorm2d()
            | nn.LeakyReLU() | nn.PReLU() | nn.ELU() | nn.GELU() | nn.ReLU() | nn.SiLU() | nn.Tanh() | nn.Sigmoid()
            | nn.Upsample() | nn.PixelShuffle() | nn.PixelUnshuffle() | nn.ReflectionPad2d()
            | nn.Flatten() | nn.Dropout()
        ):  # fmt: skip
            return kind(**m.arguments())  # its settings have PyTorch's names
    return _network(m, torch)


def _network(m: nn.Module, torch: Any) -> Any:
    """One with a forward of its own: networks.py has that forward in PyTorch, under the same name."""
    from . import networks

    kind = vars(networks).get(type(m).__name__)
    if kind is None or kind.__module__ != networks.__name__:
        raise InputError(f"{type(m).__name__} has no PyTorch twin: add it to minigan/interop/networks.py")
    parts = {}
    for name, value in vars(m).items():
        if isinstance(value, nn.Module):
            value = _translate(value, torch)
        elif isinstance(value, nn.Parameter):
            value = networks.nn.Parameter(networks.torch.zeros(value.shape))
        elif name in m.buffer_names:
            value = networks.torch.from_numpy(np.zeros(value.shape, value.dtype))
        elif isinstance(value, np.random.Generator):
            value = copy.deepcopy(value)  # it draws the same, and does not move ours
        parts[name] = value
    return kind(**parts)
