"""The directions of a generator's latent space along which its pictures change most.

GANSpace (Härkönen et al. 2020, arXiv:2004.02546) looks at what the generator makes of many z: the principal components
of an early layer's features, carried back to z by least squares. SeFa (Shen & Zhou 2021, arXiv:2007.06600) looks at the
weights alone: the first layer A turns a step n of z into A n, which is longest for the first eigenvectors of A^T A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..errors import InputError
from ..export import Subject
from ..nn import Module, mode
from ..observer import Observer
from ..tensor import Tensor, no_grad

SAMPLES = 512
TOLD = 32  # classes or clusters among them, at most
FEATURES = 4096  # at most so many of a layer are looked at


@dataclass(frozen=True)
class Direction:
    """A unit vector of z, and what share of all change lies along it, of the method's own measure."""

    method: str
    vector: np.ndarray
    share: float


def find_directions(subject: Subject, count: int = 8, seed: int = 0) -> list[Direction]:
    """The ``count`` strongest of each method, GANSpace's first."""
    return [*ganspace(subject, count, seed), *sefa(subject, count)]


def ganspace(subject: Subject, count: int = 8, seed: int = 0) -> list[Direction]:
    """Principal components of the features, as directions of z.

    With the features f_j - mean f = sum_k x_jk p_k, the direction that moves x_k is the least-squares solution of
    z ~ x U, u_k = sum_j x_jk z_j / sum_j x_jk^2.

    What a picture shows by its class, or by the cluster that the first number of z chooses, is no direction's doing:
    f_j is compared with others of the same one.
    """
    rng = np.random.default_rng(seed)
    given = subject.inputs(SAMPLES, rng)
    first = _first(subject)
    told = [given["z"][:, :first], *(array for name, array in given.items() if name == "labels")]
    kinds = TOLD if any(array.size for array in told) else 1
    for array in told:
        array[:] = np.resize(array[:kinds], array.shape)
    features = _features(subject.network, list(given.values()))
    if features.shape[1] > FEATURES:
        features = features[:, rng.choice(features.shape[1], FEATURES, replace=False)]
    alike = features.reshape(SAMPLES // kinds, kinds, -1)
    alike -= alike.mean(0)
    # The components' coordinates x are the eigenvectors of the Gram matrix: there are fewer samples than features.
    values, vectors = np.linalg.eigh(features @ features.T)
    order = np.argsort(values)[::-1][: min(count, given["z"].shape[1] - first)]
    total = max(float(values.sum()), 1e-30)
    found = []
    for number in order:
        direction = vectors[:, number] @ given["z"]
        direction[:first] = 0
        found.append(Direction("GANSpace", _unit(direction), float(values[number]) / total))
    return found


def sefa(subject: Subject, count: int = 8) -> list[Direction]:
    """Eigenvectors of A^T A, A the first layer's weight."""
    seen = _Watch()
    _run(subject.network, list(subject.inputs(1, np.random.default_rng(0)).values()), seen)
    if seen.first is None:
        raise InputError(f"{subject.name}: its first layer is not linear, so it has no directions in closed form")
    weight = np.asarray(seen.first.weight.numpy(), np.float64)
    if isinstance(seen.first, nn.ConvTranspose2d):  # (in, out, kh, kw)
        weight = weight.reshape(len(weight), -1).T
    weight = weight.reshape(len(weight), -1)
    z_dim = subject.inputs(1, np.random.default_rng(0))["z"].shape[1]
    shown: Any = getattr(subject.network, "content", z_dim)  # of a clip's z, what is not motion
    first = _first(subject)
    weight = weight[:, : shown - first]  # a class's vector, or a cluster's, stands behind z
    values, vectors = np.linalg.eigh(weight.T @ weight)
    order = np.argsort(values)[::-1][:count]
    vectors = np.pad(vectors, ((first, z_dim - first - len(vectors)), (0, 0)))  # where the layer sees a part of z
    return [Direction("SeFa", _unit(vectors[:, n]), float(values[n] / values.sum())) for n in order]


def _first(subject: Subject) -> int:
    """How many numbers of z choose a cluster, and go no further."""
    return int(hasattr(subject.network, "mapping"))


def _unit(vector: np.ndarray) -> np.ndarray:
    """Of length 1, its largest element positive: an eigenvector's sign is nobody's choice."""
    vector = np.asarray(vector, np.float64)
    vector = vector / max(float(np.linalg.norm(vector)), 1e-30)
    return vector * (1 if vector[np.abs(vector).argmax()] >= 0 else -1)


class _Watch(Observer):
    """Notes the first features behind a nonlinearity, and the layer with a weight that they come from."""

    def __init__(self) -> None:
        self.first: Any = None
        self.features: np.ndarray | None = None

    def call(self, module: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        if self.features is None and isinstance(module, nn.Linear | nn.ConvTranspose2d):
            self.first = module
        y = super().call(module, inputs, settings)
        bends = isinstance(module, nn.ReLU | nn.LeakyReLU | nn.Maxout | nn.SiLU | nn.ELU | nn.GELU) or settings
        if self.features is None and bends and self.first is not None:
            self.features = np.array(y.numpy())
        return y


def _features(network: Module, given: list[np.ndarray], batch: int = 64) -> np.ndarray:
    parts = []
    for start in range(0, len(given[0]), batch):
        seen = _Watch()
        part = [array[start : start + batch] for array in given]
        y = _run(network, part, seen)
        found = y if seen.features is None else seen.features
        parts.append(found.reshape(len(part[0]), -1))  # of a clip, the features of all of its frames
    return np.concatenate(parts).astype(np.float64)


def _run(network: Module, given: list[np.ndarray], watcher: Observer) -> np.ndarray:
    place = network.backend
    inputs = [Tensor(place.asarray(a.astype(network.dtype))) if a.dtype.kind == "f" else a for a in given]
    with mode(network, training=False), no_grad(), watcher:
        return np.array(network(*inputs).numpy())
