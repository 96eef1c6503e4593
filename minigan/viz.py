"""Pictures of what a GAN makes: grids, animations, walks through the latent space."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import InputError
from .files import check_suffix, write_atomically
from .gan import generate
from .nn import Module
from .tensor import Tensor, no_grad

GIF_SIDE = 65_535  # pixels that the format has room for


class Picture(np.ndarray):
    """A uint8 array, (height, width) or (height, width, 3), that a notebook shows as the picture that it is."""

    def _repr_png_(self) -> bytes | None:
        is_picture = self.dtype == np.uint8 and (self.ndim == 2 or (self.ndim == 3 and self.shape[2] == 3))
        return png(self) if is_picture and self.size else None  # a slice of it need not be one


def grid(images: np.ndarray, columns: int | None = None, padding: int = 2) -> Picture:
    """Images (N, C, H, W), side by side: a uint8 picture, (height, width) or (height, width, 3).

    They are floating-point in [-1, 1], where what lies outside becomes black or white and NaN black, or uint8 as a
    dataset has them. ``columns`` defaults to the square root of N. C is 1 or 3.

    Raises InputError for another shape or dtype.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not images.size:
        raise InputError(f"grid: images {images.shape} must be (N, C, H, W), at least one")
    n, channels, h, w = images.shape
    if channels not in (1, 3):
        raise InputError(f"grid: images {images.shape} have {channels} channels; a picture has 1 or 3")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise InputError(f"grid: images are {images.dtype}, expected floating-point in [-1, 1], or uint8 in 0..255")
    if columns is not None and columns < 1:
        raise InputError(f"grid: columns = {columns} must be at least 1")
    if padding < 0:
        raise InputError(f"grid: padding = {padding} must be at least 0")
    columns = columns or math.isqrt(n - 1) + 1
    rows = -(-n // columns)
    pixels = images
    if images.dtype != np.uint8:
        pixels = np.rint(np.clip(np.nan_to_num(images, nan=-1.0), -1, 1) * 127.5 + 127.5).astype(np.uint8)
    canvas = np.zeros((rows * (h + padding) + padding, columns * (w + padding) + padding, channels), np.uint8)
    for number, image in enumerate(pixels):
        row, column = divmod(number, columns)
        top, left = padding + row * (h + padding), padding + column * (w + padding)
        canvas[top : top + h, left : left + w] = image.transpose(1, 2, 0)
    return (canvas[:, :, 0] if channels == 1 else canvas).view(Picture)


def save_png(path: str | os.PathLike[str], picture: np.ndarray) -> None:
    """Write a uint8 picture as PNG. Raises InputError for a name that promises another format."""
    check_suffix(path, ".png")
    write_atomically(path, png(picture))


def png(picture: np.ndarray) -> bytes:
    """A uint8 picture in the PNG format."""
    from PIL import Image

    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or not picture.size:
        raise InputError(f"a picture is {picture.dtype}{picture.shape}, expected uint8 in 0..255: grid makes one")
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    return buffer.getvalue()


def save_gif(
    path: str | os.PathLike[str],
    pictures: Sequence[np.ndarray | os.PathLike[str]],
    seconds: float = 6.0,
    rest: bool = True,
) -> None:
    """Write pictures (uint8 arrays or image files) as an endless animation of ``seconds``, resting on the last one; or,
    with ``rest=False``, without a pause. Such of more than 65,535 pixels a side are shrunk."""
    check_suffix(path, ".gif")
    if not pictures:
        raise InputError(f"{path}: an animation needs at least one picture")
    write_atomically(path, gif(pictures, seconds, rest))


def gif(pictures: Sequence[np.ndarray | os.PathLike[str]], seconds: float = 6.0, rest: bool = True) -> bytes:
    """What ``save_gif`` writes, in the GIF format."""
    from PIL import Image

    frames = [Image.fromarray(p) if isinstance(p, np.ndarray) else Image.open(p) for p in pictures]
    factor = -(-max(max(frame.size) for frame in frames) // GIF_SIDE)
    if factor > 1:  # a grid of long sounds; at the end of a run nothing else would be written after an error
        frames = [frame.reduce(factor) for frame in frames]
    each = max(40, round(1000 * seconds / len(frames)))  # milliseconds
    buffer = io.BytesIO()
    durations = [each] * (len(frames) - 1) + [2000 if rest else each]
    frames[0].save(buffer, "gif", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return buffer.getvalue()


def walks(generator: Module, z: np.ndarray, steps: int = 10, labels: np.ndarray | None = None) -> Picture:
    """A picture with a row of ``steps`` images for each of the ``walk_samples``."""
    return grid(walk_samples(generator, z, steps, labels), columns=steps)


def walk_samples(generator: Module, z: np.ndarray, steps: int = 10, labels: np.ndarray | None = None) -> np.ndarray:
    """``steps`` samples on the way of each pair z[0] to z[1], z[2] to z[3], ..., one way after the other.

    ``labels`` are the classes of the ways of a conditional generator. One with a ``mapping`` is walked through behind
    it: from a cluster's vector to another's there is no jump.
    """
    if len(z) < 2 or len(z) % 2:
        raise InputError(f"walks: {len(z)} latents, expected pairs: a start and an end for each row")
    if steps < 1:
        raise InputError(f"walks: steps = {steps} must be at least 1")
    drawn: Any = generator
    if labels is None and hasattr(generator, "mapping"):
        with no_grad():
            mapped = drawn.mapping(Tensor(generator.backend.asarray(z.astype(generator.dtype))))
        z, drawn = np.asarray(mapped.numpy()), drawn.network
    rows = [interpolate(start, end, steps) for start, end in zip(z[::2], z[1::2], strict=True)]
    repeated = None if labels is None else np.repeat(labels, steps)
    return generate(drawn, np.concatenate(rows), repeated)


def interpolate(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Points z (steps, z_dim) on the great circle from ``start`` to ``end`` (White 2016).

    Gaussian latents lie near a sphere; a straight line would cut through its inside, where G was never trained.
    """
    t = np.linspace(0, 1, steps)[:, None]
    cosine = np.dot(start, end) / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.sin(angle) < 1e-6:
        return (1 - t) * start + t * end
    return (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


def smooth(values: Sequence[float], share: float = 0.02) -> np.ndarray:
    """The mean over a window of ``share`` of the whole (at least one value), centred, shorter at the ends.

    NaNs, such as G's loss before its first step, do not count; where there is nothing else the mean is NaN.
    """
    half = int(len(values) * share / 2)
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    count = counts[high] - counts[low]
    return np.where(count, sums[high] - sums[low], np.nan) / np.maximum(count, 1)
