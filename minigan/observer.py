"""The one way to look on: what stands between the engine and the ops, vjps and layers of its own thread.

``minigan.tensor`` hands the open observer each op that is applied and each vjp that is asked for, and ``nn.Module``
each layer that is called. This one changes nothing; the tracer, the gradient check's table and the diagnosis of NaNs
see what they want to see by overriding a method. Other threads are not concerned.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from . import tensor as engine
from .tensor import Node, Op, Tensor

Self = TypeVar("Self", bound="Observer")


class Observer:
    """Open within a ``with`` block. Of two, one inside the other, the inner one sees what happens in it."""

    _before: Any = None

    def __enter__(self: Self) -> Self:
        self._before = engine.tracer()
        engine.set_tracer(self)
        return self

    def __exit__(self, *_: object) -> None:
        engine.set_tracer(self._before)

    def apply(self, op: Op, inputs: tuple[Tensor, ...]) -> Tensor:
        """``tensor.apply(op, *inputs)``"""
        engine.set_tracer(None)
        try:
            return engine.apply(op, *inputs)
        finally:
            engine.set_tracer(self)

    def backward(self) -> AbstractContextManager[None]:
        """A context around each backward."""
        return nullcontext()

    def vjp(self, node: Node) -> Callable[..., tuple[Any, ...]]:
        """``node.op.vjp``, asked for right before it is called."""
        return node.op.vjp

    def call(self, module: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """``module.forward(*inputs, **settings)``"""
        return module.forward(*inputs, **settings)
