"""Where arrays live. ``get`` makes or finds a backend by name; ``backend_of`` finds the one an array belongs to.

There is no current backend: an array's own type tells, so several can be alive in one process.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from .base import Array, ArrayBackend, ReferenceArray
from .geometry import ConvGeometry
from .kept import Kept

__all__ = [
    "Array",
    "ArrayBackend",
    "ConvGeometry",
    "Kept",
    "ReferenceArray",
    "available",
    "backend_of",
    "get",
    "is_array",
    "memory_of",
    "overlap",
]

NAMES = ("reference", "numpy", "numba", "cupy")
_by_name: dict[str, ArrayBackend] = {}
_by_type: dict[type, ArrayBackend] = {}


def get(name: str) -> ArrayBackend:
    """The backend called ``name``: "reference", "numpy", "numba" or "cupy".

    Raises InputError for another name, for "numba" without Numba, and for "cupy" where CuPy or a GPU is missing.

    >>> get("numpy").name
    'numpy'
    """
    if name not in _by_name:
        backend = _make(name)
        _by_name[name] = backend
        _by_type[backend.array_type] = backend
    return _by_name[name]


def _make(name: str) -> ArrayBackend:
    if name == "reference":
        return ArrayBackend()
    if name == "numpy":
        from .numpy.backend import NumpyBackend

        return NumpyBackend()
    if name == "numba":
        from .numba.backend import NumbaBackend

        return NumbaBackend()
    if name == "cupy":
        from .cupy.backend import CupyBackend

        return CupyBackend()
    raise InputError(f"unknown backend {name!r}: choose one of {', '.join(NAMES)}")


def backend_of(array: Array) -> ArrayBackend:
    """The backend that ``array`` lives on, told by its type."""
    backend = _by_type.get(type(array))
    if backend is None:
        raise TypeError(
            f"{type(array).__module__}.{type(array).__name__} is no array of a backend in use "
            f"({', '.join(b.name for b in _by_type.values())}): make arrays with minigan.backend.get(name).asarray"
        )
    return backend


def is_array(value: Any) -> bool:
    """Whether ``value`` is an array of a backend in use."""
    return type(value) in _by_type


def memory_of(array: Array) -> Any:
    """What owns the memory that this array looks at: the same for a view as for the whole."""
    if not isinstance(array, np.ndarray):
        return array.data.mem  # CuPy's
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def overlap(a: Array, b: Array) -> bool:
    """Whether writing to one array may change the other: the same memory, and not parts side by side."""
    if memory_of(a) is not memory_of(b):
        return False
    (a_start, a_stop), (b_start, b_stop) = _bounds(a), _bounds(b)
    return a_start < b_stop and b_start < a_stop


def _bounds(array: Array) -> tuple[int, int]:
    start = array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr
    reach = [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    return start + sum(min(r, 0) for r in reach), start + sum(max(r, 0) for r in reach) + array.dtype.itemsize


def available() -> dict[str, str]:
    """Each backend's name with "" when it can be used here, else the reason why not."""
    reasons = {}
    for name in NAMES:
        try:
            get(name)
            reasons[name] = ""
        except InputError as error:
            reasons[name] = str(error)
    return reasons


get("reference")
get("numpy")
