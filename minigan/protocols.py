"""How a Tensor answers Python and NumPy: as the number or the array that it holds, and without a gradient."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from .backend import backend_of


class Protocols:
    """float(t), np.asarray(t), 3.0 in t, f"{t:.2f}", pickle.dumps(t) and the like. Base of Tensor alone."""

    __slots__ = ()
    __array_priority__ = 1000  # numpy_array * tensor comes to Tensor.__rmul__

    data: Any
    shape: tuple[int, ...]
    size: int

    def numpy(self) -> np.ndarray:
        raise NotImplementedError

    def item(self) -> Any:
        """The one value of a one-element tensor, as a Python number."""
        if self.size != 1:
            raise ValueError(f"a tensor of shape {self.shape} is not one number: take an element, a sum or a mean")
        return self.numpy().item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """What ``np.asarray(t)`` is: the values, see ``numpy``."""
        array = self.numpy()
        wanted = array if dtype is None else array.astype(dtype, copy=False)
        if copy is False and wanted is not array:
            raise ValueError(f"{array.dtype} cannot become {dtype} without a copy")
        return wanted.copy() if copy and wanted is array else wanted

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"a tensor of shape {self.shape} is neither true nor false: compare one element, or a sum")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        """An integer tensor of one element counts as an int wherever Python wants one."""
        return operator.index(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else format(str(self), spec)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a tensor of no axes has no length: it is one number")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    def __contains__(self, value: Any) -> bool:
        return bool(np.asarray(self.numpy() == np.asarray(value)).any())

    # Copies hold the values and are leaves: the graph behind a result stays where it is, as with ``detach``.

    def __getstate__(self) -> tuple[Any, ...]:
        leaf = self.node is None  # type: ignore[attr-defined]
        return self.data, self.requires_grad and leaf, self.name, self.grad  # type: ignore[attr-defined]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        data, self.requires_grad, self.name, self.grad = state  # type: ignore[attr-defined]
        self.data = backend_of(data).channels_last(data)  # pickle forgets how an array lay in memory
        self.node, self.version, self.base = None, 0, None  # type: ignore[attr-defined]
