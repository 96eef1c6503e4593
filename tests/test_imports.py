"""Imports go downward only, never in a circle, and importing minigan needs nothing but NumPy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "minigan"

# Each part of the package by its floor. It may import from its own floor and from those below.
FLOORS = {
    "errors": 0,
    "files": 0,
    "sizes": 0,
    "protocols": 1,
    "backend": 0,
    "tensor": 1,
    "ops": 2,
    "gradcheck": 2,
    "gradcheck_table": 2,
    "spelled": 2,
    "tracing": 2,
    "explain": 2,
    "nn": 3,
    "optim": 3,
    "data": 3,
    "checkpoint": 3,
    "interop": 3,
    "metrics": 3,
    "gan": 4,
    "": 5,  # minigan/__init__.py itself
    "viz": 5,
    "watch": 5,
    "runs": 5,
    "commands": 5,
    "cli": 5,
    "__main__": 5,
}
OPTIONAL = ("PIL", "matplotlib", "cupy", "tqdm", "safetensors", "threadpoolctl", "torch")


def modules(package):
    """Every module of the package by its dotted name below the package; the package itself is ""."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path, known):
    """The modules of the package that this one imports, also inside functions, but not for type checking only."""
    here = ["minigan", *name.split(".")] if name else ["minigan"]
    parent = here if path.name == "__init__.py" else here[:-1]
    found = set()
    todo = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            todo += node.orelse
            continue
        todo += ast.iter_child_nodes(node)
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
    known = modules(package)
    return {name: imports(name, path, known) for name, path in known.items()}


def floor(name):
    return FLOORS[name.split(".")[0]]


def upward(edges):
    return [f"{a or 'minigan'} -> {b or 'minigan'}" for a in edges for b in sorted(edges[a]) if floor(b) > floor(a)]


def circle(edges):
    """A list of modules that import each other in a circle, or None."""
    done = set()

    def visit(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for target in sorted(edges[name]):
                if found := visit(target, [*path, name]):
                    return found
            done.add(name)
        return None

    return next((found for name in edges if (found := visit(name, []))), None)


def test_every_module_has_a_floor():
    assert {name.split(".")[0] for name in modules(PACKAGE)} - set(FLOORS) == set()


def test_imports_go_downward():
    edges = graph(PACKAGE)
    assert "backend.geometry" in edges["ops.conv"] | edges["backend.base"]  # the walk does see relative imports
    assert upward(edges) == []


def test_no_imports_in_a_circle():
    assert circle(graph(PACKAGE)) is None


@pytest.mark.parametrize(
    "line, edge",
    [
        ("from .nn import layers", "tensor -> nn.layers"),
        ("from .nn.layers import Linear", "tensor -> nn.layers"),
        ("from . import nn", "tensor -> nn"),
        ("from . import __version__", "tensor -> minigan"),
        ("import minigan.nn", "tensor -> nn"),
        ("from minigan.nn import layers", "tensor -> nn.layers"),
        ("def f():\n    from .nn import layers", "tensor -> nn.layers"),  # a lazy import counts
        ("if TYPE_CHECKING:\n    from .nn import layers", None),
        ("import numpy", None),
    ],
)
def test_an_upward_import_is_seen(line, edge, tmp_path):
    (tmp_path / "nn").mkdir()
    for name in ("__init__.py", "nn/__init__.py", "nn/layers.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "tensor.py").write_text(line)
    assert upward(graph(tmp_path)) == ([] if edge is None else [edge])


def test_a_circle_is_seen(tmp_path):
    (tmp_path / "ops").mkdir()
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "ops/__init__.py").write_text("from .a import f")
    (tmp_path / "ops/a.py").write_text("from .b import g")
    (tmp_path / "ops/b.py").write_text("from ..gradcheck import check")
    (tmp_path / "gradcheck.py").write_text("from . import ops")
    assert circle(graph(tmp_path)) == ["gradcheck", "ops", "ops.a", "ops.b", "gradcheck"]


def test_importing_minigan_needs_numpy_only():
    code = f"import sys, minigan; print([name for name in {OPTIONAL!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
