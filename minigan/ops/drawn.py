"""Random numbers in a graph: drawn on the host, so that every backend sees the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..backend import ArrayBackend
from ..backend.host import from_host
from ..errors import InputError
from ..parallel import current
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
    rows: int | None = None,
    same: bool = False,
    dtype: Any = None,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """``make()`` as a constant on the backend of ``like``, with its dtype unless another is given.

    Where a step is captured and replayed (see gan/capture.py), it is drawn anew each time: whatever is random in a game
    comes through here. It depends on the step's number if ``make(step)`` takes that. With ``rng``, all that ``make``
    does is to draw from it: then it may be drawn ahead, while the step before is computed.

    With ``rows``, it has a row for each of so many samples, and ``make(rows)``, or ``make(rows, step)``, makes them.
    Where a batch is split over processes each makes those of all and has its own: together, the numbers of one process.
    Without, all would have the same, which is refused there unless it is wanted: with ``same``.
    """
    dtype = np.dtype(like.dtype if dtype is None else dtype)
    group = current()

    def made(*step: int) -> np.ndarray:
        found = make(*step) if rows is None else group.own(make(rows * group.size, *step))
        if found.dtype.kind == "f" and dtype.kind in "iub":
            raise InputError(f"drawn: fractions would be cut off for a tensor of {dtype}: convert it first")
        found = found.astype(dtype)
        if rows is None and group.size > 1 and found.ndim and not same:
            raise InputError(f"drawn: {found.shape} numbers in {group.size} processes: say rows=, one for each sample")
        return found

    return Tensor(from_host(like.backend, made, *step, rng=rng))
