"""Find this picture: the z whose picture is nearest to a given one, by gradient descent through the generator."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..errors import InputError
from ..export import Subject
from ..nn import Parameter, mode
from ..optim import Adam
from ..tensor import Tensor, grad


class Search:
    """Adam on z, from several starts at once; a small pull keeps z where the generator was trained.

        loss(z) = mean (G(z) - picture)^2 + pull * mean z^2

    (Zhu et al. 2016, arXiv:1609.03552). ``steps`` yields after each step; ``z`` and ``psnr`` (decibels, of pictures in
    [-1, 1]) are those of the best start so far.

    Raises InputError for a picture that is not (C, H, W), of the generator's size, finite and in [-1, 1].
    """

    def __init__(
        self, subject: Subject, picture: np.ndarray, label: int | None = None, *, total: int = 200, starts: int = 8,
        seed: int = 0, pull: float = 1e-3, lr: float = 0.1,
    ) -> None:  # fmt: skip
        given = subject.inputs(starts, np.random.default_rng(seed))
        shape = subject(*(array[:1] for array in given.values())).shape[1:]
        picture = np.asarray(picture, np.float32)
        if picture.shape != shape or not np.isfinite(picture).all() or np.abs(picture).max() > 1:
            raise InputError(f"find: the picture is {picture.shape}, expected {shape} with values from -1 to 1")
        self.subject, self.total, self.pull = subject, total, pull
        self.picture = subject.network.backend.asarray(picture[None])
        self.latent = Parameter(subject.network.backend.asarray(given["z"]))
        self.labels = () if label is None else (np.full(starts, label),)
        self.optimizer = Adam([self.latent], lr=lr, betas=(0.9, 0.999))
        self.step, self.psnr = 0, -math.inf
        self.z = given["z"][0]

    def steps(self) -> Iterator[Search]:
        network, lr = self.subject.network, self.optimizer.lr
        while self.step < self.total:
            self.optimizer.lr = lr * (1 + math.cos(math.pi * self.step / self.total)) / 2
            with mode(network, training=False):
                made = network(self.latent, *self.labels)
                apart = made - Tensor(self.picture).broadcast_to(made.shape)
                errors = (apart * apart).mean((1, 2, 3))
                loss = errors.sum() + (self.latent * self.latent).mean(1).sum() * self.pull
                (slope,) = grad(loss, [self.latent])
            self._note(np.asarray(errors.numpy(), np.float64))
            self.latent.grad = slope
            self.optimizer.step()
            self.step += 1
            yield self

    def _note(self, errors: np.ndarray) -> None:
        best = int(errors.argmin())
        psnr = 10 * math.log10(4 / max(float(errors[best]), 1e-12))
        if psnr > self.psnr:
            self.psnr, self.z = psnr, np.array(self.latent.numpy()[best])
