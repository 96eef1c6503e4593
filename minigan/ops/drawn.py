"""Random numbers in a graph: drawn on the host, so that every backend sees the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..backend.host import from_host
from ..tensor import Tensor


def drawn(make: Callable[..., np.ndarray], like: Tensor, *step: int) -> Tensor:
    """``make()`` as a constant with the dtype and on the backend of ``like``; in a replay drawn anew.

    With ``step``, see ``backend.host.from_host``.
    """
    return Tensor(from_host(like.backend, lambda *step: make(*step).astype(like.dtype), *step))
