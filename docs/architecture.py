"""Draws docs/architecture.svg, the rooms of the house and what they stand on, from the imports themselves.

python docs/architecture.py
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Each room of the package by its floor. It may import from its own floor and from those below.
FLOORS = (
    ("errors", "files", "sizes", "table", "launched", "backend"),
    ("parallel", "protocols", "tensor", "observer", "ops", "gradcheck"),
    ("nn", "optim", "data", "checkpoint", "metrics", "interop"),
    ("gan",),
    ("restoration", "translation", "viz", "media", "study", "runs", "export", "explore", "commands"),
)
EVERYWHERE = FLOORS[0][:5]
WHAT = ("arrays and kernels", "autograd, processes", "layers, data, measures", "games", "looking on, folders, commands")
WIDTH, ROOM, HIGH, GAP, LEFT = 900, 92, 38, 70, 24
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
    """Which room stands on which, what stands on the errors, files and such that all use left aside, and whatever
    follows from other lines."""
    pairs = {(name.split(".")[0], target.split(".")[0]) for name, targets in edges.items() for target in targets}
    below = {a: {y for x, y in pairs if x == a and y != a and y not in EVERYWHERE} for a, _ in pairs if a}

    def reach(a):
        return below.get(a, set()).union(*(reach(b) for b in below.get(a, ())))

    return sorted((a, b) for a in below for b in below[a] if not any(b in reach(c) for c in below[a] - {b}))


def draw(edges):
    """The house as SVG: the highest floor on top, a line from each room to those that it stands on."""
    height = len(FLOORS) * (HIGH + GAP) - GAP + 2 * LEFT
    places, shapes = {}, []
    for number, floor in enumerate(FLOORS):
        y = height - LEFT - HIGH - number * (HIGH + GAP)
        shapes.append(f'<text x="{LEFT}" y="{y + 24}" fill="#6b7280">{number}  {WHAT[number]}</text>')
        for place, room in enumerate(floor):
            middle = 230 + (WIDTH - 220) / len(floor) * (place + 0.5)
            places[room] = middle, y
            size = f'x="{middle - ROOM / 2:.0f}" y="{y}" width="{ROOM}" height="{HIGH}" rx="7"'
            shapes.append(f'<rect {size} fill="{COLOURS[number]}" stroke="#475569"/>')
            shapes.append(f'<text x="{middle:.0f}" y="{y + 24}" text-anchor="middle" font-weight="600">{room}</text>')
    body = "\n".join([*(line(places[a], places[b]) for a, b in rooms(edges) if {a, b} <= set(places)), *shapes])
    style = 'font-family="system-ui, sans-serif" font-size="13"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {style}>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def line(a, b):
    """From the room at ``a`` down to the one at ``b``; on one floor, from side to side."""
    (x1, y1), (x2, y2) = a, b
    if y1 == y2:  # a bow below the floor
        y1, y2, bend = y1 + HIGH, y2 + HIGH, GAP / 4
        path = f"M {x1:.0f} {y1} C {x1:.0f} {y1 + bend:.0f}, {x2:.0f} {y2 + bend:.0f}, {x2:.0f} {y2}"
    else:
        y1, bend = y1 + HIGH, GAP / 2
        path = f"M {x1:.0f} {y1} C {x1:.0f} {y1 + bend:.0f}, {x2:.0f} {y2 - bend:.0f}, {x2:.0f} {y2}"
    return f'<path d="{path}" fill="none" stroke="#94a3b8"/>'


if __name__ == "__main__":
    (ROOT / "docs/architecture.svg").write_text(draw(graph(ROOT / "minigan")))
