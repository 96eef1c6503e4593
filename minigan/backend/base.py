"""Every kernel of minigan as a textbook writes it. This *is* the reference backend, and the contract of the others.

A backend is a place where arrays live plus the kernels that run there. The kernels below are plain array code with one
loop over kernel taps: slow, short, and what the fast ones are tested against. A faster backend overrides what it can do
better and inherits the rest.

Images have the shape (N, C, H, W). In memory they are channels-last: ``x.transpose(0, 2, 3, 1)`` is contiguous, so a
fast kernel is one matrix product away from its data. Kernels accept any strides; they return channels-last ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..errors import InputError
from .geometry import ConvGeometry
from .kept import Kept
from .updates import SGD, Adam, RMSprop, Update

Array = Any  # a numpy or cupy array: the two share an interface but no base class


class Group(Protocol):
    """Processes that have a part of a batch each (see ``minigan.parallel``)."""

    @property
    def size(self) -> int: ...
    def average(self, *arrays: Array) -> None: ...


class Ranks(Protocol):
    """The processes that were started together (see ``minigan.parallel``), to whoever links their GPUs."""

    rank: int
    size: int

    @property
    def is_first(self) -> bool: ...
    def broadcast(self, value: Any) -> Any: ...


class Exchange(Protocol):
    """A way between them for arrays that lie elsewhere than on the host."""

    def add(self, array: Array) -> None: ...
    def stack(self, array: Array) -> Array: ...


def shared(group: Group | None, *arrays: Array) -> tuple[Array, ...]:
    """The mean of each over the group, in place."""
    if group is not None:
        group.average(*arrays)
    return arrays


def shared_moments(group: Group | None, mean: Array, var: Array) -> tuple[Array, Array]:
    """Mean and biased variance of a whole batch, from those of its equal parts."""
    if group is None:
        return mean, var
    own = mean.copy()
    group.average(mean)
    var += (own - mean) ** 2
    group.average(var)
    return mean, var


class ReferenceArray(np.ndarray):
    """A NumPy array that lives on the reference backend. The type is how an array tells where it belongs."""


class ArrayBackend:
    """The reference backend."""

    name = "reference"
    xp: Any = np  # the array module: elementwise functions that need no kernel of ours are taken from it
    array_type: type = ReferenceArray

    # ---- arrays ----------------------------------------------------------------------------------

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """``array`` as an array of this backend; shares memory when it can, keeps strides when it shares."""
        return np.asarray(array, dtype=dtype).view(self.array_type)

    def to_numpy(self, array: Array) -> np.ndarray:
        """``array`` on the host."""
        return np.asarray(array)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An uninitialised array; with four axes, channels-last in memory."""
        if len(shape) == 4:
            n, c, h, w = shape
            return self.xp.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)
        return self.xp.empty(shape, dtype)

    def channels_last(self, array: Array) -> Array:
        """``array`` itself when its (N, H, W, C) view is contiguous (or it has not four axes), else such a copy."""
        if array.ndim != 4 or array.transpose(0, 2, 3, 1).flags.c_contiguous:
            return array
        copy = self.empty(array.shape, array.dtype)
        copy[...] = array
        return copy

    def upload(self, *arrays: np.ndarray) -> Callable[[], tuple[Array, ...]]:
        """Begin to bring host arrays here, in any thread. What is returned is called where they are used, for them."""
        return lambda: tuple(self.asarray(array) for array in arrays)

    def exchange(self, ranks: Ranks) -> Exchange:
        """A way for arrays to other processes, where they do not lie on the host."""
        raise NotImplementedError(f"{type(self).__name__}.exchange: MPI takes arrays of the host as they are")

    def constant(self, number: float, dtype: Any) -> Array:
        """``number`` as an array of zero axes, which must not be written to."""
        return self.asarray(number, dtype)

    def synchronize(self) -> None:
        """Wait until every kernel that was started has finished."""

    @property
    def tf32(self) -> bool:
        """Whether the factors of float32 products may be rounded to 10 bits."""
        return False

    @tf32.setter
    def tf32(self, on: bool) -> None:
        if on:
            raise InputError(
                f"backend {self.name!r} has no TF32, which is arithmetic of NVIDIA GPUs: use --backend cupy, or leave "
                "out --tf32"
            )

    def precision(self, dtype: Any) -> str:
        """What arrays of ``dtype`` are multiplied in: "float64", "float32" or "TF32"."""
        return "TF32" if self.tf32 and np.dtype(dtype) == np.float32 else np.dtype(dtype).name

    # ---- linear algebra --------------------------------------------------------------------------

    def matmul(self, a: Array, b: Array) -> Array:
        """(..., n, k) @ (..., k, m) -> (..., n, m)"""
        with np.errstate(invalid="ignore"):  # BLAS warns of right products, see numpy/blas.py
            return self.xp.matmul(a, b)

    def sum(self, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        return self.xp.sum(x, axis=axes, keepdims=keepdims)

    def get_item(self, x: Array, index: Any) -> Array:
        """x[index]; an array in ``index`` may be on the host or on this backend."""
        parts = index if isinstance(index, tuple) else (index,)
        last, axis = parts[-1] if parts else None, len(parts) - 1
        is_list = isinstance(last, np.ndarray) and last.ndim == 1 and last.dtype.kind in "iu"
        if is_list and x.flags.c_contiguous and all(map(is_whole, parts[:-1])):
            return x.take(last, axis)  # quicker, and its result is contiguous too
        return x[index]

    def put_item(self, g: Array, index: Any, shape: tuple[int, ...]) -> Array:
        """Zeros of ``shape`` with ``g`` added at ``index``; where an index repeats, the values add up."""
        x = self.empty(shape, g.dtype)
        x[...] = 0
        parts = index if isinstance(index, tuple) else (index,)
        arrays = [n for n, part in enumerate(parts) if not _never_repeats(part)]
        before = parts[:-1]
        if not arrays:
            x[index] = g
        elif all(map(is_whole, before)) and np.ndim(parts[-1]) == 1 and g.size > 64 * len(parts[-1]):
            for number, place in enumerate(parts[-1]):  # whole slices along one axis: quicker than add.at
                x[before + (place,)] += g[before + (number,)]
        else:
            self.xp.add.at(x, index, g)
        return x

    def concatenate(self, parts: Sequence[Array], axis: int, out: Array) -> Array:
        """``out``, the parts one after the other along ``axis``."""
        return self.xp.concatenate(parts, axis=axis, out=out)

    def translate(self, x: Array, offsets: Array) -> Array:
        """y[n, c, i, j] = x[n, c, i - offsets[n, 0], j - offsets[n, 1]], zero where that is outside."""
        height, width = x.shape[2:]
        y = self.empty(x.shape, x.dtype)
        y[...] = 0
        for n, (down, right) in enumerate(self.to_numpy(offsets).tolist()):
            to_rows, from_rows = overlap(down, height)
            to_cols, from_cols = overlap(right, width)
            y[n, :, to_rows, to_cols] = x[n, :, from_rows, from_cols]
        return y

    # ---- convolution: the three partial derivatives of <g, conv2d(x, w)> -------------------------
    #
    # In `kept` a kernel may leave its transform of an operand, and find what the others left. The reference needs none.

    def conv2d(self, x: Array, w: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        """x (N, C, H, W), w (F, C, kh, kw) -> y (N, F, oh, ow)"""
        padded = self._pad(x, geometry)
        y = self.empty((x.shape[0], w.shape[0], *geometry.out_hw), x.dtype)
        y[...] = 0
        for a, b, rows, cols in geometry.taps():
            y += self.xp.einsum("nchw,fc->nfhw", padded[:, :, rows, cols], w[:, :, a, b])
        return y

    def conv2d_input(self, g: Array, w: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        """g (N, F, oh, ow), w (F, C, kh, kw) -> x (N, C, H, W): the transposed convolution."""
        (ph, pw), (h, wid) = geometry.padding, geometry.in_hw
        padded = self.empty((g.shape[0], w.shape[1], *geometry.padded_hw), g.dtype)
        padded[...] = 0
        for a, b, rows, cols in geometry.taps():
            padded[:, :, rows, cols] += self.xp.einsum("nfhw,fc->nchw", g, w[:, :, a, b])
        return self.channels_last(padded[:, :, ph : ph + h, pw : pw + wid])

    def conv2d_weight(self, x: Array, g: Array, geometry: ConvGeometry, kept: Kept | None = None) -> Array:
        """x (N, C, H, W), g (N, F, oh, ow) -> w (F, C, kh, kw)"""
        padded = self._pad(x, geometry)
        w = self.empty((g.shape[1], x.shape[1], *geometry.kernel_hw), x.dtype)
        for a, b, rows, cols in geometry.taps():
            w[:, :, a, b] = self.xp.einsum("nchw,nfhw->fc", padded[:, :, rows, cols], g)
        return w

    def _pad(self, x: Array, geometry: ConvGeometry) -> Array:
        (ph, pw), (h, w) = geometry.padding, geometry.in_hw
        if ph == pw == 0:
            return x
        padded = self.empty((*x.shape[:2], *geometry.padded_hw), x.dtype)
        padded[...] = 0
        padded[:, :, ph : ph + h, pw : pw + w] = x
        return padded

    # ---- pooling: a convolution with ones and its input gradient, channel by channel -------------

    def sum_pool(self, x: Array, geometry: ConvGeometry) -> Array:
        """x (N, C, H, W) -> y (N, C, oh, ow), the sum over each window."""
        padded = self._pad(x, geometry)
        y = self.empty((*x.shape[:2], *geometry.out_hw), x.dtype)
        y[...] = 0
        for _, _, rows, cols in geometry.taps():
            y += padded[:, :, rows, cols]
        return y

    def spread(self, g: Array, geometry: ConvGeometry) -> Array:
        """g (N, C, oh, ow) -> x (N, C, H, W), each value added to its whole window."""
        (ph, pw), (h, w) = geometry.padding, geometry.in_hw
        padded = self.empty((*g.shape[:2], *geometry.padded_hw), g.dtype)
        padded[...] = 0
        for _, _, rows, cols in geometry.taps():
            padded[:, :, rows, cols] += g
        return self.channels_last(padded[:, :, ph : ph + h, pw : pw + w])

    # ---- batch norm, fused with the leaky ReLU that follows it -----------------------------------

    def batch_norm(
        self,
        x: Array,
        weight: Array,
        bias: Array,
        eps: float,
        negative_slope: float = 1.0,
        group: Group | None = None,
    ) -> tuple[Array, Array, Array]:
        """leaky_relu(weight * (x - mean) / sqrt(var + eps) + bias), with the batch's own statistics over (N, H, W).

        x (N, C, H, W), weight and bias (C,) -> y, mean (C,), biased var (C,). Slope 1 is no activation, 0 is ReLU.
        With a ``group``, x is a part of a batch, and the statistics are those of the whole.
        """
        xp = self.xp
        mean = xp.mean(x, axis=(0, 2, 3))
        mean, var = shared_moments(group, mean, xp.mean((x - mean[:, None, None]) ** 2, axis=(0, 2, 3)))
        centred = x - mean[:, None, None]
        y = centred * (weight / xp.sqrt(var + eps))[:, None, None] + bias[:, None, None]
        return self.channels_last(y if negative_slope == 1.0 else self.leaky_relu(y, negative_slope)), mean, var

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
        """``batch_norm``, and the running statistics move towards the batch's, in place; the variance is unbiased:

        running = running + momentum * (batch - running)
        """
        y, mean, var = self.batch_norm(x, weight, bias, eps, negative_slope, group)
        count = x.size // x.shape[1] * (1 if group is None else group.size)
        running_mean += momentum * (mean - running_mean)
        running_var += momentum * (var * (count / (count - 1)) - running_var)
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
        """Gradients of x, weight and bias, given g, the gradient of y. With u = the gradient before the activation:

        dbias = sum u,  dweight = sum u xhat,  dx = weight / sqrt(var + eps) * (u - mean(u) - xhat * mean(u xhat))

        With a ``group`` the means are over the whole batch, and the sums over the part of it that is here.
        """
        xp = self.xp
        # A slope of 0 or more keeps the sign, so y tells on which side of the kink the activation's input was.
        u = g if negative_slope == 1.0 else self.leaky_relu_gate(g, y, negative_slope)
        scale = 1 / xp.sqrt(var + eps)
        xhat = (x - mean[:, None, None]) * scale[:, None, None]
        dbias, dweight = xp.sum(u, axis=(0, 2, 3)), xp.sum(u * xhat, axis=(0, 2, 3))
        count = x.size // x.shape[1]
        mean_u, mean_ux = shared(group, dbias / count, dweight / count)
        centred = u - mean_u[:, None, None] - xhat * mean_ux[:, None, None]
        return self.channels_last(centred * (weight * scale)[:, None, None]), dweight, dbias

    # ---- element-wise ----------------------------------------------------------------------------

    def elementwise(self, f: Callable[..., Array], *arrays: Array) -> Array:
        """f(*arrays) for arrays of one shape, such as ``operator.add``. The result lies in memory as they do."""
        return f(*arrays)

    def leaky_relu(self, x: Array, negative_slope: float) -> Array:
        """x where x > 0, else negative_slope * x; with slope 0, max(x, 0), which is 0 at -inf as well"""
        return self.xp.where(x > 0, x, x * negative_slope) if negative_slope else self.xp.where(x <= 0, 0, x)

    def leaky_relu_gate(self, g: Array, x: Array, negative_slope: float) -> Array:
        """g where x > 0, else negative_slope * g: the leaky ReLU's derivative at x, applied to g.

        With slope 0 it is a choice, not a product: 0 where x <= 0, also of an infinite g.
        """
        return self.xp.where(x > 0, g, g * negative_slope) if negative_slope else self.xp.where(x <= 0, 0, g)

    def keep(self, x: Array, mask: Array) -> Array:
        """x where the mask is true, else 0: a choice and not a product, for 0 * inf is NaN."""
        return self.xp.where(mask, x, 0)

    def tanh(self, x: Array) -> Array:
        return self.xp.tanh(x)

    def softplus(self, x: Array) -> Array:
        """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)), which never overflows."""
        return self.xp.maximum(x, 0) + self.xp.log1p(self.xp.exp(-self.xp.abs(x)))

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(-x)), from exp(-|x|) so that neither end overflows."""
        small = self.xp.exp(-self.xp.abs(x))
        return self.xp.where(x >= 0, 1, small) / (1 + small)

    # ---- optimizers: one call updates every parameter in place, by a formula of updates.py ---------

    def update(self, rule: Callable[[], Update], *arrays: Sequence[Array]) -> None:
        """Update params by grads and states..., in place. ``rule`` tells the numbers of this step."""
        now = rule()
        getattr(self, now.kernel)(now, *arrays)

    def adam(
        self,
        rule: Adam,
        params: Sequence[Array],
        grads: Sequence[Array],
        first: Sequence[Array],
        second: Sequence[Array],
    ) -> None:
        b1, b2 = rule.betas
        for p, g, m, v in zip(params, grads, first, second, strict=True):
            if rule.decay:
                p *= 1 - rule.lr * rule.decay
            if rule.l2:
                g = g + rule.l2 * p
            m += (1 - b1) * (g - m)
            v *= b2
            v += (1 - b2) * g * g
            p -= rule.lr / (1 - b1**rule.step) * m / (self.xp.sqrt(v) / (1 - b2**rule.step) ** 0.5 + rule.eps)

    def sgd(self, rule: SGD, params: Sequence[Array], grads: Sequence[Array], buffers: Sequence[Array]) -> None:
        for p, g, b in zip(params, grads, buffers, strict=True):
            b *= rule.momentum
            b += g
            if rule.l2:
                b += rule.l2 * p
            p -= rule.lr * b

    def rmsprop(self, rule: RMSprop, params: Sequence[Array], grads: Sequence[Array], squares: Sequence[Array]) -> None:
        for p, g, v in zip(params, grads, squares, strict=True):
            v *= rule.alpha
            v += (1 - rule.alpha) * g * g
            p -= rule.lr * g / (self.xp.sqrt(v) + rule.eps)

    def average(self, averages: Sequence[Array], arrays: Sequence[Array], *, share: Any) -> None:
        """a <- a + share (p - a): each average moves towards its array. ``share`` is a number, or an array of one."""
        for a, p in zip(averages, arrays, strict=True):
            a += share * (p - a)


def is_whole(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)


def _never_repeats(part: Any) -> bool:
    """Slices, integers and masks meet each place once."""
    if part is None or part is ... or isinstance(part, (slice, int, np.integer)):
        return True
    return getattr(part, "dtype", np.dtype(object)).kind == "b"


def overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Where in the output, and where in the input, the pixels lie that stay inside when moved by ``offset``.

    >>> overlap(1, 3), overlap(-5, 3)
    ((slice(1, 3, None), slice(0, 2, None)), (slice(0, 0, None), slice(5, 5, None)))
    """
    kept = max(0, size - abs(offset))
    start = min(max(offset, 0), size)
    return slice(start, start + kept), slice(start - min(offset, size), start - min(offset, size) + kept)
