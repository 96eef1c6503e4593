"""Line charts as SVG, drawn by hand: a few hundred points however long the run, and no library in the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 38, 4, 14, 22  # margins
BINS = 230  # points of a line
# Of lines, seen on white and on black, and more than a game has losses.
COLOURS = ("#2d6fb3", "#c46a1b", "#3c9a5f", "#b5478c", "#7a68c9", "#8f8423", "#2a9298", "#a1604a", "#7d8590")


@dataclass(frozen=True)
class Line:
    label: str
    values: Sequence[float]
    style: str  # a CSS class of ``colours``


def style(number: int) -> str:
    """The class of so-many-th line of a chart."""
    return f"c{number % len(COLOURS)}"


def colours(scope: str = "") -> str:
    """What a page's style needs for charts to have colours: each class's own, as ``--line``."""
    rules = [f"{scope}.{style(number)} {{ --line: {colour} }}" for number, colour in enumerate(COLOURS)]
    return "\n".join([
        *rules,
        f"{scope}.mean {{ fill: none; stroke: var(--line); stroke-width: 1.6; stroke-linejoin: round }}",
        f"{scope}.band {{ fill: var(--line); opacity: .16 }}",
        "",
    ])  # fmt: skip


def chart(
    title: str,
    steps: Sequence[float],
    lines: Sequence[Line],
    marks: Sequence[tuple[int, str]] = (),
    *,
    limits: tuple[float, float] | None = None,
    least: float | None = None,
    level: float | None = None,
) -> str:
    """A figure with each line as its mean in each of BINS parts, over a band from the lowest to the highest there.

    ``marks`` are steps with a word each; ``level`` is a value to compare with.
    """
    binned = [bins(line.values) for line in lines]
    low, high = limits or reach(binned, least)
    first, last = steps[0], steps[-1]

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((step - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    parts = []
    for value in ticks(low, high):
        parts.append(f"<line class=grid x1={LEFT} x2={WIDTH - RIGHT} y1={y(value):.1f} y2={y(value):.1f} />")
        parts.append(f"<text x={LEFT - 7} y={y(value) + 3.5:.1f} text-anchor=end>{value:g}</text>")
    for value in ticks(first, last, 5):
        anchor = "end" if x(value) > WIDTH - 20 else "middle"
        parts.append(f"<text x={x(value):.1f} y={HEIGHT - 5} text-anchor={anchor}>{value:,g}</text>")
    if level is not None and low <= level <= high:
        parts.append(f"<line class=level x1={LEFT} x2={WIDTH - RIGHT} y1={y(level):.1f} y2={y(level):.1f} />")
    for line, points in zip(lines, binned, strict=True):
        for run in runs(points):
            at = [x(first + (last - first) * point.at) for point in run]
            above = [f"{a:.1f},{y(p.high):.1f}" for a, p in zip(at, run, strict=True)]
            below = [f"{a:.1f},{y(p.low):.1f}" for a, p in zip(at, run, strict=True)]
            means = [f"{a:.1f},{y(p.mean):.1f}" for a, p in zip(at, run, strict=True)]
            parts.append(f'<polygon class="band {line.style}" points="{" ".join(above + below[::-1])}" />')
            parts.append(f'<polyline class="mean {line.style}" points="{" ".join(means)}" />')
    for number, (step, word) in enumerate(marks, start=1):
        parts.append(f'<line class=mark x1={x(step):.1f} x2={x(step):.1f} y1={TOP} y2={HEIGHT - BOTTOM}>'
                     f"<title>step {step}: {html.escape(word)}</title></line>")  # fmt: skip
        parts.append(f"<text class=flag x={x(step):.1f} y={TOP - 4} text-anchor=middle>{number}</text>")
    keys = "".join(f'<span class="key {line.style}">{html.escape(line.label)}</span>' for line in lines)
    return (
        f"<figure class=chart><figcaption><b>{html.escape(title)}</b>{keys}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-label="{html.escape(title)}">{"".join(parts)}</svg>'
        "</figure>"
    )


@dataclass(frozen=True)
class Point:
    at: float  # 0 to 1, from the first step to the last
    mean: float
    low: float
    high: float


def bins(values: Sequence[float]) -> list[Point | None]:
    """The values in at most BINS parts of equal length; None where none is finite.

    >>> bins([1.0, math.nan, 3.0])
    [Point(at=0.0, mean=1.0, low=1.0, high=1.0), None, Point(at=1.0, mean=3.0, low=3.0, high=3.0)]
    """
    count = min(BINS, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    points: list[Point | None] = []
    for start, end in pairwise(edges):
        known = [value for value in values[start:end] if math.isfinite(value)]
        at = ((start + end - 1) / 2) / max(1, len(values) - 1)
        points.append(Point(at, sum(known) / len(known), min(known), max(known)) if known else None)
    return points


def runs(points: Sequence[Point | None]) -> list[list[Point]]:
    """The points without the gaps."""
    found: list[list[Point]] = [[]]
    for point in points:
        if point is not None:
            found[-1].append(point)
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def reach(binned: Sequence[Sequence[Point | None]], least: float | None) -> tuple[float, float]:
    """From the lowest to the highest worth showing: of the means, all but the wildest hundredth."""
    means = sorted(point.mean for points in binned for point in points if point is not None)
    if not means:
        return 0.0, 1.0
    cut = len(means) // 100
    low, high = means[cut], means[-1 - cut]
    if least is not None:
        low = min(low, least)
    margin = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    return (low if low == least else low - margin), high + margin


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About ``count`` round numbers from low to high.

    >>> ticks(0, 1), ticks(-0.3, 7.2)
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 2.0, 4.0, 6.0])
    """
    raw = (high - low) / count
    if raw <= 0:
        return [low]
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) + 0.0 for i in range(first, math.floor(high / step + 1e-9) + 1)]
