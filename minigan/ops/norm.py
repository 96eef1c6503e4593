"""Batch normalisation (Ioffe & Szegedy 2015), the gradient everyone gets wrong: the statistics depend on x too."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from ..backend import Array, ArrayBackend, backend_of
from ..errors import InputError
from ..parallel import Communicator, batch_norm_group
from ..tensor import Gradients, Op, Tensor, apply, check_dtypes, is_recording
from .across import averaged
from .activation import Gate, leaky_relu
from .shape import concat

AXES = (0, 2, 3)


class _Batches(threading.local):
    count = 1


_batches = _Batches()


@contextmanager
def batches(count: int) -> Iterator[None]:
    """In this context and thread the samples of ``batch_norm`` are ``count`` equal batches, one after the other, and
    each is normalised by its own statistics."""
    before, _batches.count = _batches.count, count
    try:
        yield
    finally:
        _batches.count = before


def batch_norm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    *,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    negative_slope: float = 1.0,
) -> Tensor:
    """y = weight * (x - mean) / sqrt(var + eps) + bias, per channel; then, fused, a leaky ReLU of ``negative_slope``.

    x (N, C, H, W), (N, C, L) or (N, C), weight and bias (C,). In training, mean and biased variance are the batch's
    own, and the running arrays (C,) move towards them in place: running = (1 - momentum) running + momentum * batch,
    the variance unbiased, as in PyTorch. Of a batch that is split over processes they are the whole batch's. Otherwise
    the running ones are used. A ``negative_slope`` of 1 is no activation, 0 is ReLU.
    """
    if not 0 <= negative_slope <= 1:
        raise InputError(f"batch_norm: negative_slope {negative_slope} must be between 0 (ReLU) and 1 (no activation)")
    if x.ndim in (2, 3):
        x4 = x.reshape(*x.shape, *(1,) * (4 - x.ndim))
        settings = {"training": training, "momentum": momentum, "eps": eps, "negative_slope": negative_slope}
        return batch_norm(x4, weight, bias, running_mean, running_var, **settings).reshape(x.shape)  # type: ignore
    if x.ndim != 4:
        raise InputError(f"batch_norm: input {x.shape} must be (N, C), (N, C, L) or (N, C, H, W)")
    if weight.shape != (x.shape[1],) or bias.shape != weight.shape:
        raise InputError(f"batch_norm: weight {weight.shape} and bias {bias.shape} do not fit input {x.shape}")
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is not None and running.shape != weight.shape:
            raise InputError(f"batch_norm: {name} {running.shape} must be {weight.shape}, one number per channel")
    check_dtypes("batch_norm", x, weight, bias)
    if not training:
        if running_mean is None or running_var is None:
            raise InputError("batch_norm: training=False needs running_mean and running_var")
        return _with_running_statistics(x, weight, bias, running_mean, running_var, eps, negative_slope)
    parts = _batches.count
    if len(x) % parts:
        raise InputError(f"batch_norm: input {x.shape} is not {parts} batches of one size")
    group = batch_norm_group()
    count = x.size // x.shape[1] // parts * (1 if group is None else group.size)
    if count < 2:
        raise InputError(f"batch_norm: input {x.shape} has one value per channel, so no variance: use a larger batch")
    tracked = None if running_mean is None or running_var is None else (running_mean, running_var, momentum)
    each = [BatchNorm(eps, negative_slope, tracked, group) for _ in range(parts)]
    return apply(each[0] if parts == 1 else BatchNorms(each), x, weight, bias)


class BatchNorm(Op):
    """y = leaky_relu(weight xhat + bias), xhat = (x - mean(x)) r, r = 1 / sqrt(var(x) + eps). With u = gate(g, y):

    dbias = sum u,  dweight = sum u xhat,  dx = weight r (u - mean(u) - xhat mean(u xhat))

    The last two terms are what the statistics' own dependence on x contributes. A backward that is not recorded runs as
    one fused kernel; a recorded one is composed of ops, so that it can be differentiated again.
    """

    def __init__(
        self,
        eps: float,
        negative_slope: float,
        tracked: tuple[Array, Array, float] | None = None,
        group: Communicator | None = None,
    ) -> None:
        self.eps, self.negative_slope, self.tracked, self.group = eps, negative_slope, tracked, group

    def forward(self, backend: ArrayBackend, x: Array, weight: Array, bias: Array) -> Array:
        settings = self.eps, self.negative_slope, self.group
        if self.tracked is None:
            y, self.mean, self.var = backend.batch_norm(x, weight, bias, *settings)
        else:
            y, self.mean, self.var = backend.batch_norm_tracked(x, weight, bias, *self.tracked, *settings)
        return y

    def vjp(self, g: Tensor, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Gradients:
        return self._composed(g, y, x, weight) if is_recording() else self._fused(g, y, x, weight)

    def _composed(self, g: Tensor, y: Tensor, x: Tensor, weight: Tensor) -> Gradients:
        def mean(of: Tensor) -> Tensor:
            own = of.mean(AXES, keepdims=True)
            return own if self.group is None else averaged(own, self.group)

        centred = x - mean(x)
        r = (mean(centred * centred) + self.eps) ** -0.5
        xhat = centred * r
        u = g if self.negative_slope == 1.0 else apply(Gate(self.negative_slope), g, y)

        def dx() -> Tensor:
            scale = weight.reshape(1, -1, 1, 1) * r
            return scale * (u - mean(u) - xhat * mean(u * xhat))

        return dx, lambda: (u * xhat).sum(AXES), lambda: u.sum(AXES)

    def _fused(self, g: Tensor, y: Tensor, x: Tensor, weight: Tensor) -> Gradients:
        @cache
        def gradients() -> tuple[Array, ...]:
            backend = backend_of(x.data)
            settings = self.mean, self.var, self.eps, self.negative_slope, self.group
            return backend.batch_norm_backward(g.data, x.data, y.data, weight.data, *settings)

        return tuple(lambda i=i: Tensor(g.backend.asarray(gradients()[i])) for i in range(3))


class BatchNorms(Op):
    """``BatchNorm`` of each of several batches that follow one another in x; dweight and dbias are their sums."""

    def __init__(self, each: list[BatchNorm]) -> None:
        self.each = each

    def parts(self, *arrays: Any) -> Iterator[tuple[BatchNorm, slice]]:
        size = len(arrays[0]) // len(self.each)
        for number, op in enumerate(self.each):
            yield op, slice(number * size, (number + 1) * size)

    def forward(self, backend: ArrayBackend, x: Array, weight: Array, bias: Array) -> Array:
        y = backend.empty(x.shape, x.dtype)
        for op, part in self.parts(x):
            y[part] = op.forward(backend, x[part], weight, bias)
        return y

    def vjp(self, g: Tensor, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Gradients:
        if is_recording():
            found = [[d() for d in op.vjp(g[n], y[n], x[n], weight, bias) if d] for op, n in self.parts(x)]
            dx, dweight, dbias = zip(*found, strict=True)
            return lambda: concat(dx, axis=0), lambda: sum(dweight[1:], dweight[0]), lambda: sum(dbias[1:], dbias[0])

        @cache
        def gradients() -> tuple[Array, Array, Array]:
            backend = backend_of(x.data)
            dx, sums = backend.empty(x.shape, x.dtype), []
            for op, n in self.parts(x.data):
                settings = op.mean, op.var, op.eps, op.negative_slope, op.group
                dx[n], *more = backend.batch_norm_backward(g.data[n], x.data[n], y.data[n], weight.data, *settings)
                sums.append(more)
            dweight, dbias = (sum(of_one) for of_one in zip(*sums, strict=True))
            return dx, dweight, dbias

        return tuple(lambda i=i: Tensor(x.backend.asarray(gradients()[i])) for i in range(3))


def _with_running_statistics(
    x: Tensor, weight: Tensor, bias: Tensor, running_mean: Array, running_var: Array, eps: float, negative_slope: float
) -> Tensor:
    """With constant statistics batch norm is a scale and a shift per channel."""
    scale = weight * Tensor(1 / x.backend.xp.sqrt(running_var + eps))
    shift = bias - Tensor(running_mean.copy()) * scale  # a later forward in training updates running_mean in place
    y = x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)
    return y if negative_slope == 1.0 else leaky_relu(y, negative_slope)
