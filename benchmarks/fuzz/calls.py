"""Random calls of every op, against PyTorch: ops x shapes x dtypes x layouts x settings, value and gradient.

A call is fine when both agree, when both refuse, or when minigan alone refuses for a reason that stands in ``REASONS``.
Anything else is a fault: another value, another gradient, a refusal without a reason, an answer where PyTorch has none,
an exception that is no refusal. Among the numbers are infinities, NaN and both zeros.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from minigan import backend
from minigan.errors import InputError
from minigan.tensor import Tensor, grad

from .draw import Call
from .kinds import calls

REASONS = {
    r"have dtypes|input is \w+, weight is|is not (a whole number|a truth value)": (
        "a dtype is never changed without being asked"
    ),
    r"out of bounds for": "a number that the tensor's dtype cannot hold is refused, not wrapped",
    r"nothing to average|amax: axis .* holds no numbers": "of no numbers there is neither a mean nor a largest one",
    r"truth values have no powers": "a truth value is no number to raise",
    r"normalized_shape = .* must be": "of no values there is no variance",
    r"'3' is no number": "text is not repeated, though a tensor may be an integer",
    r"has one value per channel|it has no variance": "of one value there is no variance",
    r"each must be at least 1|every side must be at least 1|must be (a|one) whole number": "pictures have pixels",
    r"must be \(N, ": "pictures come in batches",
    r"linear: input .* does not fit weight": "linear maps rows, so its input has two axes at least",
    r"bias \(.* (must be|does not fit)": "a bias is one number for each output, whatever would broadcast to that",
    r"negative integer powers|whose power": "an integer has no negative power that is one",
    r"leave an output of": "pictures have pixels",
    r"output_padding .* must be smaller": "output_padding chooses among sizes, so it is below the stride or dilation",
    r"prelu: weight": "slopes are one, or one a channel",
}
REFUSALS = (ValueError, TypeError, IndexError, OverflowError)
THEIR_REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)
CHOICES = (
    "relu",
    "leaky_relu",
    "neg",
    "+",
    "-",
    "getitem",
    "reshape",
    "transpose",
    "concat",
    "pad",
    "flatten",
    "upsample",
)


@dataclass
class Outcome:
    """What a call came to: its values and gradients, or why it was refused."""

    values: list[np.ndarray] = field(default_factory=list)
    gradients: list[np.ndarray | None] = field(default_factory=list)
    refused: str = ""


def ours(call: Call, cotangent: Callable[[tuple[int, ...], Any], np.ndarray]) -> Outcome:
    place = backend.get("reference" if call.seed % 4 == 3 else "numpy")
    inputs = [Tensor(place.asarray(a), requires_grad=a.dtype.kind == "f") for a in call.arrays]
    try:
        y = call.mine(*inputs)
    except REFUSALS as error:
        return Outcome(refused=str(error) or type(error).__name__)
    y, more = y if isinstance(y, tuple) else (y, [])
    if not isinstance(y, Tensor):  # None == x and the like are Python's answer
        return Outcome([np.asarray(y)])
    outcome = Outcome([y.numpy().copy(), *more])
    if y.requires_grad:
        leaves = [t for t in inputs if t.requires_grad]
        found = grad(y, leaves, Tensor(place.asarray(cotangent(y.shape, y.dtype))), allow_unused=True)
        for leaf, g in zip(leaves, found, strict=True):
            if g is not None and (g.shape != leaf.shape or g.dtype != leaf.dtype):
                raise AssertionError(f"a gradient of {g.dtype}{g.shape} for {leaf.dtype}{leaf.shape}")
        outcome.gradients = [None if g is None else g.numpy() for g in found]
    return outcome


def pytorchs(call: Call, cotangent: Callable[[tuple[int, ...], Any], np.ndarray]) -> Outcome:
    inputs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in call.arrays]
    try:
        y = call.theirs(*inputs)
    except THEIR_REFUSALS as error:
        return Outcome(refused=str(error) or type(error).__name__)
    y, more = y if isinstance(y, tuple) else (y, [])
    if not isinstance(y, torch.Tensor):
        return Outcome([np.asarray(y)])
    outcome = Outcome([y.detach().numpy(), *(t.numpy() for t in more)])
    if y.requires_grad:
        leaves = [t for t in inputs if t.requires_grad]
        g = torch.tensor(cotangent(tuple(y.shape), outcome.values[0].dtype))
        found = torch.autograd.grad(y, leaves, g, allow_unused=True)
        outcome.gradients = [None if g is None else g.numpy() for g in found]
    return outcome


def differ(a: np.ndarray | None, b: np.ndarray | None, loose: float) -> str:
    """How two arrays differ, "" when they agree: infinities and NaN in the same places, the rest up to rounding."""
    a, b = (np.zeros(()) if x is None else x for x in (a, b))
    if a.shape != b.shape and a.ndim and b.ndim:
        return f"shapes {a.shape} and {b.shape}"
    if a.dtype.kind == "f" != b.dtype.kind or a.dtype.kind not in "f" or (a.dtype != b.dtype and a.ndim and b.ndim):
        if a.dtype != b.dtype and a.ndim and b.ndim:
            return f"dtypes {a.dtype} and {b.dtype}"
        return "" if np.array_equal(a, b) else f"{a} and {b}"
    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(invalid="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        scale = np.abs(np.where(finite, b, 0)).max(initial=1e-3)
        near = np.abs(a - b) <= loose * 16 * np.finfo(a.dtype).eps * np.maximum(scale, 1)
    wrong = ~(same | (finite & near))
    if not wrong.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{np.broadcast_to(a, wrong.shape)[at]} and {np.broadcast_to(b, wrong.shape)[at]} at {at}"


class Comparison:
    """Raises AssertionError for a fault, InputError for a refusal with its reason; ``outcomes`` counts what came."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()

    def __call__(self, call: Call) -> None:
        rng = np.random.default_rng([call.seed, 1])
        special = rng.random() < 0.2 and call.name in CHOICES
        drawn: dict[Any, np.ndarray] = {}

        def cotangent(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
            if (shape, dtype) not in drawn:
                values = np.asarray(rng.standard_normal(shape))
                drawn[shape, dtype] = np.where(rng.random(shape) < 0.1 * special, np.inf, values).astype(dtype)
            return drawn[shape, dtype]

        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            a, b = ours(call, cotangent), pytorchs(call, cotangent)
        if a.refused and b.refused:
            self.outcomes["both refuse"] += 1
            raise InputError("both refuse")
        if a.refused:
            for pattern, reason in REASONS.items():
                if re.search(pattern, a.refused):
                    self.outcomes[reason] += 1
                    raise InputError(reason)
            raise AssertionError(f"minigan alone refuses: {a.refused}")
        if b.refused:
            raise AssertionError(f"PyTorch alone refuses: {b.refused.splitlines()[0]}")
        for what, mine, theirs in (("value", a.values, b.values), ("gradient", a.gradients, b.gradients)):
            if len(mine) != len(theirs):
                raise AssertionError(f"{len(mine)} and {len(theirs)} {what}s")
            for number, (x, y) in enumerate(zip(mine, theirs, strict=True)):
                if said := differ(x, y, call.loose):
                    raise AssertionError(f"{what} {number}: {said}")
        self.outcomes["agree"] += 1


def target():
    torch.set_num_threads(1)
    return Comparison(), calls(0), tempfile.TemporaryDirectory()
