"""What a checkpoint carries of a run, and the way back to it."""

from __future__ import annotations

import hashlib
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import InputError
from ..nn import Module
from ..optim import Optimizer
from ..parallel import Communicator
from .ema import EMA
from .rules import Game

GameT = TypeVar("GameT", bound=Game)


class Resumable(Generic[GameT]):
    """The part of a Trainer that takes its state and goes back to one, bit for bit."""

    game: GameT
    optimizers: dict[str, Optimizer]
    averages: dict[str, EMA]
    communicator: Communicator
    step_count: int
    last: dict[str, float]

    def arrays(self) -> dict[str, np.ndarray]:
        """Every parameter, buffer and optimizer moment by name, as copies on the host."""
        holders = self.holders()
        return {f"{name}/{key}": array for name, held in holders.items() for key, array in held.state_dict().items()}

    def facts(self) -> dict[str, Any]:
        """The rest of the state, as JSON can hold it: the step, what was last measured and the random streams."""
        streams = {name: rng.bit_generator.state for name, rng in self.streams().items()}
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
        holders = self.holders()
        if strange := {key.partition("/")[0] for key in arrays} - holders.keys():
            raise InputError(f"the state has {', '.join(sorted(strange))}, which this trainer has not: make it alike")
        for name, held in holders.items():
            part = {key.removeprefix(f"{name}/"): a for key, a in arrays.items() if key.startswith(f"{name}/")}
            held.load_state_dict(part)
        self.rewind(facts)

    def rewind(self, facts: dict[str, Any]) -> None:
        """Back to ``facts``, the arrays left aside."""
        streams = self.streams()
        if streams.keys() != facts["streams"].keys():
            raise InputError(f"the state has random streams {sorted(facts['streams'])}, this trainer {sorted(streams)}")
        if lacking := {f"{name}_grad" for name in self.optimizers} - facts["last"].keys():
            raise InputError(f"the state lacks the measurements {', '.join(sorted(lacking))}: it is another game's")
        for name, rng in streams.items():
            rng.bit_generator.state = facts["streams"][name]
        self.step_count, self.last = int(facts["step"]), {name: float(value) for name, value in facts["last"].items()}

    def check_ranks(self) -> None:
        """Raise InputError where the processes that train together have not all the same state, to the bit."""
        if self.communicator.size > 1:
            streams = {
                f"the random stream of {name}": repr(rng.bit_generator.state) for name, rng in self.streams().items()
            }
            state = {name: array.tobytes() for name, array in self.arrays().items()}
            state |= {"step": b"%d" % self.step_count} | {name: told.encode() for name, told in streams.items()}
            hashes = {name: hashlib.blake2b(content, digest_size=8).hexdigest() for name, content in state.items()}
            self.communicator.check_same("the trainer", hashes)

    def holders(self) -> dict[str, Any]:
        """What has a state of arrays, by the name that a checkpoint gives it."""
        optimizers = {f"{name}_optimizer": optimizer for name, optimizer in self.optimizers.items()}
        alone = len(self.averages) == 1
        averages = {"ema" if alone else f"ema.{name}": ema.generator for name, ema in self.averages.items()}
        return self.game.holders() | optimizers | averages

    def streams(self) -> dict[str, np.random.Generator]:
        """The game's generator, and those of layers that draw, such as dropout."""
        streams = {"trainer": self.game.rng}
        for network, module in self.game.networks.items():
            streams |= layers_that_draw(network, module)
        return streams


def layers_that_draw(network: str, module: Module) -> dict[str, np.random.Generator]:
    held = {name: getattr(layer, "rng", None) for name, layer in module.named_modules(network)}
    return {name: rng for name, rng in held.items() if isinstance(rng, np.random.Generator)}
