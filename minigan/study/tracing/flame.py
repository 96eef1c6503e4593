"""Where the time and the memory of a trace went: a flame chart of each (pass, layer, op), and every op's speed beside
the machine's peak. A width is a share of the whole; the mouse tells the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from ...table import dims
from .events import Event
from .peak import Peak
from .svg import FILL, INK, LINE, QUIET, Drawing, fitting

WIDTH, HEIGHT = 1100.0, 26.0
LEFT = 16.0
SLOWEST = 14  # ops in the list below


def draw(events: list[Event], peak: Peak) -> Drawing:
    drawing = Drawing()
    seconds, size = sum(e.seconds for e in events), sum(e.bytes for e in events)
    y = _flame(drawing, events, 30.0, f"time: {seconds * 1e3:.1f} ms", lambda e: e.seconds, milliseconds)
    y = _flame(drawing, events, y + 46, f"memory made: {mebibytes(size)}", lambda e: float(e.bytes), mebibytes)
    _speeds(drawing, events, peak, y + 46)
    return drawing


def _flame(
    drawing: Drawing,
    events: list[Event],
    y: float,
    title: str,
    measure: Callable[[Event], float],
    unit: Callable[[float], str],
) -> float:
    """Three storeys: passes, their layers, their ops. The next free height."""
    total = sum(map(measure, events)) or 1.0
    drawing.text(LEFT, y - 9, title, 14, INK, font_weight="bold")
    ordered = sorted(events, key=lambda e: (min(e.order, 2), _first_use(events, e), e.number))
    levels: list[Callable[[Event], str]] = [
        lambda e: e.pass_name,
        lambda e: f"{e.order}/{e.layer}",
        lambda e: f"{e.order}/{e.layer}/{e.op}",
    ]
    for storey, level in enumerate(levels):
        x = LEFT
        for _, group in groupby(ordered, key=level):
            part = list(group)
            amount = sum(map(measure, part))
            width = amount / total * WIDTH
            name = (part[0].pass_name, part[0].layer or "(no layer)", part[0].op)[storey]
            order = min(part[0].order, 2)
            tip = f"{' / '.join((part[0].pass_name, part[0].layer, part[0].op)[: storey + 1])}: {unit(amount)}, "
            tip += f"{amount / total:.1%}, {len(part)} ops"
            top = y + storey * (HEIGHT + 1)
            if width > 0.2:
                fill = FILL[order] if storey else LINE[order]
                drawing.box(
                    x, top, width - 0.6, HEIGHT, fill, LINE[order] if width > 3 else "none", tip, stroke_width=0.5
                )
                words = f"{name}  {unit(amount)}"
                shown = words if len(words) * 6.2 < width - 8 else fitting(name, width - 8, 10.5)
                if width > 30:
                    drawing.text(x + 4, top + 17, shown, 10.5, INK if storey else "white")
            x += width
    return y + 3 * (HEIGHT + 1)


def _first_use(events: list[Event], event: Event) -> int:
    """When the event's layer first appeared in its pass, so that a layer's ops stand together."""
    return next(e.number for e in events if e.layer == event.layer and min(e.order, 2) == min(event.order, 2))


def _speeds(drawing: Drawing, events: list[Event], peak: Peak, y: float) -> None:
    """The slowest ops: their time, and their speed as a share of what the machine can do at best."""
    drawing.text(LEFT, y - 9, "the slowest ops beside the machine's measured peak", 14, INK, font_weight="bold")
    words = (
        f"{peak.gflops_per_second:.0f} GFLOP/s in a float32 matrix product, {peak.gbytes_per_second:.0f} GB/s in a copy"
    )
    drawing.text(LEFT, y + 8, words, 10.5, QUIET)
    longest = max((e.seconds for e in events), default=1.0)
    y += 24
    for event in sorted(events, key=lambda e: e.seconds, reverse=True)[:SLOWEST]:
        order = min(event.order, 2)
        name = " ".join(filter(None, (event.layer, event.op)))
        drawing.text(LEFT, y + 13, fitting(name, 220, 11), 11)
        drawing.text(LEFT + 226, y + 13, dims(event.shape), 9.5, QUIET)
        drawing.box(LEFT + 350, y + 2, event.seconds / longest * 200, 14, LINE[order], opacity=0.75)
        drawing.text(LEFT + 350 + event.seconds / longest * 200 + 6, y + 13, milliseconds(event.seconds), 10)
        for start, (share, label) in zip((640.0, 880.0), _shares(event, peak), strict=True):
            drawing.box(LEFT + start, y + 2, 110, 14, "#f3f4f6", "#d1d5db", stroke_width=0.5)
            drawing.box(LEFT + start, y + 2, min(share, 1.0) * 110, 14, "#059669", opacity=0.7)
            drawing.text(LEFT + start + 116, y + 13, label, 10)
        y += 20
    note = "FLOPs are the textbook's. A fast algorithm (Winograd) does with fewer, and a cache is faster than memory: "
    drawing.text(LEFT, y + 14, note + "both may pass 100 %.", 9.5, QUIET)


def _shares(event: Event, peak: Peak) -> Iterator[tuple[float, str]]:
    """Of the peak arithmetic, and of the peak traffic, with their labels."""
    speed = event.gflops_per_second
    itemsize = int("".join(c for c in event.dtype if c.isdigit()) or 8) // 8
    numbers = sum(_size(shape) for shape in (*event.inputs, event.shape))
    traffic = numbers * itemsize / event.seconds / 1e9 if event.seconds and event.bytes else 0.0
    for value, best, unit in (
        (speed, peak.gflops_per_second, "GFLOP/s"),
        (traffic, peak.gbytes_per_second, "GB/s"),
    ):
        yield value / best, f"{value:.1f} {unit}, {value / best:.0%}"


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def mebibytes(size: float) -> str:
    return f"{size / 2**20:.2f} MiB"
