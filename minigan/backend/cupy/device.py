"""What every part of the CuPy backend stands on: arrays on a GPU, launching kernels there, and noting launches down."""

from __future__ import annotations

import threading
from typing import Any

from ..base import ArrayBackend
from .launch import Kernels, import_cupy


class Device(ArrayBackend):
    array_type: Any = None  # cupy.ndarray, once it is imported
    captured_thread = 0  # what it launches is noted down for a graph, see graph.py

    def __init__(self) -> None:
        self.xp = import_cupy()
        self.array_type = self.xp.ndarray
        kernels = Kernels(self.xp)
        self.launch, self.for_each = kernels.launch, kernels.for_each

    @property
    def capturing(self) -> bool:
        return self.captured_thread == threading.get_ident()
