"""A random call of each kind of op, as minigan and as PyTorch write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from minigan import ops
from minigan.tensor import Tensor

from .draw import Call, Draw

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

    loose = max(4, x.size**0.5)  # of many numbers that nearly cancel out
    return Call(name, [x], lambda x: getattr(x, name)(axis, keep), theirs, f"{axis}, {keep}", loose=loose)


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
            call = kind(Draw([seed, number]))
            call.seed, number = number, number + 1
            yield call
