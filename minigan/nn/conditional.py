"""Telling a network the class: in the generator's batch norms, and in the discriminator's last layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..errors import InputError
from ..sizes import size
from ..tensor import Tensor
from . import init
from .layers import Embedding, Linear, Rng, check_norm
from .module import Module


class ConditionalBatchNorm2d(Module):
    """Batch norm whose gain and bias belong to the sample's class (Dumoulin et al. 2017; Miyato & Koyama 2018).

    y[n, c] = gain[labels[n], c] * (x[n, c] - mean[c]) / sqrt(var[c] + eps) + bias[labels[n], c]

    x (N, C, H, W) or (N, C), labels (N,) whole numbers -> y as x. The statistics are the whole batch's, see
    ``ops.batch_norm``. The state has gain.weight and bias.weight (num_classes, C), which start at 1 and 0.
    """

    buffer_names = ("running_mean", "running_var", "num_batches_tracked")

    def __init__(self, num_features: int, *, num_classes: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        num_features = size("ConditionalBatchNorm2d: num_features", num_features)
        num_classes = size("ConditionalBatchNorm2d: num_classes", num_classes)
        check_norm(self, eps, momentum)
        self.eps, self.momentum = eps, momentum
        self.gain, self.bias = Embedding(num_classes, num_features), Embedding(num_classes, num_features)
        init.constant_(self.gain.weight, 1)
        init.constant_(self.bias.weight, 0)
        self.running_mean, self.running_var = np.zeros(num_features, np.float32), np.ones(num_features, np.float32)
        self.num_batches_tracked = np.zeros((), np.int64)

    def forward(self, x: Tensor, labels: Any) -> Tensor:
        _check_labels(self, x, labels)
        if self.training:
            self.num_batches_tracked[...] += 1
        xp = x.backend.xp
        plain = Tensor(xp.ones_like(self.running_mean)), Tensor(xp.zeros_like(self.running_mean))
        settings: dict[str, Any] = {"training": self.training, "momentum": self.momentum, "eps": self.eps}
        xhat = ops.batch_norm(x, *plain, self.running_mean, self.running_var, **settings)
        per_sample = (len(x), -1) + (1,) * (x.ndim - 2)
        return xhat * self.gain(labels).reshape(per_sample) + self.bias(labels).reshape(per_sample)


class ProjectionHead(Module):
    """The last layer of a discriminator that is told the class: psi(h) + <embed(label), h> (Miyato & Koyama 2018).

    h (N, features), labels (N,) whole numbers -> logits (N, 1). psi is linear; the paper normalises both spectrally:
    ``spectral_norm(head.psi), spectral_norm(head.embed)``.
    """

    def __init__(self, features: int, *, num_classes: int, rng: Rng = None) -> None:
        features = size("ProjectionHead: features", features)
        num_classes = size("ProjectionHead: num_classes", num_classes)
        self.psi = Linear(features, 1, rng=rng)
        self.embed = Embedding(num_classes, features, rng=rng)

    def forward(self, h: Tensor, labels: Any) -> Tensor:
        _check_labels(self, h, labels)
        return self.psi(h) + (self.embed(labels) * h).sum(1, keepdims=True)


def _check_labels(layer: Module, x: Tensor, labels: Any) -> None:
    if np.shape(labels) != x.shape[:1]:
        raise InputError(f"{type(layer).__name__}: labels {np.shape(labels)} must be one for each sample of {x.shape}")
