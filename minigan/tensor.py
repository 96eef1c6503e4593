"""The autograd core: Tensor, Op, apply, grad, and the arithmetic and shape operators.

A Tensor is an array that remembers which Op made it. ``apply`` runs an op forward and, when a gradient may be asked for
later, records a Node. ``grad`` walks the recorded nodes from last to first and calls each op's ``vjp`` (vector-Jacobian
product), which turns the gradient of the op's output into those of its inputs. A vjp is itself written in ops, so with
``create_graph=True`` the gradients are recorded like anything else, and can be differentiated again.

>>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x**3).sum().backward()
>>> x.grad
Tensor([ 3., 12., 27.], dtype=float32)
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from . import primitives as p
from .backend import Array, ArrayBackend, backend_of
from .errors import InputError
from .primitives import Op

# ---- what is recorded ----------------------------------------------------------------------------


class Node:
    """One recorded application of an op. Nodes refer to what came before them only, so there is never a cycle."""

    __slots__ = ("serial", "op", "inputs", "versions", "output")
    _serials = itertools.count()

    def __init__(self, op: Op, inputs: tuple[Tensor, ...], output: Array) -> None:
        self.serial = next(Node._serials)  # an op's inputs exist before it, so serial order is a topological order
        self.op = op
        self.inputs = inputs
        self.versions = tuple(t.owner.version for t in inputs)
        self.output = output

    def check_usable(self) -> None:
        if self.inputs is None:
            raise RuntimeError(
                f"the graph through {self.op} was freed by an earlier backward: "
                "pass retain_graph=True to that one, or run the forward again"
            )
        if self.op.reads_inputs:
            for t, version in zip(self.inputs, self.versions, strict=True):
                owner = t.owner
                if owner.version != version:
                    raise RuntimeError(
                        f"backward through {type(self.op).__name__} needs {owner.name or 'a tensor'} as it was in the "
                        f"forward, but it has been updated since (version {version}, now {owner.version}). "
                        "Call backward before optimizer.step(), or run the forward again after it"
                    )

    def free(self) -> None:
        """Let go of the arrays; keep the op's name for the error message."""
        self.op, self.inputs, self.output = type(self.op).__name__, None, None  # type: ignore[assignment]


class _Recording(threading.local):
    on = True
    tracer: Any = None  # who watches every op of this thread: a minigan.tracing.Trace


_recording = _Recording()


def is_recording() -> bool:
    """Whether ops applied now are recorded: False inside ``no_grad`` and in a backward without ``create_graph``."""
    return _recording.on


@contextmanager
def _record(on: bool) -> Iterator[None]:
    before, _recording.on = _recording.on, on
    try:
        yield
    finally:
        _recording.on = before


def tracer() -> Any:
    """The trace that is open in this thread, or None."""
    return _recording.tracer


def set_tracer(tracer: Any) -> None:
    _recording.tracer = tracer


def no_grad() -> Any:
    """A context in which nothing is recorded: ``with no_grad(): ...``."""
    return _record(False)


def enable_grad() -> Any:
    """A context in which ops are recorded, also inside ``no_grad``."""
    return _record(True)


