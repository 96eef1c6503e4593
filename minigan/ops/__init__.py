"""Functional ops: each file one idea, each forward with its backward right beneath it.

Arithmetic, comparison, reductions, indexing, reshape, transpose and matrix products are operators and methods of
Tensor, which ``arithmetic.py`` and ``shape.py`` hand to it.
"""

from . import arithmetic as _arithmetic  # noqa: F401 (Tensor's operators)
from .activation import amax, elu, leaky_relu, log_softmax, maxout, prelu, relu, silu, softmax
from .conv import conv2d, conv_transpose2d
from .conv1d import conv1d, conv_transpose1d
from .elementwise import abs, exp, log, sigmoid, softplus, sqrt, tanh
from .gelu import erf, gelu
from .group_norm import group_norm, instance_norm, layer_norm
from .gumbel import gumbel_softmax
from .linear import dropout, embedding, linear
from .minibatch_std import minibatch_std
from .norm import batch_norm
from .phase_shuffle import phase_shuffle
from .resample import avg_pool2d, pixel_shuffle, pixel_unshuffle, resize, upsample
from .shape import concat, flatten, pad, reflection_pad
from .straight_through import straight_through

__all__ = [
    "abs",
    "amax",
    "avg_pool2d",
    "batch_norm",
    "concat",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "dropout",
    "elu",
    "embedding",
    "erf",
    "exp",
    "flatten",
    "gelu",
    "group_norm",
    "gumbel_softmax",
    "instance_norm",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "maxout",
    "minibatch_std",
    "pad",
    "phase_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
    "prelu",
    "reflection_pad",
    "relu",
    "resize",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "sqrt",
    "straight_through",
    "tanh",
    "upsample",
]
