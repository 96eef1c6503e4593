"""The training loop. It plays any ``Game``, turn by turn: each player learns from its own loss."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..backend import Array, is_array
from ..errors import InputError
from ..nn import Module
from ..optim import Adam, Optimizer, clip_grad_norm
from ..parallel import Communicator, within, world
from ..sizes import size
from ..tensor import Tensor, enable_grad, grad, no_grad
from .capture import Capture, Report
from .ema import EMA
from .record import MEASURE_EVERY, Record, is_measured, means
from .rules import Game, Turn
from .state import GameT, Resumable


class Trainer(Resumable[GameT]):
    """Trains the players of a game.

    >>> from minigan import gan
    >>> rng = np.random.default_rng(0)
    >>> g, d = gan.build({"model": "dcgan", "width": 8, "z_dim": 10}, rng)
    >>> trainer = Trainer(gan.TwoPlayer(g, d, z_dim=10, rng=rng))
    >>> batches = [rng.uniform(-1, 1, (4, 1, 28, 28)).astype(np.float32)] * 3
    >>> [record.step for record in trainer.steps(batches)]
    [1, 2, 3]

    optimizers       by the turn's name, as {"d": ..., "g": ...}; default: DCGAN's Adam(lr 2e-4, betas (0.5, 0.999)),
                     another rate for D than for G is TTUR (Heusel et al. 2017)
    clip_grad_norm   largest norm of each player's gradient
    accumulate       the batch is worked on in so many parts, to need less memory; gradients are averaged
    schedule         step -> factor on all learning rates
    ema              decay of an average of each network that the game is played for, see ``result``
    communicator     the processes that have a part of each batch each: their gradients are averaged (default: all that
                     were started together, see ``minigan.parallel``)
    sync_batch_norm  batch norm takes its statistics from the whole batch; False: each process from its part
    capture          on a GPU, a step is captured once as a CUDA graph and then replayed: "auto" where all parts of the
                     game are minigan's own, True always, False never; ``capture_reason`` tells why it is not
    """

    def __init__(
        self,
        game: GameT,
        optimizers: Mapping[str, Optimizer] | None = None,
        *,
        clip_grad_norm: float | None = None,
        accumulate: int = 1,
        schedule: Callable[[int], float] | None = None,
        ema: float | None = None,
        communicator: Communicator | None = None,
        sync_batch_norm: bool = True,
        capture: bool | str = "auto",
    ) -> None:
        if not isinstance(game, Game):
            raise InputError(
                f"Trainer: a {type(game).__name__} is no game: give one, TwoPlayer(generator, discriminator, ...)"
            )
        if clip_grad_norm is not None and not 0 < clip_grad_norm < math.inf:
            raise InputError(f"clip_grad_norm = {clip_grad_norm} must be above 0, and finite")
        self.game, self.optimizers = game, optimizers_for(game.turns, optimizers or {})
        self.clip_grad_norm, self.accumulate, self.schedule = clip_grad_norm, size("accumulate", accumulate), schedule
        self.communicator, self.sync_batch_norm = communicator or world(), sync_batch_norm
        self.base_lrs = {name: optimizer.lr for name, optimizer in self.optimizers.items()}
        self.averages = (
            {} if ema is None else {name: self.average_of(game.networks[name], ema) for name in game.results}
        )
        self.capture = Capture(self, capture)
        self.step_count = 0
        self.last = {f"{name}_{what}": math.nan for what in ("loss", "grad") for name in self.optimizers}
        self.check_ranks()

    def steps(self, batches: Iterable[Any]) -> Iterator[Record]:
        """One step on each batch, as they are asked for."""
        return map(self.step, batches)

    def step(self, batch: Any) -> Record:
        """One step on a batch: real images (N, C, H, W) in [-1, 1], or whatever the game wants, as (images, labels)."""
        parts = [p.data if isinstance(p, Tensor) else p for p in (batch if isinstance(batch, tuple) else (batch,))]
        if not all(is_array(part) or isinstance(part, np.ndarray) for part in parts):
            kinds = ", ".join(type(part).__name__ for part in parts)
            raise InputError(f"a batch must be an array, or a tuple of arrays such as (images, labels), not {kinds}")
        start = time.perf_counter()
        self.step_count += 1
        self.game.step, self.game.rounds = self.step_count, self.accumulate
        if self.schedule is not None:
            factor = self.schedule(self.step_count)
            for name, optimizer in self.optimizers.items():
                optimizer.lr = self.base_lrs[name] * factor
        with within(self.communicator, self.sync_batch_norm), self.communicator.watched():
            found = means(self.capture.run(self.take_turns, *parts))
        self.last = self.last | self.communicator.means(found)
        seconds = time.perf_counter() - start
        return Record(self.step_count, dict(self.last), seconds, len(parts[0]) * self.communicator.size / seconds)

    def take_turns(self, *batch: Array) -> Report:
        """The step itself. What it has to report stays where it was computed: nobody waits for it in between."""
        turns = self.due()
        rounds = self.play(*batch, recorded=any(turn.records_play for turn in turns))
        if self.step_count % MEASURE_EVERY == 1:
            self.game.measure(rounds[0])
        report: Report = {}
        for turn in turns:
            report |= self.learn(turn, rounds)
        if not self.sync_batch_norm:
            self.communicator.average(*running_statistics(self.game))
        for average in self.averages.values():
            if any(average.source in turn.networks for turn in turns):
                average.update()
        for round in rounds:
            for name, value in round.told.items():
                report.setdefault(name, []).append(value.data)
        return report

    def due(self) -> list[Turn]:
        """The turns of the step under way."""
        return [turn for turn in self.game.turns if self.step_count % turn.every == 0]

    def play(self, *batch: Array, recorded: bool = True) -> list[Any]:
        """The rounds of a step: one, or as many as the batch is accumulated over."""
        for network in self.game.networks.values():
            if not network.training:  # a layer that was put into evaluation mode by itself stays in it
                network.train()
        count = len(batch[0])
        length, rest = divmod(count, self.accumulate)
        if rest or not length:
            raise InputError(f"a batch of {count} images cannot be worked on in {self.accumulate} equal parts")
        with enable_grad() if recorded else no_grad():
            return [self.game.play(*part(batch, start, length)) for start in range(0, count, length)]

    def learn(self, turn: Turn, rounds: Sequence[Any]) -> Report:
        """Update a player by the gradient of its mean loss over the rounds; the terms of the loss, round by round."""
        optimizer, gradients = self.optimizers[turn.name], list[Tensor]()
        parameters = optimizer.learning
        if not parameters:
            raise InputError(f"nothing that {turn.name!r} could learn requires a gradient: all its layers are frozen")
        report: Report = {}
        for round in rounds:
            terms = turn.loss(round)
            if not isinstance(terms, dict) or f"{turn.name}_loss" not in terms:
                raise InputError(f"turn {turn.name!r}: its loss must be Terms with a {turn.name}_loss, not {terms}")
            loss, *others = terms.values()
            found = grad(sum(others, loss) * (1 / len(rounds)), parameters)
            gradients = [a + b for a, b in zip(gradients, found, strict=True)] if gradients else list(found)
            for name, term in terms.items():
                report.setdefault(name, []).append(term.data)
        self.communicator.average(*(g.data for g in gradients))
        if is_measured(optimizer):
            report[f"{turn.name}_grad"] = [norm(gradients)]
        if self.clip_grad_norm is not None:
            gradients = clip_grad_norm(gradients, self.clip_grad_norm)
        optimizer.step(gradients)
        if turn.after is not None:
            turn.after()
        return report

    def result(self, name: str = "") -> Module:
        """A network that the game is played for (default: the first): its average, where one is kept."""
        name = name or self.game.results[0]
        return self.averages[name].generator if name in self.averages else self.game.networks[name]

    def average_of(self, network: Module, decay: float) -> EMA:
        """Its average, which grows as slowly as the network itself learns: after a resume too."""
        name = next(turn.name for turn in self.game.turns if network in turn.networks)
        return EMA(network, decay, optimizer=self.optimizers[name])

    # ---- captured steps, see capture.py --------------------------------------------------------------

    @property
    def capture_reason(self) -> str:
        """Why the last step was not replayed but worked off in Python, or "" where nothing keeps it from being so."""
        return self.capture.reason

    def eagerly(self) -> AbstractContextManager[None]:
        """A context in which every step is worked off in Python, for whoever wants to watch it."""
        return self.capture.off()


def optimizers_for(turns: Sequence[Turn], given: Mapping[str, Optimizer]) -> dict[str, Optimizer]:
    """An optimizer for each turn: the given one, or DCGAN's."""
    names = [turn.name for turn in turns]
    if unknown := given.keys() - set(names):
        raise InputError(f"optimizers for {', '.join(sorted(unknown))}: this game's turns are {', '.join(names)}")
    optimizers = {}
    for turn in turns:
        parameters = [p for network in turn.networks for p in network.parameters()]
        optimizers[turn.name] = given.get(turn.name) or Adam(parameters, lr=2e-4, betas=(0.5, 0.999))
        if strange := set(optimizers[turn.name].params) - set(parameters):
            raise InputError(
                f"the optimizer for {turn.name!r} has {len(strange)} parameters of other networks than this player's: "
                "give it those of its own"
            )
    return optimizers


def part(batch: Sequence[Array], start: int, length: int) -> tuple[Any, ...]:
    """So many of a batch, as a game wants them: floating-point arrays as Tensors, labels as they are."""
    taken = [array if length == len(array) else array[start : start + length] for array in batch]
    return tuple(Tensor(array) if array.dtype.kind == "f" else array for array in taken)


def running_statistics(game: Game) -> list[Array]:
    """Of batch norm: where each process has its own, all are to go on with their mean."""
    buffers = [array for network in game.networks.values() for _, array in network.named_buffers()]
    return [array for array in buffers if array.dtype.kind == "f"]


def norm(gradients: Sequence[Tensor]) -> Array:
    """The Euclidean norm of all gradients together."""
    with np.errstate(over="ignore"):  # then it is infinite, as it should be
        squares = sum((g.data * g.data).sum() for g in gradients)
        return gradients[0].backend.xp.sqrt(squares)
