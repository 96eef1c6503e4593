"""Where the first NaN came from: a step is run again with every op's inputs and output looked at.

This costs nothing while all is well, since nothing is looked at then: training is deterministic, so that the bad step
can be run again from a state before it and does the very same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from ..nn import Module
from ..primitives import Op
from .trainer import Trainer


class NotFiniteError(Exception):
    """Says which value was the first to be NaN or infinite."""


@contextmanager
def watch(trainer: Trainer) -> Iterator[None]:
    """In this context the first value in an op that is not finite raises NotFiniteError, which says whose it is."""
    networks = trainer.game.networks
    modules = {id(module): f"{name} ({type(module).__name__})"
               for prefix, network in networks.items() for name, module in network.named_modules(prefix)}  # fmt: skip
    leaves = {id(held.data): f"the parameter {prefix}.{name}"
              for prefix, network in networks.items() for name, held in network.named_parameters()}  # fmt: skip
    leaves |= {id(array): f"the buffer {prefix}.{name}"
               for prefix, network in networks.items() for name, array in network.named_buffers()}  # fmt: skip
    inside: list[str] = []  # the modules whose forward is under way, outermost first

    def call(module: Module, *inputs: Any, original: Any = Module.__call__, **settings: Any) -> Any:
        inside.append(modules.get(id(module), type(module).__name__))
        result = original(module, *inputs, **settings)
        inside.pop()  # not after an exception: it tells where that came from
        return result

    def forward(op: Op, backend: Any, *arrays: Any, original: Any) -> Any:
        where = f"in {inside[-1]}" if inside else "outside the networks' forward"
        for array in arrays:
            if not finite(array):
                unknown = "an image of the batch" if array.ndim > 1 else "a constant"
                raise NotFiniteError(f"{leaves.get(id(array), unknown)} holds {count(array)} values")
        output = original(op, backend, *arrays)
        if not finite(output):
            raise NotFiniteError(f"{type(op).__name__} {where} made {count(output)} values, of finite inputs")
        return output

    with ExitStack() as patched, np.errstate(all="ignore"):
        patched.enter_context(trainer.eagerly())
        patched.enter_context(replaced(Module, "__call__", call))
        for kind in all_kinds(Op):
            if "forward" in vars(kind):
                patched.enter_context(replaced(kind, "forward", bound(forward, original=kind.forward)))
        yield


def bound(function: Any, **settings: Any) -> Any:
    """``function`` with these settings, as a method can be."""
    return lambda *args: function(*args, **settings)


@contextmanager
def replaced(owner: type, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def all_kinds(kind: Any) -> list[Any]:
    return [kind, *itertools.chain.from_iterable(map(all_kinds, kind.__subclasses__()))]


def finite(array: Any) -> bool:
    return np.dtype(array.dtype).kind != "f" or bool(np.isfinite(array).all())


def count(array: Any) -> str:
    """How many NaNs and infinities there are.

    >>> count(np.array([1.0, np.nan, np.inf]))
    '1 NaN, 1 infinite of 3'
    """
    return f"{int(np.isnan(array).sum())} NaN, {int(np.isinf(array).sum())} infinite of {array.size}"
