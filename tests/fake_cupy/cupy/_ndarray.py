"""``ndarray``, and the functions on it: each unwraps its arguments, asks NumPy, and wraps the result."""

from __future__ import annotations

import builtins
import ctypes
import inspect
import math
import numbers
import operator
from typing import Any

import numpy as np

from . import _capture, _memory


class Flags:
    def __init__(self, flags: Any) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata


class ndarray:  # noqa: N801 (CuPy's name)
    """Wraps a NumPy array, and shares the memory token of the array that it is a view of."""

    __slots__ = ("_host", "_memory", "__weakref__")
    __array_priority__ = 100

    def __init__(self, shape: Any, dtype: Any = float, memptr: Any = None) -> None:
        count = math.prod(shape if isinstance(shape, tuple) else (shape,))
        pointer = memptr or _memory.alloc(count * np.dtype(dtype).itemsize)
        block = (ctypes.c_uint8 * (count * np.dtype(dtype).itemsize)).from_address(pointer.ptr)
        self._host, self._memory = np.frombuffer(block, dtype, count).reshape(shape), pointer.mem
        _capture.made(self._host, self._memory)

    # -- nothing is converted silently

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        arrays, options = tuple(map(_host, inputs)), {name: _host(value) for name, value in options.items()}
        return _new(lambda: ufunc(*arrays, **options))

    # -- to the host, which waits for it

    def get(self) -> np.ndarray:
        _capture.forbid_to_host()
        return self._host.copy(order="C")

    def item(self) -> Any:
        return self.get().item()

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __repr__(self) -> str:
        return repr(self.get())

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
    data = property(lambda self: _memory.pointer(self._memory, self._host.ctypes.data))
    T = property(lambda self: self.transpose())

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "data": (self.data.ptr, False), "version": 3}

    # -- parts and views

    def __getitem__(self, index: Any) -> ndarray:
        host, parts = self._host, _index(index)
        result = np.asarray(host[_zeros(parts) if _capture.capturing() else _wrapped(parts, host.shape)])
        shared = result.size and np.may_share_memory(result, host)
        return _wrap(result, self) if shared else _new(lambda: host[_wrapped(parts, host.shape)], lambda: result)

    def __setitem__(self, index: Any, value: Any) -> None:
        host, index, value = self._host, _index(index), _host(value)

        def work() -> None:
            host[_wrapped(index, host.shape)] = value

        _capture.do(work)

    def reshape(self, *shape: Any) -> ndarray:
        host = self._host
        result = host.reshape(*shape)
        return _wrap(result, self) if np.may_share_memory(result, host) else _new(lambda: host.reshape(*shape))

    def view(self, dtype: Any) -> ndarray:
        return _wrap(self._host.view(dtype), self)

    def transpose(self, *axes: Any) -> ndarray:
        return _wrap(self._host.transpose(*axes), self)

    def ravel(self) -> ndarray:
        return self.reshape(-1)

    def copy(self, order: str = "C") -> ndarray:
        host = self._host
        return _wrap(_capture.result(lambda: host, order=order))

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def astype(self, dtype: Any, order: str = "K") -> ndarray:
        host = self._host
        return _wrap(_capture.result(lambda: host.astype(dtype, order=order), order="K"))

    def fill(self, value: Any) -> None:
        host = self._host
        _capture.do(lambda: host.fill(value))


def _wrap(host: np.ndarray, of: ndarray | None = None) -> ndarray:
    """``host`` as an array on the device, in memory of its own or in that of ``of``."""
    array = object.__new__(ndarray)
    array._host, array._memory = host, _memory.allocate(host.nbytes) if of is None else of._memory
    _capture.made(host, array._memory)
    return array


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


def _wrapped(index: Any, shape: tuple[int, ...]) -> Any:
    """The index as CuPy reads it: whole numbers in an array are taken modulo the size of their axis."""
    parts = [np.asarray(p) if isinstance(p, list) else p for p in (index if isinstance(index, tuple) else (index,))]
    kinds = [part.dtype.kind if isinstance(part, np.ndarray) else "" for part in parts]
    taken = [
        0 if part is None or part is ... else part.ndim if kind == "b" else 1
        for part, kind in zip(parts, kinds, strict=True)
    ]
    found, axis = [], 0
    for part, kind, count in zip(parts, kinds, taken, strict=True):
        found.append(part % shape[axis] if kind in ("i", "u") and part.size and shape[axis] else part)
        axis += len(shape) - builtins.sum(taken) if part is ... else count
    return tuple(found)


