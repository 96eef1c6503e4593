"""The fast CPU backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, ArrayBackend


class NumpyBackend(ArrayBackend):
    name = "numpy"
    array_type = np.ndarray

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        if type(array) is np.ndarray and dtype is None:
            return array
        return np.asarray(array, dtype=dtype)
