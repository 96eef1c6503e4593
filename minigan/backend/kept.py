"""What a kernel keeps of an operand, such as its transform, for the next kernel that is given the same array."""

from __future__ import annotations

from typing import Any


class Kept:
    """What is kept belongs to one array, told by identity: no equal one has it, and none made later comes by it.

    An array that was changed in place still has what was kept of it before. Whoever hands something on sees to that:
    see ops/partial.py.

    >>> import numpy as np
    >>> kept, x, y = Kept(), np.ones(3), np.ones(3)
    >>> kept.of(x)["sum"] = 3.0
    >>> kept.of(x), kept.of(y), kept.only(y).of(x)
    ({'sum': 3.0}, {}, {})
    """

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[Any, dict[Any, Any]]] = {}  # with the array, so that its id is not given again

    def of(self, array: Any) -> dict[Any, Any]:
        """What is kept of ``array``, by what it is; a kernel adds to it."""
        return self._by_id.setdefault(id(array), (array, {}))[1]

    def only(self, *arrays: Any) -> Kept:
        """A copy with what is kept of these arrays."""
        copy = Kept()
        copy._by_id = {id(array): (array, dict(self.of(array))) for array in arrays}
        return copy
