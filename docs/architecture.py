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
    places, shapes = {}, []
    height = len(FLOORS) * (HIGH + GAP) - GAP + 2 * LEFT
    for number, floor in enumerate(FLOORS):
        y = height - LEFT - HIGH - number * (HIGH + GAP)
        step = (WIDTH - 210) / len(floor)
        shapes.append(f'<text x="{LEFT}" y="{y + 26}" fill="#6b7280">{number}  {WHAT[number]}</text>')
        for place, room in enumerate(floor):
            x = 220 + step * (place + 0.5) - ROOM / 2
            places[room] = x, y
            shapes.append(
                f'<rect x="{x:.0f}" y="{y}" width="{ROOM}" height="{HIGH}" rx="7" fill="{COLOURS[number]}" stroke="#475569"/>'
                f'<text x="{x + ROOM / 2:.0f}" y="{y + 19}" text-anchor="middle" font-weight="600">{room}</text>'
                f'<text x="{x + ROOM / 2:.0f}" y="{y + 35}" text-anchor="middle" fill="#6b7280" font-size="11">{lines[room]:,} lines</text>'
            )
    arrows = []
    for (a, b), count in sorted(rooms(edges).items()):
        if a in places and b in places:
            (ax, ay), (bx, by) = places[a], places[b]
            same = ay == by
            y1, y2 = (ay + HIGH / 2, by + HIGH / 2) if same else (ay + HIGH, by)
            x1, x2 = (ax, bx + ROOM) if same and ax > bx else (ax + ROOM, bx) if same else (ax + ROOM / 2, bx + ROOM / 2)
            bend = f"{x1:.0f} {y1 + GAP / 2:.0f}, {x2:.0f} {y2 - GAP / 2:.0f}," if not same else f"{x1:.0f} {y1:.0f}, {x2:.0f} {y2:.0f},"
            wide = min(0.6 + count**0.5 / 2, 3)
            arrows.append(
                f'<path d="M {x1:.0f} {y1:.0f} C {bend} {x2:.0f} {y2:.0f}" fill="none" stroke="#94a3b8" stroke-width="{wide:.1f}"/>'
            )
    body = "\n".join([*arrows, *shapes])
    style = 'font-family="system-ui, sans-serif" font-size="13"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {style}>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def count_lines(package):
    """Lines of Python in each room."""
    counts = Counter()
    for name, path in modules(package).items():
        counts[name.split(".")[0]] += len(path.read_text().splitlines())
    return counts


if __name__ == "__main__":
    package = ROOT / "minigan"
    (ROOT / "docs/architecture.svg").write_text(draw(graph(package), count_lines(package)))
