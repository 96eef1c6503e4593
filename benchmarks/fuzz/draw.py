"""What random calls are made of: arrays of many shapes, dtypes and layouts, and settings of every kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SPECIAL = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0])


@dataclass
class Call:
    """One op on arrays, as minigan and as PyTorch write it."""

    name: str
    arrays: list[np.ndarray]
    mine: Callable[..., Any]
    theirs: Callable[..., Any]
    settings: str = ""
    seed: int = 0
    loose: float = 1.0  # how much larger than usual rounding errors may be

    def __str__(self) -> str:
        shapes = ", ".join(f"{a.dtype}{a.shape}{a.strides}" for a in self.arrays)
        return f"{self.name}({shapes}; {self.settings})"


class Draw:
    """Random arrays and settings."""

    def __init__(self, seed: int | Sequence[int]) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def int(self, low: int, high: int) -> int:
        """low..high, as one of the types that count as integers."""
        number = self.rng.integers(low, high + 1)
        return self.one(int(number), int(number), int(number), number)

    def shape(self, least: int = 0, most: int = 4) -> tuple[int, ...]:
        sizes = [int(self.rng.integers(1, 6)) for _ in range(self.rng.integers(least, most + 1))]
        if sizes and self.chance(0.04):
            sizes[self.rng.integers(len(sizes))] = 0
        if sizes and self.chance(0.04):
            sizes[0] *= 4000 // max(1, int(np.prod(sizes))) + 1  # enough for the kernels of large arrays
            sizes[0] = min(sizes[0] * 3, 20000)
        return tuple(sizes)

    def array(self, shape: tuple[int, ...], dtype: Any = None, special: float = 0.2, low: float | None = None) -> Any:
        dtype = np.dtype(dtype or self.one("f4", "f4", "f4", "f8"))
        if dtype.kind == "b":
            return self.rng.random(shape) < 0.5
        if dtype.kind in "iu":
            return self.rng.integers(0 if dtype.kind == "u" else -4, 5, shape).astype(dtype)
        values = np.asarray(self.rng.standard_normal(shape) * self.one(1, 1, 4))
        if self.chance(special):
            values = np.where(self.rng.random(shape) < 0.2, self.rng.choice(SPECIAL, shape), values)
        if low is not None:
            values = np.abs(values) + low
        return self.layout(values.astype(dtype))

    def layout(self, a: np.ndarray) -> np.ndarray:
        kind = self.one("c", "c", "f", "last", "strided")
        if kind == "f":
            return np.asfortranarray(a)
        if kind == "last" and a.ndim == 4:
            return np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        if kind == "strided" and a.ndim:
            return np.repeat(a, 2, -1)[..., ::2]
        return a

    def axis(self, ndim: int) -> Any:
        """Mostly one that exists."""
        if self.chance(0.06):
            return self.one(ndim, -ndim - 1, 9)
        return self.int(-ndim, ndim - 1) if ndim else 0

    def pair(self, low: int, high: int) -> Any:
        one, other = self.int(low, high), self.int(low, high)
        return self.one(one, one, (one, other), [one, other], (int(one), int(other), 1) if self.chance(0.05) else one)
