"""The recorder: it stands between the engine and the ops of its own thread, and writes down what it sees.

``minigan.tensor`` hands it each op that is applied and each vjp that is asked for; ``nn.Module`` each layer that is
called. A trace holds no arrays, only what they looked like, so a long step needs no more memory than without it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import ref

from ...backend import backend_of, memory_of
from ...errors import InputError
from ...observer import Observer
from ...ops.flops import count_flops
from ...table import Table, dims
from ...tensor import Node, Op, Tensor
from . import flame, graph
from .events import PASSES, Event, Leaf, Shape
from .peak import measure_peak
from .svg import Drawing


@dataclass(eq=False)
class Trace(Observer):
    """What ran in this thread while it was open.

    ``t.events`` has every op in order; ``t.table()`` shows them, ``t.graph(path)`` draws them, ``t.flame(path)`` says
    where time and memory went. ``modules`` gives names to networks; others go by their class.
    """

    modules: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    calls: list[tuple[str, Any, Shape]] = field(default_factory=list)  # each module called: its path, it, output shape
    backend: str = "numpy"

    def __post_init__(self) -> None:
        self._of_tensor: dict[int, tuple[Event | Leaf, ref[Tensor]]] = {}  # by id, for as long as the tensor lives
        self._of_node: dict[int, Event] = {}
        self._layers: list[tuple[str, Any]] = []  # the modules being called, outermost first
        self._names = {id(module): name for name, module in self.modules.items()}
        self._order = 0  # of the ops applied now
        self._owner: Event | None = None

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._layers.clear()

    # ---- what the engine calls -------------------------------------------------------------------

    def apply(self, op: Op, inputs: tuple[Tensor, ...]) -> Tensor:
        """``tensor.apply``, timed and written down."""
        backend = inputs[0].backend
        start = time.perf_counter()
        output = super().apply(op, inputs)
        backend.synchronize()
        seconds = time.perf_counter() - start
        self.backend = backend.name
        event = self._write(type(op).__name__, inputs, output, seconds)
        event.settings = _settings(op)
        if op.makes_view and memory_of(output.data) is memory_of(inputs[0].data):
            event.bytes = 0
        if output.node is not None:
            self._of_node[output.node.serial] = event
        return output

    @contextmanager
    def backward(self) -> Iterator[None]:
        """While a backward runs; what comes afterwards belongs again to whatever surrounds it."""
        before = self._order, self._owner
        try:
            yield
        finally:
            self._order, self._owner = before

    def vjp(self, node: Node) -> Callable[..., tuple[Any, ...]]:
        """``node.op.vjp``, watched: until the next node's turn, whatever is applied is this one's backward."""
        self._owner = owner = self._of_node.get(node.serial)  # None when it was recorded before this trace
        self._order = 1 + (owner.order if owner else 0)
        fused: list[Event] = []

        def watched(g: Tensor, y: Tensor, *inputs: Tensor) -> tuple[Any, ...]:
            if owner and owner.order == 0:
                owner.grad_norm = _norm(g)
            thunks = node.op.vjp(g, y, *inputs)
            return tuple(t and partial(self._thunk, node, t, (g, *inputs), fused) for t in thunks)

        return watched

    def _thunk(self, node: Node, thunk: Callable[[], Tensor], inputs: tuple[Tensor, ...], fused: list[Event]) -> Tensor:
        """One input's gradient. When no op made it, a kernel did so directly: that is an event of its own."""
        before = len(self.events)
        start = time.perf_counter()
        gradient = thunk()
        backend_of(gradient.data).synchronize()
        seconds = time.perf_counter() - start
        if len(self.events) == before and id(gradient) not in self._of_tensor and gradient is not inputs[0]:
            if not fused:  # the first thunk of a fused backward does the work for all inputs
                fused.append(self._write(f"{type(node.op).__name__}.vjp", inputs, gradient, seconds))
            else:
                fused[0].bytes += gradient.data.nbytes
                fused[0].seconds += seconds
                self._note(gradient, fused[0])
        return gradient

    def call(self, module: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """``module.forward``; what it applies is of this layer."""
        self._layers.append((self._path(module), module))
        try:
            output = super().call(module, inputs, settings)
            if isinstance(output, Tensor):
                self.calls.append((self._layers[-1][0], module, output.shape))
            return output
        finally:
            if self._layers:
                self._layers.pop()

    def _path(self, module: Any) -> str:
        if id(module) in self._names:
            return self._names[id(module)]
        for path, parent in reversed(self._layers):
            for name, below in parent.named_modules():
                if below is module and name:
                    return f"{path}.{name}"
        return type(module).__name__

    def _write(self, op: str, inputs: tuple[Tensor, ...], output: Tensor, seconds: float) -> Event:
        layer = self._owner.layer if self._owner else self._layers[-1][0] if self._layers else ""
        shapes = tuple(t.shape for t in inputs)
        event = Event(
            number=len(self.events),
            op=op,
            order=self._order,
            layer=layer,
            inputs=shapes,
            shape=output.shape,
            dtype=str(output.dtype),
            bytes=output.data.nbytes,
            flops=count_flops(op, shapes, output.shape),
            seconds=seconds,
            owner=self._owner,
            sources=tuple(self._source(t, layer) for t in inputs),
        )
        if self._order:
            event.grad_norm = _norm(output)
        self.events.append(event)
        self._note(output, event)
        return event

    def _source(self, t: Tensor, layer: str) -> Event | Leaf | None:
        if t.node is not None and t.node.serial in self._of_node:
            return self._of_node[t.node.serial]
        if id(t) not in self._of_tensor and t.requires_grad and t.node is None and not layer:
            self._note(t, Leaf(t.name or "leaf", t.shape))
        return self._of_tensor.get(id(t), (None,))[0]

    def _note(self, t: Tensor, what: Event | Leaf) -> None:
        self._of_tensor[id(t)] = what, ref(t, partial(self._of_tensor.pop, id(t)))

    # ---- looking at it ---------------------------------------------------------------------------

    def table(self, sort: str = "order", limit: int | None = None) -> Table:
        """Every op, a row each, by "order" or, largest first, by "time", "flops", "bytes" or "gradient"."""
        keys: dict[str, Callable[[Event], float]] = {
            "order": lambda e: -e.number,
            "time": lambda e: e.seconds,
            "flops": lambda e: e.flops,
            "bytes": lambda e: e.bytes,
            "gradient": lambda e: -1.0 if e.grad_norm is None else e.grad_norm,
        }
        if sort not in keys:
            raise InputError(f"table: sort {sort!r} must be one of {', '.join(keys)}")
        rows = []
        for e in sorted(self.events, key=keys[sort], reverse=True)[:limit]:
            gradient = "" if e.grad_norm is None else f"{e.grad_norm:.3g}"
            speed = f"{e.gflops_per_second:.1f}" if e.flops else ""
            inputs = " ".join(map(dims, e.inputs))
            size = f"{e.bytes / 2**20:.3f}" if e.bytes else "view"
            mflop = f"{e.flops / 1e6:.2f}" if e.flops else ""
            name = f"{e.op} {e.settings}".strip()
            cells = e.number, e.pass_name, e.layer, name, inputs, dims(e.shape), e.dtype, size, mflop
            rows.append((*map(str, cells), f"{e.seconds * 1e3:.3f}", speed, gradient))
        headers = "#", "pass", "layer", "op", "inputs", "output", "dtype", "MiB", "MFLOP", "ms", "GFLOP/s", "|gradient|"
        return Table(headers, rows, footer=str(self))

    def graph(self, path: str | os.PathLike[str] | None = None) -> Drawing:
        """The tape as a drawing: forward downwards in blue, backward upwards in orange, double backward in violet."""
        return graph.draw(self.events).save(path)

    def flame(self, path: str | os.PathLike[str] | None = None) -> Drawing:
        """Where time and memory went, and how near each op came to the machine's peak, which is measured now."""
        return flame.draw(self.events, measure_peak(self.backend)).save(path)

    def __str__(self) -> str:
        parts = []
        for order, name in enumerate(PASSES):
            part = [e for e in self.events if min(e.order, 2) == order]
            if part:
                seconds, flops = sum(e.seconds for e in part), sum(e.flops for e in part)
                parts.append(f"{name} {len(part)} ops, {seconds * 1e3:.1f} ms, {flops / 1e9:.3g} GFLOP")
        return "; ".join(parts) or "nothing was traced"

    def __repr__(self) -> str:
        return f"Trace({self})"


def trace(**modules: Any) -> Trace:
    """``with trace() as t:`` records every op that this thread runs inside, forward and backward.

    ``trace(G=generator, D=discriminator)`` calls these modules' layers "G.0", "D.3"; others go by their class. Of two
    traces, one inside the other, the inner one sees what happens in it.
    """
    return Trace(modules)


def _norm(t: Tensor) -> float:
    data = t.data
    return float((data * data).sum()) ** 0.5 if data.dtype.kind == "f" else float("nan")


def _settings(op: Op) -> str:
    """The op's own small settings, such as an exponent or an axis."""
    numbers = [v for k, v in vars(op).items() if k != "eps" and type(v) in (int, float)]
    return " ".join(f"{v:g}" for v in numbers)
