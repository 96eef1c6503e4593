"""The shape arithmetic of a convolution, worked out once and shared by its three kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..errors import InputError

Pair = tuple[int, int]


@dataclass(frozen=True)
class ConvGeometry:
    """Sizes of ``y[i, j] = sum_{a,b} x[s*i + d*a - p, s*j + d*b - p] * w[a, b]``, each a (height, width) pair.

    It carries the *input's* size. Several input sizes give the same output size when the stride does not divide,
    so this is what makes the transposed convolution an exact adjoint for every geometry.

    >>> ConvGeometry(in_hw=(28, 28), kernel_hw=(4, 4), stride=(2, 2), padding=(1, 1)).out_hw
    (14, 14)
    """

    in_hw: Pair
    kernel_hw: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def __post_init__(self) -> None:
        for name, least in (("in_hw", 1), ("kernel_hw", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            if min(getattr(self, name)) < least:
                raise InputError(f"convolution: {name} is {getattr(self, name)}; each must be at least {least}")
        if min(self.out_hw) < 1:
            raise InputError(
                f"convolution: a {self.span_hw[0]}x{self.span_hw[1]} kernel window (kernel {self.kernel_hw}, dilation "
                f"{self.dilation}) does not fit an input of {self.in_hw} padded by {self.padding} to {self.padded_hw}"
            )

    @cached_property
    def span_hw(self) -> Pair:
        """The reach of the kernel once dilated: d * (k - 1) + 1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel_hw, self.dilation, strict=True))  # type: ignore[return-value]

    @cached_property
    def padded_hw(self) -> Pair:
        return self.in_hw[0] + 2 * self.padding[0], self.in_hw[1] + 2 * self.padding[1]

    @cached_property
    def out_hw(self) -> Pair:
        """floor((in + 2 p - d (k - 1) - 1) / s) + 1"""
        sizes = zip(self.padded_hw, self.span_hw, self.stride, strict=True)
        return tuple((size - span) // s + 1 for size, span, s in sizes)  # type: ignore[return-value]

    def taps(self) -> Iterator[tuple[int, int, slice, slice]]:
        """For every kernel tap (a, b): the rows and columns of the *padded* input that meet it."""
        (kh, kw), (sh, sw), (dh, dw), (oh, ow) = self.kernel_hw, self.stride, self.dilation, self.out_hw
        for a in range(kh):
            for b in range(kw):
                rows = slice(dh * a, dh * a + sh * (oh - 1) + 1, sh)
                cols = slice(dw * b, dw * b + sw * (ow - 1) + 1, sw)
                yield a, b, rows, cols
