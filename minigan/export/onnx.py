"""A program as an ONNX file, held against the engine by onnxruntime before it is kept."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import InputError
from .program import Node, Program, trace
from .subject import Subject

BOUND = 1e-5
OPSET = 17
SAME = {
    "MatMul": "MatMul", "Add": "Add", "Sub": "Sub", "Mul": "Mul", "Div": "Div", "Neg": "Neg", "Exp": "Exp",
    "Log": "Log", "Sqrt": "Sqrt", "Abs": "Abs", "Tanh": "Tanh", "Sigmoid": "Sigmoid", "Softplus": "Softplus",
    "Erf": "Erf",
}  # fmt: skip


def to_onnx(subject: Subject) -> tuple[bytes, str]:
    """The file, and what it was compared at, in words: any batch, and any size where the network can take one.

    Raises InputError where ``onnx`` or ``onnxruntime`` is missing, for an op that has no counterpart, and where the two
    differ by more than 1e-5.
    """
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise InputError(f'{package} is not installed: pip install "minigan[onnx]"')
    rng = np.random.default_rng(0)
    plain, other = subject.inputs(2, rng), subject.inputs(3, rng)
    sized = False
    program = trace(subject.network, plain, other)
    if subject.any_size():
        try:
            program, sized = trace(subject.network, plain, other, subject.inputs(2, rng, more=1)), True
        except InputError:  # then it is of one size
            sized = False
    content = write(program, subject, sized)
    runs = [plain, subject.inputs(5, rng), *([subject.inputs(1, rng, more=2)] if sized else [])]
    if sized and subject.mirrors:
        runs.append({name: array[:, :, 1:, 3:] for name, array in subject.inputs(1, rng, more=1).items()})
    difference = max(compare(content, subject, run) for run in runs)
    if not difference <= BOUND:
        raise InputError(
            f"ONNX: onnxruntime's output differs by {difference:.1e}, more than {BOUND:g}: nothing is written"
        )
    sides = "any size" if subject.mirrors or subject.step == 1 else f"sides that {subject.step} divides"
    pictures = f", pictures of {sides}" if sized else ""
    return content, f"batches of any size{pictures}; differs by {difference:.1e} at most"


def compare(content: bytes, subject: Subject, run: dict[str, np.ndarray]) -> float:
    """The largest difference between onnxruntime's output and the engine's, as a share of an output that is over 1."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    given = {name: a if a.dtype.kind == "f" else a.astype(np.int64) for name, a in run.items()}
    (found,) = session.run(None, given)
    expected = subject(*run.values())
    if found.shape != expected.shape:
        raise InputError(
            f"ONNX: onnxruntime's output is {found.shape}, the engine's {expected.shape}: nothing is written"
        )
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def write(program: Program, subject: Subject, sized: bool) -> bytes:
    """The program in the ONNX format, checked by ``onnx`` itself."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = Graph(program)
    mirrored = sized and subject.mirrors and subject.step > 1
    shown = {"picture": graph.mirrored("picture", subject.step)} if mirrored else {}
    for node in program.nodes:
        graph.write(replace(node, inputs=tuple(shown.get(name, name) for name in node.inputs)))

    def value(name: str, shape: tuple[int, ...], axes: tuple[str, ...], kind: int = TensorProto.FLOAT) -> Any:
        free = {"N", "H", "W"} if sized else {"N"}
        return helper.make_tensor_value_info(
            name, kind, [axis if axis in free else size for axis, size in zip(axes, shape, strict=True)]
        )

    inputs = []
    for name, shape in program.inputs.items():
        if name == "labels":
            inputs.append(value(name, shape, ("N",), TensorProto.INT64))
        elif name == "ask":
            inputs.append(value(name, shape, ("N", "columns")))
        else:
            inputs.append(value(name, shape, subject.axes[1:]))
    shape = next(node.shape for node in program.nodes if node.output == program.output)
    result, axes = subject.outputs[0], subject.outputs[1:]
    if len(axes) != len(shape):  # it makes no pictures
        axes = ("N", *[""] * (len(shape) - 1))
    if sized and "H" in axes:
        axes = tuple({"H": "H_out", "W": "W_out"}.get(axis, axis) for axis in axes)
    if mirrored:
        graph.cropped(program.output, "picture", shape[2] // program.inputs["picture"][2], result)
    else:
        graph.add("Identity", [program.output], result)
    out_shape = [a if a in ("N", "H_out", "W_out") else n for a, n in zip(axes, shape, strict=True)]
    output = helper.make_tensor_value_info(result, TensorProto.FLOAT, out_shape)
    used = {name for node in graph.nodes for name in node.input}
    weights = [numpy_helper.from_array(array, name) for name, array in graph.constants.items() if name in used]
    made = helper.make_graph(graph.nodes, subject.name, inputs, [output], weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="minigan")
    model.ir_version = 8  # what runtimes of some years' standing read
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


class Graph:
    """ONNX's nodes and constants as they come."""

    def __init__(self, program: Program) -> None:
        self.nodes: list[Any] = []
        self.constants = dict(program.constants)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: Any, dtype: Any = np.int64) -> str:
        name = f"number{len(self.constants)}"
        self.constants[name] = np.array(values, dtype)
        return name

    def write(self, node: Node) -> None:
        x, y, s = list(node.inputs), node.output, node.settings
        match node.op:
            case op if op in SAME:
                self.add(SAME[op], x, y)
            case "Conv" | "ConvTranspose":
                pads = [*s["padding"], *s["padding"]]
                more = {"output_padding": s["output_padding"]} if "output_padding" in s else {}
                kernel = self.constants[x[1]].shape[2:]
                sizes = {"strides": s["stride"], "dilations": s["dilation"], "kernel_shape": kernel}
                self.add(node.op, x, y, pads=pads, **sizes, **more)
            case "Linear":
                self.add("Gemm", x, y, transB=1) if len(node.shape) == 2 else self.linear(x, y)
            case "Embedding":
                self.add("Gather", x, y, axis=0)
            case "Pow":
                self.add("Pow", [x[0], self.constant(s["exponent"], np.float32)], y)
            case "LeakyReLU":
                self.add("LeakyRelu", x, y, alpha=s["slope"]) if s["slope"] else self.add("Relu", x, y)
            case "PReLU":
                slope = self.constants[x[1]]
                rank = len(node.shape)
                shape = slope.reshape(-1, *(1,) * (rank - 2)) if rank > 1 else slope
                self.add("PRelu", [x[0], self.constant(shape, np.float32)], y)
            case "ELU":
                self.add("Elu", x, y, alpha=s["alpha"])
            case "Sum":
                self.add("ReduceSum", [x[0], self.constant(s["axes"])], y, keepdims=int(s["keepdims"]))
            case "Mean" | "Max":
                self.add(f"Reduce{node.op}", x, y, axes=s["axes"], keepdims=int(s["keepdims"]))
            case "Softmax" | "LogSoftmax":
                self.add(node.op, x, y, axis=s["axis"])
            case "Reshape":
                self.add("Reshape", [x[0], self.constant(s["shape"])], y)
            case "Broadcast":
                self.add("Expand", [x[0], self.constant(s["shape"])], y)
            case "Transpose":
                self.add("Transpose", x, y, perm=s["axes"])
            case "Concat":
                self.add("Concat", x, y, axis=s["axis"])
            case "Take":
                self.add("Gather", [x[0], self.constant(s["index"])], y, axis=s["axis"])
            case "Slice":
                backwards = [
                    stop if step > 0 else np.iinfo(np.int64).min
                    for stop, step in zip(s["stops"], s["steps"], strict=True)
                ]
                ends = [b if stop < 0 else stop for b, stop in zip(backwards, s["stops"], strict=True)]
                if not s["axes"]:
                    self.add("Identity", x, y)
                else:
                    parts = (s["starts"], ends, s["axes"], s["steps"])
                    self.add("Slice", [x[0], *map(self.constant, parts)], y)
            case "Pad":
                self.add("Pad", [x[0], self.constant([*s["before"], *s["after"]])], y)
            case "Upsample":
                scales = self.constant([1, 1, *s["scale"]], np.float32)
                modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
                self.add("Resize", [x[0], "", scales], y, **modes)
            case "Bilinear":
                scales = self.constant([1, 1, *s["scale"]], np.float32)
                self.add("Resize", [x[0], "", scales], y, mode="linear", coordinate_transformation_mode="half_pixel")
            case "Choose":
                first = self.add("Gather", [x[0], self.constant([0])], f"{y}_first", axis=1)
                above = self.add("Greater", [first, self.constant([s["thresholds"]], np.float32)], f"{y}_above")
                number = self.add("Cast", [above], f"{y}_number", to=7)  # int64
                self.add("ReduceSum", [number, self.constant([1])], y, keepdims=0)
            case "SumPool":
                pads = [*s["padding"], *s["padding"]]
                area = s["kernel"][0] * s["kernel"][1]
                sizes = {"kernel_shape": s["kernel"], "strides": s["stride"], "pads": pads}
                mean = self.add("AveragePool", x, f"{y}_mean", count_include_pad=1, **sizes)
                self.add("Mul", [mean, self.constant(area, np.float32)], y)
            case "PixelShuffle":
                self.add("DepthToSpace", x, y, blocksize=s["factor"], mode="CRD")
            case "PixelUnshuffle":  # ONNX has the channels last, PyTorch first
                r, channels = s["factor"], node.shape[1] // s["factor"] ** 2
                blocks = self.add("SpaceToDepth", x, f"{y}_blocks", blocksize=r)
                order = np.arange(node.shape[1]).reshape(r * r, channels).T.ravel()
                self.add("Gather", [blocks, self.constant(order)], y, axis=1)
            case "GroupNorm":
                self.group_norm(node)
            case _:
                raise InputError(f"{node.op} has no counterpart: add it to minigan/export/onnx.py")

    def mirrored(self, x: str, multiple: int) -> str:
        """A picture with more rows and columns, up to sizes that ``multiple`` divides, as the networks do it."""
        one, two, more, by = (self.constant([n]) for n in (1, 2, multiple - 1, multiple))
        first, step = (self.constant(n) for n in (0, 1))  # Range counts by scalars
        scalar = self.constant([])
        for axis in (2, 3):
            y = f"{x}_{axis}"
            side = self.add("Shape", [x], f"{y}_side", start=axis, end=axis + 1)
            parts = self.add("Div", [self.add("Add", [side, more], f"{y}_more"), by], f"{y}_parts")
            whole = self.add("Reshape", [self.add("Mul", [parts, by], f"{y}_all"), scalar], f"{y}_whole")
            twice = self.add("Sub", [self.add("Mul", [side, two], f"{y}_double"), two], f"{y}_twice")
            turn = self.add("Max", [twice, one], f"{y}_turn")
            place = self.add("Mod", [self.add("Range", [first, whole, step], f"{y}_range"), turn], f"{y}_place")
            index = self.add("Min", [place, self.add("Sub", [turn, place], f"{y}_back")], f"{y}_index")
            x = self.add("Gather", [x, index], y, axis=axis)
        return x

    def cropped(self, x: str, like: str, times: int, y: str) -> None:
        """``times`` as high and wide as the picture ``like``."""
        sides = self.add("Shape", [like], f"{y}_sides", start=2)
        ends = self.add("Mul", [sides, self.constant([times])], f"{y}_ends")
        self.add("Slice", [x, self.constant([0, 0]), ends, self.constant([2, 3])], y)

    def linear(self, x: list[str], y: str) -> None:
        """Gemm takes matrices only."""
        product = self.add("MatMul", [x[0], self.constant(self.constants[x[1]].T, np.float32)], f"{y}_product")
        self.add("Add", [product, x[2]], y) if len(x) > 2 else self.add("Identity", [product], y)

    def group_norm(self, node: Node) -> None:
        """As instance norm of the groups laid side by side, then a gain and a bias per channel."""
        (x, weight, bias), y, groups = node.inputs, node.output, node.settings["groups"]
        one, zero = (self.constant(make(groups), np.float32) for make in (np.ones, np.zeros))
        grouped = self.add("Reshape", [x, self.constant([0, groups, -1])], f"{y}_groups")
        normed = self.add("InstanceNormalization", [grouped, one, zero], f"{y}_normed", epsilon=node.settings["eps"])
        like = self.add("Shape", [x], f"{y}_shape")
        back = self.add("Reshape", [normed, like], f"{y}_back")
        rank = (1, -1) + (1,) * (len(node.shape) - 2)
        gain, shift = (self.constant(self.constants[name].reshape(rank), np.float32) for name in (weight, bias))
        scaled = self.add("Mul", [back, gain], f"{y}_scaled")
        self.add("Add", [scaled, shift], y)
