"""How near a restored picture is to the true one: PSNR and SSIM, and whether it is as sharp: the patch distance.

Pictures are uint8 (H, W) or (H, W, C).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from .frechet import frechet_distance

PATCH = 8


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """The peak signal-to-noise ratio in dB, 10 log10(255^2 / E (x - y)^2); infinite where they are the same."""
    x, y = _check("psnr", picture, truth)
    error = float(((x - y) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """The mean structural similarity (Wang et al. 2004), the mean over the channels: 1 where they are the same.

    (2 m_x m_y + c1) (2 s_xy + c2) / ((m_x^2 + m_y^2 + c1) (s_x^2 + s_y^2 + c2)), m the means, s the (co)variances under
    a Gaussian window of 11x11 pixels with sigma 1.5; c1 = (0.01 255)^2, c2 = (0.03 255)^2. Only whole windows count.
    """
    x, y = _check("ssim", picture, truth)
    if min(x.shape[:2]) < 11:
        raise InputError(f"ssim: pictures of {x.shape[1]}x{x.shape[0]} pixels, its window needs 11x11")
    ticks = np.arange(11) - 5
    window = np.exp(-0.5 * (ticks / 1.5) ** 2)
    window /= window.sum()

    def blur(values: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            views = np.lib.stride_tricks.sliding_window_view(values, 11, axis)
            values = views @ window
        return values

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((above / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def patch_distance(pictures: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
    """The Frechet distance between the 8x8 patches of pictures and those of true ones (see ``frechet_distance``).

    A patch is the luminance of 8x8 pixels less its mean, 64 numbers in grey levels, one every 4 pixels. It knows
    nothing of which patch belongs where, and so does not mind detail that is invented, but sees detail that is missing:
    what is blurred has less variance.
    """
    found = [np.concatenate([_patches(picture) for picture in side]) for side in (pictures, truths)]
    return frechet_distance(*found)


def _patches(picture: np.ndarray) -> np.ndarray:
    grey = picture.astype(np.float64)
    if grey.ndim == 3:
        grey = grey[:, :, 0] if grey.shape[2] == 1 else grey[:, :, :3] @ [0.299, 0.587, 0.114]
    if min(grey.shape) < PATCH:
        raise InputError(f"patch_distance: a picture of {grey.shape[1]}x{grey.shape[0]} pixels holds no 8x8 patch")
    views = np.lib.stride_tricks.sliding_window_view(grey, (PATCH, PATCH))[::4, ::4]
    patches = views.reshape(-1, PATCH * PATCH)
    return patches - patches.mean(axis=1, keepdims=True)


def _check(name: str, picture: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    picture, truth = np.asarray(picture), np.asarray(truth)
    if picture.dtype != np.uint8 or truth.dtype != np.uint8 or picture.ndim not in (2, 3):
        raise InputError(f"{name}: pictures are {picture.dtype} and {truth.dtype}, expected uint8 (H, W) or (H, W, C)")
    if picture.shape != truth.shape:
        raise InputError(f"{name}: a picture of {picture.shape} cannot be held against one of {truth.shape}")
    return picture.astype(np.float64), truth.astype(np.float64)
