"""Writing files so that a reader finds the old one or the new one, never half of either."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


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
    """Remove what a killed ``write_atomically`` left below ``folder``."""
    for path in Path(folder).rglob(".*.tmp"):
        path.unlink(missing_ok=True)
