"""Is a gradient right? Compare it with central differences of the function itself, along random cotangents.

For y = f(x) and a random cotangent v, the vjp claims to be the gradient of the number L(x) = <v, f(x)>. Central
differences (L(x + h e_i) - L(x - h e_i)) / 2h measure it. A cotangent of ones would be blind to every backward whose
error sums to zero: batch norm's, for one. For the second order the same is done to the function (x, v) -> vjp itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .ops import concat
from .tensor import Tensor, enable_grad, grad, no_grad

STEP = 1e-5  # of a central difference in float64: truncation ~ STEP^2, rounding ~ 1e-16 / STEP
BOUNDS = {1: 1e-7, 2: 1e-5, 3: 1e-4}  # worst relative error allowed at each order
FLOOR = 1e-3  # gradients smaller than this are compared absolutely


class Mismatch(NamedTuple):
    """The element of a gradient that disagrees most with the differences."""

    error: float  # |analytic - numeric| / the largest element of that gradient
    order: int
    input: int
    element: tuple[int, ...]
    analytic: float
    numeric: float

    def __str__(self) -> str:
        return (
            f"order {self.order}: gradient of input {self.input} is wrong at element {self.element}: "
            f"vjp says {self.analytic:.10g}, differences say {self.numeric:.10g} (relative error {self.error:.1e})"
        )


class GradientError(AssertionError):
    """A gradient disagrees with the finite differences."""


def check_grad(f: Callable[..., Tensor], *inputs: Tensor, order: int = 1, seed: int = 0) -> dict[int, float]:
    """Check the gradients of ``f`` at ``inputs`` up to ``order``; the worst relative error by order.

    ``inputs`` are float64 tensors, away from kinks; ``f`` takes them, returns one tensor, and must give the same values
    each time (seed its randomness inside). Raises GradientError that names the input, the element, both values and
    the error when it passes 1e-7 (order 1), 1e-5 (order 2) or 1e-4 (order 3).

    >>> x = Tensor(np.array([0.3, -0.7]))
    >>> errors = check_grad(lambda x: x * x * x, x, order=2)
    >>> errors[1] < 1e-7 and errors[2] < 1e-5
    True
    """
    errors = {}
    for mismatch in worst_mismatches(f, *inputs, order=order, seed=seed):
        if not mismatch.error <= BOUNDS[mismatch.order]:  # written so that NaN fails too
            raise GradientError(str(mismatch))
        errors[mismatch.order] = mismatch.error
    return errors


def worst_mismatches(f: Callable[..., Tensor], *inputs: Tensor, order: int = 1, seed: int = 0) -> list[Mismatch]:
    """The worst disagreement at each order from 1 to ``order``, whatever its size."""
    for number, t in enumerate(inputs):
        if not isinstance(t, Tensor):
            raise TypeError(f"input {number} is a {type(t).__name__}: make it a Tensor")
        if t.dtype != np.float64:
            raise TypeError(f"input {number} is {t.dtype}: finite differences need float64")
    rng = np.random.default_rng([seed, 1])  # not default_rng(seed), which may have drawn the inputs: v must not be x
    found = []
    for k in range(1, order + 1):
        found.append(_worst(f, inputs, rng, k))
        f, inputs = _derivative(f, inputs, rng)
    return found


def _worst(f: Callable[..., Tensor], inputs: tuple[Tensor, ...], rng: np.random.Generator, order: int) -> Mismatch:
    leaves = [_leaf(t) for t in inputs]
    y = f(*leaves)
    v = _random_like(y, rng)
    analytic = grad(y, leaves, v, allow_unused=True)
    worst = Mismatch(-1.0, order, 0, (), 0.0, 0.0)
    for number, leaf in enumerate(leaves):
        numeric = _differences(lambda: f(*leaves), v.numpy(), leaf)
        g = analytic[number]
        claimed = np.zeros(leaf.shape) if g is None else np.array(g.numpy())
        difference = np.abs(claimed - numeric)
        errors = np.where(np.isnan(difference), np.inf, difference)
        if errors.size:
            at = tuple(int(i) for i in np.unravel_index(np.argmax(errors), errors.shape))
            error = errors[at] / max(np.abs(numeric).max(), np.abs(claimed).max(), FLOOR)
            mismatch = Mismatch(float(error), order, number, at, float(claimed[at]), float(numeric[at]))
            worst = max(worst, mismatch, key=lambda m: m.error)
    return worst


def _differences(f: Callable[[], Tensor], v: np.ndarray, leaf: Tensor) -> np.ndarray:
    """d<v, f>/d leaf by central differences, one element after the other."""
    numeric = np.empty(leaf.shape)
    data = leaf.data
    for at in np.ndindex(leaf.shape):
        before = float(data[at])
        up, down = before + STEP, before - STEP  # dividing by their exact distance leaves no rounding of the step
        data[at] = up
        above = _scalar(f, v)
        data[at] = down
        below = _scalar(f, v)
        data[at] = before
        numeric[at] = (above - below) / (up - down)
    return numeric


def _scalar(f: Callable[[], Tensor], v: np.ndarray) -> float:
    return float(np.sum(np.asarray(f().numpy()) * np.asarray(v)))


def _derivative(f: Callable[..., Tensor], inputs: tuple[Tensor, ...], rng: np.random.Generator):
    """The vjp of ``f`` as a function of its inputs and cotangent, all gradients as one flat tensor, and its inputs."""
    with no_grad():
        v = _random_like(f(*inputs), rng)

    def derivative(*inputs_and_v: Tensor) -> Tensor:
        *xs, v = inputs_and_v
        with enable_grad():
            xs = [x if x.requires_grad else _leaf(x) for x in xs]
            gradients = grad(f(*xs), xs, v, create_graph=True, allow_unused=True)
            return concat([g.reshape(-1) for g in gradients if g is not None])

    return derivative, (*inputs, v)


def _leaf(t: Tensor) -> Tensor:
    """The same array, strides and all, as a leaf. Differences change it in place and put it back exactly as it was."""
    writeable = getattr(t.data.flags, "writeable", True)  # CuPy's arrays all are, and have no such flag
    return Tensor(t.data if writeable else t.data.copy(), requires_grad=True)


def _random_like(t: Tensor, rng: np.random.Generator) -> Tensor:
    return Tensor(t.backend.asarray(rng.standard_normal(t.shape)))
