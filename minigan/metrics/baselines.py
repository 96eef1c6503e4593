"""Samplers that no GAN should lose to: what a metric says of them gives its numbers a scale."""

from __future__ import annotations

import numpy as np

COMPONENTS = 64
FITTED = 10_000  # at most so many images are looked at
ROUNDS = 6  # of subspace iteration


def uniform_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Pixels of which each value is as likely, uint8 of ``shape``."""
    return rng.integers(0, 256, shape, np.uint8)


def pca_gaussian(images: np.ndarray, count: int, rng: np.random.Generator, components: int = COMPONENTS) -> np.ndarray:
    """``count`` samples of the Gaussian fitted to images (N, C, H, W) in their first principal components; uint8.

    x = mean + sum_i sqrt(lambda_i) z_i v_i, clipped to 0 .. 255. It has the pixels' mean and nearly all their
    covariance, and is still a blur: what is left to a GAN is everything else.
    """
    chosen = images[rng.permutation(len(images))[:FITTED]]
    x = chosen.reshape(len(chosen), -1).astype(np.float32)
    mean = x.mean(axis=0)
    x -= mean
    variances, vectors = _principal(x, min(components, *x.shape), rng)
    z = rng.standard_normal((count, len(variances)))
    pixels = mean + (z * np.sqrt(variances)) @ vectors
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8).reshape(count, *images.shape[1:])


def _principal(x: np.ndarray, components: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The largest variances (k,) of centred x (N, dim), and their directions (k, dim), without a dim x dim matrix.

    Subspace iteration with a few directions to spare: Halko, Martinsson & Tropp 2011.
    """
    width = min(components + 16, *x.shape)
    basis = rng.standard_normal((x.shape[1], width)).astype(np.float32)
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(x.T @ (x @ basis))
    _, stretches, directions = np.linalg.svd(x @ basis, full_matrices=False)
    return (stretches[:components].astype(np.float64) ** 2) / max(1, len(x) - 1), directions[:components] @ basis.T
