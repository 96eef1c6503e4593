"""Images from a generator, for whoever looks at them."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..nn import Module, mode
from ..tensor import Tensor, no_grad


def generate(generator: Module, z: np.ndarray, labels: np.ndarray | None = None, batch_size: int = 64) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] on the host for z (N, z_dim) and, if it is conditional, labels (N,).

    Runs in evaluation mode, where batch norm uses its running statistics, so that an image does not depend on its
    neighbours; afterwards every module is in its own mode again.
    """
    z = np.asarray(z)
    if z.ndim != 2 or not len(z):
        raise InputError(f"generate: z is {z.shape}, it must be (N, z_dim) with N at least 1")
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (len(z),):
            raise InputError(f"generate: labels are {labels.shape}, there must be one for each of {len(z)} latents")
    if batch_size < 1:
        raise InputError(f"generate: batch_size = {batch_size} must be at least 1")
    with mode(generator, training=False), no_grad():
        images = []
        for start in range(0, len(z), batch_size):
            part = slice(start, start + batch_size)
            given = () if labels is None else (labels[part],)
            images.append(np.asarray(generator(_latent(generator, z[part]), *given).numpy()))
        return np.concatenate(images)


def translate(generator: Module, sources: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """What a network from picture to picture makes of sources (N, C, H, W) in [-1, 1]: on the host, in evaluation
    mode."""
    return _changed("translate", generator, sources, (), batch_size)


def edit(generator: Module, sources: np.ndarray, ask: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """What an editor makes of sources (N, C, H, W) in [-1, 1] when asked for ``ask`` (N, columns), see
    ``data.attributes.asked``: on the host, in evaluation mode."""
    ask = np.asarray(ask)
    if ask.ndim != 2 or len(ask) != len(sources):
        raise InputError(f"edit: ask is {ask.shape}, it must be (N, columns) for {len(sources)} sources")
    return _changed("edit", generator, sources, (ask,), batch_size)


def _changed(
    name: str, generator: Module, sources: np.ndarray, given: tuple[np.ndarray, ...], batch_size: int
) -> np.ndarray:
    sources = np.asarray(sources)
    if sources.ndim != 4 or not len(sources):
        raise InputError(f"{name}: sources are {sources.shape}, they must be (N, C, H, W) with N at least 1")
    made, place = [], generator.backend
    with mode(generator, training=False), no_grad():
        for start in range(0, len(sources), batch_size):
            part = slice(start, start + batch_size)
            shown = place.channels_last(place.asarray(sources[part], generator.dtype))
            told = (Tensor(place.asarray(np.asarray(given_to[part], generator.dtype))) for given_to in given)
            made.append(np.asarray(generator(Tensor(shown), *told).numpy()))
    return np.concatenate(made)


def _latent(generator: Module, z: np.ndarray) -> Tensor:
    return Tensor(generator.backend.asarray(z.astype(generator.dtype)))
