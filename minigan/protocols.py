"""How a Tensor answers Python and NumPy: as the number or the array that it holds, and without a gradient."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np


class Protocols:
    """float(t), np.asarray(t), 3.0 in t, f"{t:.2f}", pickle.dumps(t) and the like. Base of Tensor alone."""

    __slots__ = ()
    __array_priority__ = 1000  # numpy_array * tensor comes to Tensor.__rmul__

    data: Any

    def numpy(self) -> np.ndarray:
        raise NotImplementedError

    def item(self) -> Any:
        """The one value of a one-element tensor, as a Python number."""
        if self.data.size != 1:
            raise ValueError(f"a tensor of shape {self.data.shape} is not one number: take an element, a sum or a mean")
        return self.numpy().item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """What ``np.asarray(t)`` is: the values, see ``numpy``."""
        array = self.numpy()
        wanted = array if dtype is None else array.astype(dtype, copy=False)
        if copy is False and wanted is not array:
            raise ValueError(f"{array.dtype} cannot become {dtype} without a copy")
        return wanted.copy() if copy and wanted is array else wanted

    def _repr_html_(self) -> str:
        """What a notebook shows: the values, as print does, and what one wants to know of them."""
        array = np.asarray(self.numpy())
        known = [f"{'x'.join(map(str, array.shape)) or 'a number'}, {array.dtype}"]
        if array.size and array.dtype.kind == "f":
            known.append(f"{array.min():.4g} to {array.max():.4g}, mean {array.mean(dtype=np.float64):.4g}")
        if getattr(self, "requires_grad", False):
            known.append("requires a gradient")
        return f"<pre>{escape(repr(self))}</pre><small>{'; '.join(known)}</small>"

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ValueError(
                f"a tensor of shape {self.data.shape} is neither true nor false: compare one element, or a sum"
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        """An integer tensor of one element counts as an int wherever Python wants one."""
        if self.data.size != 1 or self.data.dtype.kind not in "iu":
            raise TypeError(f"a tensor of {self.data.dtype}{self.data.shape} is not one integer")
        return operator.index(self.item())

    def __format__(self, spec: str) -> str:
        if spec and self.data.size != 1:
            raise TypeError(f"format {spec!r} is for one number, not for a tensor of shape {self.data.shape}")
        return format(self.item(), spec) if spec else str(self)

    def __len__(self) -> int:
        if not self.data.shape:
            raise TypeError("a tensor of no axes is one number: it has no length and no elements to go through")
        return int(self.data.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    def __contains__(self, value: Any) -> bool:
        return bool(np.asarray(self.numpy() == np.asarray(value)).any())
