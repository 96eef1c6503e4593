"""Streams that capture. What is done while one captures is noted down and not done; ``Graph.launch`` does it.

As CUDA does, and a little stricter: a capture refuses whatever would wait for the device or copy from the host, and a
launch refuses to run when memory that was in use has been given back to the common pool.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _memory
from .cuda.runtime import CUDARuntimeError

ILLEGAL_STATE, CAPTURE_UNSUPPORTED = 401, 900  # of cudaError_t


class _Current(threading.local):
    """What this thread captures, one graph at a time. Another thread has streams of its own, which go on as ever."""

    graph: Graph | None = None


_current = _Current()


def capturing() -> Graph | None:
    return _current.graph


class Graph:
    def __init__(self) -> None:
        self.work: list[Callable[[], Any]] = []
        self.blocks: set[_memory.Block] = set()
        self.kept: list[np.ndarray] = []  # NumPy's memory; the blocks are what counts
        self._launches = 0

    def launch(self, stream: Any = None) -> None:
        forbid("to launch a graph")
        if any(block.freed and block.pool is _memory.pool for block in self.blocks):
            raise RuntimeError("the graph uses memory that was given back: somebody else may hold it now")
        self._launches += 1
        for work in self.work:
            work()


def begin() -> None:
    if capturing():
        raise CUDARuntimeError(ILLEGAL_STATE)  # it captures already
    _current.graph = Graph()


def end() -> Graph:
    graph, _current.graph = _current.graph, None
    if graph is None:
        raise CUDARuntimeError(ILLEGAL_STATE)  # it does not capture
    return graph


def forbid(what: str) -> None:
    """``what`` makes the host and the device wait for each other."""
    if capturing():
        raise CUDARuntimeError(CAPTURE_UNSUPPORTED) from RuntimeError(what)


def forbid_cublas() -> None:
    """In CuPy's own words."""
    if capturing():
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")


def forbid_to_host() -> None:
    """In CuPy's own words."""
    if capturing():
        raise RuntimeError("the current stream is capturing, so D2H transfers are disallowed")


def made(host: np.ndarray, token: Any) -> None:
    """An array, or a view of one."""
    if graph := capturing():
        graph.kept.append(host)
        graph.blocks.add(token.block)


def do(work: Callable[[], Any]) -> None:
    """Now, or when the graph is launched."""
    if graph := capturing():
        graph.work.append(work)
    else:
        work()


def result(make: Callable[[], Any], probe: Callable[[], Any] | None = None, order: Any = "C") -> np.ndarray:
    """``make()``, copied. While a graph is captured only its shape, or that of ``probe()``; the launch makes values."""
    graph = capturing()
    if graph is None:
        return np.array(make(), order=order)
    with np.errstate(all="ignore"):
        result = np.array((probe or make)(), order=order)
    if result.dtype.kind == "f":
        result.fill(np.nan)

    def work() -> None:
        result[...] = make()

    graph.work.append(work)
    return result
