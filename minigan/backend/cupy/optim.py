"""Optimizers: one launch of a kernel of optim.cu updates up to SLOTS parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..base import Array
from ..host import from_host
from ..updates import SGD, Adam, RMSprop, Update
from .device import Device
from .graph import CaptureError
from .launch import C_NAMES, THREADS, ceil_div

SLOTS = 64  # parameters that one launch updates, as in optim.cu
ENOUGH_BLOCKS = 512
SLOT = np.dtype([(name, np.int64) for name in ("p", "g", "a", "b", "size")])


def adam(rule: Adam) -> tuple[float, ...]:
    (b1, b2), lr, step = rule.betas, rule.lr, rule.step
    return 1 - lr * rule.decay, rule.l2, 1 - b1, b2, 1 - b2, lr / (1 - b1**step), (1 - b2**step) ** 0.5, rule.eps


def sgd(rule: SGD) -> tuple[float, ...]:
    return rule.lr, rule.momentum, rule.l2


def rmsprop(rule: RMSprop) -> tuple[float, ...]:
    return rule.lr, rule.alpha, 1 - rule.alpha, rule.eps


NUMBERS: dict[str, Callable[..., tuple[float, ...]]] = {"adam": adam, "sgd": sgd, "rmsprop": rmsprop}  # of a kernel


def update(backend: Device, rule: Callable[[], Update], arrays: Sequence[Sequence[Array]]) -> list[tuple[Array, ...]]:
    """``arrays`` are params, grads, states... Returns those (p, g, states...) that the kernel cannot do."""
    kernel = rule().kernel
    left: list[tuple[Array, ...]] = []
    by_dtype: dict[np.dtype, list[tuple[Array, ...]]] = {}
    for p, g, *states in zip(*arrays, strict=True):
        layout = dense_layout(p)
        own = p.dtype in C_NAMES and all(array.dtype == p.dtype for array in (g, *states))
        if own and layout and all(dense_layout(s) == layout for s in states):
            g = backend.channels_last(g) if layout == "NHWC" else backend.xp.ascontiguousarray(g)
            by_dtype.setdefault(p.dtype, []).append((p, g, *states))
        else:
            left.append((p, g, *states))
    if left and backend.capturing:
        raise CaptureError(
            f"a parameter of {left[0][0].dtype} with strides {left[0][0].strides} has no {kernel} kernel"
        )
    # By address and not by value: a replay is to find the numbers of its own step there.
    numbers = from_host(backend, lambda: np.array(NUMBERS[kernel](rule())))
    for dtype, group in by_dtype.items():
        for start in range(0, len(group), SLOTS):
            some = group[start : start + SLOTS]
            table = np.zeros(SLOTS, SLOT)
            for row, arrays_of_one in enumerate(some):
                pointers = [array.data.ptr for array in arrays_of_one]
                table[row] = (*pointers, *[0] * (4 - len(pointers)), arrays_of_one[0].size)
            blocks = min(ceil_div(max(p.size for p, *_ in some), THREADS), ENOUGH_BLOCKS)
            if blocks:
                slots = table.view(np.dtype((np.void, table.nbytes)))
                backend.launch(f"optim.{kernel}", dtype, (blocks, len(some)), (THREADS,), slots, numbers)
    return left


def dense_layout(array: Array) -> str:
    """How an array without gaps lies: "NHWC", "C" for row by row, or "" for another way."""
    if array.ndim == 4 and array.transpose(0, 2, 3, 1).flags.c_contiguous:
        return "NHWC"
    return "C" if array.flags.c_contiguous else ""
