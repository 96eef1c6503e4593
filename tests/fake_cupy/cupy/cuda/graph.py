# ruff: noqa: F401 (this name is the module)
from .._capture import Graph
