"""Ops that are the partial derivatives of one form, and so each other's gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..backend import ConvGeometry, Kept
from ..tensor import Op, Tensor

AnyPartial = TypeVar("AnyPartial", bound="Partial")


class Partial(Op):
    """One of them. What a kernel keeps of an operand (see ``Kept``) is handed on to the kernels of its partners.

    Of its own operands only: the engine has just made sure that they are what they were in the forward.
    """

    reads_output = False

    def __init__(self, geometry: ConvGeometry, kept: Kept | None = None) -> None:
        self.geometry, self.kept = geometry, kept or Kept()

    def partner(self, *operands: Tensor) -> Callable[[type[AnyPartial]], AnyPartial]:
        """What makes the partners for one vjp; they share what they come to keep."""
        kept = self.kept.only(*(operand.data for operand in operands))
        return lambda kind: kind(self.geometry, kept)
