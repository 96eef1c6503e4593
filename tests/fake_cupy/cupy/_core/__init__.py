"""Which arithmetic cuBLAS may use for products of a dtype. Here it is a note that changes nothing."""

from typing import Any

import numpy as np

from . import _routines_linalg

_kinds: dict[Any, int] = {}


def get_compute_type(dtype: Any) -> int:
    return _kinds.get(np.dtype(dtype), _routines_linalg.COMPUTE_TYPE_DEFAULT)


def set_compute_type(dtype: Any, compute_type: int) -> None:
    _kinds[np.dtype(dtype)] = compute_type
