"""Random numbers in a graph: drawn on the host, so that every backend sees the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..backend import ArrayBackend
from ..backend.host import from_host
from ..tensor import Tensor


class Placed(Protocol):
    """A Tensor or a Module."""

    @property
    def backend(self) -> ArrayBackend: ...
    @property
    def dtype(self) -> np.dtype: ...


def drawn(
    make: Callable[..., np.ndarray],
    like: Placed,
    *step: int,
    dtype: Any = None,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """``make()`` as a constant on the backend of ``like``, with its dtype unless another is given.

    Where a step is captured and replayed (see gan/capture.py), it is drawn anew each time: whatever is random in a game
    comes through here. It depends on the step's number if ``make(step)`` takes that. With ``rng``, all that ``make``
    does is to draw from it: then it may be drawn ahead, while the step before is computed.
    """
    dtype = like.dtype if dtype is None else dtype
    return Tensor(from_host(like.backend, lambda *step: make(*step).astype(dtype), *step, rng=rng))
