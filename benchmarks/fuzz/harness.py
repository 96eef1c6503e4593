"""Runs a reader on inputs without end, within bounds of time and memory, and keeps what it could not take."""

from __future__ import annotations

import random
import resource
import signal
import struct
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from minigan.errors import InputError

SECONDS_EACH = 5  # of processor time for one input: a hang otherwise
MEMORY = 1 << 30  # bytes beyond what the process has at the start: inputs are small, so nothing may need them

NUMBERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1]


@dataclass
class Report:
    name: str
    tried: int = 0
    accepted: int = 0
    refused: int = 0
    crashes: list[tuple[Any, str]] = field(default_factory=list)  # an input and what it raised

    def __str__(self) -> str:
        return (
            f"{self.name:12} {self.tried:8,} inputs: {self.accepted:,} read, {self.refused:,} refused, "
            f"{len(self.crashes)} crashes"
        )


def fuzz(name: str, read: Callable[[Any], Any], inputs: Iterator[Any], seconds: float, count: int) -> Report:
    """Give ``read`` up to ``count`` inputs in up to ``seconds``. Anything but a value or an InputError is a crash."""
    report = Report(name)
    deadline = time.monotonic() + seconds
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGPROF, too_long)
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + MEMORY, before[1]))
    try:
        while report.tried < count and time.monotonic() < deadline:
            tried = next(inputs)
            report.tried += 1
            signal.setitimer(signal.ITIMER_PROF, SECONDS_EACH)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read(tried)
                report.accepted += 1
            except InputError as error:
                report.refused += 1
                if "\n" in str(error) or not str(error):
                    report.crashes.append((tried, f"a message that is not one line: {error!s}"))
            except BaseException as error:  # a crash is also what is no Exception, such as a panic of Rust code
                if isinstance(error, KeyboardInterrupt):
                    raise
                report.crashes.append((tried, "".join(traceback.format_exception(error)[-3:])))
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGPROF, handler)
    return report


def too_long(*_: Any) -> None:
    raise TimeoutError(f"more than {SECONDS_EACH} seconds")


def address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


# ---- inputs --------------------------------------------------------------------------------------


def mutated(seeds: list[bytes], rng: random.Random) -> Iterator[bytes]:
    """The seeds with one to a few bytes changed, numbers put in, parts cut out, doubled or taken from another seed."""
    while True:
        data = bytearray(rng.choice(seeds))
        for _ in range(1 + int(rng.expovariate(0.7))):
            at = rng.randrange(len(data) + 1)
            if rng.random() < 0.5:
                at = min(at, rng.randrange(64))  # headers are where it hurts
            kind = rng.randrange(7)
            if kind == 0 and at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1 and at < len(data):
                data[at] = rng.randrange(256)
            elif kind == 2:
                number = struct.pack(rng.choice("<>") + "Q", rng.choice(NUMBERS))
                width = rng.choice((1, 2, 4, 8))
                data[at : at + width] = number[:width] if rng.random() < 0.5 else number[-width:]
            elif kind == 3:
                del data[at:]
            elif kind == 4:
                del data[at : at + rng.randrange(1, 64)]
            elif kind == 5:
                data[at:at] = data[at : at + rng.randrange(1, 64)]
            else:
                other = rng.choice(seeds)
                start = rng.randrange(len(other) + 1)
                data[at : at + 64] = other[start : start + rng.randrange(64)]
        yield bytes(data)


def drawn(strategy: Any, seed: int) -> Iterator[Any]:
    """Examples of a Hypothesis strategy, without end, each used some times: drawing is what takes long."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    round = 0
    while True:
        found: list[Any] = []

        def keep(value: Any) -> None:
            found.append(value)  # noqa: B023 (called before the next round)

        options = settings(
            max_examples=200,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seeded(seed + round)(options(given(value=strategy)(keep)))()
        for _ in range(10):
            yield from found
        round += 1
