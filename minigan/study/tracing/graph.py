"""The tape as a drawing. The forward runs down the left; to its right, on the same height, stands each op's backward,
which runs up again; and right of that the backward of the backward, which runs down once more.

A forward op stands below everything it needs (longest path), as near to its users as that allows. A branch keeps its
column. Whatever belongs to an op's backward is stacked in the row of that op.
"""

from __future__ import annotations

from collections import defaultdict

from ...table import dims
from .events import Event, Leaf
from .svg import FILL, INK, LINE, QUIET, Drawing, fitting

WIDTH, HEIGHT = 148.0, 34.0  # of an op
GAP_X, GAP_Y, ROW_GAP, LANE_GAP = 16.0, 7.0, 18.0, 44.0
TALLEST = 6  # ops in a stack; more stand beside each other
TOP = 58.0

Thing = Event | Leaf


def draw(events: list[Event]) -> Drawing:
    rows = _rows(events)
    columns = _columns(rows)
    cells: dict[tuple[int, int, int], list[Thing]] = defaultdict(list)  # (row, lane, column)
    bottom = max(rows.values(), default=-1) + 1  # where the backward of what was recorded before the trace stands
    for thing in [*rows, *(e for e in events if e.order)]:
        root = thing.root if isinstance(thing, Event) else thing
        lane = min(thing.order, 2) if isinstance(thing, Event) else 0
        cells[rows.get(root, bottom), lane, columns.get(root, 0)].append(thing)
    place = _places(cells)

    drawing = Drawing()
    _legend(drawing, events)
    for thing in place:
        _arrows(drawing, thing, place)
    for thing, (x, y) in place.items():
        _node(drawing, thing, x, y)
    return drawing


# ---- the layout ----------------------------------------------------------------------------------


def _rows(events: list[Event]) -> dict[Thing, int]:
    """The row of each forward op and leaf."""
    forward = [e for e in events if e.order == 0]
    sources = {e: [s for s in e.sources if s is not None and getattr(s, "order", 0) == 0] for e in forward}
    rows: dict[Thing, int] = {}
    users: dict[Thing, list[Event]] = defaultdict(list)
    for e in forward:
        for s in sources[e]:
            rows.setdefault(s, 0)
            users[s].append(e)
        # what reads a gradient stands below the op whose gradient it is
        later = [rows[s.root] + 1 for s in e.sources if isinstance(s, Event) and s.order and s.root in rows]
        rows[e] = max([rows[s] + 1 for s in sources[e]] + later, default=0)
    for thing in sorted(rows, key=rows.__getitem__, reverse=True):  # down again, next to the first user
        if users[thing]:
            rows[thing] = min(rows[user] for user in users[thing]) - 1
    return rows


def _columns(rows: dict[Thing, int]) -> dict[Thing, int]:
    """The column of each: that of its first source if it is free, else the first free one."""
    last_use = {thing: row for thing, row in rows.items()}
    for thing in rows:
        for s in getattr(thing, "sources", ()):
            if s in rows:
                last_use[s] = max(last_use[s], rows[thing] - 1)
    taken: set[tuple[int, int]] = set()
    columns: dict[Thing, int] = {}
    for thing in sorted(rows, key=lambda t: (rows[t], getattr(t, "number", -1))):
        span = range(rows[thing], last_use[thing] + 1)
        wanted = [columns[s] for s in getattr(thing, "sources", ()) if s in columns]
        candidates = [*wanted, *range(len(rows) + 1)]
        columns[thing] = next(c for c in candidates if not any((row, c) in taken for row in span))
        taken.update((row, columns[thing]) for row in span)
    return columns


def _places(cells: dict[tuple[int, int, int], list[Thing]]) -> dict[Thing, tuple[float, float]]:
    """The upper left corner of each. Rows are as high, and columns as wide, as their largest stack."""
    heights: dict[int, float] = defaultdict(lambda: HEIGHT)
    widths: dict[tuple[int, int], float] = defaultdict(float)
    for (row, lane, column), things in cells.items():
        beside, deep = _stack(len(things))
        heights[row] = max(heights[row], deep * (HEIGHT + GAP_Y) - GAP_Y)
        widths[lane, column] = max(widths[lane, column], beside * (WIDTH + GAP_X) - GAP_X)
    top, tops = TOP, {}
    for row in sorted({key[0] for key in cells}):
        tops[row] = top
        top += heights[row] + ROW_GAP
    left, lefts, lane_before = 16.0, {}, 0
    for lane, column in sorted(widths):
        left += LANE_GAP if lane != lane_before else 0
        lefts[lane, column] = left
        left += widths[lane, column] + GAP_X
        lane_before = lane
    places = {}
    for (row, lane, column), things in cells.items():
        beside, deep = _stack(len(things))
        upwards = lane == 1  # the backward runs from the bottom to the top
        start = tops[row] + (heights[row] - (deep * (HEIGHT + GAP_Y) - GAP_Y)) / 2
        for i, thing in enumerate(things):
            down, right = divmod(i, beside)
            down = deep - 1 - down if upwards else down
            places[thing] = lefts[lane, column] + right * (WIDTH + GAP_X), start + down * (HEIGHT + GAP_Y)
    return places


