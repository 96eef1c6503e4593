"""CUDA graphs: a training step captured once, and then replayed by one launch.

While a stream captures, kernels that are launched on it are not run but noted down, with the addresses and numbers that
they were given. So a captured step may take nothing from the host but what ``backend.host`` brings, and must hand
nothing to it: either would be frozen. Everything that the host brings lies in one block of memory, which is filled
before each replay and goes to the device in one piece.

Memory that a captured step allocates comes from a pool of its own, which keeps it: the next replay will write there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from ..base import Array
from ..host import Tape, aligned, taped
from .device import Device


class CaptureError(RuntimeError):
    """A step takes something from the host, or hands something to it, that a replay could not."""


class Graphs:
    """Captures steps. All share one pool: they are never replayed at the same time, and keep nothing but results."""

    def __init__(self, backend: Device) -> None:
        self.backend, cuda = backend, backend.xp.cuda
        self._stream, self._pool = cuda.Stream(non_blocking=True), cuda.MemoryPool(self._allocate)

    def _allocate(self, size: int) -> Any:
        """Device memory, for the pool. When it hears that there is none, it must not give back what graphs hold."""
        memory = self.backend.xp.cuda.memory
        try:
            return memory.MemoryPointer(memory.Memory(size), 0)
        except (self.backend.xp.cuda.runtime.CUDARuntimeError, memory.OutOfMemoryError) as error:
            raise CaptureError(f"the GPU's memory cannot hold a captured step besides ({error})") from error

    def capture(self, work: Callable[..., Array], arrays: Sequence[Array], host_bytes: int, number: int) -> Replay:
        """``work(*arrays)`` as a replay, which has the host's part of step ``number`` already done.

        ``host_bytes`` is what the host brings, as a Tape counted it.
        """
        backend, cuda = self.backend, self.backend.xp.cuda
        backend.synchronize()
        backend.xp.get_default_memory_pool().free_all_blocks()  # what the eager step gave back, the graphs need
        inputs = [backend.empty(array.shape, array.dtype) for array in arrays]
        brought = Brought(backend, host_bytes, number)
        with cuda.using_allocator(self._pool.malloc), self._stream, taped(brought):
            self._stream.begin_capture()
            backend.captured_thread = threading.get_ident()
            try:
                result = work(*inputs)
            except BaseException:
                with suppress(Exception):  # it says that the capture has failed
                    self._stream.end_capture()
                raise
            finally:
                backend.captured_thread = 0
            graph = self._stream.end_capture()
        return Replay(graph, inputs, brought, result, self._pool)


class Replay:
    """Does a captured step once more: ``replay(number, arrays)`` leaves its result where the captured one left it."""

    def __init__(self, graph: Any, inputs: list[Array], brought: Brought, result: Array, pool: Any) -> None:
        self._graph, self._inputs, self._brought, self._result, self._pool = graph, inputs, brought, result, pool

    def __call__(self, number: int, arrays: Sequence[Array]) -> Array:
        for own, array in zip(self._inputs, arrays, strict=True):
            own[...] = array
        self._brought.bring(number)
        self._graph.launch()
        self._brought.draw_ahead()
        return self._result


class Brought(Tape):
    """What the host brings to a captured step: one block on the host, one on the device, and how to fill it."""

    def __init__(self, backend: Device, size: int, number: int) -> None:
        super().__init__()
        self._backend, cuda = backend, backend.xp.cuda
        self._number, self._done = number, True  # the host's part of this step is done while it is captured
        self._pinned = cuda.alloc_pinned_memory(max(size, 1))
        self._host = np.frombuffer(self._pinned, np.uint8, max(size, 1))
        self._device = backend.xp.empty(max(size, 1), np.uint8)
        self._copied = cuda.Event(disable_timing=True)
        self._copied.record()
        self._actions: list[Callable[[], Any]] = []
        self._leading, self._places = DrawnAhead(), list[np.ndarray]()  # draws that the step begins with

    def bring(self, number: int) -> None:
        """The host's part of step ``number``."""
        if not self._done:
            self._number = number
            self._copied.synchronize()  # the copy of the last replay reads the block
            drawn = self._leading.take()
            for host, value in zip(self._places, drawn, strict=False):
                host[...] = value
            for action in self._actions[len(drawn) :]:
                action()
        self._done = False
        stream = self._backend.xp.cuda.get_current_stream()
        self._device.data.copy_from_host_async(self._host.ctypes.data, self._host.nbytes, stream)
        self._copied.record(stream)

    def draw_ahead(self) -> None:
        """What the next step begins with, while the device computes this one."""
        self._leading.draw()

    def from_host(
        self, backend: Any, make: Callable[..., np.ndarray], *step: int, rng: np.random.Generator | None = None
    ) -> Array:
        value = make(*step)
        start, self.bytes = self.bytes, self.bytes + aligned(value.nbytes)
        if self.bytes > self._host.nbytes:
            raise CaptureError(f"the host brings more than the {self._host.nbytes} bytes of the last step of this kind")
        block = slice(start, start + value.nbytes)
        host, device = (view(memory[block], value.shape, value.dtype) for memory in (self._host, self._device))
        host[...] = value
        if rng is not None and not step and len(self._actions) == len(self._places):  # nothing else came before
            self._places.append(host)
            self._leading.add(make, rng)
        self._actions.append(partial(self._refill, host, make, bool(step)))
        return device

    def _refill(self, host: np.ndarray, make: Callable[..., np.ndarray], by_number: bool) -> None:
        host[...] = make(self._number) if by_number else make()


class DrawnAhead:
    """Random numbers drawn before their turn, such that nobody can tell: not by a generator's state, not by what comes.

    The generators are put back to where they were. When the turn comes and they are still there, the numbers count, and
    the generators are set to where drawing them has led. If not, somebody else has drawn: the numbers are forgotten.
    """

    def __init__(self) -> None:
        self._draws: list[tuple[Callable[[], np.ndarray], np.random.Generator]] = []
        self._ahead: tuple[list[np.ndarray], list[Any], list[Any]] | None = None  # values, states before, states after

    def add(self, make: Callable[[], np.ndarray], rng: np.random.Generator) -> None:
        self._draws.append((make, rng))

    def draw(self) -> None:
        before = self._states()
        values = [make() for make, _ in self._draws]
        self._ahead = values, before, self._states()
        self._set(before)

    def take(self) -> list[np.ndarray]:
        """The values, as if drawn now; none where they would be others."""
        if self._ahead is None:
            return []
        values, before, after = self._ahead
        self._ahead = None
        if not all(map(equal_states, before, self._states())):
            return []
        self._set(after)
        return values

    def _states(self) -> list[Any]:
        return [rng.bit_generator.state for _, rng in self._draws]

    def _set(self, states: list[Any]) -> None:
        for (_, rng), state in zip(self._draws, states, strict=True):
            rng.bit_generator.state = state


def equal_states(a: Any, b: Any) -> bool:
    """Of bit generators: numbers, strings and arrays in nested dicts."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal_states(a[name], b[name]) for name in a)
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


def view(block: Array, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """The bytes of ``block`` as an array; with four axes, channels-last."""
    flat = block.view(dtype)
    if len(shape) != 4:
        return flat.reshape(shape)
    n, c, h, w = shape
    return flat.reshape(n, h, w, c).transpose(0, 3, 1, 2)
