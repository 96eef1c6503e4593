"""Models and whole runs on disk: safetensors files with JSON facts in the metadata. No pickle anywhere.

A file is written beside its place, flushed to the disk and renamed, so a kill leaves the old one or the new one. A
digest over everything in it is checked on load, so a damaged file is refused whole and never half-loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .files import numbered, write_atomically
from .nn import Module

VERSION = 1
BEST = "best.safetensors"  # of a run: the generator of the lowest Frechet distance
Path_ = str | os.PathLike[str]


def save_model(path: Path_, generator: Module, architecture: dict[str, Any]) -> None:
    """The generator's parameters and buffers, with the architecture that ``gan.build`` takes."""
    save(path, "model", generator.state_dict(), {"architecture": architecture})


def read_model(path: Path_) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The architecture and the arrays of a file that ``save_model`` wrote. Raises InputError for any other file."""
    arrays, facts = read(path, "model")
    return _architecture(path, facts), arrays


def read_generator(path: Path_, name: str = "generator") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """As ``read_model``, also from a checkpoint of a run: its network of this name, or the average of that."""
    arrays, facts = read(path, "model or checkpoint")
    if "trainer" in facts:
        for prefix in ("ema/", f"ema.{name}/", f"{name}/"):
            if own := {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}:
                arrays = own
                break
    return _architecture(path, facts), arrays


def _architecture(path: Path_, facts: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(facts.get("architecture"), dict):
        raise InputError(f"{path}: its metadata holds no architecture; train the model again")
    return facts["architecture"]


def save(path: Path_, kind: str, arrays: Mapping[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Write ``arrays`` and ``facts`` (what JSON can hold) as one file of a ``kind``."""
    from safetensors.numpy import save as serialize

    text = json.dumps(facts)
    arrays = {name: np.asarray(array, array.dtype.newbyteorder("="), order="C") for name, array in arrays.items()}
    header = {"kind": kind, "version": VERSION, "digest": _digest(arrays, text), "facts": text}
    # One entry: safetensors writes several in a random order, and equal states are to give equal bytes.
    write_atomically(path, serialize(arrays, metadata={"minigan": json.dumps(header)}))


def read(path: Path_, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and facts of a file that ``save`` wrote. ``kind`` may be several, as in "model or checkpoint".

    Raises InputError when the file is missing, cannot be read, is of another kind or was written by a newer minigan,
    and DamagedError when its content is broken.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    path = Path(path)
    try:  # in one go, not mapped: a failing disk is an error here, not the end of the process
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: there is no such file; give a {kind} file that a run wrote") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); the file itself may be whole") from None
    try:
        arrays = deserialize(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__") or {}
        header = json.loads(metadata.get("minigan", "{}"))
    except (SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DamagedError(f"{path}: not a readable safetensors file ({error}); give a {kind} a run wrote") from None
    found = header.get("kind") if isinstance(header, dict) else None
    if found not in kind.split(" or "):
        found = f"a {found}" if found else "no file of minigan's"
        raise InputError(f"{path}: is {found}, not a {kind}; give a {kind} file that a run wrote")
    if header.get("version") != VERSION:
        raise InputError(
            f"{path}: has format version {header.get('version')}, this minigan reads {VERSION}: use the minigan that "
            "wrote it, or a newer one"
        )
    text = header.get("facts")
    if not isinstance(text, str) or header.get("digest") != _digest(arrays, text):
        raise DamagedError(f"{path}: is damaged, its content does not match its digest: use another copy or checkpoint")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise DamagedError(f"{path}: its facts are no JSON object; give a {kind} file that a run wrote")
    return arrays, facts


def _digest(arrays: Mapping[str, np.ndarray], text: str) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.asarray(arrays[name], order="C").data)
    return digest.hexdigest()


def model_in(folder: Path_, names: Sequence[str]) -> Path | None:
    """The first of these files that is in a run's folder, or the newest checkpoint of one under way; None in any other
    folder. A run that goes on has come further than the model that it left when it ended before, but for its best."""
    found = next((path for name in names if (path := Path(folder, name)).is_file()), None)
    paths = [*Checkpoints(Path(folder, "checkpoints")).paths(), *Checkpoints(folder).paths()]
    newest = paths[-1] if paths else None
    if found is None or newest is None or found.name == BEST:
        return found or newest
    return newest if newest.stat().st_mtime_ns > found.stat().st_mtime_ns else found


class DamagedError(InputError):
    """The content of a file is not what was written: it will not be otherwise the next time."""


class Checkpoints:
    """The checkpoints of a run, in a folder: the newest ``keep`` of them, since a disk may lose one."""

    def __init__(self, folder: Path_, keep: int = 2) -> None:
        self.folder, self.keep = Path(folder), keep

    def paths(self) -> list[Path]:
        """From the oldest to the newest."""
        return list(numbered(self.folder, "step-", ".safetensors").values())

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.safetensors"

    def save(self, step: int, arrays: Mapping[str, np.ndarray], facts: dict[str, Any]) -> Path:
        path = self.path(step)
        save(path, "checkpoint", arrays, facts)
        for old in self.paths()[: -self.keep]:
            old.unlink()
        return path

    def newest(self) -> tuple[Path | None, dict[str, np.ndarray], dict[str, Any]]:
        """The newest one that is whole, with a warning for each that is damaged; no path when there is none.

        Raises InputError for one that cannot be read now and may be tomorrow: it is not passed over for an older state.
        """
        for path in reversed(self.paths()):
            try:
                return path, *read(path, "checkpoint")
            except DamagedError as error:
                print(f"warning: {error}; trying the one before", file=sys.stderr)
        return None, {}, {}
