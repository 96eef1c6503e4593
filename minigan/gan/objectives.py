"""What the detective and the forger each want, as losses on logits.

For a discriminator, D(x) = sigmoid(logit) is its belief that x is real. -log D = softplus(-logit) and -log(1 - D) =
softplus(logit), which neither overflow nor saturate to log 0: no loss here ever takes the logarithm of a probability.
For a critic the logit itself is a score, and no probability.

In the formulas r and f are the logits of real and generated images, E a mean over the batch, s the softplus.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..backend import is_array
from ..backend.host import span
from ..errors import InputError
from ..ops import log_softmax, relu, sigmoid, softplus
from ..ops.across import averaged
from ..tensor import Tensor

Labels = np.ndarray | None  # (N,) the classes, in games that have them


class Objective:
    """A pair of losses to be minimised, and who is ahead. Logits are (N, 1); each loss is a scalar.

    ``labels`` (N,) are the classes of a conditional model's batch, for the objectives that use them. ``g_loss`` gets
    ``real_logits`` when ``g_sees_real`` says so: D is then run on the real images once more in the G step.
    """

    g_sees_real: bool = False

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor, labels: Labels = None) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.d_loss")

    def g_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None, labels: Labels = None) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.g_loss")

    def lead(self, record: Mapping[str, float]) -> float:
        """How far D is ahead, from what a step's record says (d_loss, d_real, d_fake): 1 when it makes no mistake, 0
        when it guesses, below 0 when it is fooled. NaN where that cannot be told; see gan/health.py, which
        takes no objective without it."""
        raise NotImplementedError(f"{type(self).__name__}.lead: how far is D ahead?")

    def belief(self, logits: Tensor) -> Tensor:
        """What to report of D's output: a probability here, the plain score for critics."""
        return sigmoid(logits)


