"""Reading sizes and axes: whatever is an integer is taken (``np.int64`` too), anything else is refused by name."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from .errors import InputError

Size = int | Sequence[int]  # one number for all directions, or one each


def size(name: str, value: SupportsIndex, least: int | None = 1) -> int:
    """``value`` as an int of at least ``least``.

    >>> size("Linear: in_features", np.int64(3))
    3
    """
    number = _integer(value)
    if number is None or (least is not None and number < least):
        bound = "" if least is None else f" of at least {least}"
        raise InputError(f"{name} = {value!r} must be a whole number{bound}")
    return number


def sizes(name: str, value: Any, count: int | None = None, least: int | None = 1) -> tuple[int, ...]:
    """``value``, one integer or a sequence of them, as a tuple of ``count`` (default: as many as there are).

    >>> sizes("conv2d: stride", 2, 2), sizes("conv2d: stride", [2, 1], 2)
    ((2, 2), (2, 1))
    """
    one = _integer(value)
    if one is not None:
        found: list[int | None] = [one] * (1 if count is None else count)
    elif isinstance(value, (tuple, list, range)) or (isinstance(value, np.ndarray) and value.ndim == 1):
        found = [_integer(number) for number in value]
    else:
        found = [None]
    numbers = tuple(number for number in found if number is not None and (least is None or number >= least))
    if len(numbers) < len(found) or count not in (None, len(found)):
        wanted = {None: "whole numbers", 1: "a whole number"}.get(count, f"one whole number, or {count} of them")
        bound = "" if least is None else f", at least {least}"
        raise InputError(f"{name} = {value!r} must be {wanted}{bound}")
    return numbers


def pair(name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """(height, width), which one number stands for both of."""
    return sizes(name, value, 2, least)  # type: ignore[return-value]


def axis(name: str, value: SupportsIndex, ndim: int) -> int:
    """``value``, which may count from the end, as a number in 0 .. ndim - 1.

    >>> axis("softmax", -1, 3)
    2
    """
    number = size(f"{name}: axis", value, None)
    if not -ndim <= number < ndim:
        raise InputError(f"{name}: axis {number} does not exist in a tensor of {ndim} axes")
    return number % ndim


def axes(name: str, value: Any, ndim: int) -> tuple[int, ...]:
    """Several axes, or one, or with None all, as different numbers in 0 .. ndim - 1.

    As in PyTorch a tensor of no axes may be asked for its first or last one, which are then none.
    """
    if value is None:
        return tuple(range(ndim))
    found = tuple(axis(name, number, ndim or 1) for number in sizes(f"{name}: axis", value, least=None))
    if len(set(found)) < len(found):
        raise InputError(f"{name}: axes {value!r} name the same axis twice")
    return found if ndim else ()


def _integer(value: Any) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError):
        return None
