"""Writing files so that a reader finds the old one or the new one, never half of either."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from .errors import InputError


def check_suffix(path: str | os.PathLike[str], *suffixes: str) -> None:
    """Raise InputError where a name says that its file is of another format than what is written to it."""
    found = Path(path).suffix
    if found and found.lower() not in suffixes:
        raise InputError(f"{path} would not be a {found} file but a {suffixes[0]} one: name it so")


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to a temporary neighbour, flush it to the disk, then rename it to ``path``."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # the caller knows nothing of the temporary file
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_temporaries(folder: str | os.PathLike[str]) -> None:
    """Remove what a killed ``write_atomically`` left below ``folder``, and no other file."""
    for path in Path(folder).rglob(".*.tmp"):
        if re.fullmatch(r"\..+\.\d+\.tmp", path.name):
            path.unlink(missing_ok=True)


def numbered(folder: str | os.PathLike[str], prefix: str, suffix: str) -> dict[int, Path]:
    """The files ``prefix + digits + suffix`` of a folder by their number, in its order. Others are none of ours.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("step-00000010.png", "step-00000009.png", "step-10-copy.png", "mine.png"):
    ...         Path(folder, name).touch()
    ...     list(numbered(folder, "step-", ".png"))
    [9, 10]
    """
    pattern = re.compile(re.escape(prefix) + r"(\d+)" + re.escape(suffix), re.ASCII)
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    found = {int(match[1]): Path(folder, name) for name in names if (match := pattern.fullmatch(name))}
    return dict(sorted(found.items()))