def _zeros(index: Any) -> Any:
    """The same shapes: of what values an index has in a replay, a capture knows nothing."""
    if isinstance(index, tuple):
        return tuple(map(_zeros, index))
    return np.zeros_like(index) if isinstance(index, np.ndarray) and index.dtype.kind in "iu" else index


def _new(make: Any, probe: Any = None) -> ndarray:
    return _wrap(_capture.result(make, probe))


# ---- operators and methods -------------------------------------------------------------------------------------------


def _binary(name: str, swapped: bool) -> Any:
    function = getattr(operator, name)

    def method(self: ndarray, other: Any) -> Any:
        if not isinstance(other, ndarray | np.ndarray | numbers.Number | np.generic):
            return NotImplemented
        a, b = self._host, _host(other)
        if swapped:
            a, b = b, a
        if name == "matmul":
            _capture.forbid_cublas()
        return _new(lambda: function(a, b))

    return method


def _in_place(name: str) -> Any:
    function = getattr(operator, f"i{name}")

    def method(self: ndarray, other: Any) -> ndarray:
        host, other = self._host, _host(other)
        _capture.do(lambda: function(host, other))
        return self

    return method


def _parameters(text: str, *, method: bool = False) -> inspect.Signature:
    """ "a, axis=None" as a signature, so that a call with anything else is refused here as CuPy refuses it."""
    scope: dict[str, Any] = {}
    exec(f"def f({'self, ' * method}{text}): pass", scope)
    return inspect.signature(scope["f"])


def _method(name: str, parameters: str) -> Any:
    signature = _parameters(parameters, method=True)

    def method(self: ndarray, *args: Any, **options: Any) -> ndarray:
        signature.bind(self, *args, **options)
        function, args = getattr(self._host, name), tuple(map(_host, args))
        return _new(lambda: function(*args, **options))

    method.__signature__ = signature  # type: ignore[attr-defined]
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
    setattr(ndarray, f"__{_name}__", lambda self, f=_function: _new(lambda host=self._host: f(host)))
_METHODS = {
    "sum": "axis=None, dtype=None, out=None, keepdims=False",
    "mean": "axis=None, dtype=None, out=None, keepdims=False",
    "std": "axis=None, dtype=None, out=None, ddof=0, keepdims=False",
    "var": "axis=None, dtype=None, out=None, ddof=0, keepdims=False",
    "max": "axis=None, out=None, keepdims=False",
    "min": "axis=None, out=None, keepdims=False",
    "any": "axis=None, out=None, keepdims=False",
    "all": "axis=None, out=None, keepdims=False",
    "argmax": "axis=None, out=None, dtype=None, keepdims=False",
    "argsort": "axis=-1, kind=None",
    "clip": "min=None, max=None, out=None",
    "round": "decimals=0, out=None",
}
for _name, _text in _METHODS.items():
    setattr(ndarray, _name, _method(_name, _text))
ndarray.__hash__ = None  # type: ignore[assignment]

# ---- functions -------------------------------------------------------------------------------------------------------


def _function(name: str, parameters: str) -> Any:
    function, signature = getattr(np, name), _parameters(parameters)

    def wrapped(*args: Any, out: ndarray | None = None, **options: Any) -> ndarray:
        signature.bind(*args, **options | ({} if out is None else {"out": out}))
        if not any(isinstance(a, ndarray | list | tuple) for a in args):
            raise TypeError(f"cupy.{name} takes arrays on the device")
        if name in ("matmul", "einsum"):
            _capture.forbid_cublas()
        if name in ("argsort",) or (name == "concatenate" and len(args[0]) > 3):
            _capture.forbid(f"cupy.{name} waits for the device")
        args = tuple(map(_host, args))
        if out is None:
            return _new(lambda: function(*args, **options))
        target = out._host
        _capture.do(lambda: function(*args, out=target, **options))
        return out

    wrapped.__signature__ = signature  # type: ignore[attr-defined]
    return wrapped


