"""Networks: modules that hold parameters, with PyTorch's names, layouts and defaults."""

from . import init
from .activation import ELU, GELU, LeakyReLU, Maxout, PReLU, ReLU, Sigmoid, SiLU, Tanh
from .attention import SelfAttention2d
from .conditional import ConditionalBatchNorm2d, ProjectionHead
from .conv1d import Conv1d, ConvTranspose1d
from .group_norm import GroupNorm, InstanceNorm2d, LayerNorm
from .gru import GRUCell
from .layers import BatchNorm1d, BatchNorm2d, Conv2d, ConvTranspose2d, Dropout, Embedding, Flatten, Linear, Reshape
from .minibatch_std import MinibatchStd
from .module import Module, ModuleDict, ModuleList, Parameter, Sequential, mode
from .phase_shuffle import PhaseShuffle
from .resample import PixelShuffle, PixelUnshuffle, ReflectionPad2d, Resize, Upsample
from .spectral_norm import spectral_norm
from .summary import summary
from .together import together

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "ConditionalBatchNorm2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "GELU",
    "GRUCell",
    "GroupNorm",
    "InstanceNorm2d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Maxout",
    "MinibatchStd",
    "Module",
    "ModuleDict",
    "ModuleList",
    "PReLU",
    "Parameter",
    "PhaseShuffle",
    "PixelShuffle",
    "PixelUnshuffle",
    "ProjectionHead",
    "ReLU",
    "ReflectionPad2d",
    "Reshape",
    "Resize",
    "SelfAttention2d",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Tanh",
    "Upsample",
    "init",
    "mode",
    "spectral_norm",
    "summary",
    "together",
]
