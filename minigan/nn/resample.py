"""Layers without parameters that change a picture's size."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ops
from ..errors import InputError
from ..ops.resample import MODES
from ..sizes import Size, pair, size, sizes
from ..tensor import Tensor
from .module import Module


class Upsample(Module):
    """Enlargement by a whole factor, ``mode`` "nearest" or "bilinear"."""

    settings = ("scale_factor", "mode=")

    def __init__(self, scale_factor: Size = 2, *, mode: str = "nearest") -> None:
        _check_mode("Upsample", mode)
        self.scale_factor, self.mode = pair("Upsample: scale_factor", scale_factor), mode

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "nearest":
            return ops.upsample(x, self.scale_factor)
        size = [side * scale for side, scale in zip(x.shape[2:], self.scale_factor, strict=True)]
        return ops.resize(x, size, mode=self.mode)


class Resize(Module):
    """To ``size`` = (height, width) from any other, ``mode`` "nearest" or "bilinear"."""

    settings = ("size", "mode=")

    def __init__(self, size: Size, *, mode: str = "nearest") -> None:
        _check_mode("Resize", mode)
        self.size, self.mode = pair("Resize: size", size), mode

    def forward(self, x: Tensor) -> Tensor:
        return ops.resize(x, self.size, mode=self.mode)


class PixelShuffle(Module):
    """(N, C * r * r, H, W) -> (N, C, H * r, W * r), r = ``upscale_factor``"""

    settings = ("upscale_factor",)

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = size("PixelShuffle: upscale_factor", upscale_factor)

    def forward(self, x: Tensor) -> Tensor:
        return ops.pixel_shuffle(x, self.upscale_factor)


class PixelUnshuffle(Module):
    """(N, C, H * r, W * r) -> (N, C * r * r, H, W), r = ``downscale_factor``"""

    settings = ("downscale_factor",)

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = size("PixelUnshuffle: downscale_factor", downscale_factor)

    def forward(self, x: Tensor) -> Tensor:
        return ops.pixel_unshuffle(x, self.downscale_factor)


class ReflectionPad2d(Module):
    """The picture mirrored at its borders; ``padding`` for all sides, or (left, right, top, bottom) as in PyTorch."""

    settings = ("padding",)

    def __init__(self, padding: int | Sequence[int]) -> None:
        self.padding = sizes("ReflectionPad2d: padding", padding, 4, least=0)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2:
            raise InputError(f"ReflectionPad2d: input {x.shape} must end in (H, W)")
        left, right, top, bottom = self.padding
        return ops.reflection_pad(x, [(0, 0)] * (x.ndim - 2) + [(top, bottom), (left, right)])


def _check_mode(name: str, mode: str) -> None:
    if mode not in MODES:
        raise InputError(f"{name}: mode {mode!r} must be one of {', '.join(MODES)}")
