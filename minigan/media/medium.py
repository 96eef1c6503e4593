"""What every medium can do with samples: draw them as one picture, and write them to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..viz import Picture


class Medium:
    """Samples (N, ...) of a generator, as a person meets them.

    Made of the generator's architecture, which has what is needed to read its numbers: an alphabet, a sample rate.

    noun     what they are called, in the plural
    suffix   of the file that ``save`` writes
    """

    noun: ClassVar[str]
    suffix: ClassVar[str]

    def __init__(self, architecture: dict[str, Any]) -> None:
        self.architecture = architecture

    def picture(self, samples: np.ndarray, columns: int | None = None) -> Picture:
        """One picture of them all, so many in a row."""
        raise NotImplementedError(f"{type(self).__name__}.picture")

    def one(self, sample: np.ndarray) -> Picture:
        """One of them as a picture, without a border."""
        return self.picture(sample[None], 1)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        """Write them to ``path`` and, where a person wants more than that, to files beside it; all that was written."""
        raise NotImplementedError(f"{type(self).__name__}.save")
