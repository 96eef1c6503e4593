"""The CuPy backend: compiles the CUDA kernels of minigan/backend/cupy and launches them.

CuPy is the array module for what needs no kernel of ours (a + b, concatenate, indexing) and holds the memory; matrix
products go through it to cuBLAS. Pictures come as (N, C, H, W); the kernels see their contiguous (N, H, W, C) views.
How the kernels work, and how they are tested without a GPU: docs/cuda.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ...errors import InputError
from ..base import Array, Group, Ranks
from ..geometry import ConvGeometry
from ..kept import Kept
from ..updates import Update
from . import indexing, optim
from .blas import Blas
from .device import Device
from .graph import CaptureError, Graphs
from .launch import C_NAMES, THREADS, ceil_div
from .nccl import Nccl
from .upload import Uploads

TILE, NARROW, SLICE = 64, 16, 16  # BM, the two BN and BK of conv.cu
TENSOR_TILE, TENSOR_WIDE = 128, 128  # BM and the wide BN of tensor.cu
FEW, CHUNK, FILTERS, PIXELS, MOST_WEIGHTS = 4, 16, 64, 128, 6144  # of direct.cu
ENOUGH_BLOCKS = 512  # to keep any GPU busy; a constant, so that results do not depend on the GPU
ENOUGH_WIDE = 256  # wide tiles on tensor cores: two for each multiprocessor of a large GPU, likewise a constant
MOST_ROWS = 2**31 - 1024  # rows are counted in 32 bits
PIXELS_A_THREAD = 8  # of im2col, as in conv.cu
WIDE, MOST_WINDOWS, MOST_PHASES = 32, 2**26, 1024  # see choose()

CONV_FIELDS = ("N", "H", "W", "C", "F", "oh", "ow", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw", "splits")
CONV = np.dtype([(name, np.int32) for name in CONV_FIELDS])
SCALARS = 64  # that one launch gathers, as in reduce.cu
MOST_CONSTANTS = 4096


class CupyBackend(Device):
    """``tf32`` lets the factors of float32 products be rounded to 10 bits, for tensor cores: faster, less exact."""

    name = "cupy"

    def __init__(self) -> None:
        super().__init__()
        self._blas, self._uploads = Blas(self.xp), Uploads(self)
        self._constants: dict[tuple[bytes, str], Array] = {}
        self.tensor_cores = int(self.xp.cuda.Device().compute_capability) >= 80  # that know TF32

    @property
    def tf32(self) -> bool:
        return self.xp._core.get_compute_type(np.float32) == self.xp._core._routines_linalg.COMPUTE_TYPE_TF32

    @tf32.setter
    def tf32(self, on: bool) -> None:
        kinds = self.xp._core._routines_linalg
        kind = kinds.COMPUTE_TYPE_TF32 if on else kinds.COMPUTE_TYPE_DEFAULT
        self.xp._core.set_compute_type(np.float32, kind)

    # ---- arrays ------------------------------------------------------------------------------------------------------

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        if isinstance(array, self.array_type):
            return array if dtype is None or array.dtype == dtype else array.astype(dtype)
        host = np.asarray(array, dtype=dtype)
        if host.ndim == 0:
            return self.xp.full((), host[()], host.dtype)  # a launch: a copy would wait for the host
        if self.capturing:
            raise CaptureError(f"{host.dtype}{host.shape} comes from the host past backend.host.from_host")
        if host.ndim == 4:
            return self.xp.asarray(np.ascontiguousarray(host.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
        return self.xp.asarray(host)

    def upload(self, *arrays: np.ndarray) -> Callable[[], tuple[Array, ...]]:
        return self._uploads.start(arrays)

    def constant(self, number: float, dtype: Any) -> Array:
        host = np.asarray(number, dtype)
        key = host.tobytes(), host.dtype.str
        if key in self._constants:
            return self._constants[key]
        array = self.asarray(host)
        if not self.capturing and len(self._constants) < MOST_CONSTANTS:  # kept for good: a graph may hold its address
            self._constants[key] = array
        return array

    def to_numpy(self, array: Array) -> np.ndarray:
        if self.capturing:
            raise CaptureError(f"{array.dtype}{array.shape} is wanted on the host in mid-step")
        return self.xp.asnumpy(array)

    def pack(self, scalars: Sequence[Array]) -> Array:
        packed = self.xp.empty(len(scalars), scalars[0].dtype)
        if has_kernels(*scalars) and len(scalars) <= SCALARS:
            table = np.zeros(SCALARS, np.int64)
            table[: len(scalars)] = [scalar.data.ptr for scalar in scalars]
            slots = table.view(np.dtype((np.void, table.nbytes)))
            self.launch("reduce.gather", packed.dtype, (1,), (SCALARS,), slots, packed, len(scalars))
        else:
            for number, scalar in enumerate(scalars):
                packed[number] = scalar
        return packed

    def read(self, scalars: Array) -> list[float]:
        return self.to_numpy(scalars).tolist()

    def graphs(self) -> Graphs:
        return Graphs(self)

    def exchange(self, ranks: Ranks) -> Nccl:
        return Nccl(ranks)

    def synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()

    def _dense(self, array: Array) -> Array:
        """``array`` without gaps: channels-last with four axes, else in C order."""
        return self.channels_last(array) if array.ndim == 4 else self.xp.ascontiguousarray(array)

    # ---- products, parts ---------------------------------------------------------------------------------------------

    def matmul(self, a: Array, b: Array) -> Array:
        if b.ndim == 1:
            return self.matmul(a, b[:, None])[..., 0]
        if a.ndim > 3 and b.ndim == 2:  # BLAS knows one axis of batches
            return self.matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])
        out = self._blas.matmul(a, b, self.tf32)
        return super().matmul(a, b) if out is None else out

    def concatenate(self, parts: Sequence[Array], axis: int, out: Array) -> Array:
        """By slices: CuPy's own kernel takes a table of addresses from the host."""
        start = 0
        for part in parts:
            where = (slice(None),) * axis + (slice(start, start + part.shape[axis]),)
            out[where] = part
            start += part.shape[axis]
        return out

    def translate(self, x: Array, offsets: Array) -> Array:
        if not has_kernels(x):
            return super().translate(x, offsets)
        y, sizes = self.empty(x.shape, x.dtype), (len(x), *x.shape[2:], x.shape[1])
        return self.for_each(y, "resample.translate", self._dense(x), self.asarray(offsets, np.int64), y, *sizes)

    # ---- indexing ----------------------------------------------------------------------------------------------------

    def get_item(self, x: Array, index: Any) -> Array:
        return x[self._on_device(index, x.shape)]

    def put_item(self, g: Array, index: Any, shape: tuple[int, ...]) -> Array:
        return indexing.put_item(self, g, self._on_device(index, shape), shape)

    def _on_device(self, index: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(np.asarray(p) if isinstance(p, list | tuple | range) else p for p in parts)
        indexing.check_bounds(parts, shape)
        return tuple(self.asarray(p) if isinstance(p, np.ndarray) else p for p in parts)

    # ---- sums --------------------------------------------------------------------------------------------------------

    def sum(self, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        """Over all pixels of each channel, all rows of a matrix, or everything: the column sums of a matrix."""
        over_everything, over_rows = len(axes) == x.ndim, sorted(axes) == ([0, 2, 3] if x.ndim == 4 else [0])
        columns = 1 if over_everything else x.shape[1] if over_rows and x.ndim in (2, 4) else 0
        if not has_kernels(x) or not x.size or not columns or x.size // columns > MOST_ROWS:
            return super().sum(x, axes, keepdims)
        dense = x if over_everything and x.flags.c_contiguous else self._dense(x)
        grid, block = self._by_column(x.size // columns, columns)
        partial = self.xp.empty((grid[1], columns), x.dtype)
        self.launch("reduce.column_sums", x.dtype, grid, block, dense, partial, x.size // columns, columns)
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape) if keepdims or axis not in axes)
        return self._add_parts(partial).reshape(shape)

    def _by_column(self, rows: int, columns: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Grid and block of the kernels that go down the columns of a matrix, see common.cuh."""
        if rows > MOST_ROWS:
            raise InputError(f"{rows} pixels are more than the CUDA kernels can count: use a smaller batch")
        width = min(32, 1 << (columns - 1).bit_length())
        lanes, wide = THREADS // width, ceil_div(columns, width)
        parts = max(1, min(rows // (16 * lanes), ENOUGH_BLOCKS // wide))
        return (wide, parts), (width, lanes)

    def _add_parts(self, partial: Array) -> Array:
        """partial (parts, ...) -> (...)"""
        if len(partial) == 1:
            return partial[0]
        out = self.xp.empty(partial.shape[1:], partial.dtype)
        return self.for_each(out, "reduce.add_parts", partial, out, np.int64(out.size), len(partial))

    # ---- convolution -------------------------------------------------------------------------------------------------
    #
    # x (N, H, W, C), w (F, kh, kw, C) and y or g (N, oh, ow, F), all contiguous. Four ways, see choose():
    #   product    where every window is a row of x as it lies: y = x w^T, x = g w, w = g^T x
    #   im2col     the same with the windows copied to rows first
    #   implicit   a matrix product of our own, which reads the windows from x itself: conv.cu, or tensor.cu with TF32
    #   direct     direct.cu, for pictures: few channels

    def conv2d(self, x: Array, w: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        if not has_kernels(x, w):
            return super().conv2d(x, w, geometry, kept)
        of = (kept or Kept()).of
        of_x, of_w, x, w = of(x), of(w), self._nhwc(x), self._nhwc(w)
        samples, filters, (oh, ow) = len(x), len(w), geometry.out_hw
        p = conv_sizes(geometry, samples, x.shape[-1], filters)
        way = self.choose(geometry, samples, x.shape[-1], filters, x.dtype)
        if way == "direct":
            out = self.xp.empty((samples, oh, ow, filters), x.dtype)
            grid = ceil_div(samples * oh * ow, PIXELS), ceil_div(filters, FILTERS)
            self._direct("conv2d", out, grid, x, w, p)
        elif way == "implicit":
            out = self._implicit("conv2d", (samples, oh, ow, filters), x, w, p, samples * oh * ow, filters, w[0].size)
        else:
            windows = self._im2col(x, p, samples * oh * ow, w[0].size) if way == "im2col" else x
            if way == "im2col" and "transposed" in of_w:  # x is a gradient, and conv2d_weight wants the same next
                of_x["windows"] = windows  # a forward's are too large to keep
            out = self.matmul(windows.reshape(samples * oh * ow, -1), w.reshape(filters, -1).T)
        return self._nchw(out.reshape(samples, oh, ow, filters))

    def conv2d_input(self, g: Array, w: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        if not has_kernels(g, w):
            return super().conv2d_input(g, w, geometry, kept)
        of_w, g, w = (kept or Kept()).of(w), self._nhwc(g), self._nhwc(w)
        samples, filters, channels, (h, wid) = len(g), len(w), w.shape[-1], geometry.in_hw
        p = conv_sizes(geometry, samples, channels, filters)
        way = self.choose(geometry, samples, channels, filters, g.dtype)
        of_w["transposed"] = True  # who finds this is the backward of a transposed convolution
        (sh, sw), (kh, kw) = geometry.stride, geometry.kernel_hw
        phases, pixels = min(sh, h) * min(sw, wid), samples * ceil_div(h, sh) * ceil_div(wid, sw)
        if way == "direct":
            out = self.xp.empty((samples, h, wid, channels), g.dtype)
            self._direct("conv2d_input", out, (ceil_div(pixels, PIXELS), 1, phases), g, w, p)
        elif way == "implicit":
            depth = ceil_div(kh, sh) * ceil_div(kw, sw) * filters
            out = self._implicit("conv2d_input", (samples, h, wid, channels), g, w, p, pixels, channels, depth, phases)
        else:
            out = self.matmul(g.reshape(-1, filters), w.reshape(filters, -1))
            if way == "im2col":
                out = self._col2im(out, p)
        return self._nchw(out.reshape(samples, h, wid, channels))

    def conv2d_weight(self, x: Array, g: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        if not has_kernels(x, g):
            return super().conv2d_weight(x, g, geometry, kept)
        of_x, x, g = (kept or Kept()).of(x), self._nhwc(x), self._nhwc(g)
        samples, filters, channels, (kh, kw) = len(x), g.shape[-1], x.shape[-1], geometry.kernel_hw
        p = conv_sizes(geometry, samples, channels, filters)
        way = self.choose(geometry, samples, channels, filters, g.dtype)
        pixels = samples * prod(geometry.out_hw)
        depth = kh * kw * channels
        if way == "direct":
            blocks = ceil_div(filters, FILTERS), ceil_div(depth, CHUNK)
            p["splits"] = splits = max(1, min(pixels // (8 * SLICE), ENOUGH_BLOCKS // prod(blocks)))
            partial = self.xp.empty((splits, filters, depth), g.dtype)
            self._direct("conv2d_weight", partial, (*blocks, splits), x, g, p)
            out = self._add_parts(partial)
        elif way == "implicit":
            out = self._implicit("conv2d_weight", (filters, kh, kw, channels), x, g, p, filters, depth, pixels)
        else:
            windows = of_x.pop("windows", None)
            if windows is None:
                windows = self._im2col(x, p, pixels, depth) if way == "im2col" else x
            out = self.matmul(g.reshape(pixels, filters).T, windows.reshape(pixels, -1))
        return self._nchw(out.reshape(filters, kh, kw, channels))

    def choose(self, geometry: ConvGeometry, samples: int, channels: int, filters: int, dtype: Any = np.float32) -> str:
        """How to convolve: "product", "im2col", "implicit" or "direct".

        With many channels on both sides tensor cores multiply what they read from x, where TF32 lets them; otherwise
        cuBLAS's product is worth writing the windows to memory, if they fit. The bounds are an estimate:
        ``python -m benchmarks.gpu_suite --only convolutions`` times the ways layer by layer.
        """
        whole_image = geometry.kernel_hw == geometry.in_hw and geometry.padding == (0, 0)
        one_by_one = geometry.kernel_hw == geometry.stride == (1, 1) and geometry.padding == (0, 0)
        if one_by_one or (whole_image and geometry.out_hw == (1, 1)):
            return "product"
        phases = prod(min(s, size) for s, size in zip(geometry.stride, geometry.in_hw, strict=True))
        weights = prod(geometry.kernel_hw) * channels * filters
        if phases > MOST_PHASES:
            return "im2col"
        if channels <= FEW < filters and weights <= MOST_WEIGHTS:
            return "direct"
        if self._on_tensor_cores(channels, filters, dtype):
            return "implicit"
        windows = samples * prod(geometry.out_hw) * prod(geometry.kernel_hw) * channels
        return "im2col" if min(channels, filters) >= WIDE and windows <= MOST_WINDOWS else "implicit"

    def _on_tensor_cores(self, channels: int, filters: int, dtype: Any) -> bool:
        """Whether tensor.cu multiplies: channels come in fours, and factors may be rounded."""
        return self.tensor_cores and self.tf32 and dtype == np.float32 and channels % 4 == filters % 4 == 0

    def _direct(self, kernel: str, out: Array, grid: tuple[int, ...], a: Array, b: Array, p: np.ndarray) -> None:
        if out.size:
            self.launch(f"direct.{kernel}", a.dtype, grid, (THREADS,), a, b, out, p)

    def _implicit(
        self,
        kernel: str,
        shape: tuple[int, ...],
        a: Array,
        b: Array,
        p: np.ndarray,
        rows: int,
        columns: int,
        depth: int,
        phases: int = 1,
    ) -> Array:
        """A product of (rows, depth) and (depth, columns). A long depth is split, so as to fill the GPU."""
        channels, filters = int(p["C"][0]), int(p["F"][0])
        if self._on_tensor_cores(channels, filters, a.dtype) and in_fours(channels, a, b):
            wide = (
                columns >= TENSOR_WIDE and ceil_div(rows, TENSOR_TILE) * columns * phases >= TENSOR_WIDE * ENOUGH_WIDE
            )
            file, variant, tile = "tensor", "_wide" * wide, (TENSOR_TILE, TENSOR_WIDE if wide else TILE)
        else:
            narrow = columns <= NARROW
            file, variant, tile = "conv", "_narrow" * narrow, (TILE, NARROW if narrow else TILE)
        tiles = ceil_div(rows, tile[0]), ceil_div(columns, tile[1])
        p["splits"] = splits = max(1, min(depth // (8 * SLICE), ENOUGH_BLOCKS // (prod(tiles) * phases)))
        partial = self.xp.empty((splits, *shape), a.dtype)
        if partial.size:
            grid = (*tiles, splits * phases)
            self.launch(f"{file}.{kernel}{variant}", a.dtype, grid, (THREADS,), a, b, partial, p)
        return self._add_parts(partial)

    def _im2col(self, x: Array, p: np.ndarray, pixels: int, depth: int) -> Array:
        windows = self.xp.empty((pixels, depth), x.dtype)
        if windows.size:
            by_4 = in_fours(int(p["C"][0]), x, windows)
            grid = ceil_div(pixels, PIXELS_A_THREAD), ceil_div(depth // (4 if by_4 else 1), THREADS)
            self.launch(f"conv.im2col{'_by_4' * by_4}", x.dtype, grid, (THREADS,), x, windows, p)
        return windows

    def _col2im(self, windows: Array, p: np.ndarray) -> Array:
        samples, h, wid, channels = (int(p[name][0]) for name in "NHWC")
        x = self.xp.empty((samples, h, wid, channels), windows.dtype)
        if x.size:
            by_4 = in_fours(channels, x, windows)
            grid = samples * h, ceil_div(wid * channels // (4 if by_4 else 1), THREADS)
            self.launch(f"conv.col2im{'_by_4' * by_4}", x.dtype, grid, (THREADS,), windows, x, p)
        return x

    # ---- pooling -----------------------------------------------------------------------------------------------------

    def sum_pool(self, x: Array, geometry: ConvGeometry) -> Array:
        if not has_kernels(x):
            return super().sum_pool(x, geometry)
        y = self.empty((*x.shape[:2], *geometry.out_hw), x.dtype)
        return self.for_each(y, "resample.sum_pool", self._dense(x), y, conv_sizes(geometry, *x.shape[:2]))

    def spread(self, g: Array, geometry: ConvGeometry) -> Array:
        if not has_kernels(g):
            return super().spread(g, geometry)
        x = self.empty((*g.shape[:2], *geometry.in_hw), g.dtype)
        return self.for_each(x, "resample.spread", self._dense(g), x, conv_sizes(geometry, *g.shape[:2]))

    # ---- batch norm --------------------------------------------------------------------------------------------------

    def batch_norm(
        self,
        x: Array,
        weight: Array,
        bias: Array,
        eps: float,
        negative_slope: float = 1.0,
        group: Group | None = None,
    ) -> tuple[Array, Array, Array]:
        if not has_kernels(x, weight, bias) or not x.size or group is not None:  # the kernels do not wait for others
            return super().batch_norm(x, weight, bias, eps, negative_slope, group)
        return self._batch_norm(x, weight, bias, eps, negative_slope)

    def batch_norm_tracked(
        self,
        x: Array,
        weight: Array,
        bias: Array,
        running_mean: Array,
        running_var: Array,
        momentum: float,
        eps: float,
        negative_slope: float = 1.0,
        group: Group | None = None,
    ) -> tuple[Array, Array, Array]:
        tracked = running_mean, running_var
        contiguous = all(array.flags.c_contiguous for array in tracked)
        if not has_kernels(x, weight, bias, *tracked) or not x.size or not contiguous or group is not None:
            return super().batch_norm_tracked(x, weight, bias, *tracked, momentum, eps, negative_slope, group)
        return self._batch_norm(x, weight, bias, eps, negative_slope, tracked, momentum)

    def _batch_norm(
        self,
        x: Array,
        weight: Array,
        bias: Array,
        eps: float,
        negative_slope: float,
        tracked: tuple[Array, Array] | None = None,
        momentum: float = 0.0,
    ) -> tuple[Array, Array, Array]:
        x, weight, bias = map(self._dense, (x, weight, bias))
        channels, size = x.shape[1], (x.size // x.shape[1], x.shape[1])
        grid, block = self._by_column(*size)
        moments = self.xp.empty((grid[1], channels, 3), x.dtype)
        mean, var = self.xp.empty((2, channels), x.dtype)
        y = self.empty(x.shape, x.dtype)
        self.launch("norm.batch_norm_moments", x.dtype, grid, block, x, moments, *size)
        arrays = x, moments, weight, bias, mean, var, *(tracked or (mean, var)), y
        settings = float(eps), float(negative_slope), float(momentum), int(tracked is not None)
        self.launch("norm.batch_norm_apply", x.dtype, grid, block, *arrays, *settings, *size)
        return y, mean, var

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
        if not has_kernels(g, x, y, weight, mean, var) or not x.size or group is not None:
            return super().batch_norm_backward(g, x, y, weight, mean, var, eps, negative_slope, group)
        g, x, y, weight, mean, var = map(self._dense, (g, x, y, weight, mean, var))
        channels, size = x.shape[1], (x.size // x.shape[1], x.shape[1])
        grid, block = self._by_column(*size)
        sums = self.xp.empty((grid[1], channels, 2), x.dtype)
        dx, (dweight, dbias) = self.empty(x.shape, x.dtype), self.xp.empty((2, channels), x.dtype)
        arrays, settings = (g, x, y, mean, var), (float(eps), float(negative_slope), *size)
        self.launch("norm.batch_norm_backward_sums", x.dtype, grid, block, *arrays, sums, *settings)
        results = weight, sums, dx, dweight, dbias
        self.launch("norm.batch_norm_backward_apply", x.dtype, grid, block, *arrays, *results, *settings)
        return dx, dweight, dbias

    # ---- element-wise ------------------------------------------------------------------------------------------------

    def elementwise(self, f: Callable[..., Array], *arrays: Array) -> Array:
        """CuPy's results lie in C order, so it is handed the arrays with their axes in the order of memory."""
        lead = next((a for a in arrays if 0 not in a.strides), arrays[0])  # one that is not a broadcast view
        if lead.flags.c_contiguous:
            return f(*arrays)
        order = tuple(sorted(range(lead.ndim), key=lambda axis: -abs(lead.strides[axis])))
        inverse = tuple(order.index(axis) for axis in range(lead.ndim))
        return f(*(a.transpose(order) for a in arrays)).transpose(inverse)

    def leaky_relu(self, x: Array, negative_slope: float) -> Array:
        if not has_kernels(x):
            return super().leaky_relu(x, negative_slope)
        return self._activation("leaky_relu", x, slope=negative_slope)

    def leaky_relu_gate(self, g: Array, x: Array, negative_slope: float) -> Array:
        if not has_kernels(g, x) or g.shape != x.shape:
            return super().leaky_relu_gate(g, x, negative_slope)
        return self._activation("leaky_relu_gate", g, x, slope=negative_slope)

    def tanh(self, x: Array) -> Array:
        return self._activation("hyperbolic_tangent", x) if has_kernels(x) else super().tanh(x)

    def softplus(self, x: Array) -> Array:
        return self._activation("softplus", x) if has_kernels(x) else super().softplus(x)

    def sigmoid(self, x: Array) -> Array:
        return self._activation("sigmoid", x) if has_kernels(x) else super().sigmoid(x)

    def _activation(self, name: str, *arrays: Array, **settings: float) -> Array:
        y = self.empty(arrays[0].shape, arrays[0].dtype)
        numbers = map(float, settings.values())
        return self.for_each(y, f"elementwise.{name}", *map(self._dense, arrays), y, *numbers, np.int64(y.size))

    # ---- optimizers --------------------------------------------------------------------------------------------------

    def update(self, rule: Callable[[], Update], *arrays: Sequence[Array]) -> None:
        for left in optim.update(self, rule, arrays):
            super().update(rule, *([array] for array in left))

    # ---- layouts -----------------------------------------------------------------------------------------------------

    def _nhwc(self, array: Array) -> Array:
        return self.channels_last(array).transpose(0, 2, 3, 1)

    def _nchw(self, array: Array) -> Array:
        return array.transpose(0, 3, 1, 2)


def conv_sizes(geometry: ConvGeometry, samples: int, channels: int, filters: int = 0) -> np.ndarray:
    """The struct Conv of common.cuh. A structured array of one element goes to a kernel by value."""
    fields = *geometry.stride, *geometry.padding, *geometry.dilation
    values = samples, *geometry.in_hw, channels, filters, *geometry.out_hw, *geometry.kernel_hw, *fields, 1
    pixels, depth = max(prod(geometry.in_hw), prod(geometry.out_hw)), prod(geometry.kernel_hw)
    if max(samples * pixels, depth * channels, depth * filters) > MOST_ROWS:
        raise InputError(f"{samples} images of {geometry.in_hw} are too many for one convolution: use a smaller batch")
    return np.array([values], CONV)


def in_fours(channels: int, *arrays: Array) -> bool:
    """Whether a thread can load four neighbouring channels of them at once."""
    return channels % 4 == 0 and all(array.data.ptr % 16 == 0 for array in arrays)


def has_kernels(*arrays: Array) -> bool:
    """The kernels are for one dtype, float32 or float64; the inherited ones take anything else."""
    return arrays[0].dtype in C_NAMES and all(array.dtype == arrays[0].dtype for array in arrays)
