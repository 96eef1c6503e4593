# ruff: noqa: F401 (these names are the module)
"""The part of CuPy that minigan uses, on the CPU. Where CuPy and NumPy differ, it does as CuPy does:

- an array never becomes a NumPy array by itself, nor can the two be mixed in one operation;
- every result is an array: a sum of all elements has zero axes, it is no number;
- results of arithmetic lie in C order, whatever the order of the operands;
- an array of indices is taken modulo the size of its axis, and none of them is refused;
- ``copy`` gives C order, flags know no ``writeable``, a new array holds no zeros (here: NaN, so that it shows).

Stricter than CuPy: NumPy arrays are refused as indices, too.
"""

from . import _core, cuda
from ._memory import get_default_memory_pool
from ._ndarray import (
    abs,
    add,
    arange,
    argmax,
    argsort,
    array,
    asarray,
    ascontiguousarray,
    asnumpy,
    broadcast_to,
    clip,
    concatenate,
    einsum,
    empty,
    empty_like,
    exp,
    expand_dims,
    full,
    full_like,
    log,
    log1p,
    matmul,
    maximum,
    mean,
    minimum,
    ndarray,
    ones_like,
    sign,
    sqrt,
    std,
    sum,
    tanh,
    where,
    zeros,
    zeros_like,
)
from ._raw import RawKernel, RawModule

__version__ = "14.0.0 (stand-in on the CPU)"
