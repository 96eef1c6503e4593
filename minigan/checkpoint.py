"""Models on disk: safetensors files whose metadata says how to build the network again. No pickle anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .files import write_atomically
from .nn import Module

FORMAT = "minigan-model-1"


def save_model(path: str | os.PathLike[str], generator: Module, architecture: dict[str, Any]) -> None:
    """The generator's parameters and buffers, with the architecture that ``gan.build`` takes in the metadata."""
    from safetensors.numpy import save

    metadata = {"format": FORMAT, "architecture": json.dumps(architecture)}
    write_atomically(path, save(generator.state_dict(), metadata=metadata))


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The architecture and the arrays of a file that ``save_model`` wrote.

    Raises InputError when the file is missing, is no safetensors file, or is not one of minigan's.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give the model.safetensors that a training wrote")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: not a readable safetensors file ({error}); give a model that a training wrote"
        ) from None
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: its format is {metadata.get('format')!r}, not {FORMAT!r}: give the model.safetensors that "
            "this version of minigan wrote"
        )
    try:
        return json.loads(metadata["architecture"]), state
    except (KeyError, ValueError):
        raise InputError(f"{path}: its metadata holds no architecture; train the model again") from None
