"""The autograd core: Op, Tensor, apply, grad.

An Op is a differentiable function of arrays. A Tensor is an array that remembers which Op made it. ``apply`` runs an op
forward and, when a gradient may be asked for later, records a Node. ``grad`` walks the recorded nodes from last to
first and calls each op's ``vjp`` (vector-Jacobian product), which turns the gradient of the op's output into those of
its inputs. A vjp is itself written in ops, so with ``create_graph=True`` the gradients are recorded like anything else,
and can be differentiated again.

>>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x**3).sum().backward()
>>> x.grad
Tensor([ 3., 12., 27.], dtype=float32)
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ContextDecorator, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import Array, ArrayBackend, backend_of, get, is_array, memory_of, overlap
from .protocols import Protocols

# ---- what is recorded ----------------------------------------------------------------------------

Gradients = tuple[Callable[[], "Tensor"] | None, ...]  # a function for each input that computes it; None: it is zero


class Op:
    """A differentiable function. ``forward`` takes and returns arrays; ``vjp`` takes Tensors and returns thunks.

    ``vjp(g, y, *inputs)`` gets the gradient g of the output y and returns one thunk per input. The engine calls only
    those that lead to a wanted gradient. An op holds its settings as attributes and is applied once.
    """

    reads_inputs = True  # False when vjp looks only at its inputs' shapes: changing their values later is then harmless
    reads_output = True  # False when vjp looks only at its output's shape. What nobody reads is not kept for a backward
    makes_view = False  # True when the output may share its input's memory: it then goes stale when the input does

    def forward(self, backend: ArrayBackend, *arrays: Any) -> Array:
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def vjp(self, g: Tensor, y: Tensor, /, *inputs: Any) -> Gradients:
        raise NotImplementedError(f"{type(self).__name__}.vjp")


class Node:
    """One recorded application of an op. Nodes refer to what came before them only, so there is never a cycle."""

    __slots__ = ("serial", "op", "inputs", "versions", "output", "changes", "version")
    _serials = itertools.count()

    def __init__(self, op: Op, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.serial = next(Node._serials)  # an op's inputs exist before it, so serial order is a topological order
        self.op = op
        self.inputs = inputs if op.reads_inputs else tuple(map(_outlined, inputs))
        self.versions = tuple(t.version for t in inputs)
        self.output = output.data if op.reads_output else _outline(output.data)
        self.changes, self.version = output.changes, output.version  # not the Tensor: it refers to this node

    def check_usable(self) -> None:
        if self.inputs is None:
            raise RuntimeError(
                f"the graph through {self.op} was freed by an earlier backward: "
                "pass retain_graph=True to that one, or run the forward again"
            )
        if self.op.reads_inputs:
            for t, version in zip(self.inputs, self.versions, strict=True):
                if t.version != version:
                    self._refuse(t.owner.name or "a tensor", version, t.version)
        if self.op.reads_output and self.changes[0] != self.version:
            self._refuse("its output", self.version, self.changes[0])

    def _refuse(self, what: str, version: int, now: int) -> None:
        raise RuntimeError(
            f"backward through {type(self.op).__name__} needs {what} as it was in the forward, but it has been updated "
            f"since (version {version}, now {now}). Call backward before optimizer.step(), or run the forward again "
            "after it"
        )

    def made(self) -> Tensor:
        """The output again, at its place in the graph."""
        y = Tensor(self.output)
        y.node, y._requires_grad, y.changes = self, True, self.changes
        return y

    def free(self) -> None:
        """Let go of the arrays; keep the op's name for the error message."""
        self.op, self.inputs, self.output = type(self.op).__name__, None, None  # type: ignore[assignment]


LARGE = 1 << 16  # bytes from which on it pays not to keep an array


def _outline(array: Array) -> Array:
    """An array of the same shape and dtype in next to no memory, for who reads no more; its numbers are all NaN."""
    if array.nbytes < LARGE or array.dtype.kind != "f":
        return array
    backend = backend_of(array)
    blank: Array = backend.xp.broadcast_to(backend.constant(math.nan, array.dtype), array.shape)
    return blank


