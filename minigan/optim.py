"""Optimizers. Each update is one call of a backend kernel that changes every parameter in place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backend import Array, backend_of, updates
from .errors import InputError
from .nn.module import Module, Parameter
from .tensor import Tensor


class Optimizer:
    """Holds parameters and one zero-initialised array per parameter for each name in ``slots``."""

    slots: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        self.params = _listed(type(self).__name__, params)
        if not self.params:
            raise InputError(f"{type(self).__name__} got no parameters")
        if len(set(self.params)) < len(self.params):
            raise InputError(f"{type(self).__name__} got a parameter twice: it would be updated twice a step")
        if not 0 <= lr < math.inf:
            raise InputError(f"{type(self).__name__}: lr = {lr} must be at least 0, and finite")
        self.lr = lr
        self.step_count = 0
        self.state: dict[str, list[Array]] = {
            slot: [p.backend.xp.zeros_like(p.data) for p in self.params] for slot in self.slots
        }

    def step(self, gradients: Sequence[Tensor] | None = None) -> None:
        """One update with ``gradients``, one for each of ``learning`` (default: their ``.grad``)."""
        params = self.learning
        if gradients is None:
            missing = [p.name or str(i) for i, p in enumerate(params) if p.grad is None]
            if missing:
                raise RuntimeError(f"no gradient for {', '.join(missing[:5])}: call backward() before step()")
            gradients = [p.grad for p in params if p.grad is not None]
        if len(gradients) != len(params):
            raise InputError(f"step got {len(gradients)} gradients for {len(params)} parameters")
        _check_gradients("step", gradients)
        for number, (p, g) in enumerate(zip(params, gradients, strict=True)):
            if g.shape != p.shape or g.dtype != p.dtype:
                raise InputError(
                    f"step got a gradient of {g.dtype}{g.shape} for {p.name or f'parameter {number}'}, "
                    f"which is {p.dtype}{p.shape}"
                )
        self._follow()
        self.advance()
        if params:
            self.update(params[0].backend, [p.data for p in params], [g.data for g in gradients])

    @property
    def learning(self) -> list[Parameter]:
        """The parameters that are updated: those that require a gradient. The others are frozen."""
        return [p for p in self.params if p.requires_grad]

    def _follow(self) -> None:
        """Take the state to where the parameters are now: they may have been moved by ``model.to``."""
        for arrays in self.state.values():
            for number, (p, array) in enumerate(zip(self.params, arrays, strict=True)):
                if type(array) is not type(p.data) or array.dtype != p.data.dtype:
                    there = p.backend
                    arrays[number] = there.channels_last(there.asarray(backend_of(array).to_numpy(array), p.dtype))

    def advance(self) -> None:
        """Count an update, and say that the parameters have changed: what a captured step leaves to be done."""
        self.step_count += 1
        for p in self.learning:
            p.bump()

    def update(self, backend: Any, params: list[Array], grads: list[Array]) -> None:
        states = [
            [s for p, s in zip(self.params, self.state[slot], strict=True) if p.requires_grad] for slot in self.slots
        ]
        backend.update(self.rule, params, grads, *states)

    def rule(self) -> updates.Update:
        """What the backend's kernel is told in this step."""
        raise NotImplementedError(f"{type(self).__name__}.rule")

    def zero_grad(self) -> None:
        for p in self.params:
            p.grad = None

    def state_dict(self) -> dict[str, np.ndarray]:
        """The step count and every slot, as copies on the host: {"step": ..., "exp_avg.0": ...}"""
        self._follow()
        state = {"step": np.array(self.step_count)}
        for slot, arrays in self.state.items():
            for number, (p, array) in enumerate(zip(self.params, arrays, strict=True)):
                state[f"{slot}.{number}"] = np.array(p.backend.to_numpy(array), order="C")
        return state

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Copy a ``state_dict`` back. Refuses, unchanged, one of other names or shapes."""
        own = self.state_dict()
        wrong = sorted(own.keys() ^ state.keys()) or [k for k in own if own[k].shape != state[k].shape]
        if wrong:
            raise InputError(f"the state does not fit this {type(self).__name__}: it differs in {', '.join(wrong[:5])}")
        self.step_count = int(state["step"])
        for slot, arrays in self.state.items():
            for number, (p, array) in enumerate(zip(self.params, arrays, strict=True)):
                array[...] = p.backend.asarray(state[f"{slot}.{number}"], array.dtype)


class SGD(Optimizer):
    """b <- momentum b + g + l2 p;  p <- p - lr b"""

    slots = ("momentum_buffer",)

    def __init__(
        self, params: Iterable[Parameter], *, lr: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr)
        _check_setting(self, "momentum", momentum)
        _check_setting(self, "weight_decay", weight_decay)
        self.momentum, self.weight_decay = momentum, weight_decay

    def rule(self) -> updates.Update:
        return updates.SGD(self.lr, self.momentum, self.weight_decay)


class RMSprop(Optimizer):
    """v <- alpha v + (1 - alpha) g^2;  p <- p - lr g / (sqrt(v) + eps)  (Tieleman & Hinton 2012)"""

    slots = ("square_avg",)

    def __init__(
        self, params: Iterable[Parameter], *, lr: float = 0.01, alpha: float = 0.99, eps: float = 1e-8
    ) -> None:
        super().__init__(params, lr)
        _check_setting(self, "alpha", alpha, below=1)
        _check_setting(self, "eps", eps)
        self.alpha, self.eps = alpha, eps

    def rule(self) -> updates.Update:
        return updates.RMSprop(self.lr, self.alpha, self.eps)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), with eps outside the bias-corrected root; ``weight_decay`` is added to the gradient.

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
    """

    slots = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Parameter],
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        if len(betas) != 2:
            raise InputError(f"{type(self).__name__}: betas = {betas} must be two numbers")
        if not all(0 <= beta < 1 for beta in betas):
            raise InputError(f"{type(self).__name__}: betas = {betas} must each be at least 0 and below 1")
        _check_setting(self, "eps", eps)
        _check_setting(self, "weight_decay", weight_decay)
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay

    def rule(self) -> updates.Update:
        return updates.Adam(self.lr, self.step_count, self.betas, self.eps, l2=self.weight_decay)


