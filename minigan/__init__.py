"""minigan: a GAN engine that a person can read in an afternoon and still train real models with.

    backend/    where arrays live, and every kernel: plain (reference), fast on the CPU (numpy, numba), CUDA (cupy)
    tensor.py   the autograd core
    ops/        functional ops, each forward with its backward right beneath it
    nn/         modules;  optim.py  data/
    gan/        objectives, models, the trainer;  metrics/
    runs/       a run as a folder: progress, pictures, checkpoints

Each floor imports only from those above it in this list.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import backend, nn, ops, optim
from .backend.numpy.scratch import keep_freed_memory
from .backend.numpy.threads import get_num_threads, set_num_threads
from .errors import InputError
from .gradcheck import check_grad
from .study.tracing import trace
from .tensor import Tensor, grad, no_grad

if TYPE_CHECKING:
    from . import data, gan, metrics

__version__ = "0.2.0"
__all__ = [
    "InputError",
    "Tensor",
    "backend",
    "check_grad",
    "data",
    "gan",
    "get_num_threads",
    "grad",
    "keep_freed_memory",
    "metrics",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "set_num_threads",
    "trace",
]


def __getattr__(name: str) -> Any:
    """data, gan and metrics are loaded when they are first used: a third of the import's time."""
    if name in ("data", "gan", "metrics"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
