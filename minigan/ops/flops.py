"""How many floating-point operations an op takes, told from shapes. A multiply-add counts as two, as is the custom."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

Shape = tuple[int, ...]
Rule = Callable[[tuple[Shape, ...], Shape], int]


def count_flops(op: str, inputs: tuple[Shape, ...], output: Shape) -> int:
    """Of the textbook's loops, with what falls on padding counted; a function such as exp counts as one.

    A convolution (N, C, H, W) * (F, C, kh, kw) -> (N, F, oh, ow) takes N F oh ow multiply-adds of C kh kw numbers:

    >>> count_flops("Conv2d", ((1, 2, 5, 5), (3, 2, 4, 4)), (1, 3, 2, 2))
    768
    """
    return RULES.get(op, _one_each)(inputs, output)


def _one_each(inputs: tuple[Shape, ...], output: Shape) -> int:
    return prod(output)


def _none(inputs: tuple[Shape, ...], output: Shape) -> int:
    return 0


def _each_input(times: int) -> Rule:
    return lambda inputs, output: times * prod(inputs[0])


RULES: dict[str, Rule] = {
    # y (N, F, oh, ow) and w (F, C, kh, kw): for each y, a sum over one filter. All three partial derivatives of the
    # trilinear form <g, x * w> run through the same products.
    "Conv2d": lambda inputs, y: 2 * prod(y) * prod(inputs[1][1:]),
    "Conv2dInput": lambda inputs, x: 2 * prod(inputs[0]) * prod(inputs[1][1:]),
    "Conv2dWeight": lambda inputs, w: 2 * prod(inputs[1]) * prod(w[1:]),
    "MatMul": lambda inputs, y: 2 * prod(y) * inputs[0][-1],
    "Linear": lambda inputs, y: prod(y) * (2 * inputs[0][-1] + len(inputs) - 2),
    "Sum": _each_input(1),
    "ScaledSum": _each_input(1),
    "Max": _each_input(1),
    "Total": _each_input(1),  # at least: of two processes
    "Keep": _each_input(1),
    "Softmax": _each_input(5),  # maximum, difference, exp, sum, quotient
    "LogSoftmax": _each_input(5),
    "Erf": _each_input(50),  # a polynomial of degree 24 by Horner's scheme
    "BatchNorm": _each_input(8),  # mean, difference, square, its mean, scale and shift, slope
    "BatchNorms": _each_input(8),
    "BatchNorms.vjp": _each_input(12),
    "InstanceNorm": _each_input(5),  # mean, difference, square, its mean, product
    "InstanceNorm.vjp": _each_input(7),
    "BatchNorm.vjp": _each_input(12),  # gate, xhat, two sums of products, and their combination
    "SumPool": lambda inputs, y: prod(y),  # at least: one for each number it hands on
    **{
        name: _none
        for name in (
            "BroadcastTo",
            "Reshape",
            "StraightThrough",
            "Transpose",
            "GetItem",
            "PutItem",
            "Concat",
            "Translate",
            "Gather",
        )
    },
}
