"""Streams that capture. What is done while one captures is noted down and not done; ``Graph.launch`` does it.

As CUDA does, and a little stricter: a capture refuses whatever would wait for the device or copy from the host, and a
launch refuses to run when memory that was in use has been given back to the common pool.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import memory
from .runtime import CUDARuntimeError

capturing: Graph | None = None  # one at a time


class Graph:
    def __init__(self) -> None:
        self.work: list[Callable[[], Any]] = []
        self.blocks: set[memory.Block] = set()
        self.kept: list[np.ndarray] = []  # NumPy's memory; the blocks are what counts
        self.launches = 0

    def launch(self, stream: Any = None) -> None:
        forbid("to launch a graph")
        if any(block.freed and block.pool is memory.pool for block in self.blocks):
            raise RuntimeError("the graph uses memory that was given back: somebody else may hold it now")
        self.launches += 1
        for work in self.work:
            work()


def begin() -> None:
    global capturing
    if capturing is not None:
        raise CUDARuntimeError("cudaErrorIllegalState: the stream captures already")
    capturing = Graph()


def end() -> Graph:
    global capturing
    graph, capturing = capturing, None
    if graph is None:
        raise CUDARuntimeError("cudaErrorIllegalState: the stream does not capture")
    return graph


def forbid(what: str) -> None:
    """``what`` makes the host and the device wait for each other."""
    if capturing is not None:
        raise CUDARuntimeError(f"cudaErrorStreamCaptureUnsupported: operation not permitted while capturing ({what})")


def made(host: np.ndarray, token: Any) -> None:
    """An array, or a view of one."""
    if capturing is not None:
        capturing.kept.append(host)
        capturing.blocks.add(token.block)


def do(work: Callable[[], Any]) -> None:
    """Now, or when the graph is launched."""
    if capturing is None:
        work()
    else:
        capturing.work.append(work)


def result(make: Callable[[], Any], probe: Callable[[], Any] | None = None, order: Any = "C") -> np.ndarray:
    """``make()``, copied. While a graph is captured only its shape, or that of ``probe()``; the launch makes values."""
    if capturing is None:
        return np.array(make(), order=order)
    with np.errstate(all="ignore"):
        result = np.array((probe or make)(), order=order)
    if result.dtype.kind == "f":
        result.fill(np.nan)

    def work() -> None:
        result[...] = make()

    capturing.work.append(work)
    return result
