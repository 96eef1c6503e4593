"""The NumPy backend with compiled loops in the place of its tile functions.

It chooses algorithms, cuts tiles and hands them to threads as the NumPy backend does, and inherits what is a matrix
product anyway. Arrays are NumPy's, of a type of their own, which tells where they belong.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...errors import InputError
from ..base import Array
from ..geometry import ConvGeometry
from ..numpy.backend import NumpyBackend, has_kernels
from . import activation, filtering, im2col, norm, optim, resample
from .compile import WHY_NOT


class NumbaArray(np.ndarray):
    """A NumPy array that lives on the numba backend."""


class NumbaBackend(NumpyBackend):
    name = "numba"
    array_type = NumbaArray
    norm, optim, activations = norm, optim, activation
    columns, col2im = staticmethod(im2col.columns), staticmethod(im2col.col2im)
    transforms = filtering.TRANSFORMS
    transform_cost = 0.4

    def __init__(self) -> None:
        if WHY_NOT:
            raise InputError(
                f'the numba backend needs Numba ({WHY_NOT}): pip install "minigan[numba]", or use --backend numpy'
            )
        super().__init__()

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        if type(array) is NumbaArray and dtype is None:
            return array
        return np.asarray(array, dtype=dtype).view(NumbaArray)

    def channels_last(self, array: Array) -> Array:
        return self.asarray(super().channels_last(array))  # the copy of an array of this backend is one

    def sum_pool(self, x: Array, geometry: ConvGeometry) -> Array:
        if not has_kernels(x.dtype):
            return super().sum_pool(x, geometry)
        y = self.empty((*x.shape[:2], *geometry.out_hw), x.dtype)
        resample.sum_pool(self._nhwc(x), self._nhwc(y), geometry)
        return y

    def spread(self, g: Array, geometry: ConvGeometry) -> Array:
        if not has_kernels(g.dtype):
            return super().spread(g, geometry)
        x = self.empty((*g.shape[:2], *geometry.in_hw), g.dtype)
        resample.spread(self._nhwc(g), self._nhwc(x), geometry)
        return x

    def sgd(self, rule, params, grads, buffers):
        self.optim.sgd(rule, self._flat_groups(partial(super().sgd, rule), params, grads, buffers))

    def rmsprop(self, rule, params, grads, squares):
        self.optim.rmsprop(rule, self._flat_groups(partial(super().rmsprop, rule), params, grads, squares))

    def average(self, averages, arrays, *, share):
        plain = partial(super().average, share=float(share))
        self.optim.average(float(share), self._flat_groups(plain, averages, arrays))


# The loops behind each kernel, for whoever wants to read them.
LOOPS: dict[str, tuple[Any, ...]] = {
    "conv2d": (im2col.gather, filtering.forth, filtering.back),
    "conv2d_input": (im2col.gather, im2col.scatter, filtering.forth, filtering.back),
    "conv2d_weight": (im2col.gather, filtering.forth, filtering.back),
    "batch_norm": (norm.sums, norm.normalize, norm.leaky),
    "batch_norm_backward": (norm.gradient_sums, norm.gradient, norm.gate),
    "leaky_relu": (activation.leaky_relu_loop,),
    "leaky_relu_gate": (activation.gate_loop,),
    "sum_pool": (resample.sum_windows,),
    "spread": (resample.spread_windows,),
    "adam": (optim.adam_loop,),
    "sgd": (optim.sgd_loop,),
    "rmsprop": (optim.rmsprop_loop,),
    "average": (optim.average_loop,),
}