def _stack(count: int) -> tuple[int, int]:
    """How many stand beside each other, and how many below each other."""
    beside = -(-count // TALLEST)
    return beside, -(-count // beside)


# ---- the drawing ---------------------------------------------------------------------------------


def _legend(drawing: Drawing, events: list[Event]) -> None:
    x = 16.0
    for order, name in enumerate(("forward ↓", "backward ↑", "double backward ↓")):
        part = [e for e in events if min(e.order, 2) == order]
        if part:
            words = f"{name}  {len(part)} ops, {sum(e.seconds for e in part) * 1e3:.1f} ms"
            drawing.box(x, 14, 14, 14, FILL[order], LINE[order], rx=3)
            drawing.text(x + 20, 25.5, words, 12.5)
            x += 250
    words = "solid: what an op computes from; dotted: what a backward reads of the pass before it"
    drawing.text(16, 45, words, 10, QUIET)


def _node(drawing: Drawing, thing: Thing, x: float, y: float) -> None:
    if isinstance(thing, Leaf):
        drawing.box(x + 30, y + 4, WIDTH - 60, HEIGHT - 8, "#f3f4f6", "#9ca3af", rx=13)
        shape = f" ({dims(thing.shape)})" if thing.shape else ""
        words = fitting(thing.name + shape, WIDTH - 70, 10.5)
        drawing.text(x + WIDTH / 2, y + 21, words, 10.5, anchor="middle")
        return
    order = min(thing.order, 2)
    gradient = "" if thing.grad_norm is None else f"\ngradient norm {thing.grad_norm:.3g}"
    tip = (
        f"{thing.number}: {thing.pass_name} {thing.op} {thing.settings}\n{thing.layer}\n"
        f"{', '.join(map(dims, thing.inputs))} -> {dims(thing.shape)} {thing.dtype}\n"
        f"{thing.seconds * 1e3:.3f} ms, {thing.flops / 1e6:.3g} MFLOP, {thing.bytes / 2**20:.3g} MiB{gradient}"
    )
    drawing.box(x, y, WIDTH, HEIGHT, FILL[order], LINE[order], tip, rx=5)
    layer = fitting(thing.layer, 62, 9)
    name = fitting(f"{thing.op} {thing.settings}".strip(), WIDTH - 16 - 5.2 * len(layer), 11.5)
    drawing.text(x + 7, y + 14.5, name, 11.5, INK, font_weight="bold")
    drawing.text(x + WIDTH - 6, y + 14, layer, 9, LINE[order], "end")
    drawing.text(x + 7, y + 27, fitting(dims(thing.shape), 92, 9.5), 9.5, QUIET)
    drawing.text(x + WIDTH - 6, y + 27, f"{thing.seconds * 1e3:.2f} ms", 9, QUIET, "end")


def _arrows(drawing: Drawing, thing: Thing, place: dict[Thing, tuple[float, float]]) -> None:
    for source in dict.fromkeys(getattr(thing, "sources", ())):
        if source in place:
            start, end = getattr(source, "order", 0), getattr(thing, "order", 0)
            colour = min(end, 2)
            faint = {"stroke_dasharray": "2 3", "opacity": 0.35} if end > start else {"opacity": 0.8}
            d = _curve(*place[source], *place[thing])
            drawing.path(d, LINE[colour], stroke_width=1.3, marker_end=f"url(#arrow{colour})", **faint)


def _curve(x0: float, y0: float, x1: float, y1: float) -> str:
    """From box to box: out of the side that faces the other one."""
    if y1 >= y0 + HEIGHT or y1 <= y0 - HEIGHT:
        down = y1 > y0
        ax, ay, bx, by = x0 + WIDTH / 2, y0 + HEIGHT * down, x1 + WIDTH / 2, y1 + HEIGHT * (not down)
        bend = min(60.0, abs(by - ay) / 2) * (1 if down else -1)
        return f"M{ax:.0f},{ay:.0f} C{ax:.0f},{ay + bend:.0f} {bx:.0f},{by - bend:.0f} {bx:.0f},{by:.0f}"
    right = x1 > x0
    ax, ay, bx, by = x0 + WIDTH * right, y0 + HEIGHT / 2, x1 + WIDTH * (not right), y1 + HEIGHT / 2
    bend = min(60.0, abs(bx - ax) / 2) * (1 if right else -1)
    return f"M{ax:.0f},{ay:.0f} C{ax + bend:.0f},{ay:.0f} {bx - bend:.0f},{by:.0f} {bx:.0f},{by:.0f}"
