"""Imports go downward only, never in a circle, and importing minigan needs nothing but NumPy."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "minigan"

OPTIONAL = ("PIL", "matplotlib", "cupy", "numba", "tqdm", "safetensors", "threadpoolctl", "torch", "mpi4py")


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The picture in docs/architecture.md is drawn from the same floors and the same walk.
architecture = load(PACKAGE.parent / "docs/architecture.py")
graph, modules = architecture.graph, architecture.modules
FLOORS = {room: number for number, rooms in enumerate(architecture.FLOORS) for room in rooms}
FLOORS |= dict.fromkeys(("", "cli", "__main__"), max(FLOORS.values()))  # minigan/__init__.py itself, and the way in


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
        ("if TYPE_CHECKING:\n    from .nn import layers", "tensor -> nn.layers"),  # so does one for types alone
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


def test_the_picture_is_that_of_today():
    drawn = (PACKAGE.parent / "docs/architecture.svg").read_text()
    assert drawn == architecture.draw(graph(PACKAGE)), "draw it anew: python docs/architecture.py"


def test_importing_minigan_needs_numpy_only():
    code = f"import sys, minigan; print([name for name in {OPTIONAL!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
