"""Random calls of every op, against PyTorch: ops x shapes x dtypes x layouts x settings, value and gradient.

A call is fine when both agree, when both refuse, or when minigan alone refuses for a reason that stands in ``REASONS``.
Anything else is a fault: another value, another gradient, a refusal without a reason, an answer where PyTorch has none,
an exception that is no refusal. Among the numbers are infinities, NaN and both zeros.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from minigan import backend, ops
from minigan.errors import InputError
from minigan.tensor import Tensor, grad

REASONS = {
    r"have dtypes|input is \w+, weight is|is not (a whole number|a truth value)": (
        "a dtype is never changed without being asked"
    ),
    r"out of bounds for": "a number that the tensor's dtype cannot hold is refused, not wrapped",
    r"mean: there is nothing|amax: axis .* holds no numbers": "of no numbers there is neither a mean nor a largest one",
    r"truth values have no powers": "a truth value is no number to raise",
    r"normalized_shape = .* must be": "of no values there is no variance",
    r"'3' is no number": "text is not repeated, though a tensor may be an integer",
    r"has one value per channel|it has no variance": "of one value there is no variance",
    r"each must be at least 1|every side must be at least 1|must be (a|one) whole number": "pictures have pixels",
    r"must be \(N, ": "pictures come in batches",
    r"linear: input .* does not fit weight": "linear maps rows, so its input has two axes at least",
    r"bias \(.* (must be|does not fit)": "a bias is one number for each output, whatever would broadcast to that",
    r"negative integer powers|whose power": "an integer has no negative power that is one",
    r"leave an output of": "pictures have pixels",
    r"output_padding .* must be smaller": "output_padding chooses among sizes, so it is below the stride or dilation",
    r"prelu: weight": "slopes are one, or one a channel",
}
REFUSALS = (ValueError, TypeError, IndexError, OverflowError)
THEIR_REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)
CHOICES = (
    "relu",
    "leaky_relu",
    "neg",
    "+",
    "-",
    "getitem",
    "reshape",
    "transpose",
    "concat",
    "pad",
    "flatten",
    "upsample",
)
SPECIAL = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0])


@dataclass
class Call:
    """One op on arrays, as minigan and as PyTorch write it."""

    name: str
    arrays: list[np.ndarray]
    mine: Callable[..., Any]
    theirs: Callable[..., Any]
    settings: str = ""
    seed: int = 0
    loose: float = 1.0  # how much larger than usual rounding errors may be

    def __str__(self) -> str:
        shapes = ", ".join(f"{a.dtype}{a.shape}{a.strides}" for a in self.arrays)
        return f"{self.name}({shapes}; {self.settings})"


# ---- drawing -------------------------------------------------------------------------------------


class Draw:
    """Random arrays and settings."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def int(self, low: int, high: int) -> int:
        """low..high, as one of the types that count as integers."""
        number = self.rng.integers(low, high + 1)
        return self.one(int(number), int(number), int(number), number)

    def shape(self, least: int = 0, most: int = 4) -> tuple[int, ...]:
        sizes = [int(self.rng.integers(1, 6)) for _ in range(self.rng.integers(least, most + 1))]
        if sizes and self.chance(0.04):
            sizes[self.rng.integers(len(sizes))] = 0
        if sizes and self.chance(0.04):
            sizes[0] *= 4000 // max(1, int(np.prod(sizes))) + 1  # enough for the kernels of large arrays
            sizes[0] = min(sizes[0] * 3, 20000)
        return tuple(sizes)

    def array(self, shape: tuple[int, ...], dtype: Any = None, special: float = 0.2, low: float | None = None) -> Any:
        dtype = np.dtype(dtype or self.one("f4", "f4", "f4", "f8"))
        if dtype.kind == "b":
            return self.rng.random(shape) < 0.5
        if dtype.kind in "iu":
            return self.rng.integers(0 if dtype.kind == "u" else -4, 5, shape).astype(dtype)
        values = np.asarray(self.rng.standard_normal(shape) * self.one(1, 1, 4))
        if self.chance(special):
            values = np.where(self.rng.random(shape) < 0.2, self.rng.choice(SPECIAL, shape), values)
        if low is not None:
            values = np.abs(values) + low
        return self.layout(values.astype(dtype))

    def layout(self, a: np.ndarray) -> np.ndarray:
        kind = self.one("c", "c", "f", "last", "strided")
        if kind == "f":
            return np.asfortranarray(a)
        if kind == "last" and a.ndim == 4:
            return np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        if kind == "strided" and a.ndim:
            return np.repeat(a, 2, -1)[..., ::2]
        return a

    def axis(self, ndim: int) -> Any:
        """Mostly one that exists."""
        if self.chance(0.06):
            return self.one(ndim, -ndim - 1, 9)
        return self.int(-ndim, ndim - 1) if ndim else 0

    def pair(self, low: int, high: int) -> Any:
        one, other = self.int(low, high), self.int(low, high)
        return self.one(one, one, (one, other), [one, other], (int(one), int(other), 1) if self.chance(0.05) else one)


