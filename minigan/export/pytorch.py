"""Weights to PyTorch, and the weights of its DCGAN example from there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import gan
from ..errors import InputError
from .subject import Subject

BOUND = 1e-5


def to_pytorch(subject: Subject, path: str) -> tuple[bytes, str, str]:
    """The state in PyTorch's names as safetensors, the lines of Python that load ``path``, and what was compared.

    Raises InputError where PyTorch is missing or its output differs by more than 1e-5, or 1e-5 of what is over 1.
    """
    from safetensors.numpy import save

    from ..interop import loader, to_torch

    twin = to_torch(subject.network).eval()
    import torch

    run = subject.inputs(3, np.random.default_rng(0))
    with torch.no_grad():
        found = twin(*(torch.from_numpy(a) for a in run.values())).numpy()
    expected = subject(*run.values())
    difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
    if not difference <= BOUND:
        raise InputError(f"PyTorch's output differs by {difference:.1e}, more than {BOUND:g}: nothing is written")
    shown = [
        f"torch.rand({a.shape}) * 2 - 1" if name == "picture" else f"torch.randn({a.shape})" if name == "z" else
        f"torch.tensor({a.tolist()})" for name, a in run.items()
    ]  # fmt: skip
    output = subject.outputs[0]
    lines = loader(twin, path, f"with torch.no_grad():\n    {output} = network.eval()({', '.join(shown)})")
    return save(subject.network.state_dict()), lines, f"PyTorch's output differs by {difference:.1e}"


CONVERT = """\
  import torch, safetensors.torch
  safetensors.torch.save_file(torch.load({source!r}, weights_only=True), {target!r})"""


def from_pytorch(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The architecture and the state of a generator of PyTorch's DCGAN example, from a safetensors file.

    Raises InputError for a pickle, which would run whatever code is in it, and for any other network.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: there is no such file") from None
    try:
        state = load(content)
    except SafetensorError as error:  # only now: a safetensors file, too, can begin with these bytes, its length
        if content[:2] == b"PK" or content[:1] == b"\x80":
            lines = CONVERT.format(source=str(path), target=str(path.with_suffix(".safetensors")))
            raise InputError(
                f"{path} is a pickle, which could run any code as it is read, so it is not. Convert it where it was "
                f"made, and import what comes out:\n{lines}"
            ) from None
        raise InputError(f"{path}: not a readable safetensors file ({error})") from None
    except KeyError as error:  # a type of numbers that NumPy has not, such as BF16
        raise InputError(f"{path}: holds numbers of type {error}: save it as float32 in PyTorch, .float()") from None
    return _dcgan(path, state)


def _dcgan(path: Path, state: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Sequential "main": (transposed convolution, batch norm, ReLU) again and again, a transposed convolution, tanh.

    Ours begins with a Reshape, so that each number is one more.
    """
    unknown = f"{path}: not the generator of PyTorch's DCGAN example: "
    found: dict[int, dict[str, np.ndarray]] = {}
    for name, array in state.items():
        match = re.fullmatch(r"(?:module\.)?main\.(\d+)\.(\w+)", name)
        if match is None:
            raise InputError(f"{unknown}it has {name!r}, where names such as 'main.0.weight' are expected")
        found.setdefault(int(match[1]), {})[match[2]] = array
    convolutions = [n for n, layer in sorted(found.items()) if "weight" in layer and layer["weight"].ndim == 4]
    if convolutions not in ([0, 3, 6, 9], [0, 3, 6, 9, 12]):
        what = "this is its discriminator, give netG" if convolutions[:2] == [0, 2] else "for 64 or 32 pixels"
        raise InputError(f"{unknown}its convolutions are at {convolutions}, expected 0, 3, 6, 9 and 12: {what}")
    last = found[convolutions[-1]]["weight"]
    architecture = {
        "model": "dcgan",
        "image_size": 64 if len(convolutions) == 5 else 32,
        "channels": int(last.shape[1]),
        "z_dim": int(found[0]["weight"].shape[0]),
        "width": int(last.shape[0]),
    }
    ours = {f"{n + 1}.{key}": array for n, layer in found.items() for key, array in layer.items()}
    for number, layer in found.items():
        if "running_mean" in layer:
            ours.setdefault(f"{number + 1}.num_batches_tracked", np.zeros((), np.int64))
    ours = {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in ours.items()}
    try:
        network, _ = gan.build(architecture, np.random.default_rng(0))
        network.load_state_dict(ours)
    except InputError as error:
        raise InputError(f"{unknown}{error}") from None
    return architecture, ours