def _outlined(t: Tensor) -> Tensor:
    """A result in outline, at its place in the graph. A leaf is known by its identity, and stays itself."""
    if t.node is None or (outline := _outline(t.data)) is t.data:
        return t
    stand_in = Tensor(outline)
    stand_in.node, stand_in._requires_grad = t.node, t._requires_grad
    return stand_in


class _Recording(threading.local):
    on = True
    tracer: Any = None  # who watches every op of this thread: an Observer

    def __init__(self) -> None:  # for each thread
        self.before: list[bool] = []  # what ``on`` was outside the contexts that are open


_recording = _Recording()


def is_recording() -> bool:
    """Whether ops applied now are recorded: False inside ``no_grad`` and in a backward without ``create_graph``."""
    return _recording.on


class _Record(ContextDecorator):
    """Sets whether this thread records; may be entered again, and by several threads, and may decorate a function."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __enter__(self) -> None:
        _recording.before.append(_recording.on)
        _recording.on = self.on

    def __exit__(self, *_: object) -> None:
        _recording.on = _recording.before.pop()


def tracer() -> Any:
    """The trace that is open in this thread, or None."""
    return _recording.tracer


def set_tracer(tracer: Any) -> None:
    _recording.tracer = tracer


def no_grad() -> Any:
    """A context in which nothing is recorded: ``with no_grad(): ...``."""
    return _Record(False)


def enable_grad() -> Any:
    """A context in which ops are recorded, also inside ``no_grad``."""
    return _Record(True)


class Tensor(Protocols):
    """An array of some backend, and the node that made it.

    ``data`` may be an array of any backend in use, which is not copied, or numbers in whatever form NumPy accepts,
    which go to the NumPy backend (Python floats as float32). The operators and methods are ops: ``ops/arithmetic.py``
    and ``ops/shape.py`` define them and hand them to this class. ``==`` and ``<`` give boolean tensors.
    """

    __slots__ = ("data", "_requires_grad", "grad", "node", "changes", "base", "name", "__weakref__")

    def __init__(self, data: Any, *, requires_grad: bool = False, name: str = "") -> None:
        source = data
        if not (is_array(data) and data.dtype in NUMBERS):
            data = _numbers(data)
        if requires_grad and data.dtype.kind != "f":
            raise TypeError(f"only floating-point tensors can require gradients, not {data.dtype}")
        self.data: np.ndarray = data  # or CuPy's array, which has the same methods
        self._requires_grad = requires_grad
        self.grad: Tensor | None = None
        self.node: Node | None = None
        self.changes = [0]  # how often its array was changed in place: one count for all that look at that array
        self.base: Tensor | None = None  # the leaf whose array this one is a view of, and whose name an error says
        self.name = name
        if isinstance(source, Tensor):
            self._view_of(source)

    @property
    def requires_grad(self) -> bool:
        """Whether ops on it are recorded, so that a gradient can be asked for. Only floating-point tensors can."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        if on and self.data.dtype.kind not in "fO":  # O: numbers that spell themselves out, see spelled.py
            raise TypeError(f"only floating-point tensors can require gradients, not {self.data.dtype}")
        self._requires_grad = bool(on)

    # -- about the array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def backend(self) -> ArrayBackend:
        return backend_of(self.data)

    def numpy(self) -> np.ndarray:
        """The values on the host. On the NumPy backend this is the array itself, not a copy.

        Nothing sees what is written into that array: say so with ``bump``, or a backward may use the new values.
        """
        return self.backend.to_numpy(self.data)

    def detach(self) -> Tensor:
        """The same array, cut off from the graph: no gradient flows further back."""
        return Tensor(self.data)._view_of(self)

    @property
    def owner(self) -> Tensor:
        """The leaf that this one is a view of, or itself."""
        return self if self.base is None else self.base

    @property
    def version(self) -> int:
        """How often the array was changed in place, through this tensor or a view."""
        return self.changes[0]

    def bump(self) -> None:
        """Say that the array was changed in place, so that a backward through the old value raises."""
        self.changes[0] += 1

    def _view_of(self, other: Tensor) -> Tensor:
        """A change of one is a change of the other. (What an op made, with its graph, is not kept alive here.)"""
        self.changes = other.changes
        self.base = other.owner if other.owner.node is None else None
        return self

    def __repr__(self) -> str:
        body = np.array2string(self.numpy(), separator=", ", prefix="Tensor(", threshold=60, edgeitems=2)
        made_by = f", made by {type(self.node.op).__name__}" if self.node is not None and self.node.inputs else ""
        grad = ", requires_grad=True" if self.requires_grad and self.node is None else ""
        place = "" if self.backend.name == "numpy" else f", backend={self.backend.name}"
        return f"Tensor({body}, dtype={self.dtype}{place}{grad}{made_by})"

    # -- gradients

    def backward(
        self, grad_output: Tensor | None = None, *, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add the gradient of this tensor to ``.grad`` of every leaf that requires one."""
        if not self.requires_grad:
            raise RuntimeError(
                "backward: nothing that requires a gradient leads to this tensor: was it made in no_grad, or detached?"
            )
        gradients = _backpropagate([self], [grad_output], None, create_graph, retain_graph or create_graph)
        for leaf, g in gradients.items():
            if isinstance(leaf, Tensor):
                leaf.grad = g if leaf.grad is None else leaf.grad + g

    # -- copies, by pickle and the copy module: leaves with an array of their own. The graph behind a result stays where
    # it is, as with ``detach``

    def __getstate__(self) -> tuple[Any, ...]:
        own = self.numpy().copy(order="K")
        return self.backend.name, own, self.requires_grad and self.node is None, self.grad, self.name

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        name, array, self._requires_grad, self.grad, self.name = state
        self.data = get(name).asarray(get("numpy").channels_last(array))  # pickle forgets how an array lay in memory
        self.node, self.changes, self.base = None, [0], None

    # -- operators and methods

    if TYPE_CHECKING:  # bound by ops/arithmetic.py and ops/shape.py

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, exponent: Any) -> Tensor: ...
        def __rpow__(self, base: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...

        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...

        __hash__ = object.__hash__  # by identity

        def __getitem__(self, index: Any) -> Tensor: ...

        def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor: ...
        def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor: ...
        def broadcast_to(self, shape: Sequence[int]) -> Tensor: ...
        def sum_to(self, shape: tuple[int, ...]) -> Tensor: ...
        def put_item(self, index: Any, shape: tuple[int, ...]) -> Tensor: ...
        def reshape(self, *shape: Any) -> Tensor: ...
        def transpose(self, *axes: Any) -> Tensor: ...

        @property
        def T(self) -> Tensor: ...  # noqa: N802 (the field's name)


def apply(op: Op, *inputs: Tensor) -> Tensor:
    """Run ``op`` on ``inputs`` and record it when a gradient may be asked for."""
    if _recording.tracer is not None:
        traced: Tensor = _recording.tracer.apply(op, inputs)
        return traced
    for t in inputs:
        if not isinstance(t, Tensor):
            raise TypeError(f"{type(op).__name__}: its input is a {type(t).__name__}: make it a Tensor")
    arrays = [t.data for t in inputs]
    backend = backend_of(arrays[0])
    for array in arrays:
        if type(array) is not type(arrays[0]):
            raise TypeError(
                f"{type(op).__name__}: its inputs live on different backends "
                f"({', '.join(backend_of(a).name for a in arrays)}): make them all on one"
            )
    output = Tensor(backend.asarray(op.forward(backend, *arrays)))
    if op.makes_view:
        output._view_of(inputs[0])
    if _recording.on and any(t._requires_grad for t in inputs):
        output._requires_grad = True
        output.node = Node(op, inputs, output)
    return output


# ---- backpropagation -----------------------------------------------------------------------------


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, and nothing else: no other gradient is computed.

    ``grad_outputs`` are the gradients of the outputs (default: 1, for scalars only). With ``create_graph`` the result
    can be differentiated again. ``retain_graph`` (default: ``create_graph``) keeps the graph for another backward.
    An input the outputs do not depend on raises, or gives None with ``allow_unused``.

    >>> x = Tensor(2.0, requires_grad=True)
    >>> (dx,) = grad(x**3, [x], create_graph=True)
    >>> (d2x,) = grad(dx, [x])
    >>> dx.item(), d2x.item()
    (12.0, 12.0)
    """
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    if isinstance(inputs, Tensor):
        raise TypeError("grad(outputs, inputs): inputs is a Tensor; give a list of Tensors, as in grad(y, [x])")
    inputs = list(inputs)
    if grad_outputs is None:
        grad_outputs = [None] * len(outputs)
    elif isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs]
    if len(grad_outputs) != len(outputs):
        raise ValueError(f"grad got {len(outputs)} outputs and {len(grad_outputs)} grad_outputs: give one for each")
    retain = create_graph if retain_graph is None else retain_graph
    found = _backpropagate(outputs, grad_outputs, {_source(t) for t in inputs}, create_graph, retain)
    for number, t in enumerate(inputs):
        if _source(t) not in found and not allow_unused:
            raise RuntimeError(
                f"input {t.name or number} of grad is not part of the outputs' graph: does it require a gradient, and "
                "was it used while recording? (A gradient is recorded with create_graph=True. allow_unused=True gives "
                "None instead)"
            )
    return tuple(found.get(_source(t)) for t in inputs)  # type: ignore[misc]