@dataclass(frozen=True)
class Minimax(Objective):
    """The game as first written (Goodfellow et al. 2014, eq. 1): G minimises what D maximises.

    d_loss = -E log D(x) - E log(1 - D(G(z))) = E s(-r) + E s(f),  g_loss = E log(1 - D(G(z))) = -E s(f)

    While D wins, g_loss is flat and G learns next to nothing: the reason for NonSaturating. With ``label_smoothing``
    (Salimans et al. 2016, one-sided) D is asked to believe in real images only to 1 - label_smoothing.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 0.5:
            raise InputError(f"label_smoothing {self.label_smoothing} must be at least 0 and below 0.5")

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor, labels: Labels = None) -> Tensor:
        # -(1 - a) log D - a log(1 - D) = s(-r) + a r
        smoothed = real_logits.mean() * self.label_smoothing if self.label_smoothing else 0.0
        return softplus(-real_logits).mean() + smoothed + softplus(fake_logits).mean()

    def g_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None, labels: Labels = None) -> Tensor:
        return -softplus(fake_logits).mean()

    def lead(self, record: Mapping[str, float]) -> float:
        return (record["d_real"] - record["d_fake"]) / (1 - self.label_smoothing)


@dataclass(frozen=True)
class NonSaturating(Minimax):
    """D as in minimax; G maximises E log D(G(z)) instead, whose slope is steepest while D wins (ibid., section 3).

    g_loss = -E log D(G(z)) = E s(-f)
    """

    def g_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None, labels: Labels = None) -> Tensor:
        return softplus(-fake_logits).mean()


class _Critic(Objective):
    def belief(self, logits: Tensor) -> Tensor:
        return logits


@dataclass(frozen=True)
class LeastSquares(_Critic):
    """LSGAN (Mao et al. 2017): D regresses 1 for real and 0 for generated; G wants to be scored 1.

    d_loss = (E (r - 1)^2 + E f^2) / 2,  g_loss = E (f - 1)^2 / 2
    """

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor, labels: Labels = None) -> Tensor:
        return (((real_logits - 1) ** 2).mean() + (fake_logits**2).mean()) * 0.5

    def g_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None, labels: Labels = None) -> Tensor:
        return ((fake_logits - 1) ** 2).mean() * 0.5

    def lead(self, record: Mapping[str, float]) -> float:
        return record["d_real"] - record["d_fake"]  # its scores are to be 1 and 0


@dataclass(frozen=True)
class Wasserstein(_Critic):
    """WGAN (Arjovsky, Chintala & Bottou 2017): the critic measures how far apart the two distributions are.

    d_loss = E f - E r,  g_loss = -E f

    A distance only while the critic's slope is bounded: use with a gradient penalty, weight clipping or spectral norm.
    """

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor, labels: Labels = None) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def g_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None, labels: Labels = None) -> Tensor:
        return -fake_logits.mean()

    def lead(self, record: Mapping[str, float]) -> float:
        return math.nan  # scores without a scale


@dataclass(frozen=True)
class Hinge(_Critic):
    """The hinge loss (Lim & Ye 2017; Miyato et al. 2018): D ignores what it already scores past the margin of 1.

    d_loss = E max(0, 1 - r) + E max(0, 1 + f),  g_loss = -E f
    """

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor, labels: Labels = None) -> Tensor:
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def g_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None, labels: Labels = None) -> Tensor:
        return -fake_logits.mean()

    def lead(self, record: Mapping[str, float]) -> float:
        return 1 - record["d_loss"] / 2  # 2 is the loss of a D that scores everything 0


@dataclass(frozen=True)
class RelativisticAverage(Objective):
    """RaGAN (Jolicoeur-Martineau 2019): is a real image more realistic than the average generated one, and vice versa?

    d_loss = E s(-(r - E f)) + E s(f - E r),  g_loss = E s(r - E f) + E s(-(f - E r))
    """

    g_sees_real = True

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor, labels: Labels = None) -> Tensor:
        real_mean, fake_mean = averaged(real_logits.mean()), averaged(fake_logits.mean())
        return softplus(fake_mean - real_logits).mean() + softplus(fake_logits - real_mean).mean()

    def g_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None, labels: Labels = None) -> Tensor:
        if real_logits is None:
            raise InputError("RelativisticAverage.g_loss needs the real images' logits too")
        return self.d_loss(fake_logits, real_logits)

    def lead(self, record: Mapping[str, float]) -> float:
        return 1 - record["d_loss"] / (2 * math.log(2))  # only differences count: a belief alone says nothing


@dataclass(frozen=True)
class AuxiliaryClassifier(Objective):
    """ACGAN (Odena, Olah & Shlens 2017): D also names the class, and G is to be named right.

    D returns (N, 1 + classes): the logit, then the class logits c. With CE(c) = -E log softmax(c)[label]:
    d_loss = base + weight (CE(c_real) + CE(c_fake)),  g_loss = base + weight CE(c_fake)

    Where D is taught the names of generated images too, as in the paper, the players may agree on wrong ones: G draws
    sevens for zero, and D learns to call these zero. ``fakes=False`` leaves CE(c_fake) out of d_loss.
    """

    base: Objective = field(default_factory=NonSaturating)
    weight: float = 1.0
    fakes: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise InputError(f"AuxiliaryClassifier: weight = {self.weight} must be at least 0, and finite")

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor, labels: Labels = None) -> Tensor:
        named = cross_entropy(real_logits[:, 1:], labels)
        if self.fakes:
            named = named + cross_entropy(fake_logits[:, 1:], labels)
        return self.base.d_loss(real_logits[:, :1], fake_logits[:, :1]) + named * self.weight

    @property
    def g_sees_real(self) -> bool:  # type: ignore[override]
        return self.base.g_sees_real

    def g_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None, labels: Labels = None) -> Tensor:
        real = None if real_logits is None else real_logits[:, :1]
        return self.base.g_loss(fake_logits[:, :1], real) + cross_entropy(fake_logits[:, 1:], labels) * self.weight

    def lead(self, record: Mapping[str, float]) -> float:
        """The base's, where it tells that from the beliefs: the classifier's part of d_loss is not known here."""
        return self.base.lead({**record, "d_loss": math.nan})

    def belief(self, logits: Tensor) -> Tensor:
        return self.base.belief(logits[:, :1])


def cross_entropy(logits: Tensor, labels: Labels) -> Tensor:
    """-E log softmax(logits)[n, labels[n]];  logits (N, classes), labels (N,) whole numbers -> scalar"""
    if labels is None:
        raise InputError("cross_entropy needs labels: load the data with labels=True")
    labels = labels.data if isinstance(labels, Tensor) else labels if is_array(labels) else np.asarray(labels)
    rows, classes = logits.shape
    if labels.shape != (rows,) or labels.dtype.kind not in "iu":  # (N, 1) would pick N of each row
        raise InputError(f"cross_entropy: labels {labels.dtype}{labels.shape} must be whole numbers, ({rows},)")
    reach = span(logits.backend, labels)
    if reach and not 0 <= reach[0] <= reach[1] < classes:
        raise InputError(f"cross_entropy: labels {reach[0]}..{reach[1]} are not of the {classes} classes")
    return -log_softmax(logits)[logits.backend.xp.arange(rows), labels].mean()


OBJECTIVES: dict[str, type[Objective]] = {
    "non_saturating": NonSaturating,
    "minimax": Minimax,
    "least_squares": LeastSquares,
    "wasserstein": Wasserstein,
    "hinge": Hinge,
    "relativistic_average": RelativisticAverage,
}
