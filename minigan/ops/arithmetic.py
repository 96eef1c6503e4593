"""Tensor's operators: arithmetic, comparison, sums and matrix products, with broadcasting made explicit.

Each op is written as every other one is: the forward in arrays with its backward right beneath it, in Tensors. At the
end of the file they become the operators and methods of Tensor.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from ..backend import Array, ArrayBackend, is_array
from ..errors import InputError
from ..sizes import axes, sizes
from ..tensor import Gradients, Op, Tensor, apply, check_dtypes
from .elementwise import abs, floating, log

# ---- broadcasting: its backward is a sum, and the sum's is a broadcast ----------------------------


class BroadcastTo(Op):
    """y = x repeated along axes of size 1 and new leading axes (a view). Adjoint: the sum over the repeated axes."""

    reads_inputs = reads_output = False
    makes_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.xp.broadcast_to(x, self.shape)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: g.sum_to(x.shape),)


class Sum(Op):
    """y = sum of x over axes. Adjoint: broadcast back."""

    reads_inputs = reads_output = False

    def __init__(self, axes: tuple[int, ...], keepdims: bool) -> None:
        self.axes, self.keepdims = axes, keepdims

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.sum(x, self.axes, self.keepdims)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        kept = tuple(1 if a in self.axes else n for a, n in enumerate(x.shape))
        return (lambda: g.reshape(kept).broadcast_to(x.shape),)


class ScaledSum(Sum):
    """y = scale * sum of x, multiplied before it is rounded: a float16's mean may fit where its sum does not."""

    def __init__(self, axes: tuple[int, ...], keepdims: bool, scale: float) -> None:
        super().__init__(axes, keepdims)
        self.scale = scale

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        wide = backend.asarray(x, np.float32) if x.dtype == np.float16 else x
        return backend.asarray(backend.sum(wide, self.axes, self.keepdims) * self.scale, x.dtype)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        root = self.scale**0.5  # by which twice: the scale itself may be too small for a float16
        return super().vjp(g * root * root, y, x)


# ---- arithmetic on operands of one shape and dtype ------------------------------------------------


