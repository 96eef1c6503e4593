"""Every op's gradients against finite differences: the table behind ``python -m minigan gradcheck``.

A case is one line: the op's name and what is special, the function, its inputs and its options. A plain
shape stands for standard normal numbers; ``positive``, ``nonzero``, ``strided`` and the like stand for other ones. All
of it is float64, small, and away from kinks. Nothing can be forgotten: an Op class whose vjp no case reaches, or a
public op without a case, fails the run.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import backend as backends
from .. import ops
from ..backend import Array, ArrayBackend
from ..errors import InputError
from ..gradcheck import BOUNDS, Mismatch, worst_mismatches
from ..observer import Observer
from ..ops import conv2d, conv_transpose2d
from ..ops.across import Gather, Total
from ..ops.arithmetic import ScaledSum
from ..ops.norm import batches
from ..ops.translate import translate
from ..parallel import Communicator
from ..tensor import Node, Op, Tensor, apply


class Silent(Communicator):
    """This process and another one, which has zeros only: so sums and gradients are those of this one."""

    size = 2

    def stack(self, array: Array) -> Array:
        xp = backends.backend_of(array).xp
        return xp.concatenate([array[None], xp.zeros_like(array)[None]])


SILENT = Silent()

# ---- inputs --------------------------------------------------------------------------------------

Shape = tuple[int, ...]


def _normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.standard_normal(shape)


def _away_from_zero(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2, shape)


class Input(NamedTuple):
    """A random array: its shape, what numbers, how they lie in memory."""

    shape: Shape
    values: Callable[[np.random.Generator, Shape], np.ndarray] = _normal
    layout: str = ""

    def make(self, rng: np.random.Generator, backend: ArrayBackend) -> Tensor:
        if self.layout == "strided":  # every second element, the last axis backwards
            every_second = (slice(None, None, 2),) * (len(self.shape) - 1) + (slice(None, None, -2),)
            return Tensor(backend.asarray(self.values(rng, tuple(2 * n for n in self.shape)))[every_second])
        if self.layout == "transposed":
            return Tensor(backend.asarray(self.values(rng, self.shape[::-1])).transpose())
        array = backend.asarray(self.values(rng, self.shape))
        return Tensor(backend.asarray(backend.channels_last(array)) if self.layout == "channels-last" else array)

    def __str__(self) -> str:
        return ("x".join(map(str, self.shape)) or "()") + (f" {self.layout}" if self.layout else "")


def positive(*shape: int) -> Input:
    return Input(shape, lambda rng, shape: rng.uniform(0.5, 2, shape))


def nonzero(*shape: int) -> Input:
    return Input(shape, _away_from_zero)


def strided(*shape: int) -> Input:
    return Input(shape, _away_from_zero, "strided")


def transposed(*shape: int) -> Input:
    return Input(shape, _away_from_zero, "transposed")


def channels_last(*shape: int) -> Input:
    return Input(shape, layout="channels-last")


class Case:
    """One row. ``name`` is "op" or "op: what is special"; ``order`` is how far it goes in a run of at least order 2."""

    def __init__(
        self, name: str, f: Callable[..., Tensor], *inputs: Input | Shape, order: int = 2, **options: Any
    ) -> None:
        self.name, self.f, self.order = name, partial(f, **options), order
        self.op = name.split(":")[0]
        self.inputs = [i if isinstance(i, Input) else Input(i) for i in inputs]

    def __repr__(self) -> str:
        return self.name

    def make_inputs(self, backend: ArrayBackend) -> list[Tensor]:
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))  # a new case leaves the others' numbers alone
        return [i.make(rng, backend) for i in self.inputs]

    def check(self, backend: ArrayBackend, orders: int = 2) -> list[Mismatch]:
        """The worst mismatch at each order."""
        return worst_mismatches(self.f, *self.make_inputs(backend), order=max(orders, self.order) if orders > 1 else 1)


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _batch_norm_twice(x: Tensor, weight: Tensor, bias: Tensor, **options: Any) -> Tensor:
    with batches(2):
        return ops.batch_norm(x, weight, bias, **options)


def _batch_norm_eval(x: Tensor, weight: Tensor, bias: Tensor, **options: Any) -> Tensor:
    mean, var = x.backend.asarray(np.array([0.3, -0.2])), x.backend.asarray(np.array([0.5, 2.0]))
    return ops.batch_norm(x, weight, bias, mean, var, training=False, **options)


def _many_channels(a: Tensor, b: Tensor, conv: Callable[..., Tensor], **options: Any) -> Tensor:
    """A convolution of 16 channels, which fast kernels treat in their own way, seen through few numbers: its input is
    scaled by ``a`` and its weight by ``b``, one for each position, and its output goes into one weighted sum."""
    rng, place = _rng(), a.backend
    x, w = (Tensor(place.asarray(rng.standard_normal(shape))) for shape in ((16, 16, *a.shape), (16, 16, *b.shape)))
    y = conv(x * a, w * b, **options)
    return (y * Tensor(place.asarray(rng.standard_normal(y.shape)))).mean()


# ---- the cases -----------------------------------------------------------------------------------

ROWS = np.array([[2, 0], [0, 0]])  # an index that repeats: its gradients must add up
COLUMNS = np.array([1, 3, 1])
SHIFTS = np.array([2, 0, -1])
MOVES = np.array([[1, -1], [0, 2], [-4, 0]])  # the last one moves all of a picture out of sight
DCGAN = {"stride": 2, "padding": 1}  # with a 4x4 kernel: halves or doubles the size

CASES = [
    Case("add", lambda a, b: a + b, (2, 3), (2, 3)),
    Case("add: broadcast both ways", lambda a, b: a + b, (3, 1, 2), (4, 1)),
    Case("add: a number, a scalar tensor", lambda a, b: 2 + a + b + 1.5, (2, 3), ()),
    Case("add: x + x", lambda x: x + x, (3,)),
    Case("sub", lambda a, b: a - b, (2, 3), strided(2, 3)),
    Case("sub: broadcast", lambda a, b: a - b, (3,), (2, 1)),
    Case("sub: from a number", lambda x: 1 - x, (4,)),
    Case("neg", lambda x: -x, (2, 3)),
    Case("mul", lambda a, b: a * b, (2, 3), (2, 3)),
    Case("mul: broadcast", lambda a, b: a * b, (2, 1, 3), transposed(4, 1)),
    Case("mul: x * x", lambda x: x * x, strided(3, 2)),
    Case("mul: scalar tensor", lambda a, b: a * b * 0.5, (), (2, 2)),
    Case("div", lambda a, b: a / b, (2, 3), nonzero(2, 3)),
    Case("div: broadcast", lambda a, b: a / b, (3, 1), nonzero(2)),
    Case("div: number / x", lambda x: 2 / x, nonzero(5)),
    Case("pow: 2", lambda x: x**2, (2, 3)),
    Case("pow: 3, negative x", lambda x: x**3, nonzero(4)),
    Case("pow: -0.5", lambda x: x**-0.5, positive(2, 3)),
    Case("pow: 1", lambda x: x**1, (3,)),
    Case("pow: tensor", lambda a, b: a**b, positive(2, 3), (3,)),
    Case("pow: of a number", lambda x: 2**x, (2, 3)),
    Case("pow: 0", lambda x: x**0 * x, (3,)),
    Case("matmul", lambda a, b: a @ b, (2, 3), (3, 4)),
    Case("matmul: batched", lambda a, b: a @ b, (2, 3, 2), (2, 2, 3)),
    Case("matmul: batch broadcast", lambda a, b: a @ b, (2, 1, 2, 3), (3, 3, 2)),
    Case("matmul: matrix with batch", lambda a, b: a @ b, (2, 3), (2, 3, 2)),
    Case("matmul: transposed, strided", lambda a, b: a @ b, transposed(3, 2), strided(2, 3)),
    Case("matmul: x @ x^T", lambda x: x @ x.T, (3, 2)),
    Case("sum", lambda x: x.sum() * x, (2, 3)),
    Case("sum: axes", lambda x: x.sum((0, -1)) ** 2, (2, 3, 2)),
    Case("sum: keepdims", lambda x: x.sum(1, keepdims=True) * x, strided(3, 4)),
    Case("mean", lambda x: x.mean() * x, (2, 3)),
    Case("mean: axes, keepdims", lambda x: x.mean((0, 2), keepdims=True) * x, transposed(2, 3, 2)),
    Case("mean: scaled before it is rounded", lambda x: apply(ScaledSum((0,), True, 0.5), x) * x, strided(2, 3)),
    Case("broadcast_to", lambda x: x.broadcast_to((4, 3, 2)) ** 2, (3, 1)),
    Case("broadcast_to: scalar", lambda x: x.broadcast_to((2, 3)) ** 2, ()),
    Case("sum_to", lambda x: x.sum_to((3, 1)) ** 2, (2, 3, 2)),
    Case("reshape", lambda x: x.reshape(3, -1) ** 2, (2, 3, 2)),
    Case("reshape: transposed", lambda x: x.reshape(6) ** 2, transposed(2, 3)),
    Case("reshape: channels-last", lambda x: x.reshape(2, -1) ** 2, channels_last(2, 2, 2, 3)),
    Case("transpose", lambda x: x.transpose(2, 0, 1) ** 2, (2, 3, 2)),
    Case("transpose: negative axes", lambda x: x.transpose(0, -1, 1) ** 2, strided(2, 3, 2)),
    Case("transpose: T", lambda x: x.T**2, (2, 3)),
    Case("getitem: slices", lambda x: x[1:, ::2] ** 2, (3, 5)),
    Case("getitem: negative step", lambda x: x[::-1, 3:0:-2] ** 2, transposed(2, 4)),
    Case("getitem: integers", lambda x: x[1, ..., -1] ** 2, (2, 3, 2)),
    Case("getitem: new axis", lambda x: x[:, None, 1:] ** 2, (2, 3)),
    Case("getitem: repeated rows", lambda x: x[ROWS] ** 2, (3, 2)),
    Case("getitem: slice and repeated columns", lambda x: x[1:, COLUMNS] ** 2, strided(3, 4)),
    Case("getitem: two index arrays", lambda x: x[np.array([0, 1, 0]), COLUMNS] ** 2, (2, 4)),
    Case("getitem: mask", lambda x: x[np.array([True, False, True])] ** 2, (3, 2)),
    Case("put_item: slice", lambda g: g.put_item((slice(1, 5, 2),), (6, 2)) ** 2, (2, 2)),
    Case("put_item: integer", lambda g: g.put_item(1, (3, 2)) ** 2, (2,)),
    Case("put_item: repeated rows", lambda g: g.put_item(ROWS, (3, 2)) ** 2, (2, 2, 2)),
    # ---- element by element
    Case("exp", ops.exp, (2, 3)),
    Case("exp: strided", ops.exp, strided(3, 2)),
    Case("log", ops.log, positive(2, 3)),
    Case("sqrt", ops.sqrt, positive(2, 3)),
    Case("abs", lambda x: ops.abs(x) * x, nonzero(2, 3)),
    Case("tanh", ops.tanh, (2, 3), order=3),
    Case("tanh: transposed", ops.tanh, transposed(2, 3)),
    Case("sigmoid", ops.sigmoid, (2, 3)),
    Case("sigmoid: far out", lambda x: ops.sigmoid(x * 8), nonzero(4)),
    Case("softplus", ops.softplus, (2, 3)),
    Case("softplus: far out", lambda x: ops.softplus(x * 8), nonzero(4)),
    Case("leaky_relu", ops.leaky_relu, nonzero(2, 3), negative_slope=0.2),
    Case("leaky_relu: default slope, picture", lambda x: ops.leaky_relu(x) * x, nonzero(2, 2, 3, 2)),
    Case("leaky_relu: strided", lambda x: ops.leaky_relu(x, 0.2) * x, strided(3, 2)),
    Case("relu", lambda x: ops.relu(x) * x, nonzero(2, 5)),
    Case("prelu", ops.prelu, nonzero(2, 3), (1,)),
    Case("prelu: a slope per channel", ops.prelu, nonzero(2, 3, 2), strided(3)),
    Case("elu", ops.elu, nonzero(2, 3), alpha=0.7),
    Case("silu", ops.silu, strided(2, 3)),
    Case("erf", ops.erf, (2, 3), order=3),
    Case("gelu", ops.gelu, (2, 3)),
    Case("gelu: tanh", ops.gelu, transposed(2, 3), approximate="tanh"),
    Case("amax", lambda x: ops.amax(x) ** 2, (2, 4)),
    Case("amax: axis 1 of 3", lambda x: ops.amax(x, 1, keepdims=True) ** 2, strided(2, 3, 2)),
    Case("maxout", lambda x: ops.maxout(x, 3) ** 2, (2, 6)),
    Case("maxout: picture", lambda x: ops.maxout(x, 2) ** 2, channels_last(1, 4, 2, 3)),
    Case("straight_through", lambda x: ops.straight_through(ops.sigmoid(x), ops.sigmoid(x)) ** 2, (2, 3)),
    Case("gumbel_softmax", lambda x: ops.gumbel_softmax(x, 0.7, rng=_rng()), (2, 3)),
    Case("softmax", ops.softmax, (2, 3)),
    Case("softmax: axis 1 of 3", ops.softmax, transposed(2, 3, 2), axis=1),
    Case("log_softmax", ops.log_softmax, (2, 3)),
    Case("log_softmax: axis 0", ops.log_softmax, strided(3, 2), axis=0),
    # ---- linear maps
    Case("linear", ops.linear, (2, 3), (4, 3), (4,)),
    Case("linear: no bias, more axes", ops.linear, (2, 2, 3), (2, 3)),
    Case("linear: transposed, strided", ops.linear, transposed(2, 3), strided(2, 3), strided(2)),
    Case("embedding", lambda w: ops.embedding(ROWS, w) ** 2, (3, 2)),
    Case("dropout", lambda x: ops.dropout(x, 0.4, _rng()) ** 2, (3, 4)),
    Case("dropout: eval", lambda x: ops.dropout(x, 0.4, _rng(), training=False) ** 2, (3,)),
    # ---- convolutions
    Case("conv2d", conv2d, (1, 2, 3, 4), (2, 2, 3, 3), (2,), padding=1, order=3),
    Case("conv2d: stride does not divide", conv2d, (2, 2, 6, 5), (2, 2, 3, 3), stride=2),
    Case("conv2d: 4x4, stride 2", conv2d, (1, 2, 6, 6), (2, 2, 4, 4), **DCGAN),
    Case("conv2d: 1x1", conv2d, channels_last(2, 3, 2, 3), (2, 3, 1, 1), (2,)),
    Case("conv2d: 1x1, stride 2", conv2d, (1, 2, 3, 4), (2, 2, 1, 1), stride=2),
    Case("conv2d: kernel = input", conv2d, channels_last(2, 2, 3, 3), (1, 2, 3, 3)),
    Case("conv2d: asymmetric", conv2d, (1, 2, 5, 4), (2, 2, 2, 3), stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
    Case("conv2d: dilation, odd size", conv2d, (1, 1, 8, 7), (2, 1, 2, 3), stride=3, dilation=2),
    Case("conv2d: padding > kernel", conv2d, (1, 1, 2, 3), (1, 1, 2, 2), stride=2, padding=3),
    Case("conv2d: not contiguous", conv2d, strided(1, 2, 3, 3), transposed(2, 2, 3, 2), padding=1),
    Case("conv2d: many channels", _many_channels, (7, 7), (4, 4), conv=conv2d, **DCGAN),
    Case("conv2d: many channels, stride 1", _many_channels, (7, 6), (3, 3), conv=conv2d, padding=1),
    Case("conv_transpose2d", conv_transpose2d, (1, 2, 2, 3), (2, 2, 3, 3), (2,), **DCGAN, order=3),
    Case("conv_transpose2d: 4x4, stride 2", conv_transpose2d, channels_last(1, 2, 3, 3), (2, 2, 4, 4), **DCGAN),
    Case("conv_transpose2d: from 1x1", conv_transpose2d, (2, 3, 1, 1), (3, 2, 3, 3), (2,)),
    Case("conv_transpose2d: 1x1", conv_transpose2d, (1, 2, 2, 3), (2, 3, 1, 1)),
    Case("conv_transpose2d: output_padding", conv_transpose2d, (2, 2, 2, 2), (2, 1, 3, 3), **DCGAN, output_padding=1),
    Case("conv_transpose2d: asymmetric", conv_transpose2d, (1, 1, 3, 2), (1, 2, 2, 3), stride=(1, 2), padding=(1, 0)),
    Case("conv_transpose2d: dilation", conv_transpose2d, (1, 1, 3, 2), (1, 2, 2, 3), dilation=(2, 3), padding=1),
    Case("conv_transpose2d: not contiguous", conv_transpose2d, transposed(1, 2, 2, 3), strided(2, 1, 3, 2), stride=2),
    Case("conv_transpose2d: many channels", _many_channels, (4, 4), (4, 4), conv=conv_transpose2d, **DCGAN),
    Case("conv1d", ops.conv1d, (2, 2, 7), (3, 2, 3), (3,), stride=2, padding=1),
    Case("conv1d: dilation", ops.conv1d, strided(1, 2, 6), transposed(2, 2, 2), dilation=3),
    Case("conv_transpose1d", ops.conv_transpose1d, (2, 2, 3), (2, 3, 4), (3,), stride=3, padding=1, output_padding=2),
    # ---- normalisation
    Case("batch_norm", ops.batch_norm, (3, 2, 2, 3), (2,), (2,)),
    Case("batch_norm: slope 0.2", ops.batch_norm, (3, 2, 2, 1), nonzero(2), (2,), negative_slope=0.2),
    Case("batch_norm: slope 0", ops.batch_norm, (3, 2, 1, 2), nonzero(2), (2,), negative_slope=0.0),
    Case("batch_norm: 2-D", ops.batch_norm, (4, 2), (2,), (2,)),
    Case("batch_norm: 2-D, slope 0.2", ops.batch_norm, (4, 2), nonzero(2), (2,), negative_slope=0.2),
    Case("batch_norm: large eps", ops.batch_norm, channels_last(2, 3, 2, 1), (3,), (3,), eps=0.5),
    Case("batch_norm: not contiguous", ops.batch_norm, strided(2, 2, 2, 1), strided(2), (2,)),
    Case("batch_norm: two batches", _batch_norm_twice, (6, 2, 1, 2), nonzero(2), (2,), negative_slope=0.2),
    Case("batch_norm: eval", _batch_norm_eval, (2, 2, 2, 1), (2,), (2,)),
    Case("batch_norm: eval, slope 0.2", _batch_norm_eval, (3, 2), (2,), (2,), negative_slope=0.2),
    Case("layer_norm", lambda x, w, b: ops.layer_norm(x, 4, w, b), (3, 4), (4,), (4,)),
    Case("layer_norm: two axes", lambda x, w: ops.layer_norm(x, (2, 3), w), strided(2, 2, 3), (2, 3)),
    Case("group_norm", lambda x, w, b: ops.group_norm(x, 2, w, b), channels_last(2, 4, 2, 1), (4,), (4,)),
    Case("instance_norm", ops.instance_norm, transposed(2, 2, 2, 3), (2,), (2,)),
    Case("minibatch_std", ops.minibatch_std, (4, 2, 1, 2), group_size=2),
    Case("minibatch_std: two channels", ops.minibatch_std, strided(3, 2, 2, 1), num_channels=2),
    # ---- pooling, upsampling, moving
    Case("avg_pool2d", ops.avg_pool2d, (1, 2, 4, 2), kernel_size=2),
    Case("avg_pool2d: odd size", ops.avg_pool2d, (1, 1, 5, 3), kernel_size=2),
    Case("avg_pool2d: overlap, padding", ops.avg_pool2d, channels_last(1, 2, 4, 5), kernel_size=3, **DCGAN),
    Case("avg_pool2d: asymmetric", lambda x: ops.avg_pool2d(x, (1, 2), stride=(2, 1)) ** 2, strided(1, 2, 3, 3)),
    Case("upsample", ops.upsample, (1, 2, 2, 3), scale_factor=2),
    Case("upsample: asymmetric", lambda x: ops.upsample(x, (3, 1)) ** 2, transposed(2, 1, 2, 2)),
    Case("averaged", lambda x: apply(Total(SILENT), x) ** 2, (3, 2)),
    Case("gathered", lambda x: apply(Gather(SILENT), x) ** 2, (3, 2)),
    Case("translate", translate, (3, 2, 3, 4), offsets=MOVES),
    Case("translate: strided", lambda x: translate(x, MOVES) ** 2, strided(3, 1, 3, 2)),
    Case("phase_shuffle", ops.phase_shuffle, (3, 2, 4), shifts=SHIFTS, reach=2),
    Case("phase_shuffle: strided", lambda x: ops.phase_shuffle(x, SHIFTS, 3) ** 2, strided(3, 1, 5)),
    Case("resize", lambda x: ops.resize(x, (2, 5)) ** 2, (1, 2, 3, 3)),
    Case("resize: bilinear", lambda x: ops.resize(x, (5, 2), mode="bilinear") ** 2, strided(1, 2, 3, 4)),
    Case("pixel_shuffle", lambda x: ops.pixel_shuffle(x, 2) ** 2, channels_last(1, 4, 1, 2)),
    Case("pixel_unshuffle", lambda x: ops.pixel_unshuffle(x, 2) ** 2, transposed(1, 1, 4, 2)),
    # ---- shape
    Case("concat", lambda *t: ops.concat(t) ** 2, (2, 3), (1, 3), strided(2, 3)),
    Case("concat: last axis", lambda *t: ops.concat(t, axis=-1) ** 2, (2, 1), transposed(2, 3)),
    Case("concat: channels", lambda *t: ops.concat(t, axis=1) ** 2, channels_last(1, 2, 2, 2), (1, 1, 2, 2)),
    Case("concat: x with itself", lambda x: ops.concat([x, x]) ** 2, (2, 2)),
    Case("flatten", lambda x: ops.flatten(x) ** 2, channels_last(2, 2, 2, 2)),
    Case("flatten: from axis 0", lambda x: ops.flatten(x, 0) ** 2, transposed(2, 3)),
    Case("pad", lambda x: ops.pad(x, [(1, 0), (0, 2)]) ** 2, (2, 3)),
    Case("pad: picture", lambda x: ops.pad(x, [(0, 0), (0, 0), (1, 1), (0, 1)]) ** 2, strided(1, 2, 2, 2)),
    Case("reflection_pad", lambda x: ops.reflection_pad(x, [(0, 0), (0, 0), (1, 2), (2, 0)]) ** 2, (1, 1, 3, 3)),
    Case("reflection_pad: strided", lambda x: ops.reflection_pad(x, [(0, 1), (3, 3)]) ** 2, strided(2, 4)),
]

# ---- nothing is forgotten ------------------------------------------------------------------------


@contextmanager
def vjps_run() -> Iterator[set[type[Op]]]:
    """The Op classes whose vjp this thread runs while this is open."""

    class Listener(Observer):
        def vjp(self, node: Node) -> Callable[..., tuple[Any, ...]]:
            seen.add(type(node.op))
            return super().vjp(node)

    seen: set[type[Op]] = set()
    with Listener():
        yield seen


def op_classes(base: type[Op] = Op) -> list[type[Op]]:
    """Every class of minigan that is an Op and has a forward."""
    found = [base] if base.forward is not Op.forward and base.__module__.split(".")[0] == "minigan" else []
    return found + [c for sub in base.__subclasses__() for c in op_classes(sub)]


def forgotten(cases: Sequence[Case], seen: set[type[Op]]) -> list[str]:
    """The public ops that no case is named after, and the Op classes whose vjp was not seen to run."""
    named = {case.op for case in cases}
    return [name for name in ops.__all__ if name not in named] + [c.__name__ for c in op_classes() if c not in seen]


# ---- the table -----------------------------------------------------------------------------------


def run(
    backend: str = "numpy", orders: int = 2, only: str | None = None, write: Callable[[str], object] = print
) -> bool:
    """Check every case (or those whose name contains ``only``) up to ``orders``, one row each; whether all passed."""
    place = backends.get(backend)
    cases = [case for case in CASES if only is None or only in case.name]
    if not cases:
        raise InputError(f"gradcheck: no case is called {only!r}: choose from {', '.join({c.op: 0 for c in CASES})}")
    name_width = max(len(case.name) for case in cases)
    shapes_width = max(len(_shapes(case)) for case in cases)
    headers = [f"order {k}".rjust(8) for k in range(1, max(orders, 3 if orders == 2 else 1) + 1)]
    write(f"{'op':{name_width}}  {'shapes':{shapes_width}}  {'  '.join(headers)}  seconds   (worst relative errors)")
    failures = 0
    with vjps_run() as seen:
        for case in cases:
            start = time.perf_counter()
            errors, complaints = _errors(case, place, orders)
            columns = [(f"{errors[k]:.1e}" if k < len(errors) else "").rjust(8) for k in range(len(headers))]
            seconds = time.perf_counter() - start
            write(f"{case.name:{name_width}}  {_shapes(case):{shapes_width}}  {'  '.join(columns)}  {seconds:7.2f}")
            for complaint in complaints:
                write(f"  FAILED {complaint}")
            failures += bool(complaints)
    if only is None and orders > 1:  # some ops come up in second derivatives only
        for name in forgotten(cases, seen):
            write(f"  FAILED {name}: no gradcheck case")
            failures += 1
    write(f"{len(cases)} cases, {failures} failed")
    return failures == 0


def _errors(case: Case, backend: ArrayBackend, orders: int) -> tuple[list[float], list[str]]:
    try:
        mismatches = case.check(backend, orders)
    except Exception as error:  # a case that cannot run is a row that fails; the others still tell their story
        return [], [f"{type(error).__name__}: {error}"]
    return [m.error for m in mismatches], [str(m) for m in mismatches if not m.error <= BOUNDS[m.order]]


def _shapes(case: Case) -> str:
    return ", ".join(map(str, case.inputs))
