"""Numbers that remember how they were computed. Put into arrays, the reference kernels run on them as on any others,
and each result tells, term by term, what textbook loops would have done.

>>> x, w = spell(np.array([2.0, 3.0]), "x"), spell(np.array([0.5, -1.0]), "w")
>>> y = (x * w).sum()
>>> y.names
'x[0]*w[0] + x[1]*w[1]'
>>> y.numbers, y.value
('2*0.5 + 3*(-1)', -2.0)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

LONGEST = 4000  # characters that are worth keeping
TEXTS = ("names", "numbers")
SUM, PRODUCT, ATOM = 0, 1, 2  # how tightly the outermost sign of an expression binds


class Spelled:
    """A number, its expression in names and in numbers."""

    __slots__ = ("value", "names", "numbers", "binds")

    def __init__(self, value: float, names: str, numbers: str, binds: int = ATOM) -> None:
        self.value, self.names, self.numbers, self.binds = value, names[:LONGEST], numbers[:LONGEST], binds

    def _with(self, other: Any, sign: str, binds: int, value: Callable[[float, float], float], swap: bool) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        a, b = (_spelled(other), self) if swap else (self, _spelled(other))
        tight = binds + (sign.strip() in ("-", "/"))  # a - (b + c), a / (b * c)
        names, numbers = (_joined(_inside(a, t, binds), sign, _inside(b, t, tight)) for t in TEXTS)
        return Spelled(value(a.value, b.value), names, numbers, binds)

    def __add__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._with(other, " + ", SUM, lambda a, b: a + b, False)

    def __radd__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._with(other, " + ", SUM, lambda a, b: a + b, True)

    def __sub__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._with(other, " - ", SUM, lambda a, b: a - b, False)

    def __rsub__(self, other: Any) -> Any:
        return -self if _is(other, 0) else self._with(other, " - ", SUM, lambda a, b: a - b, True)

    def __mul__(self, other: Any) -> Any:
        if _is(other, 0) or _is(other, 1):
            return self if other else 0
        return self._with(other, "*", PRODUCT, lambda a, b: a * b, False)

    def __rmul__(self, other: Any) -> Any:
        if _is(other, 0) or _is(other, 1):
            return self if other else 0
        return self._with(other, "*", PRODUCT, lambda a, b: a * b, True)

    def __truediv__(self, other: Any) -> Any:
        return self if _is(other, 1) else self._with(other, " / ", PRODUCT, lambda a, b: a / b, False)

    def __rtruediv__(self, other: Any) -> Any:
        return 0 if _is(other, 0) else self._with(other, " / ", PRODUCT, lambda a, b: a / b, True)

    def __pow__(self, exponent: float) -> Any:
        names, numbers = (f"{_inside(self, t, ATOM)}^{exponent:g}" for t in TEXTS)
        return self if exponent == 1 else Spelled(self.value**exponent, names, numbers, PRODUCT)

    def __neg__(self) -> Spelled:
        names, numbers = (f"-{_inside(self, t, PRODUCT)}" for t in TEXTS)
        return Spelled(-self.value, names, numbers, SUM)

    def __abs__(self) -> Spelled:
        return Spelled(abs(self.value), f"|{self.names}|", f"|{self.numbers}|")

    def __float__(self) -> float:
        return float(self.value)

    def __lt__(self, other: Any) -> bool:
        return self.value < float(other)

    def __le__(self, other: Any) -> bool:
        return self.value <= float(other)

    def __gt__(self, other: Any) -> bool:
        return self.value > float(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= float(other)

    def __repr__(self) -> str:
        return f"{self.names} = {self.value:.4g}"

    def _function(self, name: str, value: float) -> Spelled:
        return Spelled(value, f"{name}({self.names})", f"{name}({self.numbers})")

    # NumPy's functions of arrays of objects call the method of that name on each.

    def exp(self) -> Spelled:
        return self._function("exp", math.exp(self.value))

    def log(self) -> Spelled:
        return self._function("log", math.log(self.value))

    def log1p(self) -> Spelled:
        return self._function("log1p", math.log1p(self.value))

    def sqrt(self) -> Spelled:
        return self._function("sqrt", math.sqrt(self.value))

    def tanh(self) -> Spelled:
        return self._function("tanh", math.tanh(self.value))


def spell(array: np.ndarray, name: str) -> np.ndarray:
    """The same numbers, each called by its place: name[0,1]."""
    spelled = np.empty(array.shape, object)
    for at in np.ndindex(array.shape):
        place = f"[{','.join(map(str, at))}]" if at else ""
        spelled[at] = Spelled(float(array[at]), name + place, f"{array[at]:.4g}")
    return spelled


def values(array: np.ndarray) -> np.ndarray:
    """The numbers alone."""
    return np.array([float(number) for number in array.reshape(-1)]).reshape(array.shape)


def _spelled(number: Any) -> Spelled:
    if isinstance(number, Spelled):
        return number
    text = f"{float(number):.4g}"
    return Spelled(float(number), text, text)


def _is(other: Any, number: float) -> bool:
    return not isinstance(other, (Spelled, np.ndarray)) and other == number


def _joined(left: str, sign: str, right: str) -> str:
    """a + -b is a - b, and a * 1 / b is a / b."""
    if sign == " + " and right.startswith("-"):
        return f"{left} - {right[1:]}"
    if sign == "*" and right.startswith("1 / "):
        return f"{left} / {right[4:]}"
    return f"{left}{sign}{right}"


def _inside(part: Spelled, text: str, binds: int) -> str:
    """The part's expression, in brackets where the sign beside it binds more tightly, or it begins with a minus."""
    words = getattr(part, text)
    return f"({words})" if part.binds < binds or (words.startswith("-") and binds > SUM) else words