class AdamW(Adam):
    """Adam with decoupled decay (Loshchilov & Hutter 2019): p shrinks by lr * weight_decay before each update."""

    def __init__(self, params: Iterable[Parameter], *, weight_decay: float = 0.01, **settings: Any) -> None:
        super().__init__(params, weight_decay=weight_decay, **settings)

    def rule(self) -> updates.Update:
        return updates.Adam(self.lr, self.step_count, self.betas, self.eps, decay=self.weight_decay)


def clip_grad_norm(gradients: Iterable[Tensor], max_norm: float) -> list[Tensor]:
    """The gradients, scaled down together when their common Euclidean norm is above ``max_norm``.

    They are new Tensors, or the same ones; nothing changes in place. Raises TypeError for parameters, which PyTorch's
    function of this name takes, and InputError for a norm that is not above 0.
    """
    gradients = list(gradients)
    _check_gradients("clip_grad_norm", gradients)
    if not max_norm > 0:
        raise InputError(f"clip_grad_norm: max_norm = {max_norm} must be above 0")
    norm = sum(float((g.data.astype(np.float64) ** 2).sum()) for g in gradients) ** 0.5
    factor = float(max_norm) / (norm + 1e-6)  # a NumPy number would change the dtype
    return gradients if factor >= 1 else [Tensor(g.data * factor) for g in gradients]


def _listed(name: str, params: Any) -> list[Parameter]:
    """The parameters that an optimizer is given. Raises TypeError for anything else, and for one that is in no list."""
    alone = isinstance(params, Tensor | Module)  # which could be gone through: a Parameter has elements
    found: list[Any] = [params] if alone else list(params)
    for p in found:
        if alone or not isinstance(p, Tensor) or p.node is not None:
            kind = "the result of an op" if getattr(p, "node", None) is not None else type(p).__name__
            raise TypeError(f"{name} takes a list of parameters, as model.parameters(): not {kind}")
    return found


def _check_gradients(what: str, gradients: Sequence[Any]) -> None:
    for g in gradients:
        if not isinstance(g, Tensor):
            raise TypeError(f"{what} takes gradients, which are Tensors, not {type(g).__name__}")
        if isinstance(g, Parameter):
            raise TypeError(
                f"{what} takes gradients, and {g.name or 'this'} is a parameter: give what grad(...) returns, or "
                "[p.grad for p in parameters]"
            )


def _check_setting(optimizer: Optimizer, name: str, value: float, below: float = math.inf) -> None:
    if not 0 <= value < below:
        limit = "finite" if below == math.inf else f"below {below:g}"
        raise InputError(f"{type(optimizer).__name__}: {name} = {value} must be at least 0, and {limit}")


@dataclass(frozen=True)
class LinearDecay:
    """A schedule: factor 1 up to step ``start``, then falling linearly to 0 at step ``end`` (both counted from 1).

    >>> [LinearDecay(start=2, end=6)(step) for step in (1, 2, 4, 6)]
    [1.0, 1.0, 0.5, 0.0]
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise InputError(f"LinearDecay: start {self.start} must be at least 0 and below end {self.end}")

    def __call__(self, step: int) -> float:
        return min(1.0, max(0.0, (self.end - step) / (self.end - self.start)))
