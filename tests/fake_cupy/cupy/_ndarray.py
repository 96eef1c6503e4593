"""``ndarray``, and the functions on it: each unwraps its arguments, asks NumPy, and wraps the result."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np

from .cuda import memory


class Flags:
    def __init__(self, flags: Any) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata


class ndarray:  # noqa: N801 (CuPy's name)
    """Wraps a NumPy array, and shares the memory token of the array that it is a view of."""

    __slots__ = ("_host", "_memory", "__weakref__")
    __array_priority__ = 100

    def __init__(self, host: np.ndarray, of: ndarray | None = None) -> None:
        self._host = host
        self._memory = memory.allocate(host.nbytes) if of is None else of._memory

    # -- nothing is converted silently

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        return _new(ufunc(*map(_host, inputs), **{name: _host(value) for name, value in options.items()}))

    def get(self) -> np.ndarray:
        return self._host.copy(order="C")

    def item(self) -> Any:
        return self._host.item()

    def __float__(self) -> float:
        return float(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __bool__(self) -> bool:
        return bool(self._host)

    def __format__(self, spec: str) -> str:
        return format(self._host, spec)

    def __repr__(self) -> str:
        return repr(self._host)

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    # -- about it

    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    flags = property(lambda self: Flags(self._host.flags))
    data = property(lambda self: memory.MemoryPointer(self._host.ctypes.data, self._memory))
    T = property(lambda self: self.transpose())

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "data": (self.data.ptr, False), "version": 3}

    # -- parts and views

    def __getitem__(self, index: Any) -> ndarray:
        result = np.asarray(self._host[_index(index)])
        return ndarray(result, self) if np.may_share_memory(result, self._host) else _new(result)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[_index(index)] = _host(value)

    def reshape(self, *shape: Any) -> ndarray:
        result = self._host.reshape(*shape)
        return ndarray(result, self) if np.may_share_memory(result, self._host) else _new(result)

    def transpose(self, *axes: Any) -> ndarray:
        return ndarray(self._host.transpose(*axes), self)

    def ravel(self) -> ndarray:
        return self.reshape(-1)

    def copy(self, order: str = "C") -> ndarray:
        return ndarray(self._host.copy(order=order))

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def astype(self, dtype: Any, order: str = "K") -> ndarray:
        return ndarray(self._host.astype(dtype, order=order))

    def fill(self, value: Any) -> None:
        self._host.fill(value)


def _host(value: Any) -> Any:
    """What NumPy is to work on. Plain numbers may meet an array; another array that is not ours may not."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, list | tuple):
        return type(value)(map(_host, value))
    if value is None or isinstance(value, numbers.Number | np.generic | str | type | np.dtype | bool):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def _index(index: Any) -> Any:
    def one(part: Any) -> Any:
        if isinstance(part, ndarray):
            return part._host
        if part is None or part is Ellipsis or isinstance(part, slice | int | np.integer | list):
            return part
        raise IndexError(f"an array on the device cannot be indexed with a {type(part)}")

    return tuple(map(one, index)) if isinstance(index, tuple) else one(index)


def _new(result: Any) -> ndarray:
    return ndarray(np.array(result, order="C", copy=True if np.ndim(result) else None))


# ---- operators and methods -------------------------------------------------------------------------------------------


def _binary(name: str, swapped: bool) -> Any:
    function = getattr(operator, name)

    def method(self: ndarray, other: Any) -> Any:
        if not isinstance(other, ndarray | np.ndarray | numbers.Number | np.generic):
            return NotImplemented
        a, b = self._host, _host(other)
        return _new(function(b, a) if swapped else function(a, b))

    return method


def _in_place(name: str) -> Any:
    function = getattr(operator, f"i{name}")

    def method(self: ndarray, other: Any) -> ndarray:
        host = self._host
        function(host, _host(other))
        return self

    return method


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul", "mod", "floordiv", "and_", "or_"):
    _plain = _name.strip("_")
    setattr(ndarray, f"__{_plain}__", _binary(_name, swapped=False))
    setattr(ndarray, f"__r{_plain}__", _binary(_name, swapped=True))