class Add(Op):
    """y = a + b"""

    reads_inputs = reads_output = False

    def forward(self, backend: ArrayBackend, a: Array, b: Array) -> Array:
        return backend.elementwise(operator.add, a, b)

    def vjp(self, g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Gradients:
        return lambda: g, lambda: g


class Sub(Op):
    """y = a - b"""

    reads_inputs = reads_output = False

    def forward(self, backend: ArrayBackend, a: Array, b: Array) -> Array:
        return backend.elementwise(operator.sub, a, b)

    def vjp(self, g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Gradients:
        return lambda: g, lambda: -g


class Neg(Op):
    """y = -x"""

    reads_inputs = reads_output = False

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        return backend.elementwise(operator.neg, x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        return (lambda: -g,)


class Mul(Op):
    """y = a b;  da = g b, db = g a"""

    reads_output = False

    def forward(self, backend: ArrayBackend, a: Array, b: Array) -> Array:
        return backend.elementwise(operator.mul, a, b)

    def vjp(self, g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Gradients:
        return lambda: g * b, lambda: g * a


class Div(Op):
    """y = a / b;  da = g / b, db = -g y / b"""

    def forward(self, backend: ArrayBackend, a: Array, b: Array) -> Array:
        return backend.elementwise(operator.truediv, a, b)

    def vjp(self, g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Gradients:
        return lambda: g / b, lambda: -(g * y) / b


class Pow(Op):
    """y = x^p for a plain number p;  dx = g p x^(p-1). What has a quicker way of its own takes that, as in PyTorch."""

    reads_output = False

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def forward(self, backend: ArrayBackend, x: Array) -> Array:
        if self.exponent == 2:
            return backend.elementwise(lambda x: x * x, x)
        if self.exponent == -0.5:
            return backend.elementwise(lambda x: 1 / backend.xp.sqrt(x), x)
        return backend.elementwise(lambda x: x**self.exponent, x)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor) -> Gradients:
        p = self.exponent
        if p == 0:
            return (None,)
        return (lambda: g * (x * 2.0 if p == 2 else x ** (p - 1) * p),)


class Power(Op):
    """y = a^b;  da = g b a^(b-1), db = g y log a, which is 0 where 0^b is."""

    def forward(self, backend: ArrayBackend, a: Array, b: Array) -> Array:
        return backend.elementwise(operator.pow, a, b)

    def vjp(self, g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Gradients:
        def where(array: Array) -> Tensor:  # constants, for the slope at the edges has none of its own
            return Tensor(array.astype(a.dtype))

        return (
            lambda: g * b * a ** (b - 1 + where((a.data == 0) & (b.data == 0))),
            lambda: g * y * log(a + where((a.data == 0) & (b.data >= 0))),
        )


class MatMul(Op):
    """y = a @ b over the last two axes, a (..., n, k), b (..., k, m);  da = g b^T, db = a^T g"""

    reads_output = False

    def forward(self, backend: ArrayBackend, a: Array, b: Array) -> Array:
        return backend.matmul(a, b)

    def vjp(self, g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Gradients:
        def swap(t: Tensor) -> Tensor:
            return t.transpose(*range(t.ndim - 2), t.ndim - 1, t.ndim - 2)

        return lambda: (g @ swap(b)).sum_to(a.shape), lambda: (swap(a) @ g).sum_to(b.shape)


# ---- operands ------------------------------------------------------------------------------------

NOT_OURS = cast("Tensor", NotImplemented)  # what Python wants to be told, to ask the other operand


RANKS = {"b": 0, "u": 1, "i": 1, "f": 2}  # kinds of dtypes: a number may not be of a higher one than its tensor


def together(a: Tensor, b: Any) -> tuple[Tensor, Tensor] | None:
    """Both operands as Tensors of one shape and dtype; None where ``b`` is no number, array or Tensor.

    A plain number takes the tensor's dtype: it never changes it.
    """
    if not isinstance(b, Tensor):
        if _is_array(b):
            b = Tensor(a.backend.asarray(Tensor(b).data))
        else:
            if type(b) is not float or a.dtype.kind != "f":
                kind = (Tensor(b) if isinstance(b, (list, tuple)) else np.asarray(b)).dtype.kind
                if kind not in RANKS:
                    if isinstance(b, (str, bytes)):  # which Python would else repeat, for a tensor may be an int
                        raise TypeError(f"{b!r} is no number")
                    return None
                if RANKS[kind] > RANKS.get(a.dtype.kind, 2):
                    raise _not_of_dtype(b, a)
            b = Tensor(a.backend.constant(b, a.dtype))
    check_dtypes("operands", a, b)
    if a.shape == b.shape:
        return a, b
    shape = _common_shape(a.shape, b.shape)
    return a.broadcast_to(shape), b.broadcast_to(shape)


def _common_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise InputError(f"shapes {a} and {b} do not broadcast together") from None


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or is_array(value)


def _not_of_dtype(number: Any, t: Tensor) -> TypeError:
    kind = "a whole number" if t.dtype.kind in "iu" else "a truth value"
    return TypeError(f"{number} is not {kind} and the tensor is {t.dtype}: convert the tensor first")


def _operator(op: Callable[[], Op], reflected: bool = False) -> Callable[[Tensor, Any], Tensor]:
    def operate(a: Tensor, b: Any) -> Tensor:
        operands = together(a, b)
        if operands is None:
            return NOT_OURS
        return apply(op(), *(reversed(operands) if reflected else operands))

    return operate


def _division(reflected: bool) -> Callable[[Tensor, Any], Tensor]:
    divide = _operator(Div, reflected)

    def operate(a: Tensor, b: Any) -> Tensor:
        """Integers are divided in float32, as in PyTorch."""
        if a.dtype.kind in "iub":
            a = floating(a)
            if getattr(b, "dtype", a.dtype).kind in "iub":
                b = floating(Tensor(b)).data
        return divide(a, b)

    return operate


def _power(x: Tensor, exponent: Any) -> Tensor:
    if isinstance(exponent, Tensor) or np.ndim(exponent):
        if x.dtype.kind == "b":
            raise TypeError("truth values have no powers: convert the tensor first")
        return _operator(Power)(x, exponent)
    kind = np.asarray(exponent).dtype.kind
    if kind not in RANKS:
        return NOT_OURS
    if x.dtype.kind not in "iub":
        return apply(Pow(float(exponent)), x)
    if kind == "f" or x.dtype.kind == "b":
        raise _not_of_dtype(exponent, x)
    if exponent < 0:
        raise InputError(f"the tensor is {x.dtype}, whose power {exponent} is no integer: convert the tensor first")
    return apply(Pow(int(exponent)), x)


def _without_gradient(f: Callable[[Any, Any], Any]) -> Callable[[Tensor, Any], Tensor]:
    def operate(a: Tensor, b: Any) -> Tensor:
        """Comparisons, by value whatever the dtypes, and ``&``, ``|``, ``^`` of masks: no gradient flows."""
        if _is_array(b):
            b = Tensor(b)
        if isinstance(b, Tensor):
            _common_shape(a.shape, b.shape)
            b = a.backend.asarray(b.data)
        elif np.asarray(b).dtype.kind not in RANKS:
            return NOT_OURS
        elif isinstance(b, np.generic):
            b = b.item()  # else NumPy would go by its dtype, and np.float64(0.1) be another number than 0.1
        return Tensor(a.backend.asarray(f(a.data, b)))

    return operate


def matmul(a: Tensor, b: Any) -> Tensor:
    """a (..., n, k) @ b (..., k, m) -> (..., n, m); a vector on either side is a row, or a column, that goes again."""
    if not isinstance(b, Tensor):
        if not _is_array(b):
            return NOT_OURS
        b = Tensor(a.backend.asarray(Tensor(b).data))
    row, column = a.ndim == 1, b.ndim == 1
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-1 if column else -2]:
        raise InputError(f"matmul: shapes {a.shape} and {b.shape} do not fit (..., n, k) @ (..., k, m)")
    check_dtypes("matmul", a, b)
    if row or column:
        y = matmul(a.reshape(1, -1) if row else a, b.reshape(-1, 1) if column else b)
        return y.reshape(y.shape[:-2] + y.shape[-2:-1] * (not row) + y.shape[-1:] * (not column))
    if a.ndim > 2 < b.ndim:
        _common_shape(a.shape[:-2], b.shape[:-2])
    return apply(MatMul(), a, b)


def _reflected_matmul(b: Tensor, a: Any) -> Tensor:
    return matmul(Tensor(b.backend.asarray(Tensor(a).data)), b) if _is_array(a) else NotImplemented


# ---- reductions ----------------------------------------------------------------------------------


def sum(x: Tensor, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
    """The sum over ``axis``: one axis, several, or with None all of them. Whole numbers add up in int64."""
    if x.dtype.kind == "u":
        x = Tensor(x.data.astype(np.int64))  # NumPy's uint64 would wrap around below 0
    return apply(Sum(axes("sum", axis, x.ndim), keepdims), x)


def mean(x: Tensor, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
    """The mean over ``axis``: one axis, several, or with None all of them."""
    over = axes("mean", axis, x.ndim)
    count = math.prod([x.shape[a] for a in over])
    if not count:
        raise InputError(f"mean of a tensor {x.shape} over the axes {over}: there is nothing to average")
    if x.dtype.kind in "iub":
        raise TypeError(f"mean: the tensor is {x.dtype}, and a mean is a fraction: convert the tensor first")
    if x.dtype == np.float16:  # whose sum may not fit where the mean does
        return apply(ScaledSum(over, keepdims, 1 / count), x)
    return x.sum(over, keepdims) * (1 / count)


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """``x`` repeated along axes of size 1 and along new leading axes, without a copy."""
    if x.shape == shape:
        return x
    wanted = sizes("broadcast_to: shape", shape, least=0)
    if any(n not in (1, m) for n, m in zip(x.shape[::-1], wanted[::-1], strict=False)) or x.ndim > len(wanted):
        raise InputError(f"broadcast_to: shape {x.shape} cannot be repeated to {wanted}")
    return x if x.shape == wanted else apply(BroadcastTo(wanted), x)


def sum_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The adjoint of ``broadcast_to``: summed down to ``shape``."""
    new = x.ndim - len(shape)
    total = x.sum(range(new)) if new else x
    over = [axis for axis, size in enumerate(shape) if size == 1 != total.shape[axis]]
    total = total.sum(over, keepdims=True) if over else total
    if total.shape != shape:
        raise InputError(f"sum_to: {shape} cannot be repeated to {x.shape}, so there is no sum of these down to it")
    return total


# ---- what Tensor gets of it ----------------------------------------------------------------------

METHODS: dict[str, Any] = {
    "sum": sum,
    "mean": mean,
    "broadcast_to": broadcast_to,
    "sum_to": sum_to,
    "__neg__": lambda x: apply(Neg(), x),
    "__abs__": abs,
    "__invert__": lambda x: Tensor(x.backend.asarray(~x.data)),
    "__pow__": _power,
    "__rpow__": _operator(Power, reflected=True),
    "__truediv__": _division(reflected=False),
    "__rtruediv__": _division(reflected=True),
    "__matmul__": matmul,
    "__rmatmul__": _reflected_matmul,
}
for name, op in {"add": Add, "sub": Sub, "mul": Mul}.items():
    METHODS |= {f"__{name}__": _operator(op), f"__r{name}__": _operator(op, reflected=True)}
for name in ("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor"):
    METHODS[f"__{name}__"] = _without_gradient(getattr(operator, f"__{name}__"))
for name, method in METHODS.items():
    setattr(Tensor, name, method)
