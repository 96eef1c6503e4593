"""Several batches through a network at once, as if one after the other.

One large batch takes less time than two small ones: fewer kernels are started, products have more rows, and filtering
transforms the weights once. A discriminator that sees real and generated images at once takes some 8 % off a training
step of 8 to 64 images; of 128, nothing.
"""

from __future__ import annotations

from ..ops import concat
from ..ops.norm import batches
from ..tensor import Tensor
from .activation import ELU, GELU, LeakyReLU, PReLU, ReLU, Sigmoid, SiLU, Tanh
from .group_norm import GroupNorm, InstanceNorm2d, LayerNorm
from .layers import BatchNorm1d, BatchNorm2d, Conv2d, ConvTranspose2d, Flatten, Linear, Reshape
from .module import Module, Sequential
from .resample import Upsample

# Layers that treat each sample by itself, and remember nothing of it. Batch norm is told where a batch ends.
BY_SAMPLE = {
    Sequential, Conv2d, ConvTranspose2d, Linear, Flatten, Reshape, LeakyReLU, ReLU, PReLU, ELU, GELU, SiLU, Sigmoid,
    Tanh, BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm2d, LayerNorm, Upsample,
}  # fmt: skip


def by_sample(module: Module) -> bool:
    return type(module) in BY_SAMPLE or module.by_sample


def together(network: Module, *inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """``[network(*each) for each in inputs]``: the same numbers, running statistics and gradients.

    Batches of one shape go through a network of ``BY_SAMPLE`` layers, and of modules that say ``by_sample``, at once.
    Other layers may draw, mix samples or change with each call, as dropout, minibatch statistics and spectral norm do:
    there it is one after the other, and so for inputs whose gradient is wanted, which is then that of one batch alone.
    """
    first = [each[0] for each in inputs]
    alike = len({x.shape for x in first}) == 1 and all(len(each) == 1 for each in inputs)
    if not alike or any(x.requires_grad for x in first) or not all(by_sample(m) for m in network.modules()):
        return [network(*each) for each in inputs]
    count, size = len(inputs), len(first[0])
    with batches(count):
        y = network(concat(first, axis=0))
    for module in network.modules():
        if isinstance(module, (BatchNorm1d, BatchNorm2d)) and module.training:
            module.num_batches_tracked[...] += count - 1
    return [y[n * size : (n + 1) * size] for n in range(count)]
