"""Across the processes that a batch is split over (see ``minigan.parallel``): a sum, and all rows of a batch.

The gradient is that of the sum of all ranks' losses. A trainer averages what the ranks find: so each may take the mean
over its own rows, or work out the loss of all rows as every other rank does, and either way it is that of the batch.
In one process all of this is nothing, and records nothing.
"""

from __future__ import annotations

from ..backend import Array, ArrayBackend
from ..parallel import Communicator, current
from ..tensor import Gradients, Op, Tensor, apply


def averaged(x: Tensor, group: Communicator | None = None) -> Tensor:
    """The mean of all ranks' x, of one shape on all. ``group``: other ranks than those of the batch."""
    group = group or current()
    return x if group.size == 1 else apply(Total(group), x) * (1 / group.size)


def gathered(x: Tensor) -> Tensor:
    """x (n, ...), this rank's rows -> (size n, ...), all of the batch in their order: the inverse of ``own``."""
    group = current()
    return x if group.size == 1 else apply(Gather(group), x)


def own(x: Tensor) -> Tensor:
    """x (size n, ...), all rows of a batch -> (n, ...), those of this rank."""
    group = current()
    return x if group.size == 1 else x[group.rank :: group.size]


class Total(Op):
    """y = sum of all ranks' x.  dx = sum of all ranks' g"""

    reads_inputs = reads_output = False

    def __init__(self, group: Communicator) -> None:
        self.group = group

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        y = x.copy(order="C")
        self.group.add(y)
        return y

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: apply(Total(self.group), g),)


class Gather(Op):
    """y = the rows of all ranks' x, dealt as cards are.  dx = this rank's rows of the sum of all ranks' g"""

    reads_inputs = reads_output = False

    def __init__(self, group: Communicator) -> None:
        self.group = group

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.channels_last(self.group.gather(x))

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: apply(Total(self.group), g)[self.group.rank :: self.group.size],)
