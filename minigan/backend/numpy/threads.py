"""A pool of threads that hands out tiles.

NumPy's copies, element-wise functions and matrix products let go of the interpreter lock, so plain Python threads
keep several cores busy. The work of a kernel is cut into tiles that fit a core's cache; a shared counter is the
ticket machine: whoever is free draws the next tile. The calling thread works too, so one thread needs no pool at
all.

Results do not depend on the number of threads: tiles are cut by the shapes alone, each writes its own part of the
output, and what must be added up across tiles is added in the order of the tiles afterwards.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from ...launched import sharing_cores
from . import blas

WAKE = 2e5  # bytes touched (or equivalent) below which waking a second thread costs more than it brings

_threads: int | None = None  # None: not asked for yet
_queue: SimpleQueue[_Job] = SimpleQueue()
_workers = 0
_lock = threading.Lock()
_inside = threading.local()  # .job is set in a thread that works on a tile: kernels called from there stay on it


def get_num_threads() -> int:
    """How many threads a kernel uses. By default the physical cores that this process may run on, or its share of them
    where several were started together."""
    global _threads
    if _threads is None:
        _threads = max(1, _available_cores() // sharing_cores()) if blas.libraries() else 1
    return _threads


def set_num_threads(count: int) -> None:
    """Use ``count`` threads from the next kernel on. Results do not depend on it, to the last bit."""
    global _threads
    if count < 1:
        raise ValueError(f"set_num_threads: {count} threads; at least 1 is needed")
    _threads = int(count)


def run(task: Callable[[int], None], tiles: int, cost: float = float("inf")) -> None:
    """Call ``task(0) ... task(tiles - 1)`` on several threads, in any order; BLAS stays at one thread meanwhile.

    ``cost`` is the work of all tiles in bytes moved (a product's multiplication counts 1/16): small work stays on one
    thread. The first exception of a tile is raised here, once every tile that had begun has ended.
    """
    helpers = min(get_num_threads(), tiles) - 1
    if getattr(_inside, "job", None) is not None or not blas.libraries():  # called from a tile, or no pool at all
        for i in range(tiles):
            task(i)
        return
    with blas.single_threaded():
        job = _Job(task, tiles)
        if helpers > 0 and cost > WAKE:
            _grow_pool(helpers)
            for _ in range(helpers):
                _queue.put(job)
        try:
            job.work()
            job.finished.acquire()
        except BaseException:  # Ctrl-C: before our memory is given back, whoever is on a tile must end it
            job.error = KeyboardInterrupt()  # no further tile is begun
            job.finished.acquire(timeout=1)
            raise
    if job.error is not None:
        try:
            raise job.error
        finally:
            del job  # the error's traceback leads here: without this, a cycle would keep the tile's arrays alive


class _Job:
    """Tiles to be done. ``finished`` is released by whoever ends the last one."""

    def __init__(self, task: Callable[[int], None], tiles: int) -> None:
        self.task, self.tiles = task, tiles
        self.tickets, self.ended = itertools.count(), itertools.count(1)  # next() on them is atomic
        self.finished = threading.Lock()
        self.finished.acquire()
        self.error: BaseException | None = None
        if tiles == 0:
            self.finished.release()

    def work(self) -> None:
        _inside.job = self
        try:
            while (tile := next(self.tickets)) < self.tiles:
                try:
                    if self.error is None:
                        self.task(tile)
                except BaseException as error:
                    self.error = error
                if next(self.ended) == self.tiles:
                    self.finished.release()
        finally:
            _inside.job = None


def _grow_pool(count: int) -> None:
    global _workers
    with _lock:
        while _workers < count:
            _workers += 1
            threading.Thread(target=_serve, args=(_queue,), name=f"minigan-{_workers}", daemon=True).start()


def _serve(queue: SimpleQueue[_Job]) -> None:
    while True:
        job = queue.get()
        job.work()
        del job  # an idle thread must not keep the arrays of its last job alive


def _after_fork() -> None:
    """Threads do not survive a fork: the child starts its own when it needs them."""
    global _queue, _workers, _lock, _inside
    _queue, _workers, _lock, _inside = SimpleQueue(), 0, threading.Lock(), threading.local()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _available_cores() -> int:
    """Physical cores that the affinity mask and the container's limit leave to this process."""
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = {_read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in cpus}
    count = float(len(cores))
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    if not quota:
        quota = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(quota) > 0:
        count = min(count, int(quota) / int(period))
    return max(1, round(count))


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