# ---- the ops -------------------------------------------------------------------------------------

UNARY: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Any], Any]]] = {
    "exp": (ops.exp, torch.exp),
    "log": (ops.log, torch.log),
    "sqrt": (ops.sqrt, torch.sqrt),
    "abs": (abs, torch.abs),
    "neg": (lambda x: -x, torch.neg),
    "tanh": (ops.tanh, torch.tanh),
    "sigmoid": (ops.sigmoid, torch.sigmoid),
    "softplus": (ops.softplus, lambda x: F.softplus(x, threshold=40)),
    "relu": (ops.relu, torch.relu),
    "silu": (ops.silu, F.silu),
    "erf": (ops.erf, torch.erf),
    "gelu": (ops.gelu, F.gelu),
    "gelu tanh": (lambda x: ops.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh")),
}


def unary(d: Draw) -> Call:
    name = d.one(*UNARY)
    mine, theirs = UNARY[name]
    x = d.array(d.shape())
    if name.startswith("gelu"):  # PyTorch's answer at infinity depends on the size of the array
        x = np.where(np.isinf(x), 1, x).astype(x.dtype)
    return Call(name, [x], mine, theirs, loose=4)


def with_a_setting(d: Draw) -> Call:
    kind = d.one("leaky_relu", "elu", "pow", "rpow", "prelu", "maxout", "amax", "softmax", "log_softmax")
    x = d.array(d.shape())
    if kind == "elu":
        x = np.where(np.isnan(x), 1, x).astype(x.dtype)  # PyTorch's gradient at NaN depends on the size of the array
    if kind == "leaky_relu":
        s = d.one(0.2, 0.01, 1.0, 1.5, -0.5)
        return Call(kind, [x], lambda x: ops.leaky_relu(x, s), lambda x: F.leaky_relu(x, s), f"{s}")
    if kind == "elu":
        s = d.one(1.0, 0.3, 2.0)
        return Call(kind, [x], lambda x: ops.elu(x, s), lambda x: F.elu(x, s), f"{s}")
    if kind == "pow":
        if d.chance(0.3):
            x = d.array(x.shape, d.one("i8", "i4", "u1"))
            p = d.one(0, 1, 2, 3, 2, -1)
        else:
            p = d.one(0, 1, 2, 3, -1, -2, 0.5, -0.5, 1.5, np.float64(2), np.int64(3))
        return Call(kind, [x], lambda x: x**p, lambda x: x ** (p.item() if hasattr(p, "item") else p), f"{p!r}")
    if kind == "rpow":
        b = d.one(2, 0.5, 1, 0, 3.0)
        return Call(kind, [x], lambda x: b**x, lambda x: b**x, f"{b}")
    if kind == "prelu":
        x = d.array(d.shape(1))
        w = d.array((d.one(1, 1, x.shape[1] if x.ndim > 1 else 1, 2),), x.dtype)
        return Call(kind, [x, w], ops.prelu, F.prelu, loose=100)
    if kind == "maxout":
        x, n = d.array(d.shape(2)), d.int(1, 3)

        def theirs(x):
            if not n or x.shape[1] % n:
                raise ValueError
            return torch.amax(x.reshape(x.shape[0], x.shape[1] // int(n), int(n), *x.shape[2:]), 2)

        return Call(kind, [x], lambda x: ops.maxout(x, n), theirs, f"{n!r}")
    axis = d.axis(x.ndim)
    if kind == "amax":
        keep = d.chance(0.5)
        x = np.round(x) if d.chance(0.3) else x  # with equals
        return Call(
            kind, [x], lambda x: ops.amax(x, axis, keep), lambda x: torch.amax(x, int(axis), keep), f"{axis}, {keep}"
        )
    return Call(
        kind, [x], lambda x: getattr(ops, kind)(x, axis), lambda x: getattr(F, kind)(x, int(axis)), f"{axis}", loose=200
    )


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def binary(d: Draw) -> Call:
    name = d.one(*OPERATORS)
    f = OPERATORS[name]
    shape = d.shape()
    dtype = d.one("f4", "f4", "f8", "i8", "i4", "?") if d.chance(0.4) else "f4"
    a = d.array(shape, dtype)
    if d.chance(0.35):
        number = d.one(
            2, -3, 0, 0.5, True if name not in ("-", "**") else 1, np.float64(1.5), np.int64(2), float("inf"), None, "3"
        )
        same = number.item() if isinstance(number, np.generic) else number
        swap = d.chance(0.4)
        return Call(
            name,
            [a],
            (lambda a: f(number, a)) if swap else (lambda a: f(a, number)),
            (lambda a: f(same, a)) if swap else (lambda a: f(a, same)),
            f"{number!r} {swap}",
        )
    other = [n if d.chance(0.7) else 1 for n in shape][d.rng.integers(len(shape) + 1) if d.chance(0.3) else 0 :]
    if d.chance(0.05):
        other = list(d.shape())
    b = d.array(tuple(other), dtype if d.chance(0.9) else None)
    if name == "**" and np.dtype(dtype).kind == "f" and d.chance(0.7):
        a = np.abs(a)
    return Call(name, [a, b], f, f, loose=200)


def matmul(d: Draw) -> Call:
    n, k, m = (int(d.rng.integers(1, 6)) for _ in range(3))
    lead = d.shape(0, 2)
    a = d.one((n, k), (n, k), (*lead, n, k), (k,), (n, k + 1), ())
    b = d.one((k, m), (k, m), (*lead, k, m), (k,), (1, k, m))
    dtype = d.one("f4", "f4", "f8", "i8")
    return Call("matmul", [d.array(a, dtype, 0.1), d.array(b, dtype, 0.1)], lambda a, b: a @ b, torch.matmul, loose=200)


def reduce(d: Draw) -> Call:
    name, x = d.one("sum", "mean"), d.array(d.shape(), d.one("f4", "f8", "f4", "i8", "?") if d.chance(0.3) else None)
    keep = d.chance(0.4)
    some = [d.axis(x.ndim) for _ in range(d.rng.integers(1, 3))]
    axis = d.one(None, d.axis(x.ndim), tuple(some), some, 0.5 if d.chance(0.1) else None)

    def theirs(x):
        dim = axis if axis is None or isinstance(axis, float) else np.atleast_1d(axis).tolist()
        return getattr(torch, name)(x, dim=tuple(range(x.ndim)) if dim is None else dim, keepdim=keep)

    return Call(name, [x], lambda x: getattr(x, name)(axis, keep), theirs, f"{axis}, {keep}", loose=4)


def index(d: Draw) -> Call:
    x = d.array(d.shape(1), d.one("f4", "f4", "f8", "i8"))
    parts: list[Any] = []
    for n in x.shape[: d.rng.integers(1, x.ndim + 1)]:
        numbers = d.rng.integers(-n, n, d.int(1, 4)) if n else np.zeros(0, int)
        parts.append(
            d.one(
                slice(None),
                slice(d.int(-2, 3), d.int(-2, 6), d.int(1, 3)),
                d.int(-n, n) if n else 0,
                numbers,
                numbers,
                numbers.tolist(),
                d.rng.random(n) < 0.5,
                Tensor(numbers),
            )
        )
    arrays = sum(not isinstance(p, (slice, int, np.integer)) for p in parts)
    if arrays:  # NumPy counts an integer beside an array as an array, PyTorch does not
        parts = [slice(None) if isinstance(p, (int, np.integer)) else p for p in parts]
    if arrays > 1:  # one array is enough: several must be of one length
        length = d.int(1, 3)
        parts = [
            p if isinstance(p, (slice, int, np.integer)) else d.rng.integers(-n, n, length) if n else np.zeros(0, int)
            for p, n in zip(parts, x.shape, strict=False)
        ]
    if d.chance(0.15) and not arrays:
        parts.insert(d.rng.integers(len(parts) + 1), d.one(None, ...))
    whole = tuple(parts) if len(parts) > 1 or d.chance(0.5) else parts[0]

    def ours_to_theirs(p):
        if isinstance(p, np.integer):
            return int(p)
        if isinstance(p, slice):
            return slice(*(None if n is None else int(n) for n in (p.start, p.stop, p.step)))
        p = p.numpy() if isinstance(p, Tensor) else p
        return torch.tensor(np.array(p, None if len(p) else int)) if isinstance(p, (np.ndarray, list)) else p

    theirs = tuple(map(ours_to_theirs, whole)) if isinstance(whole, tuple) else ours_to_theirs(whole)
    return Call("getitem", [x], lambda x: x[whole], lambda x: x[theirs], f"{whole}", loose=4)


def shape(d: Draw) -> Call:
    kind = d.one("reshape", "transpose", "flatten", "concat", "pad", "reflection_pad", "broadcast_to")
    x = d.array(d.shape())
    if kind == "reshape":
        sizes = list(d.rng.permutation(x.shape).tolist()) if x.ndim else []
        if len(sizes) > 1 and d.chance(0.5):
            sizes = [sizes[0] * sizes[1], *sizes[2:]]
        if sizes and d.chance(0.4):
            sizes[d.rng.integers(len(sizes))] = d.one(-1, -1, -1, 7, -2)
        return Call(kind, [x], lambda x: x.reshape(*sizes), lambda x: x.reshape(sizes), f"{sizes}")
    if kind == "transpose":
        order = [int(a) for a in d.rng.permutation(x.ndim)]
        if order and d.chance(0.3):
            order[0] = int(d.axis(x.ndim))
        return Call(kind, [x], lambda x: x.transpose(order), lambda x: x.permute(order), f"{order}")
    if kind == "flatten":
        axis = d.axis(x.ndim)
        return Call(kind, [x], lambda x: ops.flatten(x, axis), lambda x: x.flatten(int(axis)), f"{axis}")
    if kind == "concat":
        axis, parts = d.axis(x.ndim), [x]
        for _ in range(d.rng.integers(0, 3)):
            sizes = list(x.shape)
            if sizes:
                sizes[d.rng.integers(len(sizes)) if d.chance(0.1) else int(axis) % len(sizes)] = int(d.rng.integers(4))
            parts.append(d.array(tuple(sizes), x.dtype if d.chance(0.95) else "f8"))

        def theirs(*t):
            if not -x.ndim <= axis < x.ndim:
                raise IndexError  # which PyTorch does not see where a vector is empty
            return torch.cat(t, int(axis))

        return Call(kind, parts, lambda *t: ops.concat(t, axis), theirs, f"{axis}")
    if kind == "pad":
        sides = [(d.int(0, 2), d.int(0 if d.chance(0.9) else -1, 2)) for _ in x.shape]
        flat = [int(n) for s in sides[::-1] for n in s]

        def theirs(x):
            if min(flat, default=0) < 0:
                raise ValueError  # PyTorch crops
            return F.pad(x, flat)

        return Call(kind, [x], lambda x: ops.pad(x, sides), theirs, f"{sides}")
    if kind == "reflection_pad":
        x = d.array(tuple(max(n, 1) for n in d.shape(3, 4)))  # PyTorch wants a side of each
        sides = [(d.int(0, 4), d.int(0, 4)) for _ in range(2)]
        given = [(0, 0)] * (x.ndim - 2) + sides
        flat = [int(n) for s in sides[::-1] for n in s]
        return Call(
            kind, [x], lambda x: ops.reflection_pad(x, given), lambda x: F.pad(x, flat, mode="reflect"), f"{sides}"
        )
    wanted = (*(d.int(1, 3) for _ in range(d.rng.integers(0, 2))), *(n if n > 1 else d.int(1, 3) for n in x.shape))
    wanted = wanted if d.chance(0.9) else wanted[1:]
    ints = tuple(map(int, wanted))
    return Call(kind, [x], lambda x: x.broadcast_to(wanted), lambda x: x.broadcast_to(ints), f"{wanted}")


def convolution(d: Draw) -> Call:
    dims, transposed = d.one(1, 2, 2), d.chance(0.5)
    n, c, f = int(d.rng.integers(1, 4)), int(d.one(1, 2, 3, 5, 17)), int(d.one(1, 2, 4, 18))
    size = [int(d.rng.integers(1, 9)) for _ in range(dims)]
    kernel = [int(d.rng.integers(1, 5)) for _ in range(dims)]
    read = d.pair if dims == 2 else d.int
    settings: dict[str, Any] = {
        "stride": read(0 if d.chance(0.03) else 1, 3),
        "padding": read(0, 2),
        "dilation": read(1, 2),
    }
    if transposed:
        settings["output_padding"] = read(0, 1)
    dtype = d.one("f4", "f4", "f8")
    special = (
        0.1 if c < 16 and not transposed else 0.0
    )  # filtering adds before it multiplies, and kernels read the padding
    x = d.array((n, c if d.chance(0.97) else c + 1, *size), dtype, special)
    w = d.array((c, f, *kernel) if transposed else (f, c, *kernel), dtype if d.chance(0.97) else None, 0.0)
    arrays = [x, w]
    if d.chance(0.5):
        arrays.append(d.array((f,) if d.chance(0.9) else d.one((1,), (f, 1), (f + 1,)), dtype, special))
    name = f"conv{'_transpose' * transposed}{dims}d"
    plain = {k: np.atleast_1d(v).tolist() for k, v in settings.items()}
    theirs = getattr(F, name)
    return Call(
        name,
        arrays,
        lambda *t: getattr(ops, name)(*t, **settings),
        lambda *t: theirs(*t, **plain),
        f"{settings}",
        loose=20,
    )


def picture(d: Draw) -> Call:
    kind = d.one("avg_pool2d", "upsample", "resize", "resize", "pixel_shuffle", "pixel_unshuffle")
    x = d.array((int(d.rng.integers(1, 3)), int(d.one(1, 2, 4, 9)), *(int(d.rng.integers(1, 9)) for _ in range(2))))
    if d.chance(0.03):
        x = x[0, 0]
    if kind == "avg_pool2d":
        k, s = d.pair(1, 3), d.one(None, d.pair(1, 3))
        p = d.pair(0, 1) if np.min(k) > 1 else 0  # PyTorch has no more than half a window
        plain = [None if v is None else np.atleast_1d(v).tolist() for v in (k, s, p)]

        def theirs(x):
            if x.ndim != 4 or any(len(v) > 2 for v in plain if v):
                raise ValueError
            return F.avg_pool2d(x, plain[0], plain[1], plain[2])

        return Call(kind, [x], lambda x: ops.avg_pool2d(x, k, stride=s, padding=p), theirs, f"{k} {s} {p}", loose=4)
    if kind == "upsample":
        s = d.pair(1, 3)
        plain_s = [float(v) for v in np.atleast_1d(s)]
        plain_s *= 2 if len(plain_s) == 1 else 1
        return Call(
            kind, [x], lambda x: ops.upsample(x, s), lambda x: F.interpolate(x, scale_factor=tuple(plain_s)), f"{s}"
        )
    if kind == "resize":
        size, mode = d.pair(1, 12), d.one("nearest", "bilinear")
        if mode == "bilinear":  # a mixture, in which PyTorch multiplies what is infinite by shares of 0
            x = d.array(x.shape, None, 0.0)
        plain_size = np.atleast_1d(size).tolist() * (2 if np.ndim(size) == 0 else 1)
        return Call(
            kind,
            [x],
            lambda x: ops.resize(x, size, mode=mode),
            lambda x: F.interpolate(x, tuple(plain_size), mode=mode),
            f"{size} {mode}",
            loose=20,
        )
    r = d.int(1, 3)
    return Call(kind, [x], lambda x: getattr(ops, kind)(x, r), lambda x: getattr(F, kind)(x, int(r)), f"{r}")


def sound(d: Draw) -> Call:
    x = d.array((int(d.rng.integers(1, 5)), int(d.rng.integers(1, 3)), int(d.rng.integers(1, 9))))
    reach = int(d.rng.integers(0, 4))
    shifts = d.rng.integers(-reach, reach + 1, len(x)) + int(d.chance(0.05))

    def theirs(x):
        if np.abs(shifts).max() > reach:
            raise ValueError
        places = torch.arange(x.shape[2]) + reach - torch.from_numpy(shifts)[:, None]
        return F.pad(x, (reach, reach), mode="reflect").gather(2, places[:, None].expand(x.shape))

    return Call(
        "phase_shuffle", [x], lambda x: ops.phase_shuffle(x, shifts, reach), theirs, f"{shifts}, {reach}", loose=4
    )


def norm(d: Draw) -> Call:
    kind = d.one("batch_norm", "batch_norm eval", "group_norm", "layer_norm", "instance_norm")
    shape = d.one((4, 6), (2, 6, 3, 2), (3, 4, 2, 2), (5, 6, 1, 1)) if "batch" in kind else d.shape(2, 4)
    if kind == "instance_norm":
        shape = (int(d.rng.integers(1, 4)), int(d.rng.integers(1, 6)), 3, 2)
    x = d.array(shape, None, 0.0)
    c = x.shape[1]
    parameters = [d.array((c,), x.dtype, 0.0) for _ in range(2)]
    if kind.startswith("batch_norm"):
        training = kind == "batch_norm"
        stats = [d.array((c if d.chance(0.97) else 1,), x.dtype, 0.0, low=0.1) for _ in range(2)]
        momentum = d.one(0.1, 0.5)

        def run(f, copy, *t):
            running = [copy(s) for s in stats]
            y = f(*t, *running)
            return y, running

        return Call(
            kind,
            [x, *parameters],
            lambda *t: run(
                lambda x, w, b, m, v: ops.batch_norm(x, w, b, m, v, training=training, momentum=momentum),
                lambda s: t[0].backend.asarray(np.array(s)),  # where the call computes
                *t,
            ),
            lambda *t: run(
                lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b, training=training, momentum=momentum),
                lambda s: torch.tensor(np.array(s)),
                *t,
            ),
            f"{[s.shape for s in stats]}",
            loose=4000,  # of few values, the variance has few digits
        )
    if kind == "group_norm":
        groups = d.int(1, 3)
        return Call(
            kind,
            [x, *parameters],
            lambda x, w, b: ops.group_norm(x, groups, w, b),
            lambda x, w, b: F.group_norm(x, int(groups), w, b),
            f"{groups}",
            loose=4000,  # of few values, the variance has few digits
        )
    if kind == "layer_norm":
        axes = int(d.rng.integers(1, x.ndim))
        wanted = x.shape[-axes:] if d.chance(0.95) else (7,)
        parameters = [d.array(wanted, x.dtype, 0.0) for _ in range(2)]
        return Call(
            kind,
            [x, *parameters],
            lambda x, w, b: ops.layer_norm(x, wanted, w, b),
            lambda x, w, b: F.layer_norm(x, wanted, w, b),
            f"{wanted}",
            loose=4000,  # of few values, the variance has few digits
        )
    return Call(
        kind,
        [x, *parameters],
        ops.instance_norm,
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        loose=4000,  # of few values, the variance has few digits
    )


def lookup(d: Draw) -> Call:
    if d.chance(0.5):
        inputs, outputs = int(d.rng.integers(1, 6)), int(d.rng.integers(1, 6))
        x = d.array((*d.shape(1, 3), inputs if d.chance(0.95) else inputs + 1), None, 0.1)
        arrays = [x, d.array((outputs, inputs), x.dtype, 0.1)]
        if d.chance(0.6):
            arrays.append(d.array((outputs,) if d.chance(0.9) else d.one((1,), (1, outputs)), x.dtype))
        return Call("linear", arrays, ops.linear, F.linear, loose=200)
    rows = int(d.rng.integers(1, 6))
    labels = d.rng.integers(-1 if d.chance(0.05) else 0, rows, d.shape(1, 2))
    table = d.array((rows, int(d.rng.integers(1, 5))))
    return Call(
        "embedding",
        [table],
        lambda w: ops.embedding(labels, w),
        lambda w: F.embedding(torch.tensor(labels), w),
        f"{labels.shape}",
        loose=4,
    )


KINDS = (unary, with_a_setting, binary, binary, matmul, reduce, index, shape, convolution, picture, sound, norm, lookup)


def calls(seed: int) -> Iterator[Call]:
    """Calls without end, each kind in turn."""
    number = 0
    while True:
        for kind in KINDS:
            call = kind(Draw([seed, number]))  # type: ignore[arg-type] (a sequence seeds as well)
            call.seed, number = number, number + 1
            yield call


# ---- the comparison ------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What a call came to: its values and gradients, or why it was refused."""

    values: list[np.ndarray] = field(default_factory=list)
    gradients: list[np.ndarray | None] = field(default_factory=list)
    refused: str = ""


def ours(call: Call, cotangent: Callable[[tuple[int, ...], Any], np.ndarray]) -> Outcome:
    place = backend.get("reference" if call.seed % 4 == 3 else "numpy")
    inputs = [Tensor(place.asarray(a), requires_grad=a.dtype.kind == "f") for a in call.arrays]
    try:
        y = call.mine(*inputs)
    except REFUSALS as error:
        return Outcome(refused=str(error) or type(error).__name__)
    y, more = y if isinstance(y, tuple) else (y, [])
    if not isinstance(y, Tensor):  # None == x and the like are Python's answer
        return Outcome([np.asarray(y)])
    outcome = Outcome([y.numpy().copy(), *more])
    if y.requires_grad:
        leaves = [t for t in inputs if t.requires_grad]
        found = grad(y, leaves, Tensor(place.asarray(cotangent(y.shape, y.dtype))), allow_unused=True)
        for leaf, g in zip(leaves, found, strict=True):
            if g is not None and (g.shape != leaf.shape or g.dtype != leaf.dtype):
                raise AssertionError(f"a gradient of {g.dtype}{g.shape} for {leaf.dtype}{leaf.shape}")
        outcome.gradients = [None if g is None else g.numpy() for g in found]
    return outcome


def pytorchs(call: Call, cotangent: Callable[[tuple[int, ...], Any], np.ndarray]) -> Outcome:
    inputs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in call.arrays]
    try:
        y = call.theirs(*inputs)
    except THEIR_REFUSALS as error:
        return Outcome(refused=str(error) or type(error).__name__)
    y, more = y if isinstance(y, tuple) else (y, [])
    if not isinstance(y, torch.Tensor):
        return Outcome([np.asarray(y)])
    outcome = Outcome([y.detach().numpy(), *(t.numpy() for t in more)])
    if y.requires_grad:
        leaves = [t for t in inputs if t.requires_grad]
        g = torch.tensor(cotangent(tuple(y.shape), outcome.values[0].dtype))
        found = torch.autograd.grad(y, leaves, g, allow_unused=True)
        outcome.gradients = [None if g is None else g.numpy() for g in found]
    return outcome


def differ(a: np.ndarray | None, b: np.ndarray | None, loose: float) -> str:
    """How two arrays differ, "" when they agree: infinities and NaN in the same places, the rest up to rounding."""
    a, b = (np.zeros(()) if x is None else x for x in (a, b))
    if a.shape != b.shape and a.ndim and b.ndim:
        return f"shapes {a.shape} and {b.shape}"
    if a.dtype.kind == "f" != b.dtype.kind or a.dtype.kind not in "f" or (a.dtype != b.dtype and a.ndim and b.ndim):
        if a.dtype != b.dtype and a.ndim and b.ndim:
            return f"dtypes {a.dtype} and {b.dtype}"
        return "" if np.array_equal(a, b) else f"{a} and {b}"
    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(invalid="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        scale = np.abs(np.where(finite, b, 0)).max(initial=1e-3)
        near = np.abs(a - b) <= loose * 16 * np.finfo(a.dtype).eps * np.maximum(scale, 1)
    wrong = ~(same | (finite & near))
    if not wrong.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{np.broadcast_to(a, wrong.shape)[at]} and {np.broadcast_to(b, wrong.shape)[at]} at {at}"


def target():
    outcomes: Counter[str] = Counter()

    def read(call: Call) -> None:
        rng = np.random.default_rng([call.seed, 1])
        special = rng.random() < 0.2 and call.name in CHOICES
        drawn: dict[Any, np.ndarray] = {}

        def cotangent(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
            if (shape, dtype) not in drawn:
                values = np.asarray(rng.standard_normal(shape))
                drawn[shape, dtype] = np.where(rng.random(shape) < 0.1 * special, np.inf, values).astype(dtype)
            return drawn[shape, dtype]

        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            a, b = ours(call, cotangent), pytorchs(call, cotangent)
        if a.refused and b.refused:
            outcomes["both refuse"] += 1
            raise InputError("both refuse")
        if a.refused:
            for pattern, reason in REASONS.items():
                if re.search(pattern, a.refused):
                    outcomes[reason] += 1
                    raise InputError(reason)
            raise AssertionError(f"minigan alone refuses: {a.refused}")
        if b.refused:
            raise AssertionError(f"PyTorch alone refuses: {b.refused.splitlines()[0]}")
        for what, mine, theirs in (("value", a.values, b.values), ("gradient", a.gradients, b.gradients)):
            if len(mine) != len(theirs):
                raise AssertionError(f"{len(mine)} and {len(theirs)} {what}s")
            for number, (x, y) in enumerate(zip(mine, theirs, strict=True)):
                if said := differ(x, y, call.loose):
                    raise AssertionError(f"{what} {number}: {said}")
        outcomes["agree"] += 1

    torch.set_num_threads(1)
    read.outcomes = outcomes  # type: ignore[attr-defined]
    return read, calls(0), tempfile.TemporaryDirectory()
