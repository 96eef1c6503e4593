"""The CuPy backend. Until its kernels land, asking for it gives the one clear reason why it cannot be used."""

from __future__ import annotations

from ..errors import InputError
from .base import ArrayBackend


class CupyBackend(ArrayBackend):
    name = "cupy"

    def __init__(self) -> None:
        try:
            import cupy
        except ImportError as error:
            raise InputError(
                'backend "cupy" needs CuPy, which is not installed: pip install "minigan[cuda13]" '
                '(CUDA 13) or "minigan[cuda12]" (CUDA 12), or use --backend numpy'
            ) from error
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise InputError(f'backend "cupy" found no usable NVIDIA GPU ({error}): use --backend numpy') from error
        if count == 0:
            raise InputError('backend "cupy" found no NVIDIA GPU: use --backend numpy')
        raise InputError('backend "cupy" has no kernels in this version of minigan: use --backend numpy')
