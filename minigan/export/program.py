"""A forward as a list of steps: what was computed from the inputs, op by op, with everything else a constant.

``trace`` runs a network once in evaluation mode and looks on. Whatever the class of the network and however its forward
is written, what comes out is a list of a few dozen plain ops on named arrays: all that an exporter has to know.
Two runs of different sizes tell which numbers belong to the network and which to the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import nn
from ..errors import InputError
from ..gan.models.self_conditioned import Choose
from ..nn import Module, mode
from ..observer import Observer
from ..ops.activation import LeakyReLU, LogSoftmax, Max, Softmax
from ..ops.arithmetic import Add, BroadcastTo, Div, MatMul, Mul, Neg, Pow, Sub, Sum
from ..ops.conv import Conv2d, Conv2dInput
from ..ops.elementwise import Abs, Exp, Log, Sigmoid, Softplus, Sqrt, Tanh
from ..ops.gelu import Erf
from ..ops.linear import Linear
from ..ops.resample import Spread, SumPool
from ..ops.shape import Concat, GetItem, PutItem, Reshape, Transpose
from ..tensor import Op, Tensor, no_grad


@dataclass(frozen=True)
class Node:
    """output = op(*inputs, **settings)"""

    op: str
    inputs: tuple[str, ...]
    output: str
    settings: dict[str, Any]
    shape: tuple[int, ...]  # of the output, in the run that was looked at


@dataclass(frozen=True)
class Program:
    """The steps from ``inputs`` to ``output``; ``constants`` are float32 arrays, parameters by their own names."""

    inputs: dict[str, tuple[int, ...]]
    constants: dict[str, np.ndarray]
    nodes: list[Node]
    output: str


def trace(network: Module, *runs: dict[str, np.ndarray]) -> Program:
    """What ``network(*run.values())`` computes, in evaluation mode. An array of whole numbers is one of labels.

    The program holds for every size in which the ``runs`` differ, such as two batches of 2 and of 3.

    Raises InputError for what cannot be written down so: an op that depends on its input in another way, and a size
    that does not follow from the input's.
    """
    return _in_common([_trace(network, run) for run in runs])


def _trace(network: Module, run: dict[str, np.ndarray]) -> Program:
    place, watcher = network.backend, Tracer(network)
    inputs: list[Any] = []
    for name, array in run.items():
        if array.dtype.kind == "f":
            tensor = Tensor(place.channels_last(place.asarray(array.astype(network.dtype))))
            watcher.know(tensor, name)
            inputs.append(tensor)
        else:
            watcher.labels.append((name, array))
            inputs.append(array)
    with mode(network, training=False), no_grad(), watcher:
        y = network(*inputs)
    if id(y) not in watcher.names:
        raise InputError(f"{type(network).__name__}: its output does not depend on its input")
    shapes = {name: array.shape for name, array in run.items()}
    return _needed(Program(shapes, watcher.constants, watcher.nodes, watcher.names[id(y)]))


def _needed(program: Program) -> Program:
    """Without the steps and constants that nothing needs."""
    needed = {program.output}
    nodes: list[Any] = []
    for node in reversed(program.nodes):
        if node.output in needed:
            nodes.insert(0, node)
            needed.update(node.inputs)
    constants = {name: array for name, array in program.constants.items() if name in needed}
    return replace(program, nodes=nodes, constants=constants)


class Tracer(Observer):
    """Writes down each op that sees something that depends on an input."""

    def __init__(self, network: Module) -> None:
        self.names: dict[int, str] = {}  # of what depends on an input, by the tensor's id
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.parameters = {id(parameter): name for name, parameter in network.named_parameters()}
        self.labels: list[tuple[str, np.ndarray]] = []  # whole numbers that depend on an input
        self.constants: dict[str, np.ndarray] = {}
        self.nodes: list[Node] = []
        self.alive: list[Tensor] = []  # an id is a tensor's own for as long as that lives
        self.narrow: dict[int, Tensor] = {}  # what was broadcast, by the result's id

    def know(self, tensor: Tensor, name: str) -> None:
        self.names[id(tensor)], self.shapes[name] = name, tensor.shape
        self.alive.append(tensor)

    def apply(self, op: Op, inputs: tuple[Tensor, ...]) -> Tensor:
        y = super().apply(op, inputs)
        if isinstance(op, BroadcastTo):
            self.narrow[id(y)] = inputs[0]
            self.alive.append(y)
        elif type(op) in ELEMENTWISE:  # these broadcast by themselves, in ONNX too: no size of the batch is spelled out
            narrow = [self.narrow.get(id(t), t) for t in inputs]
            if np.broadcast_shapes(*(t.shape for t in narrow)) == y.shape:
                inputs = tuple(narrow)
        if isinstance(op, GetItem) and (labels := self.which_labels(op.index)):
            self.write("Embedding", (*map(self.name, inputs), labels), y, {})
        elif isinstance(op, Mul) and (summed := self.is_mean(*inputs)):
            self.write("Mean", summed.inputs, y, summed.settings)
        elif any(id(t) in self.names for t in inputs):
            rule = RULES.get(type(op))
            if rule is None:
                raise InputError(f"{type(op).__name__} cannot be exported: add it to minigan/export/program.py")
            kind, settings = rule(op, y, *inputs)
            self.write(kind, tuple(map(self.name, inputs)), y, settings)
        return y

    def call(self, module: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        rule = LAYERS.get(type(module))
        if rule is None or settings or id(inputs[0]) not in self.names:
            return super().call(module, inputs, settings)
        with Observer():  # its own ops are not looked at
            y = super().call(module, inputs, settings)
        kind, found, *parameters = rule(module)
        if kind == "Choose":
            name = f"y{len(self.nodes)}"
            self.labels.append((name, y))
            self.nodes.append(Node(kind, (self.name(inputs[0]),), name, found, y.shape))
            return y
        self.write(kind, tuple(map(self.name, (*inputs, *parameters))), y, found)
        return y

    def write(self, kind: str, inputs: tuple[str, ...], y: Tensor, settings: dict[str, Any]) -> None:
        self.know(y, f"y{len(self.nodes)}")
        self.nodes.append(Node(kind, inputs, self.names[id(y)], settings, y.shape))

    def name(self, tensor: Tensor) -> str:
        """Of what depends on an input; of any other, as a constant, which becomes part of the program."""
        if id(tensor) in self.names:
            return self.names[id(tensor)]
        name = self.parameters.get(id(tensor), f"constant{len(self.constants)}")
        if name not in self.constants:
            self.constants[name] = np.ascontiguousarray(tensor.numpy(), np.float32)
        return name

    def is_mean(self, total: Tensor, share: Tensor) -> Node | None:
        """The sum that is divided by how many numbers it is of, and so is a mean of any size."""
        node = next((n for n in reversed(self.nodes) if n.output == self.names.get(id(total))), None)
        if node is None or node.op != "Sum" or share.size != 1 or id(share) in self.names:
            return None
        count = np.prod([self.shapes[node.inputs[0]][axis] for axis in node.settings["axes"]])
        return node if abs(float(share.numpy().reshape(())) * count - 1) < 1e-6 else None

    def which_labels(self, index: Any) -> str | None:
        """Of an index that is an array, the name of the labels that it is equal to."""
        for name, labels in self.labels:
            if getattr(index, "shape", None) == labels.shape and bool((index == labels).all()):
                return name
        return None


ELEMENTWISE = (Add, Sub, Mul, Div)

# ---- what each op is called, and the settings that say what it does --------------------------------

Rule = Callable[..., tuple[str, dict[str, Any]]]


def _plain(kind: str) -> Rule:
    return lambda op, y, *inputs: (kind, {})


def _conv(op: Any, y: Tensor, x: Tensor, w: Tensor) -> tuple[str, dict[str, Any]]:
    g = op.geometry
    return "Conv", {"stride": g.stride, "padding": g.padding, "dilation": g.dilation}


def _conv_transpose(op: Any, y: Tensor, x: Tensor, w: Tensor) -> tuple[str, dict[str, Any]]:
    g = op.geometry
    sides = zip(y.shape[2:], x.shape[2:], g.stride, g.padding, g.span_hw, strict=True)
    extra = tuple(out - ((n - 1) * s - 2 * p + span) for out, n, s, p, span in sides)
    settings = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "output_padding": extra}
    return "ConvTranspose", settings


def _spread(op: Any, y: Tensor, x: Tensor) -> tuple[str, dict[str, Any]]:
    g = op.geometry
    if g.kernel_hw != g.stride or g.padding != (0, 0) or g.in_hw != y.shape[2:]:
        raise InputError("Spread: only the nearest enlargement by a whole factor can be exported")
    return "Upsample", {"scale": g.stride}


def _sum(op: Any, y: Tensor, x: Tensor) -> tuple[str, dict[str, Any]]:
    return "Sum", {"axes": tuple(op.axes), "keepdims": op.keepdims}


def _get_item(op: Any, y: Tensor, x: Tensor) -> tuple[str, dict[str, Any]]:
    index = op.index if isinstance(op.index, tuple) else (op.index,)
    if any(part is None or part is ... for part in index):
        raise InputError("x[...] with None or an ellipsis cannot be exported")
    arrays = [(axis, part) for axis, part in enumerate(index) if not isinstance(part, slice)]
    if len(arrays) > 1 or (arrays and np.ndim(arrays[0][1]) != 1):
        raise InputError("x[...] can be exported with slices and one row of whole numbers")
    sides = list(zip(index, x.shape, strict=False))
    cuts = [tuple(int(n) for n in part.indices(side)) for part, side in sides if isinstance(part, slice)]
    whole = [
        cut == (0, side, 1) for cut, (_, side) in zip(cuts, [s for s in sides if isinstance(s[0], slice)], strict=True)
    ]
    if arrays:
        if not all(whole):
            raise InputError("x[...] with both a slice and whole numbers cannot be exported")
        axis, numbers = arrays[0]
        return "Take", {"axis": axis, "index": [int(n) for n in np.asarray(x.backend.to_numpy(numbers))]}
    settings: dict[str, Any] = {"axes": [], "starts": [], "stops": [], "steps": []}
    for axis, ((start, stop, step), all_of_it) in enumerate(zip(cuts, whole, strict=True)):
        if not all_of_it:
            for name, value in zip(settings, (axis, start, stop, step), strict=True):
                settings[name].append(value)
    return "Slice", settings


def _put_item(op: Any, y: Tensor, x: Tensor) -> tuple[str, dict[str, Any]]:
    index = op.index if isinstance(op.index, tuple) else (op.index,)
    if not all(isinstance(part, slice) and part.step in (None, 1) for part in index) or len(index) != y.ndim:
        raise InputError("put_item can be exported as padding only")
    cuts = [part.indices(side) for part, side in zip(index, y.shape, strict=True)]
    return "Pad", {
        "before": [c[0] for c in cuts],
        "after": [side - c[1] for c, side in zip(cuts, y.shape, strict=True)],
    }


RULES: dict[type[Op], Rule] = {
    Conv2d: _conv,
    Conv2dInput: _conv_transpose,
    Linear: _plain("Linear"),
    MatMul: _plain("MatMul"),
    Add: _plain("Add"),
    Sub: _plain("Sub"),
    Mul: _plain("Mul"),
    Div: _plain("Div"),
    Neg: _plain("Neg"),
    Pow: lambda op, y, x: ("Pow", {"exponent": float(op.exponent)}),
    Sum: _sum,
    BroadcastTo: lambda op, y, x: ("Broadcast", {"shape": y.shape}),
    Exp: _plain("Exp"),
    Log: _plain("Log"),
    Sqrt: _plain("Sqrt"),
    Abs: _plain("Abs"),
    Tanh: _plain("Tanh"),
    Sigmoid: _plain("Sigmoid"),
    Softplus: _plain("Softplus"),
    Erf: _plain("Erf"),
    LeakyReLU: lambda op, y, x: ("LeakyReLU", {"slope": float(op.negative_slope)}),
    Max: lambda op, y, x: ("Max", {"axes": (op.axis,), "keepdims": True}),
    Softmax: lambda op, y, x: ("Softmax", {"axis": op.axis}),
    LogSoftmax: lambda op, y, x: ("LogSoftmax", {"axis": op.axis}),
    Reshape: lambda op, y, x: ("Reshape", {"shape": y.shape}),
    Transpose: lambda op, y, x: ("Transpose", {"axes": tuple(op.axes)}),
    Concat: lambda op, y, *x: ("Concat", {"axis": op.axis}),
    GetItem: _get_item,
    PutItem: _put_item,
    SumPool: lambda op, y, x: (
        "SumPool",
        {"kernel": op.geometry.kernel_hw, "stride": op.geometry.stride, "padding": op.geometry.padding},
    ),
    Spread: _spread,
}

# Layers that are taken as one step: what they compute depends on the input in a way that no op tells (a mask), or is
# spelled out by sizes that ONNX has an op without.
LAYERS: dict[type[Module], Callable[[Any], tuple[Any, ...]]] = {
    Choose: lambda m: ("Choose", {"thresholds": list(m.thresholds)}),
    nn.Upsample: lambda m: ("Upsample" if m.mode == "nearest" else "Bilinear", {"scale": m.scale_factor}),
    nn.PReLU: lambda m: ("PReLU", {}, m.weight),
    nn.ELU: lambda m: ("ELU", {"alpha": float(m.alpha)}),
    nn.PixelUnshuffle: lambda m: ("PixelUnshuffle", {"factor": m.downscale_factor}),
    nn.PixelShuffle: lambda m: ("PixelShuffle", {"factor": m.upscale_factor}),
    nn.GroupNorm: lambda m: ("GroupNorm", {"groups": m.num_groups, "eps": m.eps}, *_affine(m, m.num_channels)),
    nn.InstanceNorm2d: lambda m: ("GroupNorm", {"groups": m.num_features, "eps": m.eps}, *_affine(m, m.num_features)),
}


def _affine(m: Any, channels: int) -> tuple[Tensor, Tensor]:
    one, zero = (Tensor(m.backend.asarray(make(channels, np.float32))) for make in (np.ones, np.zeros))
    return m.weight if m.weight is not None else one, m.bias if m.bias is not None else zero


# ---- several runs -----------------------------------------------------------------------------------


def _in_common(programs: Sequence[Program]) -> Program:
    """The program of all runs: a shape that is another one in each is left open where that can be said."""
    first = programs[0]
    for name, array in first.constants.items():
        if not all(name in p.constants and np.array_equal(p.constants[name], array, equal_nan=True) for p in programs):
            raise InputError(f"{name}: a constant depends on the input's size, so only one size can be exported")
    nodes = []
    for steps in zip(*(program.nodes for program in programs), strict=True):
        node = steps[0]
        if any((step.op, step.inputs) != (node.op, node.inputs) for step in steps):
            raise InputError(f"{node.op}: the network computes something else for another size")
        settings = dict(node.settings)
        if any(step.settings != settings for step in steps):
            shapes = [step.settings.get("shape") for step in steps]
            if node.op != "Reshape":
                raise InputError(
                    f"{node.op}: its settings depend on the input's size, so only one size can be exported"
                )
            settings["shape"] = _open_shape(shapes, [_shape_of(p, node.inputs[0]) for p in programs])
        nodes.append(replace(node, settings=settings))
    return replace(first, nodes=nodes)


def _open_shape(shapes: list[Any], inputs: list[tuple[int, ...]]) -> tuple[int, ...]:
    """0 is the size that the input has at this place, -1 whatever is left, as ONNX has it."""
    found: list[int] = []
    for axis, sizes in enumerate(zip(*shapes, strict=True)):
        if len(set(sizes)) == 1:
            found.append(sizes[0])
        elif all(axis < len(i) and i[axis] == n for i, n in zip(inputs, sizes, strict=True)):
            found.append(0)
        else:
            found.append(-1)
    if found.count(-1) > 1:
        raise InputError(f"Reshape: more than one size of {shapes[0]} depends on the input's, so it cannot be exported")
    return tuple(found)


def _shape_of(program: Program, name: str) -> tuple[int, ...]:
    known = program.inputs | {c: a.shape for c, a in program.constants.items()}
    return known[name] if name in known else next(node.shape for node in program.nodes if node.output == name)
