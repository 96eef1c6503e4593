"""How a run is doing, told from its records alone: alarms for what goes wrong in GANs, a note when all is well.

    not_finite      a loss or a gradient is NaN or infinite: nothing good can follow
    d_overpowers    D tells real from generated nearly without error, or G's gradient has vanished: G learns no more
    g_overpowers    D takes generated images for the more real ones: it teaches G nothing
    mode_collapse   generated images hardly differ from each other
    ignores_source  nothing of a picture comes back from what it was translated into: any other would have done
    still           nothing moves in generated clips: a collapse in time
    oscillation     now D is far ahead, now G, in turns
    equilibrium     D cannot tell real from generated: what the theory promises, or a D that is too weak

Each but the first is judged by means over the last ``WINDOW`` steps, so a bad step is not yet a bad run, and none is
raised before there are so many; ``ignores_source`` not before step ``YOUNG``. An alarm is raised once and stays active
until its cause is gone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

WINDOW = 100  # steps
# The spread of generated images, and how much the frames of a clip differ, as shares of the real ones':
COLLAPSED = 0.1  # when it has been three times as much before
NEVER_MUCH = 0.02  # when it never was: what young generators make does not differ much either
SWINGS = 4  # changes of the leader within SWING_STEPS
SWING_STEPS = 1000
NOTHING_BACK = 0.05  # of a picture, of which 1 would be all: see ``Cycle.tell_what_returns``
YOUNG = 500  # steps in which a translator may still learn to bring anything back
NEVER_BAD = ("spread", "motion", "frechet", "returns")  # NaN where there is nothing to measure


@dataclass(frozen=True)
class Alarm:
    """``kind`` is one of those above, ``text`` says what was seen and what may help."""

    step: int
    kind: str
    text: str

    @property
    def is_bad(self) -> bool:
        return self.kind != "equilibrium"

    def __str__(self) -> str:
        return f"{'alarm' if self.is_bad else 'note'} at step {self.step}: {self.kind}: {self.text}"


class Leads(Protocol):
    """A game, or its objective."""

    def lead(self, record: Mapping[str, float]) -> float: ...


class Health:
    """Looks at one record after the other and raises alarms. Equal records give equal alarms.

    ``waits`` tells of values that are unknown, NaN, before some step, such as a loss of a player who learns late.

    >>> from minigan.gan import NonSaturating
    >>> health = Health(NonSaturating())
    >>> losing = {"d_loss": 0.01, "g_loss": 9.0, "d_real": 0.996, "d_fake": 0.004, "spread": 0.8, "g_grad": 1.0}
    >>> [str(alarm)[:68] for step in range(1, 200) for alarm in health.look({"step": step, **losing})]
    ['alarm at step 100: d_overpowers: D(x) was 1.00 and D(G(z)) 0.00 over']
    >>> health.active
    ['d_overpowers']
    """

    def __init__(self, judge: Leads, waits: Mapping[str, int] | None = None) -> None:
        judge.lead(dict.fromkeys(("d_loss", "d_real", "d_fake"), math.nan))  # who does not tell is refused now
        self.judge = judge
        self.waits = waits or {}
        self._active: dict[str, str] = {}
        # The last WINDOW values of: D's lead, its size, D(x), D(G(z)), the norm of G's gradient, spread, motion, and
        # what returns
        self._last: list[deque[float]] = [deque(maxlen=WINDOW) for _ in range(8)]
        self._largest_grad = self._largest_spread = self._largest_motion = 0.0  # of the means over WINDOW steps
        self._leader = ""
        self._swings: deque[int] = deque(maxlen=SWINGS)  # the steps at which the leader changed
        self._quick_lead = math.nan

    @property
    def active(self) -> list[str]:
        return list(self._active)

    def look(self, record: Mapping[str, float]) -> list[Alarm]:
        """The alarms that this record raises. Records are to be shown without a gap, from step 1 on."""
        step = int(record["step"])
        known = [name for name in record if name not in NEVER_BAD and step >= self.waits.get(name, 0)]
        bad = [f"{name} is {record[name]}" for name in known if not math.isfinite(record[name])]
        if bad:
            return [Alarm(step, "not_finite", ", ".join(bad))]

        found = self._judge(step, record)
        raised = [Alarm(step, kind, text) for kind, text in found.items() if text and kind not in self._active]
        self._active = {kind: text for kind, text in found.items() if text}
        return raised

    def _judge(self, step: int, record: Mapping[str, float]) -> dict[str, str]:
        """What is to be said of each kind: "" for nothing."""
        lead = self.judge.lead(record)
        self._follow_swings(step, lead)
        told = ("d_real", "d_fake", "g_grad", "spread", "motion", "returns")
        values = (lead, abs(lead), *(record.get(name, math.nan) for name in told))
        for last, value in zip(self._last, values, strict=True):
            last.append(value)
        if step < WINDOW:
            return {}
        lead, size, d_real, d_fake, grad, spread, motion, returns = (sum(last) / WINDOW for last in self._last)
        if grad > self._largest_grad:
            self._largest_grad = grad
        if spread > self._largest_spread:
            self._largest_spread = spread
        if motion > self._largest_motion:
            self._largest_motion = motion

        was = f"over {WINDOW} steps"
        beliefs = f"D(x) was {d_real:.2f} and D(G(z)) {d_fake:.2f} {was}"
        kinds = (
            "d_overpowers", "g_overpowers", "mode_collapse", "still", "ignores_source", "oscillation", "equilibrium",
        )  # fmt: skip
        found = dict.fromkeys(kinds, "")
        # An active alarm needs a little more to go silent than it took to be raised: it does not flicker.
        if lead > self._limit("d_overpowers", 0.97, 0.93):
            found["d_overpowers"] = (
                f"{beliefs}, G has little left to learn from: lower D's learning rate (--d-lr), restrain it with R1 "
                "(--penalty r1, or a larger --gamma), or blur what it sees (--instance-noise 0.1, --diffaugment color)"
            )
        elif grad < self._largest_grad * self._limit("d_overpowers", 1e-3, 1e-2):
            found["d_overpowers"] = (
                f"the norm of G's gradient was {grad:.2g} {was}, once {self._largest_grad:.2g}: G learns nothing more; "
                "take another loss (--objective non_saturating, hinge), or lower D's learning rate (--d-lr)"
            )
        if lead < self._limit("g_overpowers", -0.1, -0.05):
            found["g_overpowers"] = (
                f"{beliefs}, D takes generated images for the more real ones: raise its learning rate (--d-lr), lower "
                "G's (--g-lr), or let a penalty hold D less tightly (a smaller --gamma)"
            )
        if spread < collapsed(self._largest_spread) * self._limit("mode_collapse", 1.0, 1.5):
            found["mode_collapse"] = (
                f"generated images differed {100 * spread:.2g} % as much as real ones {was}: lower both learning "
                "rates (--g-lr, --d-lr; --lr in the example), restrain D with R1 (--penalty r1, or a larger --gamma), "
                "or let D see images beside each other (--model self_conditioned, gan.Packed); then start anew"
            )
        if motion < collapsed(self._largest_motion) * self._limit("still", 1.0, 1.5):
            found["still"] = (
                f"from frame to frame generated clips changed {100 * motion:.2g} % as much as real ones {was}: G moves "
                "nothing; lower both learning rates (--g-lr, --d-lr), or learn from clips with more motion (--frames)"
            )
        if step >= YOUNG and returns < self._limit("ignores_source", NOTHING_BACK, 2 * NOTHING_BACK):
            found["ignores_source"] = (
                f"what came back was no nearer to the picture it was made of than a mean picture is {was}: outputs "
                "ignore their source; give the way back more weight (--cycle-weight 20), or lower G's learning rate "
                "(--g-lr)"
            )
        if len(self._swings) == SWINGS and step - self._swings[0] < SWING_STEPS:
            found["oscillation"] = (
                f"the lead changed between D and G {SWINGS} times in {step - self._swings[0] + 1} steps: lower both "
                "learning rates (--g-lr, --d-lr) or beta1 (--betas 0 0.99), and sample from an average of G "
                "(--ema 0.999)"
            )
        if size < self._limit("equilibrium", 0.1, 0.15):
            found["equilibrium"] = (
                f"{beliefs}, D cannot tell real from generated: judge by the pictures whether G has learned that much "
                "or D too little"
            )
        return found

    def _limit(self, kind: str, to_raise: float, to_keep: float) -> float:
        return to_keep if kind in self._active else to_raise

    def _follow_swings(self, step: int, lead: float) -> None:
        """Note when the lead, averaged over some ten steps, changes from clearly D's to G's or back."""
        before = lead if math.isnan(self._quick_lead) else self._quick_lead
        self._quick_lead = before + 0.1 * (lead - before)
        leader = "D" if self._quick_lead > 0.3 else "G" if self._quick_lead < -0.1 else self._leader
        if leader != self._leader:
            if self._leader:
                self._swings.append(step)
            self._leader = leader


def collapsed(largest: float) -> float:
    """What is too little, of what has been as much as ``largest``."""
    return max(NEVER_MUCH, min(COLLAPSED, largest / 3))