class Tensor:
    """An array of some backend, and the node that made it.

    ``data`` may be an array of any backend in use, which is not copied, or anything NumPy accepts, which goes to the
    NumPy backend (Python floats as float32).
    """

    __slots__ = ("data", "_requires_grad", "grad", "node", "version", "base", "name", "__weakref__")
    __array_priority__ = 1000  # numpy_array * tensor comes to Tensor.__rmul__

    def __init__(self, data: Any, *, requires_grad: bool = False, name: str = "") -> None:
        if isinstance(data, Tensor):
            data = data.data
        if isinstance(data, np.generic) or not hasattr(data, "shape"):
            has_dtype = hasattr(data, "dtype")
            data = np.asarray(data)
            if data.dtype == np.float64 and not has_dtype:
                data = data.astype(np.float32)
        if requires_grad and data.dtype.kind != "f":
            raise TypeError(f"only floating-point tensors can require gradients, not {data.dtype}")
        self.data: Array = data
        self._requires_grad = requires_grad
        self.grad: Tensor | None = None
        self.node: Node | None = None
        self.version = 0
        self.base: Tensor | None = None  # the leaf whose array this one is a view of: that leaf's version counts
        self.name = name

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
        """The values on the host. On the NumPy backend this is the array itself, not a copy."""
        return self.backend.to_numpy(self.data)

    def item(self) -> float:
        """The one value of a one-element tensor, as a Python number."""
        return self.numpy().item()

    def detach(self) -> Tensor:
        """The same array, cut off from the graph: no gradient flows further back."""
        return Tensor(self.data)._view_of(self)

    @property
    def owner(self) -> Tensor:
        """The tensor whose version counts for this one's array: the leaf it is a view of, or itself."""
        return self if self.base is None else self.base

    def bump(self) -> None:
        """Say that the array was changed in place, so that a backward through the old value raises."""
        self.owner.version += 1

    def _view_of(self, other: Tensor) -> Tensor:
        """Updating a leaf changes its views as well. (What an op made is never updated, and is not kept alive here.)"""
        self.base = other.owner if other.owner.node is None else None
        return self

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"a tensor of shape {self.shape} is neither true nor false: compare one element, or a sum")
        return bool(self.item())

    def __len__(self) -> int:
        return len(self.data)

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

    # -- operators

    def __add__(self, other: Any) -> Tensor:
        return apply(p.Add(), *_broadcast_together(self, other))

    def __sub__(self, other: Any) -> Tensor:
        return apply(p.Sub(), *_broadcast_together(self, other))

    def __rsub__(self, other: Any) -> Tensor:
        return apply(p.Sub(), *reversed(_broadcast_together(self, other)))

    def __mul__(self, other: Any) -> Tensor:
        return apply(p.Mul(), *_broadcast_together(self, other))

    def __truediv__(self, other: Any) -> Tensor:
        return apply(p.Div(), *_broadcast_together(self, other))

    def __rtruediv__(self, other: Any) -> Tensor:
        return apply(p.Div(), *reversed(_broadcast_together(self, other)))

    def __neg__(self) -> Tensor:
        return apply(p.Neg(), self)

    def __pow__(self, exponent: float) -> Tensor:
        return apply(p.Pow(exponent), self)

    def __matmul__(self, other: Tensor) -> Tensor:
        check_dtypes("matmul", self, other)
        return apply(p.MatMul(), self, other)

    def __getitem__(self, index: Any) -> Tensor:
        return apply(p.GetItem(index), self)

    __radd__ = __add__
    __rmul__ = __mul__

    def sum(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        return apply(p.Sum(_axes(axis, self.ndim), keepdims), self)

    def mean(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        axes = _axes(axis, self.ndim)
        count = math.prod(self.shape[a] for a in axes)
        if not count:
            raise InputError(f"mean of a tensor {self.shape} over the axes {axes}: there is nothing to average")
        if self.dtype == np.float16:  # whose sum may not fit where the mean does
            return apply(p.ScaledSum(axes, keepdims, 1 / count), self)
        return self.sum(axes, keepdims) * (1 / count)

    def broadcast_to(self, shape: Sequence[int]) -> Tensor:
        return self if self.shape == tuple(shape) else apply(p.BroadcastTo(tuple(shape)), self)

    def sum_to(self, shape: tuple[int, ...]) -> Tensor:
        """The adjoint of ``broadcast_to``: summed down to ``shape``."""
        new = self.ndim - len(shape)
        total = self.sum(range(new)) if new else self
        axes = [axis for axis, size in enumerate(shape) if size == 1 != total.shape[axis]]
        return total.sum(axes, keepdims=True) if axes else total

    def put_item(self, index: Any, shape: tuple[int, ...]) -> Tensor:
        """The adjoint of ``x[index]``: zeros of ``shape`` with this tensor added at ``index``."""
        return apply(p.PutItem(index, shape), self)

    def reshape(self, *shape: Any) -> Tensor:
        return apply(p.Reshape(_flat(shape)), self)

    def transpose(self, *axes: Any) -> Tensor:
        """Permute the axes; without arguments, reverse them."""
        return apply(p.Transpose(_axes(_flat(axes) or range(self.ndim)[::-1], self.ndim)), self)

    @property
    def T(self) -> Tensor:  # noqa: N802 (the field's name)
        return self.transpose()


def apply(op: Op, *inputs: Tensor) -> Tensor:
    """Run ``op`` on ``inputs`` and record it when a gradient may be asked for."""
    if _recording.tracer is not None:
        return _recording.tracer.apply(op, inputs)
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
        output.node = Node(op, inputs, output.data)
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
    if grad_outputs is None or isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs] * len(outputs)
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
    with _record(create_graph), nullcontext() if tracer is None else tracer.backward():
        for t, g in zip(outputs, grad_outputs, strict=True):
            if _source(t) in useful:
                collect(_source(t), _seed(t, g))
        while tape:
            node = tape.pop()
            if node not in useful:
                continue
            g = gradients.get(node) if node in targets else gradients.pop(node, None)
            if g is not None and any(_source(t) in useful for t in node.inputs):
                node.check_usable()
                y = Tensor(node.output)
                y.node, y._requires_grad = node, True
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
    if g.shape != t.shape or g.dtype != t.dtype:
        raise ValueError(f"grad_outputs is {g.dtype}{g.shape} for an output of {t.dtype}{t.shape}")
    return g


# ---- arguments -----------------------------------------------------------------------------------


def _broadcast_together(a: Tensor, b: Any) -> tuple[Tensor, Tensor]:
    """Both operands as Tensors of one shape and dtype. A plain number takes the tensor's dtype: it never changes it."""
    if not isinstance(b, Tensor):
        like = None if hasattr(b, "shape") and not isinstance(b, np.generic) else a.dtype
        if like is not None and like.kind in "biu" and np.asarray(b).dtype.kind == "f":
            raise TypeError(f"{b} is not a whole number and the tensor is {like}: convert the tensor first")
        b = Tensor(a.backend.asarray(b) if like is None else a.backend.constant(b, like))
    check_dtypes("operands", a, b)
    if a.shape == b.shape:
        return a, b
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(f"shapes {a.shape} and {b.shape} do not broadcast together") from None
    return a.broadcast_to(shape), b.broadcast_to(shape)


def check_dtypes(what: str, first: Tensor, *others: Tensor) -> None:
    for t in others:
        if t.data.dtype != first.data.dtype:
            found = " and ".join(str(t.dtype) for t in (first, *others))
            raise TypeError(f"{what} have dtypes {found}: convert one, nothing is converted silently")


def _axes(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """``axis`` as a tuple of numbers in 0 .. ndim-1."""
    axes = range(ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"axis {a} does not exist in a tensor of {ndim} axes")
    return tuple(a % ndim for a in axes)


def _flat(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """Both f(2, 3) and f((2, 3)) mean (2, 3)."""
    return tuple(numbers[0]) if len(numbers) == 1 and not isinstance(numbers[0], int) else tuple(numbers)
