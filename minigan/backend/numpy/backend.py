"""The fast CPU backend: picks an algorithm for each geometry and hands over to minigan.backend.numpy.

Convolutions arrive as (N, C, H, W) and are worked on as their contiguous (N, H, W, C) views.
"""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..base import Array, ArrayBackend, Group
from ..geometry import ConvGeometry
from ..kept import Kept
from ..updates import Adam
from . import elementwise, filtering, im2col, norm, optim, threads

SMALL = 8192  # elements below which one plain NumPy call is quicker than chunks
UFUNCS: dict[Any, np.ufunc] = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.divide,
    operator.neg: np.negative,
}


class NumpyBackend(ArrayBackend):
    name = "numpy"
    array_type = np.ndarray

    # The tile functions. A backend with faster ones puts them here.
    norm: Any = norm
    optim: Any = optim
    activations: Any = elementwise
    columns, col2im = staticmethod(im2col.columns), staticmethod(im2col.col2im)
    transforms = filtering.PLAIN
    transform_cost = 0.7  # nanoseconds of one core for a number that filtering's transforms read or write

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        if type(array) is np.ndarray and dtype is None:
            return array
        return np.asarray(array, dtype=dtype)

    # ---- convolution -------------------------------------------------------------------------------

    def conv2d(self, x: Array, w: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        if not has_kernels(x.dtype, w.dtype) or not len(x):
            return super().conv2d(x, w, geometry, kept)
        of = (kept or Kept()).of
        of_x, of_w, x, w = of(x), of(w), self._nhwc(x), self._nhwc(w)
        y = np.empty((len(x), *geometry.out_hw, len(w)), x.dtype)
        tile = choose(geometry, len(x), x.shape[-1], len(w), self.transform_cost)
        if tile:
            filtering.conv2d(x, w, y, geometry, tile, of_x, of_w, self.transforms)
        else:
            im2col.conv2d(x, w, y, geometry, self.columns)
        return y.transpose(0, 3, 1, 2)

    def conv2d_input(self, g: Array, w: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        if not has_kernels(g.dtype, w.dtype) or not len(g):
            return super().conv2d_input(g, w, geometry, kept)
        of = (kept or Kept()).of
        of_g, of_w, g, w = of(g), of(w), self._nhwc(g), self._nhwc(w)
        x = np.empty((len(g), *geometry.in_hw, w.shape[-1]), g.dtype)
        tile = choose(geometry, len(g), w.shape[-1], len(w), self.transform_cost)
        if tile:
            filtering.conv2d_input(g, w, x, geometry, tile, of_g, of_w, self.transforms)
        else:
            im2col.conv2d_input(g, w, x, geometry, self.columns, self.col2im)
        return x.transpose(0, 3, 1, 2)

    def conv2d_weight(self, x: Array, g: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        if not has_kernels(x.dtype, g.dtype) or not len(x):
            return super().conv2d_weight(x, g, geometry, kept)
        of = (kept or Kept()).of
        of_x, of_g, x, g = of(x), of(g), self._nhwc(x), self._nhwc(g)
        w = np.empty((g.shape[-1], *geometry.kernel_hw, x.shape[-1]), x.dtype)
        tile = choose(geometry, len(x), x.shape[-1], g.shape[-1], self.transform_cost)
        if tile:
            filtering.conv2d_weight(x, g, w, geometry, tile, of_x, of_g, self.transforms)
        else:
            im2col.conv2d_weight(x, g, w, geometry, self.columns)
        return w.transpose(0, 3, 1, 2)

    # ---- batch norm --------------------------------------------------------------------------------

    def batch_norm(
        self,
        x: Array,
        weight: Array,
        bias: Array,
        eps: float,
        negative_slope: float = 1.0,
        group: Group | None = None,
    ) -> tuple[Array, Array, Array]:
        if not has_kernels(x.dtype, weight.dtype, bias.dtype):
            return super().batch_norm(x, weight, bias, eps, negative_slope, group)
        x, weight, bias = self._nhwc(x), np.asarray(weight), np.asarray(bias)
        y = np.empty(x.shape, x.dtype)
        mean, var = self.norm.forward(_rows(x), weight, bias, eps, negative_slope, _rows(y), group)
        return y.transpose(0, 3, 1, 2), mean.astype(x.dtype), var.astype(x.dtype)

    def batch_norm_backward(
        self,
        g: Array,
        x: Array,
        y: Array,
        weight: Array,
        mean: Array,
        var: Array,
        eps: float,
        negative_slope: float,
        group: Group | None = None,
    ) -> tuple[Array, Array, Array]:
        if not has_kernels(x.dtype, g.dtype, y.dtype, weight.dtype, mean.dtype, var.dtype):
            return super().batch_norm_backward(g, x, y, weight, mean, var, eps, negative_slope, group)
        shape = x.shape
        g, x, y = (_rows(self._nhwc(array)) for array in (g, x, y))
        weight, mean, var = (np.asarray(array) for array in (weight, mean, var))
        dx = self.empty(shape, x.dtype)
        settings = mean, var, eps, negative_slope
        dweight, dbias = self.norm.backward(g, x, y, weight, *settings, _rows(self._nhwc(dx)), group)
        return dx, dweight.astype(x.dtype), dbias.astype(x.dtype)

    # ---- element-wise, sums ------------------------------------------------------------------------

    def elementwise(self, f: Callable[..., Array], *arrays: Array) -> Array:
        ufunc, (x, *others) = UFUNCS.get(f, f), map(np.asarray, arrays)
        shared_out = isinstance(ufunc, np.ufunc) and x.ndim == 4 and x.size >= elementwise.CHUNK
        if not shared_out or not has_kernels(*(a.dtype for a in arrays)) or not any(map(_is_nhwc, (x, *others))):
            return super().elementwise(f, *arrays)
        out = self.empty(x.shape, x.dtype)
        step = max(1, elementwise.CHUNK * len(x) // x.size)

        def task(index: int) -> None:
            n = slice(index * step, (index + 1) * step)
            ufunc(x[n], *(other[n] for other in others), out=out[n])

        threads.run(task, -(-len(x) // step), cost=4 * x.size)
        return out

    def leaky_relu(self, x: Array, negative_slope: float) -> Array:
        return self._elementwise(super().leaky_relu, self.activations.leaky_relu, (x,), negative_slope)

    def leaky_relu_gate(self, g: Array, x: Array, negative_slope: float) -> Array:
        return self._elementwise(super().leaky_relu_gate, self.activations.leaky_relu_gate, (g, x), negative_slope)

    def keep(self, x: Array, mask: Array) -> Array:
        if x.size < SMALL or not has_kernels(x.dtype):
            return super().keep(x, mask)
        out = self.empty(x.shape, x.dtype)
        elementwise.over_chunks(elementwise.keep, self._flat(x), self._flat(mask), self._flat(out))
        return out

    def tanh(self, x: Array) -> Array:
        return self._elementwise(super().tanh, np.tanh, (x,))

    def softplus(self, x: Array) -> Array:
        return self._elementwise(super().softplus, self.activations.softplus, (x,))

    def sigmoid(self, x: Array) -> Array:
        return self._elementwise(super().sigmoid, self.activations.sigmoid, (x,))

    def _elementwise(self, plain: Callable, kernel: Callable, arrays: tuple[Array, ...], *settings: float) -> Array:
        """``kernel(*arrays, out, *settings)`` in chunks; ``plain`` for what is too small to profit or has no kernel."""
        if arrays[0].size < SMALL or not has_kernels(*(a.dtype for a in arrays)) or len({a.shape for a in arrays}) > 1:
            return plain(*arrays, *settings)
        out = self.empty(arrays[0].shape, arrays[0].dtype)
        flat = *map(self._flat, arrays), self._flat(out)
        elementwise.over_chunks(lambda *part: kernel(*part, *settings), *flat, chunk=self.activations.CHUNK)
        return out

    def sum(self, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        total = self._sum_in_tiles(x, sorted(axes))
        if total is None:
            return super().sum(x, axes, keepdims)
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        return total.reshape(kept) if keepdims else total

    def _sum_in_tiles(self, x: Array, axes: list[int]) -> Array | None:
        """Of the rows of a matrix, of all pixels, or of each picture's, where these are many: then NumPy adds one after
        the other, and the rounding errors with them. None for another sum."""
        if x.size < SMALL or not has_kernels(x.dtype):
            return None
        if x.ndim == 2 and axes == [0]:
            return elementwise.column_sums(np.ascontiguousarray(np.asarray(x)))
        if x.ndim == 4 and axes == [0, 2, 3]:
            return elementwise.column_sums(_rows(self._nhwc(x)))
        if x.ndim == 4 and axes == [2, 3] and x.size >= SMALL * len(x) and not x.flags.c_contiguous:
            return np.stack([elementwise.column_sums(_rows(picture)) for picture in self._nhwc(x)])
        return None

    def matmul(self, a: Array, b: Array) -> Array:
        if a.ndim != 2 or b.ndim != 2 or not has_kernels(a.dtype, b.dtype) or not a.size or not b.size:
            return super().matmul(a, b)
        a, b = np.asarray(a), np.asarray(b)
        out = np.empty((len(a), b.shape[1]), a.dtype)
        if a.shape[1] == 1:  # an outer product is no work for BLAS
            np.multiply(a, b, out=out)
        else:
            im2col.product(a, b, out)
        return out

    # ---- optimizers --------------------------------------------------------------------------------

    def adam(
        self,
        rule: Adam,
        params: Sequence[Array],
        grads: Sequence[Array],
        first: Sequence[Array],
        second: Sequence[Array],
    ) -> None:
        plain = partial(super().adam, rule)
        self.optim.adam(rule, self._flat_groups(plain, params, grads, first, second))

    def _flat_groups(self, plain: Callable[..., None], *arrays: Sequence[Array]) -> list[list[np.ndarray]]:
        """Each parameter with its gradient and state, as flat arrays; what cannot be seen so is left to ``plain``."""
        groups = []
        for p, g, *state in zip(*arrays, strict=True):
            if g.strides != p.strides:  # a gradient of another layout is brought into the parameter's
                g, given = np.empty_like(p, dtype=g.dtype), g
                g[...] = given
            group = [np.asarray(array) for array in (p, g, *state)]
            flat = optim.flat_views(group) if has_kernels(*(array.dtype for array in group)) else None
            if flat is None:
                plain([p], [g], *([array] for array in state))
            else:
                groups.append(flat)
        return groups

    # ---- layouts -----------------------------------------------------------------------------------

    def channels_last(self, array: Array) -> Array:
        if array.ndim != 4 or array.size < SMALL or _is_nhwc(array):
            return super().channels_last(array)
        copy, array = self.empty(array.shape, array.dtype), np.asarray(array)
        step = max(1, elementwise.CHUNK // (array.size // len(array)))

        def task(index: int) -> None:
            n = slice(index * step, (index + 1) * step)
            copy[n] = array[n]

        threads.run(task, -(-len(array) // step), cost=8 * array.size)
        return copy

    def _nhwc(self, array: Array) -> Array:
        return np.asarray(self.channels_last(array)).transpose(0, 2, 3, 1)

    def _flat(self, array: Array) -> Array:
        """All elements in the order of memory; a view unless the layout must change."""
        return (self._nhwc(array) if array.ndim == 4 else np.ascontiguousarray(np.asarray(array))).reshape(-1)


def _is_nhwc(array: Array) -> bool:
    return array.transpose(0, 2, 3, 1).flags.c_contiguous


def _rows(nhwc: Array) -> Array:
    return nhwc.reshape(-1, nhwc.shape[-1])


def has_kernels(*dtypes: np.dtype) -> bool:
    """The fast kernels are for one dtype, float32 or float64; the inherited ones take anything else."""
    return dtypes[0] in (np.float32, np.float64) and all(dtype == dtypes[0] for dtype in dtypes)


@lru_cache(maxsize=4096)
def choose(
    geometry: ConvGeometry, samples: int, channels: int, filters: int, transform: float = NumpyBackend.transform_cost
) -> int:
    """The convolution algorithm: 0 for im2col, m for minimal filtering with tiles of m outputs.

    Filtering costs products over fewer points, and three transforms that are bound by memory, ``transform`` for each
    number. The time of each, in nanoseconds on one core of a current machine, decides. Fitted to the layers of
    ``benchmarks/kernels.py``.
    """
    costs = {0: im2col_cost(geometry, samples, channels, filters)}
    if filtering.applies(geometry) and channels >= 16 and filters >= 16:
        costs |= {m: filtering_cost(geometry, samples, channels, filters, m, transform) for m in (2, 3, 4)}
    tile = min(costs, key=lambda m: costs[m])
    if os.environ.get("MINIGAN_VERBOSE") == "1":
        name = f"filtering, tiles of {tile}" if tile else "im2col"
        print(f"minigan: conv {geometry} N={samples} C={channels} F={filters}: {name}", file=sys.stderr)
    return tile


def im2col_cost(geometry: ConvGeometry, samples: int, channels: int, filters: int) -> float:
    taps = geometry.kernel_hw[0] * geometry.kernel_hw[1]
    rows = samples * geometry.out_hw[0] * geometry.out_hw[1]
    return rows * taps * channels * (filters / 100 + 0.6)


def filtering_cost(
    geometry: ConvGeometry, samples: int, channels: int, filters: int, tile: int, transform: float
) -> float:
    plan = filtering.Plan.make(geometry, tile, np.dtype(np.float32))
    points, kinds = math.prod(plan.points), math.prod(plan.kinds)
    inside = channels * math.prod(plan.phases)
    rows = points * samples / len(plan.pieces(samples))  # a product of few rows is slow
    products = points * samples * inside * filters / 100 * (1 + 36 / rows)
    moved = points * samples * (inside + filters) + kinds * inside * filters
    return products + moved * transform
