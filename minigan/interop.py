"""The same network in PyTorch, layer for layer and number for number: for lockstep tests and benchmarks."""

from __future__ import annotations

from typing import Any

from . import nn
from .errors import InputError


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
    return twin.train(module.training)


def _translate(m: nn.Module, torch: Any) -> Any:
    """``m`` in the namespace ``torch.nn``, not yet with its values."""
    bias = {"bias": getattr(m, "bias", None) is not None}
    match m:
        case nn.Sequential():
            return torch.Sequential(*(_translate(child, torch) for child in m.children().values()))
        case nn.Linear():
            return torch.Linear(*m.weight.shape[::-1], **bias)
        case nn.Conv2d():
            out, inputs, *kernel = m.weight.shape
            return torch.Conv2d(inputs, out, kernel, m.stride, m.padding, m.dilation, **bias)
        case nn.ConvTranspose2d():
            inputs, out, *kernel = m.weight.shape
            where = {"stride": m.stride, "padding": m.padding, "dilation": m.dilation}
            return torch.ConvTranspose2d(inputs, out, kernel, output_padding=m.output_padding, **where, **bias)
        case nn.BatchNorm2d():
            return torch.BatchNorm2d(m.weight.shape[0], eps=m.eps, momentum=m.momentum)
        case nn.LeakyReLU():
            return torch.LeakyReLU(m.negative_slope)
        case nn.Reshape():
            return torch.Unflatten(1, m.shape)
        case nn.ReLU() | nn.Tanh() | nn.Sigmoid() | nn.Flatten():
            return getattr(torch, type(m).__name__)()
    raise InputError(f"{type(m).__name__} has no PyTorch twin: add it to minigan/interop.py")
