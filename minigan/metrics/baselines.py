"""Samplers that no GAN should lose to: what a metric says of them gives its numbers a scale."""

from __future__ import annotations

import numpy as np

COMPONENTS = 64
FITTED = 2000  # images at most, unless an image has fewer numbers than that: then five times as many


def uniform_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Pixels of which each value is as likely, uint8 of ``shape``."""
    return rng.integers(0, 256, shape, np.uint8)


def pca_gaussian(images: np.ndarray, count: int, rng: np.random.Generator, components: int = COMPONENTS) -> np.ndarray:
    """``count`` samples of the Gaussian fitted to images (N, C, H, W) in their first principal components; uint8.

    x = mean + sum_i z_i sqrt(lambda_i) v_i, clipped to 0 .. 255. It has the pixels' mean and nearly all their
    covariance, and is still a blur: what is left to a GAN is everything else.
    """
    fitted = FITTED if images[0].size > FITTED else 5 * FITTED
    chosen = images[rng.permutation(len(images))[:fitted]]
    x = chosen.reshape(len(chosen), -1).astype(np.float64)
    mean = x.mean(axis=0)
    axes = _principal_axes(x - mean, components)
    pixels = mean + rng.standard_normal((count, len(axes))) @ axes
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8).reshape(count, *images.shape[1:])


def _principal_axes(x: np.ndarray, components: int) -> np.ndarray:
    """sqrt(lambda_i) v_i (k, dim) of the covariance of centred x (N, dim), the longest first; k <= N, dim.

    Through the smaller of x^T x and x x^T: where x x^T u = s^2 u, x^T u is s v.
    """
    freedom = np.sqrt(max(1, len(x) - 1))
    if x.shape[1] <= len(x):
        squares, vectors = np.linalg.eigh(x.T @ x)
        axes = (np.sqrt(np.maximum(squares, 0)) * vectors).T
    else:
        axes = np.linalg.eigh(x @ x.T)[1].T @ x
    return axes[::-1][:components] / freedom
