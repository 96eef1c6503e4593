"""What a training step tells of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..optim import Optimizer

MEASURE_EVERY = 10  # updates


@dataclass(frozen=True)
class Record:
    """What one step did: ``values`` by name, which are attributes too, so that record.d_loss is one of them.

    In the two-player game these are d_loss, g_loss and penalty, without each other; d_real and d_fake, D's mean belief
    (or score) of real and of generated images; d_grad and g_grad, the Euclidean norms of the players' gradients; and
    spread, how much generated images differ from each other as a share of how much real ones do: of those that have
    the same label, where there are any.

    What a step did not compute is as it was last computed, and NaN before the first time: a loss in a step in which its
    player does not learn, and norms and spread, which are measured at an update in ten and so cost nothing to speak of.
    """

    step: int
    values: Mapping[str, float]
    seconds: float
    images_per_second: float

    def __getattr__(self, name: str) -> float:
        values: Mapping[str, float] = self.__dict__.get("values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"a record has no {name!r}; this one has {', '.join(values)}")

    def as_dict(self) -> dict[str, Any]:
        """What does not depend on how fast the machine is."""
        return {"step": self.step, **self.values}

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {value:.3g}" for name, value in self.values.items())
        return f"Record(step {self.step}: {told}, {self.images_per_second:.0f} images/s)"


def means(report: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Each value's mean over the rounds of a step."""
    return {name: sum(values) / len(values) for name, values in report.items()}


def is_measured(optimizer: Optimizer) -> bool:
    """Whether the gradient of the update that comes next is measured."""
    return optimizer.step_count % MEASURE_EVERY == 0
