"""Draws docs/architecture.svg, the rooms of the house and what they import, from the imports themselves.

python docs/architecture.py
"""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Each room of the package by its floor. It may import from its own floor and from those below.
FLOORS = (
    ("errors", "files", "sizes", "backend"),
    ("tensor", "ops", "gradcheck"),
    ("nn", "optim", "data", "checkpoint", "metrics", "interop"),
    ("gan",),
    ("viz", "study", "runs", "commands"),
)
WHAT = ("arrays and kernels", "autograd", "layers, data, measures", "games", "looking on, folders, commands")
WIDTH, ROOM, HIGH, GAP, LEFT = 940, 96, 44, 78, 24
SMALL = 'fill="#6b7280" font-size="11"'
COLOURS = ("#dbeafe", "#dcfce7", "#fef9c3", "#ffedd5", "#f3e8ff")


def modules(package):
    """Every module of the package by its dotted name below the package; the package itself is ""."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path, known):
    """The modules of the package that this one imports, also inside functions, and for type checking only."""
    here = ["minigan", *name.split(".")] if name else ["minigan"]
    parent = here if path.name == "__init__.py" else here[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        targets = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = parent[: len(parent) - node.level + 1] if node.level else []
            source = ".".join([*start, *(node.module or "").split(".")]).rstrip(".")
            targets = [f"{source}.{alias.name}" for alias in node.names]
        for target in targets:
            if target.split(".")[0] == "minigan":
                short = target.removeprefix("minigan").removeprefix(".")
                found.add(short if short in known else short.rpartition(".")[0])  # a name out of a module
    return found


def graph(package):
    """Every module, and the modules that it imports."""
    known = modules(package)
    return {name: imports(name, path, known) for name, path in known.items()}


def rooms(edges):
    """How many imports lead from room to room."""
    counts = Counter()
    for name, targets in edges.items():
        for target in targets:
            a, b = name.split(".")[0], target.split(".")[0]
            if a and b and a != b:
                counts[a, b] += 1
    return counts


def draw(edges, lines):
    """The house as SVG: the highest floor on top, a line from each room to those it stands on, as thick as it leans."""
    height = len(FLOORS) * (HIGH + GAP) - GAP + 2 * LEFT
    places, shapes = {}, []
    for number, floor in enumerate(FLOORS):
        y = height - LEFT - HIGH - number * (HIGH + GAP)
        shapes.append(f'<text x="{LEFT}" y="{y + 26}" fill="#6b7280">{number}  {WHAT[number]}</text>')
        for place, room in enumerate(floor):
            middle = 220 + (WIDTH - 210) / len(floor) * (place + 0.5)
            places[room] = middle, y
            size = f'x="{middle - ROOM / 2:.0f}" y="{y}" width="{ROOM}" height="{HIGH}" rx="7"'
            shapes.append(f'<rect {size} fill="{COLOURS[number]}" stroke="#475569"/>')
            for down, look, text in ((19, 'font-weight="600"', room), (35, SMALL, f"{lines[room]:,} lines")):
                shapes.append(f'<text x="{middle:.0f}" y="{y + down}" text-anchor="middle" {look}>{text}</text>')
    lean = [(places[a], places[b], count) for (a, b), count in sorted(rooms(edges).items()) if {a, b} <= set(places)]
    body = "\n".join([*(line(*places, count) for *places, count in lean), *shapes])
    style = 'font-family="system-ui, sans-serif" font-size="13"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {style}>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def line(a, b, count):
    """From the room at ``a`` down to the one at ``b``; on one floor, from side to side."""
    (x1, y1), (x2, y2) = a, b
    bend = GAP / 2
    if y1 == y2:
        side = ROOM / 2 if x1 < x2 else -ROOM / 2
        x1, x2, y1, y2, bend = x1 + side, x2 - side, y1 + HIGH / 2, y2 + HIGH / 2, 0
    else:
        y1 += HIGH
    path = f"M {x1:.0f} {y1:.0f} C {x1:.0f} {y1 + bend:.0f}, {x2:.0f} {y2 - bend:.0f}, {x2:.0f} {y2:.0f}"
    return f'<path d="{path}" fill="none" stroke="#94a3b8" stroke-width="{min(0.6 + count**0.5 / 2, 3):.1f}"/>'


def count_lines(package):
    """Lines of Python in each room."""
    counts = Counter()
    for name, path in modules(package).items():
        counts[name.split(".")[0]] += len(path.read_text().splitlines())
    return counts


if __name__ == "__main__":
    package = ROOT / "minigan"
    (ROOT / "docs/architecture.svg").write_text(draw(graph(package), count_lines(package)))