def _source(t: Tensor) -> Node | Tensor:
    """Where gradient for ``t`` collects: the node that made it, or itself when it is a leaf."""
    return t.node if t.node is not None else t


def _backpropagate(
    outputs: list[Tensor],
    grad_outputs: Sequence[Tensor | None],
    wanted: set[Node | Tensor] | None,
    create_graph: bool,
    retain_graph: bool,
) -> dict[Node | Tensor, Tensor]:
    """Gradients by source, for the ``wanted`` sources (None: every leaf that requires one)."""
    tape = _reachable(outputs)

    # Which sources lead to a wanted one? Inputs come before outputs on the tape, so one pass forward tells.
    sources = {_source(t) for t in outputs}.union(_source(t) for node in tape for t in node.inputs)
    targets = {s for s in sources if (s in wanted if wanted is not None else isinstance(s, Tensor) and s.requires_grad)}
    useful = set(targets)
    for node in tape:
        if any(_source(t) in useful for t in node.inputs):
            useful.add(node)

    arrays = {s: s.data if isinstance(s, Tensor) else s.output for s in targets}  # nodes let go of theirs below
    gradients: dict[Node | Tensor, Tensor] = {}

    def collect(source: Node | Tensor, g: Tensor) -> None:
        gradients[source] = gradients[source] + g if source in gradients else g

    tracer = _recording.tracer
    with _Record(create_graph), nullcontext() if tracer is None else tracer.backward():
        for t, g in zip(outputs, grad_outputs, strict=True):
            if _source(t) in useful:
                collect(_source(t), _seed(t, g))
        while tape:
            node = tape.pop()
            if node not in useful:
                continue
            g = gradients.get(node) if node in targets else gradients.pop(node, None)
            if not any(_source(t) in useful for t in node.inputs):
                continue  # a target, and the walk ends here: what made it is left for another backward
            if g is not None:
                node.check_usable()
                y = node.made()
                vjp = node.op.vjp if tracer is None else tracer.vjp(node)
                for t, thunk in zip(node.inputs, vjp(g, y, *node.inputs), strict=True):
                    if thunk is not None and _source(t) in useful:
                        dt = thunk()
                        if dt.shape != t.shape or dt.dtype != t.dtype:
                            raise AssertionError(
                                f"{type(node.op).__name__}.vjp returned {dt.dtype}{dt.shape} "
                                f"for an input of {t.dtype}{t.shape}"
                            )
                        collect(_source(t), dt)
                        del dt
                del y
            if not retain_graph:
                node.free()

        # A wanted tensor that the outputs depend on only through zero derivatives has gradient zero.
        for source in targets - gradients.keys():
            array = arrays[source]
            gradients[source] = Tensor(backend_of(array).xp.zeros_like(array))

        # Each belongs to its source alone: what another one, the caller or a tensor holds as well is copied.
        held: dict[int, list[Array]] = {}  # by memory
        for array in itertools.chain(arrays.values(), (t.data for t in (*outputs, *grad_outputs) if t is not None)):
            held.setdefault(id(memory_of(array)), []).append(array)
        for source in targets:
            array = gradients[source].data
            others = held.setdefault(id(memory_of(array)), [])
            if 0 in array.strides or any(overlap(array, other) for other in others):  # a stride of 0 repeats one number
                gradients[source] = gradients[source] * 1
            others.append(array)
    return {source: gradients[source] for source in targets}


