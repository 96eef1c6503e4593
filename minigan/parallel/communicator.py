"""What processes that train together can do: average, gather, broadcast, wait. Of one alone it is nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np

from ..backend import Array, backend_of
from ..errors import InputError

T = TypeVar("T")
BUCKET = 1 << 20  # bytes: arrays are put together until they come to so many


class Communicator:
    """One process alone, with nobody to talk to; the base of what several talk through.

    rank         this process among all, from 0 on; rank 0 writes the files
    size         how many there are
    local_rank   this process among those of its machine, which picks the GPU

    Whatever is called by one rank must be called by all, in the same order. ``add``, ``average`` and ``gather`` take
    arrays of floating-point numbers of any backend; ``broadcast`` and ``collect`` take any small objects of Python.

    A batch is split as playing cards are dealt: rank r has its rows r, r + size, r + 2 size, ... So has each part of it
    that it is accumulated over, and both halves of a batch of real and generated images.
    """

    rank, size, local_rank = 0, 1, 0

    # ---- what those of several processes do otherwise ----------------------------------------------------------------

    def add(self, array: Array) -> None:
        """The sum of all ranks' arrays, in place; they are contiguous and of one shape."""

    def stack(self, array: Array) -> Array:
        """(size, *shape): the array of each rank, for all of them."""
        return array[None]

    def broadcast(self, value: T) -> T:
        """Rank 0's value, for all."""
        return value

    def collect(self, value: T) -> list[T]:
        """The value of each rank, for all."""
        return [value]

    def barrier(self) -> None:
        """Wait until all have come here."""

    def watched(self) -> AbstractContextManager[None]:
        """A context that ends all ranks where it takes longer than the others can be expected to wait."""
        return nullcontext()

    def fail(self, tell: Callable[[], None]) -> None:
        """Tell of an error that ends this process, once, and end those that have not come to the same."""
        tell()

    # ---- what follows ------------------------------------------------------------------------------------------------

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def average(self, *arrays: Array) -> None:
        """The mean of all ranks' arrays, in place: small ones in flat buckets, a large one as it lies in memory."""
        for bucket in buckets(arrays) if self.size > 1 else ():
            views = [in_memory_order(array) for array in bucket]
            if len(views) == 1 and views[0].flags.c_contiguous:
                self.add(views[0])
                views[0] /= self.size
                continue
            flat, start = backend_of(views[0]).xp.empty(sum(view.size for view in views), views[0].dtype), 0
            parts = []
            for view in views:
                parts.append(flat[start : start + view.size].reshape(view.shape))
                parts[-1][...] = view
                start += view.size
            self.add(flat)
            flat /= self.size
            for view, part in zip(views, parts, strict=True):
                view[...] = part

    def own(self, rows: T) -> T:
        """This rank's rows of all."""
        return rows if self.size == 1 else rows[self.rank :: self.size]  # type: ignore[index]

    def gather(self, rows: Array) -> Array:
        """The rows (size * n, ...) of all ranks, of which each has n: the inverse of ``own``."""
        if self.size == 1:
            return rows
        stacked = self.stack(rows)
        return stacked.transpose(1, 0, *range(2, stacked.ndim)).reshape(-1, *rows.shape[1:])

    def gather_uneven(self, rows: np.ndarray) -> np.ndarray:
        """``gather`` of arrays on the host, where some ranks may have a row less than others."""
        if self.size == 1:
            return rows
        parts = self.collect(rows)
        whole = np.empty((sum(map(len, parts)), *rows.shape[1:]), rows.dtype)
        for rank, part in enumerate(parts):
            whole[rank :: self.size] = part
        return whole

    def means(self, values: dict[str, float]) -> dict[str, float]:
        """The mean over the ranks of each number; all have the same names."""
        if self.size == 1:
            return values
        numbers = np.array([*values.values()], np.float64)
        self.average(numbers)
        return dict(zip(values, numbers.tolist(), strict=True))

    def first_word(self, word: str) -> str:
        """What the lowest rank says that says anything."""
        if self.size == 1:
            return word
        speaks = np.array([float(bool(word))])
        self.add(speaks)  # a number is sooner there than words, and mostly there are none
        return next(filter(None, self.collect(word))) if speaks[0] else ""

    def on_first(self, work: Callable[[], T]) -> T:
        """``work()`` done by rank 0, and its result for all; an InputError that it raises is raised by all."""
        if self.size == 1:
            return work()
        value, told = None, ""
        if self.is_first:
            try:
                value = work()
            except InputError as error:
                told = str(error)
        value, told = self.broadcast((value, told))
        if told:
            raise InputError(told)
        return value  # type: ignore[return-value]

    def check_same(self, what: str, value: dict[str, Any]) -> None:
        """Raise InputError on every rank where one has other values than rank 0, and name the first of them."""
        first, *others = self.collect(value)
        for rank, other in enumerate(others, start=1):
            for name in first | other:
                if first.get(name) != other.get(name):
                    raise InputError(
                        f"{what}: {name} is {first.get(name)} on rank 0 and {other.get(name)} on rank {rank}: start "
                        "all processes with the same code, data and settings, and seed their generators alike"
                    )


ALONE = Communicator()


def buckets(arrays: Sequence[Array]) -> Iterator[list[Array]]:
    """The arrays in their order, in lists of one dtype that come to BUCKET bytes."""
    bucket: list[Array] = []
    size = 0
    for array in arrays:
        if bucket and (size + array.nbytes > BUCKET or array.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(array)
        size += array.nbytes
    if bucket:
        yield bucket


def in_memory_order(array: Array) -> Array:
    """A view with the axes in the order of memory: contiguous, where the array is dense."""
    return array.transpose(tuple(sorted(range(array.ndim), key=lambda axis: -array.strides[axis])))


# ---- who is asked by what looks across a batch -----------------------------------------------------------------------


class _Current(threading.local):
    communicator = ALONE
    syncs_batch_norm = True


_current = _Current()


def current() -> Communicator:
    """Those that the batch of this thread is split over: in a training step the trainer's, elsewhere nobody."""
    return _current.communicator


def batch_norm_group() -> Communicator | None:
    """Those that batch norm shares its statistics with; None: it has its own."""
    return _current.communicator if _current.communicator.size > 1 and _current.syncs_batch_norm else None


@contextmanager
def within(communicator: Communicator, sync_batch_norm: bool = True) -> Iterator[None]:
    """In this context and thread, a batch is a part of one that the communicator's ranks have together."""
    before = _current.communicator, _current.syncs_batch_norm
    _current.communicator, _current.syncs_batch_norm = communicator, sync_batch_norm
    try:
        yield
    finally:
        _current.communicator, _current.syncs_batch_norm = before