for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(ndarray, f"__i{_name}__", _in_place(_name))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(ndarray, f"__{_name}__", _binary(_name, swapped=False))
for _name in ("neg", "pos", "abs", "invert"):
    _function = getattr(operator, _name)
    setattr(ndarray, f"__{_name}__", lambda self, f=_function: _new(f(self._host)))
for _name in ("sum", "mean", "max", "min", "std", "var", "any", "all", "argmax", "argsort", "clip", "round"):
    setattr(
        ndarray,
        _name,
        lambda self, *args, _name=_name, **options: _new(getattr(self._host, _name)(*map(_host, args), **options)),
    )
ndarray.__hash__ = None  # type: ignore[assignment]

# ---- functions -------------------------------------------------------------------------------------------------------


def _function(name: str) -> Any:
    function = getattr(np, name)

    def wrapped(*args: Any, out: ndarray | None = None, **options: Any) -> ndarray:
        if not any(isinstance(a, ndarray | list | tuple) for a in args):
            raise TypeError(f"cupy.{name} takes arrays on the device")
        args = tuple(map(_host, args))
        if out is None:
            return _new(function(*args, **options))
        function(*args, out=out._host, **options)
        return out

    return wrapped


abs, exp, log, log1p, maximum, sign, sqrt, tanh, where = map(
    _function, ("abs", "exp", "log", "log1p", "maximum", "sign", "sqrt", "tanh", "where")
)
argmax, argsort, clip, concatenate, einsum, expand_dims, matmul, mean, sum = map(
    _function, ("argmax", "argsort", "clip", "concatenate", "einsum", "expand_dims", "matmul", "mean", "sum")
)


class _Add:
    """``add(a, b)``; ``add.at`` as CuPy's, which adds in any order."""

    __call__ = staticmethod(_function("add"))

    @staticmethod
    def at(x: ndarray, index: Any, value: Any) -> None:
        np.add.at(x._host, _index(index), _host(value))


add = _Add()


def empty(shape: Any, dtype: Any = float) -> ndarray:
    memory.allocate(math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize)
    host = np.empty(shape, dtype)
    if host.dtype.kind == "f":
        host.fill(np.nan)
    else:
        host.view(np.uint8).fill(0xA5) if host.ndim else None
    return ndarray(host)


def empty_like(a: ndarray, dtype: Any = None) -> ndarray:
    like = ndarray(np.empty_like(a._host, dtype=dtype))
    like.fill(np.nan if like.dtype.kind == "f" else 0)
    return like


def zeros(shape: Any, dtype: Any = float) -> ndarray:
    return ndarray(np.zeros(shape, dtype))


def zeros_like(a: ndarray, dtype: Any = None) -> ndarray:
    return ndarray(np.zeros_like(a._host, dtype=dtype))


def ones_like(a: ndarray, dtype: Any = None) -> ndarray:
    return ndarray(np.ones_like(a._host, dtype=dtype))


def full_like(a: ndarray, value: Any, dtype: Any = None) -> ndarray:
    return ndarray(np.full_like(a._host, value, dtype=dtype))


def arange(*args: Any, dtype: Any = None) -> ndarray:
    return ndarray(np.arange(*args, dtype=dtype))


def array(a: Any, dtype: Any = None) -> ndarray:
    """A copy on the device, in C order."""
    return ndarray(np.array(a._host if isinstance(a, ndarray) else a, dtype=dtype, order="C"))


def asarray(a: Any, dtype: Any = None) -> ndarray:
    return a if isinstance(a, ndarray) and dtype in (None, a.dtype) else array(a, dtype)


def ascontiguousarray(a: ndarray) -> ndarray:
    return a if a.flags.c_contiguous else a.copy()


def asnumpy(a: ndarray) -> np.ndarray:
    return a.get()


def broadcast_to(a: ndarray, shape: Any) -> ndarray:
    return ndarray(np.broadcast_to(a._host, shape), a)
