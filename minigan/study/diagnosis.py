"""Where the first NaN came from: a step is run again with every op's inputs and output looked at.

This costs nothing while all is well, since nothing is looked at then: training is deterministic, so that the bad step
can be run again from a state before it and does the very same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from ..gan.trainer import Trainer
from ..nn import Module
from ..observer import Observer
from ..tensor import Node, Op, Tensor


class NotFiniteError(Exception):
    """Says which value was the first to be NaN or infinite."""


@contextmanager
def watch(trainer: Trainer) -> Iterator[None]:
    """In this context the first value in an op that is not finite raises NotFiniteError, which says whose it is.

    Only what this thread does is looked at.
    """
    with trainer.eagerly(), np.errstate(all="ignore"), Watch(trainer.game.networks):
        yield


class Watch(Observer):
    def __init__(self, networks: dict[str, Module]) -> None:
        self.modules = {id(module): f"{name} ({type(module).__name__})"
                        for prefix, network in networks.items()
                        for name, module in network.named_modules(prefix)}  # fmt: skip
        self.leaves = {id(held.data): f"the parameter {prefix}.{name}"
                       for prefix, network in networks.items()
                       for name, held in network.named_parameters()}  # fmt: skip
        self.leaves |= {id(array): f"the buffer {prefix}.{name}"
                        for prefix, network in networks.items()
                        for name, array in network.named_buffers()}  # fmt: skip
        self.inside: list[str] = []  # the modules whose forward is under way, outermost first

    def call(self, module: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        self.inside.append(self.modules.get(id(module), type(module).__name__))
        try:
            return super().call(module, inputs, settings)
        finally:
            self.inside.pop()

    def apply(self, op: Op, inputs: tuple[Tensor, ...]) -> Tensor:
        where = f"in {self.inside[-1]}" if self.inside else "outside the networks' forward"
        for t in inputs:
            if not finite(t.data):
                unknown = "an image of the batch" if t.ndim > 1 else "a constant"
                raise NotFiniteError(f"{self.leaves.get(id(t.data), unknown)} holds {count(t.data)} values")
        output = super().apply(op, inputs)
        if not finite(output.data):
            raise NotFiniteError(f"{type(op).__name__} {where} made {count(output.data)} values, of finite inputs")
        return output

    def vjp(self, node: Node) -> Callable[..., tuple[Any, ...]]:
        """A gradient that no op made, but a kernel at once, is looked at here."""
        op = node.op

        def watched(*args: Tensor) -> tuple[Any, ...]:
            return tuple(thunk and partial(gradient, thunk) for thunk in op.vjp(*args))

        def gradient(thunk: Callable[[], Tensor]) -> Tensor:
            found = thunk()
            if not finite(found.data):
                raise NotFiniteError(f"the backward of {type(op).__name__} made {count(found.data)} values")
            return found

        return watched


def finite(array: Any) -> bool:
    return np.dtype(array.dtype).kind != "f" or bool(np.isfinite(array).all())


def count(array: Any) -> str:
    """How many NaNs and infinities there are.

    >>> count(np.array([1.0, np.nan, np.inf]))
    '1 NaN, 1 infinite of 3'
    """
    return f"{int(np.isnan(array).sum())} NaN, {int(np.isinf(array).sum())} infinite of {array.size}"