def _reachable(outputs: list[Tensor]) -> list[Node]:
    """Every node the outputs depend on, first recorded first."""
    seen: set[Node] = set()
    stack = [t.node for t in outputs if t.node is not None]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if node.inputs is None:
                node.check_usable()
            stack.extend(t.node for t in node.inputs if t.node is not None)
    return sorted(seen, key=lambda node: node.serial)


def _seed(t: Tensor, g: Tensor | None) -> Tensor:
    if g is None:
        if t.size != 1:
            raise RuntimeError(f"an output of shape {t.shape} needs grad_outputs: only a scalar's can default to 1")
        return Tensor(t.backend.xp.ones_like(t.data))
    if not isinstance(g, Tensor):
        raise TypeError(f"grad_outputs is a {type(g).__name__}: make it a Tensor")
    if g.shape != t.shape or g.dtype != t.dtype:
        raise ValueError(f"grad_outputs is {g.dtype}{g.shape} for an output of {t.dtype}{t.shape}")
    return g


# ---- arguments -----------------------------------------------------------------------------------


NUMBERS = frozenset(np.dtype(code) for code in "?bhilqBHILQefdg")  # real, in the machine's own order of bytes


def _numbers(data: Any) -> Array:
    """The array that ``data`` is, or can be made into, of numbers and nothing else."""
    if isinstance(data, Tensor):
        return data.data
    inside = list(_inside(data))
    if any(isinstance(item, Tensor) for item in inside):
        raise TypeError("a list of Tensors would lose their gradients: put them together with ops.concat")
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("a masked array has elements that do not count: fill them first, as in data.filled(0)")
    array = data if is_array(data) else np.asarray(data)
    if array.dtype == np.float64 and not any(getattr(item, "dtype", None) == np.float64 for item in (data, *inside)):
        array = array.astype(np.float32)  # Python's floats, whose dtype nobody has chosen
    native = array.dtype.newbyteorder("=")
    if native not in NUMBERS and backend_of(array).name != "reference":  # which also runs on formulas, see spelled.py
        raise TypeError(f"a Tensor holds real numbers, not {array.dtype} (made of a {type(data).__name__})")
    return array if native == array.dtype else array.astype(native)


def _inside(data: Any) -> Iterator[Any]:
    """What lists and tuples hold, at any depth; nothing of anything else."""
    if isinstance(data, (list, tuple)):
        for item in data:
            yield item
            yield from _inside(item)


def check_dtypes(what: str, first: Tensor, *others: Tensor) -> None:
    for t in others:
        if t.dtype != first.dtype:
            found = " and ".join(str(t.dtype) for t in (first, *others))
            raise TypeError(f"{what} have dtypes {found}: convert one, nothing is converted silently")