_ONE, _TWO = (
    "x, /, out=None, *, casting='same_kind', dtype=None",
    "x1, x2, /, out=None, *, casting='same_kind', dtype=None",
)
abs, exp, log, log1p, sign, sqrt, tanh = (
    _function(name, _ONE) for name in ("abs", "exp", "log", "log1p", "sign", "sqrt", "tanh")
)
maximum = _function("maximum", _TWO)
minimum = _function("minimum", _TWO)
where = _function("where", "condition, x=None, y=None")
argmax = _function("argmax", "a, axis=None, dtype=None, out=None, keepdims=False")
argsort = _function("argsort", "a, axis=-1, kind=None")
clip = _function("clip", "a, a_min, a_max, out=None")
concatenate = _function("concatenate", "tup, axis=0, out=None, *, dtype=None, casting='same_kind'")
einsum = _function("einsum", "*operands, **kwargs")
expand_dims = _function("expand_dims", "a, axis")
matmul = _function("matmul", "*args, dtype=None, out=None")
mean = _function("mean", "a, axis=None, dtype=None, out=None, keepdims=False")
std = _function("std", "a, axis=None, dtype=None, out=None, ddof=0, keepdims=False")
sum = _function("sum", "a, axis=None, dtype=None, out=None, keepdims=False")


class _Add:
    """``add(a, b)``; ``add.at`` as CuPy's, which adds in any order."""

    __call__ = staticmethod(_function("add", _TWO))

    @staticmethod
    def at(x: ndarray, index: Any, value: Any) -> None:
        host, index, value = x._host, _index(index), _host(value)
        _capture.do(lambda: np.add.at(host, _wrapped(index, host.shape), value))


add = _Add()


def empty(shape: Any, dtype: Any = float) -> ndarray:
    _memory.allocate(math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize)
    host = np.empty(shape, dtype)
    if host.dtype.kind == "f":
        host.fill(np.nan)
    else:
        host.view(np.uint8).fill(0xA5) if host.ndim else None
    return _wrap(host)


def empty_like(prototype: ndarray, dtype: Any = None) -> ndarray:
    like = _wrap(np.empty_like(prototype._host, dtype=dtype))
    like._host.fill(np.nan if like.dtype.kind == "f" else 0)
    return like


def full(shape: Any, fill_value: Any, dtype: Any = None) -> ndarray:
    return _wrap(_capture.result(lambda: np.full(shape, fill_value, dtype)))


def zeros(shape: Any, dtype: Any = float) -> ndarray:
    return full(shape, 0, dtype)


def zeros_like(a: ndarray, dtype: Any = None) -> ndarray:
    return full_like(a, 0, dtype)


def ones_like(a: ndarray, dtype: Any = None) -> ndarray:
    return full_like(a, 1, dtype)


def full_like(a: ndarray, fill_value: Any, dtype: Any = None) -> ndarray:
    host = a._host
    return _wrap(_capture.result(lambda: np.full_like(host, fill_value, dtype=dtype), order="K"))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    return _wrap(_capture.result(lambda: np.arange(*((start,) if stop is None else (start, stop, step)), dtype=dtype)))


def array(obj: Any, dtype: Any = None) -> ndarray:
    """A copy on the device, in C order."""
    if isinstance(obj, ndarray):
        host = obj._host
        return _wrap(_capture.result(lambda: host.astype(dtype or host.dtype)))
    _capture.forbid("to copy from the host")
    return _wrap(np.array(obj, dtype=dtype, order="C"))


def asarray(a: Any, dtype: Any = None) -> ndarray:
    return a if isinstance(a, ndarray) and dtype in (None, a.dtype) else array(a, dtype)


def ascontiguousarray(a: ndarray) -> ndarray:
    return a if a.flags.c_contiguous else a.copy()


def asnumpy(a: ndarray) -> np.ndarray:
    return a.get()


def broadcast_to(array: ndarray, shape: Any) -> ndarray:
    return _wrap(np.broadcast_to(array._host, shape), array)
