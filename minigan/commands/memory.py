"""What a training will take is said before it starts."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from ..gan.memory import available, memory_needed
from ..gan.trainer import Trainer

MUCH = 500 * 2**20  # bytes: less is not worth a line


def tell_memory(trainer: Trainer[Any], batch_size: int, labels: bool, quiet: bool = False) -> None:
    """A line on stderr where it is much, and a warning where there is not as much."""
    needed, free = memory_needed(trainer, batch_size, labels), available()
    on_host = trainer.game.backend.name != "cupy"
    if on_host and free is not None and needed.total > free:
        warnings.warn(
            f"this will take {needed}; {free / 2**20:,.0f} MB are free: choose a smaller --width or --batch-size",
            stacklevel=2,
        )
    elif needed.total > MUCH and not quiet and sys.stderr is not None:
        print(f"this will take {needed}", file=sys.stderr)
