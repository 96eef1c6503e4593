"""Functional ops: each file one idea, each forward with its backward right beneath it.

Arithmetic, reductions, indexing, reshape, transpose and matrix products are operators and methods of Tensor.
"""

from .activation import leaky_relu, log_softmax, relu, softmax
from .conv import conv2d, conv_transpose2d
from .elementwise import abs, exp, log, sigmoid, softplus, sqrt, tanh
from .linear import dropout, embedding, linear
from .norm import batch_norm
from .resample import avg_pool2d, upsample
from .shape import concat, flatten, pad

__all__ = [
    "abs",
    "avg_pool2d",
    "batch_norm",
    "concat",
    "conv2d",
    "conv_transpose2d",
    "dropout",
    "embedding",
    "exp",
    "flatten",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "pad",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "sqrt",
    "tanh",
    "upsample",
]
