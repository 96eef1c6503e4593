"""Several processes, through MPI: arrays of the host by MPI itself, others as their backend does."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from ..backend import Array, backend_of
from ..backend.base import Exchange
from ..launched import launched
from .communicator import Communicator

T = TypeVar("T")
PATIENCE = 600.0  # seconds, unless MINIGAN_PATIENCE says otherwise
FATES = 5.0  # seconds at most in which all ranks come to an error that all have
EXIT = 2  # as after any error of minigan's


class Mpi(Communicator):
    """The ranks of an MPI communicator.

    Each blocking call is watched by a thread: when the others do not come within PATIENCE seconds, one has died or
    hangs, and all end. An exception that nobody catches on one rank ends the others too.
    """

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        told = launched()
        self.rank, self.size, self.local_rank = comm.rank, comm.size, told.local_rank if told else 0
        self._comm, self._fates, self._in_place = comm.Dup(), comm.Dup(), MPI.IN_PLACE
        self.patience = float(os.environ.get("MINIGAN_PATIENCE", PATIENCE))
        self._exchange: Exchange | None = None
        self._since: list[float] = []  # when each of the calls under way began
        threading.Thread(target=self._watch, name="minigan-watch", daemon=True).start()
        sys.excepthook = self._excepthook

    # ---- arrays and values ---------------------------------------------------------------------------------------

    def add(self, array: Array) -> None:
        if not isinstance(array, np.ndarray):
            self.exchange(array).add(array)
            return
        with self.watched():
            self._comm.Allreduce(self._in_place, array)

    def stack(self, array: Array) -> Array:
        if not isinstance(array, np.ndarray):
            return self.exchange(array).stack(array)
        array = np.ascontiguousarray(array)
        stacked = np.empty((self.size, *array.shape), array.dtype)
        with self.watched():
            self._comm.Allgather(array, stacked)
        return stacked

    def broadcast(self, value: T) -> T:
        with self.watched():
            return self._comm.bcast(value)  # type: ignore[no-any-return]

    def collect(self, value: T) -> list[T]:
        with self.watched():
            return self._comm.allgather(value)  # type: ignore[no-any-return]

    def barrier(self) -> None:
        with self.watched():
            self._comm.Barrier()

    def exchange(self, array: Array) -> Exchange:
        """The way of the array's backend, made when the first of its arrays is exchanged: all come to that together."""
        if self._exchange is None:
            self._exchange = backend_of(array).exchange(self)
        return self._exchange

    # ---- faults ------------------------------------------------------------------------------------------------------

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._since.append(time.monotonic())
        try:
            yield
        finally:
            self._since.pop()

    def _watch(self) -> None:
        own_turn = 0.5 * self.rank  # so that one tells, and not all at once
        while True:
            time.sleep(0.2)
            since = next(iter(self._since), None)
            waited = 0.0 if since is None else time.monotonic() - since
            if waited > self.patience + own_turn:
                self._end(
                    f"error: rank {self.rank} has waited {self.patience:.0f} s for the other processes: one of the "
                    f"{self.size} hangs or has died, so all end now. The state of the last checkpoint is safe: start "
                    "them again with --resume. (MINIGAN_PATIENCE=SECONDS waits longer)"
                )

    def fail(self, tell: Callable[[], None]) -> None:
        if self._all_fail():
            if self.is_first:
                tell()
            return
        tell()
        self._end(f"rank {self.rank} of {self.size} has failed: all processes end")

    def _all_fail(self) -> bool:
        """Whether all ranks come to an error in these seconds."""
        everybody = self._fates.Ibarrier()
        end = time.monotonic() + min(FATES, self.patience / 2) + 0.5 * self.rank
        while time.monotonic() < end:
            if everybody.Test():
                return True
            time.sleep(0.01)
        return False

    def _end(self, line: str) -> None:
        if sys.stderr is not None:
            print(line, file=sys.stderr, flush=True)
        self._comm.Abort(EXIT)

    def _excepthook(self, kind: Any, error: Any, where: Any) -> None:
        self.fail(lambda: traceback.print_exception(kind, error, where))
