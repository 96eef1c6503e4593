"""The training loop: the detective learns from the forger, the forger from the detective, in turns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from ..backend.host import from_host, on_host
from ..errors import InputError
from ..nn import Module
from ..optim import Adam, Optimizer, clip_grad_norm
from ..tensor import Tensor, enable_grad, grad, no_grad
from .augment import Augmentation
from .capture import Capture, Report
from .ema import EMA
from .objectives import NonSaturating, Objective
from .penalties import Penalty

MEASURE_EVERY = 10  # updates, see Record


@dataclass(frozen=True)
class Record:
    """What one step did. ``d_real`` and ``d_fake`` are D's mean belief (or score) of real and of generated images.

    ``g_loss`` is that of the last generator update, NaN before the first. ``d_grad`` and ``g_grad`` are the Euclidean
    norms of the networks' gradients, and ``spread`` says how much generated images differ from each other, as a share
    of how much real ones do. These three are measured at a network's first update and at each tenth after it, so that
    they cost nothing to speak of; in between they are the last measured ones.
    """

    step: int
    d_loss: float
    g_loss: float
    d_real: float
    d_fake: float
    penalty: float
    d_grad: float
    g_grad: float
    spread: float
    seconds: float
    images_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """What does not depend on how fast the machine is."""
        return {name: value for name, value in asdict(self).items() if name not in ("seconds", "images_per_second")}

    def __repr__(self) -> str:
        return (
            f"Record(step {self.step}: d_loss {self.d_loss:.3f}, g_loss {self.g_loss:.3f}, D(x) {self.d_real:.2f}, "
            f"D(G(z)) {self.d_fake:.2f}, |d_grad| {self.d_grad:.3g}, |g_grad| {self.g_grad:.3g}, "
            f"{self.images_per_second:.0f} images/s)"
        )


class Round(NamedTuple):
    """What the detective is shown at a time."""

    real: Tensor
    fake: Tensor
    given: tuple[Array, ...]  # (labels,) in a conditional model: what both players are told


class Kind(NamedTuple):
    """What one step does, numbers aside. Two steps of a kind do the same work."""

    g_learns: bool
    measures_spread: bool
    measures_d: bool
    measures_g: bool
    penalties: tuple[bool, ...]  # which of them are due
    augment: tuple[Any, ...]


class Trainer:
    """Trains a generator against a discriminator.

    >>> from minigan import gan
    >>> rng = np.random.default_rng(0)
    >>> g, d = gan.build({"model": "dcgan", "width": 8, "z_dim": 10}, rng)
    >>> trainer = Trainer(g, d, z_dim=10, rng=rng)
    >>> batches = [rng.uniform(-1, 1, (4, 1, 28, 28)).astype(np.float32)] * 3
    >>> [record.step for record in trainer.steps(batches)]
    [1, 2, 3]

    A conditional model trains on batches (images, labels) and is called with them: generator(z, labels).

    rng              draws z, and what penalties and augmentations need, on the host: every backend sees the same
    objective        default: NonSaturating
    g_optimizer      default: DCGAN's Adam(lr 2e-4, betas (0.5, 0.999))
    d_optimizer      likewise; another rate than G's is TTUR (Heusel et al. 2017)
    penalties        added to d_loss
    n_critic         G is updated in every n_critic-th step only
    augment          applied in turn to every image that D sees
    clip_weights     after each of D's updates its parameters are clipped to +-clip_weights (the original WGAN)
    clip_grad_norm   largest norm of each network's gradient
    accumulate       the batch is worked on in so many parts, to need less memory; gradients are averaged
    schedule         step -> factor on both learning rates
    ema              decay of an average of the generator, kept as ``trainer.ema.generator``
    capture          on a GPU, a step is captured once as a CUDA graph and then replayed: "auto" where all parts of the
                     game are minigan's own, True always, False never; ``capture_reason`` tells why it is not
    """

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        *,
        z_dim: int,
        rng: np.random.Generator,
        objective: Objective | None = None,
        g_optimizer: Optimizer | None = None,
        d_optimizer: Optimizer | None = None,
        penalties: Sequence[Penalty] = (),
        n_critic: int = 1,
        augment: Sequence[Augmentation] = (),
        clip_weights: float | None = None,
        clip_grad_norm: float | None = None,
        accumulate: int = 1,
        schedule: Callable[[int], float] | None = None,
        ema: float | None = None,
        capture: bool | str = "auto",
    ) -> None:
        if n_critic < 1 or accumulate < 1:
            raise InputError(f"n_critic = {n_critic} and accumulate = {accumulate} must each be at least 1")
        for name, limit in (("clip_weights", clip_weights), ("clip_grad_norm", clip_grad_norm)):
            if limit is not None and not limit > 0:
                raise InputError(f"{name} = {limit} must be above 0")
        self.generator, self.discriminator = generator, discriminator
        self.z_dim, self.rng = z_dim, rng
        self.objective = objective or NonSaturating()
        self.g_optimizer = g_optimizer or Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.d_optimizer = d_optimizer or Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.penalties, self.augment = tuple(penalties), tuple(augment)
        self.n_critic, self.accumulate = n_critic, accumulate
        self.clip_weights, self.clip_grad_norm = clip_weights, clip_grad_norm
        self.schedule = schedule
        self.base_lrs = self.g_optimizer.lr, self.d_optimizer.lr
        self.ema = None if ema is None else EMA(generator, ema, updates=lambda: self.g_optimizer.step_count)
        self.capture = Capture(self, capture)
        self.step_count = 0
        self.last = {"g_loss": math.nan, "d_grad": math.nan, "g_grad": math.nan, "spread": math.nan}  # as in Record
        for penalty in self.penalties:
            penalty.check(discriminator)

    def steps(self, batches: Iterable[Any]) -> Iterator[Record]:
        """One step on each batch of real images (N, C, H, W) in [-1, 1], or (images, labels), as they are asked for."""
        for batch in batches:
            real, *given = batch if isinstance(batch, tuple) else (batch,)
            start = time.perf_counter()
            found = self.step(Tensor(real), *given)
            seconds = time.perf_counter() - start
            yield Record(self.step_count, **found, seconds=seconds, images_per_second=len(real) / seconds)

    def step(self, real: Tensor, *given: Array) -> dict[str, float]:
        """The discriminator's update, then the generator's; what a Record says of them."""
        self.step_count += 1
        if self.schedule is not None:
            factor = self.schedule(self.step_count)
            self.g_optimizer.lr, self.d_optimizer.lr = (lr * factor for lr in self.base_lrs)
        report = self.capture.run(self._take_turns, self._kind(), self.step_count, real.data, *given)
        return self._told_by(report)

    def _take_turns(self, real: Array, *given: Array) -> Report:
        """The step itself. What it has to report stays where it was computed: nobody waits for it in between."""
        self.generator.train()
        self.discriminator.train()
        kind = self._kind()
        with enable_grad() if kind.g_learns else no_grad():
            rounds = self.play(Tensor(real), given)
        report: Report = {}
        if kind.measures_spread:
            report["spread"] = [images.data.std(axis=0).mean() for images in (rounds[0].fake, rounds[0].real)]

        # D learns to tell them apart. Cutting the fakes off their graph keeps G out of it, and G's graph for later.
        report |= self.update_discriminator(rounds)
        if self.clip_weights is not None:
            clip_parameters(self.discriminator, self.clip_weights)

        # G learns what would have fooled the D that has just learned. D's weight gradients are never computed.
        if kind.g_learns:
            report |= self.update_generator(rounds)
            if self.ema is not None:
                self.ema.update()
        return report

    def play(self, real: Tensor, given: tuple[Array, ...]) -> list[Round]:
        """Deal the batch into rounds, and let G answer each real image with a fake one."""
        size, rest = divmod(len(real), self.accumulate)
        if rest or not size:
            raise InputError(f"a batch of {len(real)} images cannot be worked on in {self.accumulate} equal parts")
        z = self.sample_z(len(real))
        rounds = []
        for start in range(0, len(real), size):
            part = slice(start, start + size)
            told = tuple(labels[part] for labels in given)
            shown = real if self.accumulate == 1 else real[part]
            rounds.append(Round(shown, self.generator(z[part] if self.accumulate > 1 else z, *told), told))
        return rounds

    def update_discriminator(self, rounds: list[Round]) -> Report:
        """D's half of a step; its part of the report."""
        return self._learn("d_grad", self.d_optimizer, self._d_loss, rounds)

    def update_generator(self, rounds: list[Round]) -> Report:
        """G's half of a step; its part of the report."""
        return self._learn("g_grad", self.g_optimizer, self._g_loss, rounds)

    def _d_loss(self, round: Round) -> tuple[Tensor, dict[str, Tensor]]:
        """What D minimises; for the record: the objective's part of it, D's two beliefs, the penalties' part."""

        def critic(images: Tensor) -> Tensor:
            return self.discriminator(images, *round.given)

        real, fake = self._show(round.real), self._show(round.fake.detach())
        real_logits, fake_logits = critic(real), critic(fake)
        loss = self.objective.d_loss(real_logits, fake_logits, *round.given)
        penalty = loss * 0.0
        for term, is_due in zip(self.penalties, self._kind().penalties, strict=True):
            if is_due:
                penalty = penalty + term(critic, real, fake, self.rng) * float(term.every)
        with no_grad():
            d_real, d_fake = (self.objective.belief(logits).mean() for logits in (real_logits, fake_logits))
        return loss + penalty, {"d_loss": loss, "d_real": d_real, "d_fake": d_fake, "penalty": penalty}

    def _g_loss(self, round: Round) -> tuple[Tensor, dict[str, Tensor]]:
        fake_logits = self.discriminator(self._show(round.fake), *round.given)
        real_logits = None
        if self.objective.g_sees_real:
            with no_grad():
                real_logits = self.discriminator(self._show(round.real), *round.given)
        loss = self.objective.g_loss(fake_logits, real_logits, *round.given)
        return loss, {"g_loss": loss}

    def _learn(
        self,
        norm: str,
        optimizer: Optimizer,
        loss: Callable[[Round], tuple[Tensor, dict[str, Tensor]]],
        rounds: list[Round],
    ) -> Report:
        """Update by the gradient of the mean loss over the rounds; what ``loss`` reports beside it, round by round."""
        gradients: list[Tensor] = []
        report: Report = {}
        for round in rounds:
            value, told = loss(round)
            found = grad(value * (1 / len(rounds)), optimizer.params)
            gradients = [a + b for a, b in zip(gradients, found, strict=True)] if gradients else list(found)
            for name, number in told.items():
                report.setdefault(name, []).append(number.data)
        if is_measured(optimizer):
            report[norm] = [squared_norm(gradients)]
        if self.clip_grad_norm is not None:
            gradients = clip_grad_norm(gradients, self.clip_grad_norm)
        optimizer.step(gradients)
        return report

    def _show(self, images: Tensor) -> Tensor:
        """What D gets to see of the images."""
        for augment in self.augment:
            images = augment(images, self.rng, self.step_count)
        return images

    def _told_by(self, report: dict[str, list[float]]) -> dict[str, float]:
        """What a Record says: means over the rounds, and what was measured last."""
        found = {name: sum(values) / len(values) for name, values in report.items()}
        if "spread" in found:
            of_fake, of_real = report["spread"]
            self.last["spread"] = of_fake / of_real if of_real > 0 else math.nan  # one image, or all the same
        for name in ("d_grad", "g_grad"):
            if name in found:
                self.last[name] = math.sqrt(found[name])
        self.last["g_loss"] = found.get("g_loss", self.last["g_loss"])
        return {name: found[name] for name in ("d_loss", "d_real", "d_fake", "penalty")} | self.last

    # ---- captured steps, see capture.py --------------------------------------------------------------

    def _kind(self) -> Kind:
        """What the step under way does: all that depends on its number, and is no number itself."""
        g_learns = self.step_count % self.n_critic == 0
        return Kind(
            g_learns,
            measures_spread=self.step_count % MEASURE_EVERY == 1,
            measures_d=is_measured(self.d_optimizer),
            measures_g=g_learns and is_measured(self.g_optimizer),
            penalties=tuple(self.step_count % penalty.every == 0 for penalty in self.penalties),
            augment=tuple(augment.kind(self.step_count) for augment in self.augment if hasattr(augment, "kind")),
        )

    @property
    def capture_reason(self) -> str:
        """Why the last step was not replayed but worked off in Python, or "" where nothing keeps it from being so."""
        return self.capture.reason

    def eagerly(self) -> AbstractContextManager[None]:
        """A context in which every step is worked off in Python, for whoever wants to watch it."""
        return self.capture.off()

    # ---- what a checkpoint carries ---------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """Every parameter, buffer and optimizer moment by name, as copies on the host."""
        holders = self._holders()
        return {f"{name}/{key}": array for name, held in holders.items() for key, array in held.state_dict().items()}

    def facts(self) -> dict[str, Any]:
        """The rest of the state, as JSON can hold it: the step, what was last measured and the random streams."""
        streams = {name: rng.bit_generator.state for name, rng in self._streams().items()}
        return {"step": self.step_count, "last": dict(self.last), "streams": streams}

    def load(self, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        """Go on exactly where ``arrays`` and ``facts`` were taken.

        Raises InputError when they are another model's, and then leaves everything as it was.
        """
        before = self.arrays(), self.facts()
        try:
            self._load(arrays, facts)
        except Exception:
            self._load(*before)
            raise

    def _load(self, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        for name, held in self._holders().items():
            part = {key.removeprefix(f"{name}/"): a for key, a in arrays.items() if key.startswith(f"{name}/")}
            held.load_state_dict(part)
        self.rewind(facts)

    def rewind(self, facts: dict[str, Any]) -> None:
        """Back to ``facts``, the arrays left aside."""
        streams = self._streams()
        if streams.keys() != facts["streams"].keys():
            raise InputError(f"the state has random streams {sorted(facts['streams'])}, this trainer {sorted(streams)}")
        for name, rng in streams.items():
            rng.bit_generator.state = facts["streams"][name]
        if facts["last"].keys() != self.last.keys():
            raise InputError(
                f"the state has the measurements {sorted(facts['last'])}, this trainer {sorted(self.last)}"
            )
        self.step_count, self.last = int(facts["step"]), {name: float(value) for name, value in facts["last"].items()}

    def _holders(self) -> dict[str, Any]:
        holders: dict[str, Any] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "g_optimizer": self.g_optimizer,
            "d_optimizer": self.d_optimizer,
        }
        return holders if self.ema is None else holders | {"ema": self.ema.generator}

    def _streams(self) -> dict[str, np.random.Generator]:
        """Its own generator and those of layers that draw, such as dropout."""
        streams = {"trainer": self.rng}
        for network, module in (("generator", self.generator), ("discriminator", self.discriminator)):
            for name, layer in module.named_modules(network):
                rng = getattr(layer, "rng", None)
                if isinstance(rng, np.random.Generator):
                    streams[name] = rng
        return streams

    def sample_z(self, count: int) -> Tensor:
        """z ~ N(0, I), (count, z_dim)"""
        backend, dtype = self.generator.backend, self.generator.dtype
        return Tensor(from_host(backend, lambda: self.rng.standard_normal((count, self.z_dim)).astype(dtype)))


def is_measured(optimizer: Optimizer) -> bool:
    """Whether the gradient of the update that comes next is measured, see Record."""
    return optimizer.step_count % MEASURE_EVERY == 0


def squared_norm(gradients: Sequence[Tensor]) -> Array:
    """The sum of all squares"""
    with np.errstate(over="ignore"):  # then it is infinite, as it should be
        return sum((g.data * g.data).sum() for g in gradients)


def clip_parameters(module: Module, limit: float) -> None:
    """Every parameter into [-limit, limit], in place: how the original WGAN bounds its critic's slope."""
    for parameter in module.parameters():
        parameter.backend.xp.clip(parameter.data, -limit, limit, out=parameter.data)
        on_host(parameter.bump)
