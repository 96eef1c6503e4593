"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import minigan

MODULES = [
    "minigan",
    *(m.name for m in pkgutil.walk_packages(minigan.__path__, "minigan.") if "__main__" not in m.name),
]
NEEDS_TORCH = ("minigan.interop.networks",)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, monkeypatch, tmp_path):
    if name in NEEDS_TORCH:
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)  # an example that writes a file writes it here
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_are_found():
    found = doctest.DocTestFinder().find(importlib.import_module("minigan.tensor"))
    assert sum(bool(test.examples) for test in found) >= 2
