"""Batches: shuffled, scaled to [-1, 1], made ahead in a thread, and resumable to the bit."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import get
from ..errors import InputError
from ..parallel import Communicator, world
from .dataset import Dataset
from .drawn import Drawn

if TYPE_CHECKING:
    from ..backend import Array, ArrayBackend


class Loader:
    """Hands out a dataset in batches: arrays (N, C, H, W) of ``dtype`` on ``backend`` (or the one of that name),
    channels-last in memory.

    With ``labels`` each batch is (images, labels), the labels int64 (N,). ``drop_last`` leaves out an epoch's last
    batch when it would be smaller. ``prefetch`` batches are made ahead in a thread; with 0 there is no thread.

    A loader has a position, and iterating moves it: ``for batch in loader`` gives what is left of the epoch, so after a
    break the next loop goes on where the last one stopped. ``state_dict`` is that position; a batch counts from the
    moment it is handed out. ``epoch`` counts the epochs handed out in full.

    Of what is ``Drawn`` a batch is what it draws: of ``Paired`` pictures (target, source).

    ``rng`` belongs to the loader from now on: each epoch draws one permutation from it, and of what is ``Drawn``
    the seed of all that is drawn in it; loading a state sets it.

    Of several processes (``communicator``, default: all that were started together) each has its part of every batch.
    Position and streams are those of the whole: a state can be loaded by any number of processes.

    Raises InputError for arguments that cannot be used.

    >>> from minigan import backend
    >>> dataset = Dataset(np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1))
    >>> loader = Loader(dataset, 3, backend=backend.get("numpy"), rng=np.random.default_rng(0), shuffle=False)
    >>> for images in loader:
    ...     print(images.ravel())
    [-1.  -0.6  1. ]
    """

    def __init__(
        self,
        dataset: Dataset | Drawn,
        batch_size: int,
        *,
        backend: str | ArrayBackend,
        rng: np.random.Generator,
        shuffle: bool = True,
        drop_last: bool = True,
        labels: bool = False,
        dtype: Any = "float32",
        prefetch: int = 2,
        communicator: Communicator | None = None,
    ) -> None:
        if not isinstance(dataset, Dataset | Drawn):
            raise InputError(f"a Loader takes a Dataset, as of images (N, C, H, W), not a {type(dataset).__name__}")
        _check_int("batch_size", batch_size, at_least=1)
        _check_int("prefetch", prefetch, at_least=0)
        if len(dataset) == 0:
            raise InputError(f"{dataset.name} is empty: there is nothing to load")
        if drop_last and batch_size > len(dataset):
            raise InputError(
                f"batch_size {batch_size} is larger than the {len(dataset)} items of {dataset.name}, so there would "
                f"be no whole batch: use at most {len(dataset)}, or more data"
            )
        if labels and dataset.labels is None:
            raise InputError(f"{dataset.name} has no labels: use labels=False")
        if not isinstance(rng, np.random.Generator):
            raise InputError(f"rng is {rng!r}, expected a generator such as numpy.random.default_rng(0)")
        self.communicator = world() if communicator is None else communicator
        _check_split(self.communicator.size, int(batch_size), 0 if drop_last else len(dataset) % batch_size)
        self.dtype = np.dtype(dtype)
        if self.dtype.kind != "f":
            raise InputError(f"dtype is {self.dtype}, expected a floating one such as float32: images go from -1 to 1")

        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.backend = get(backend) if isinstance(backend, str) else backend
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.labels = labels
        self.prefetch = prefetch
        self.epoch = 0

        if isinstance(dataset, Dataset):
            # Bytes (N, H, W, C), so that a batch is born in the memory layout of the kernels. A copy only if it must be
            self._pixels = np.ascontiguousarray(dataset.images.transpose(0, 2, 3, 1))
        self._labels = dataset.labels if labels else None
        self._epoch_seed = 0  # of what is drawn
        self._rng = rng
        self._order: np.ndarray | None = None  # the current epoch's permutation, from its first batch on
        self._rng_before_order: Mapping[str, Any] = {}
        self._consumed = 0  # batches of the current epoch
        self._turn = 0  # counts iterators, so that an outdated one notices

    def __len__(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Array | tuple[Array, Array]]:
        self._turn += 1
        turn = self._turn
        order = self._start_epoch() if self._order is None else self._order
        for uploaded in self._uploaded(order, self._consumed):
            if turn != self._turn:
                raise RuntimeError("this iteration is over: the loader has been iterated or loaded anew since")
            arrays = uploaded()
            batch = arrays if len(arrays) > 1 else arrays[0]
            self._consumed += 1
            if self._consumed == len(self):
                self.epoch, self._consumed, self._order = self.epoch + 1, 0, None
            yield batch

    def forever(self) -> Iterator[Array | tuple[Array, Array]]:
        """Batches of epoch after epoch, without end."""
        while True:
            yield from self

    # ---- the position ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The position as plain Python values that JSON can hold. Batches made ahead do not count."""
        rng = self._rng.bit_generator.state if self._order is None else self._rng_before_order
        return {"epoch": self.epoch, "batch": self._consumed, "rng": _to_plain(rng), **self._fixed()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes to a position: the batches from here on are the ones that would have followed ``state_dict()``.

        Raises InputError, and stays where it is, when the state is from a loader of other data, batch size or settings.
        """
        for name, own in self._fixed().items():
            if state.get(name) != own:
                raise InputError(
                    f"the loader's state has {name} {state.get(name)}, but this loader has {own}: "
                    "resume with the data and settings that the state was saved with"
                )
        epoch: Any = state.get("epoch")
        batch: Any = state.get("batch")
        rng: Any = state.get("rng")
        _check_int("epoch of the loader's state", epoch, at_least=0)
        _check_int("batch of the loader's state", batch, at_least=0)
        if batch >= len(self):
            raise InputError(f"the loader's state is at batch {batch}, but an epoch has {len(self)}: it is damaged")
        try:
            self._rng.bit_generator.state = rng
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise InputError(
                f"the loader's state has an rng that does not fit this loader's "
                f"{type(self._rng.bit_generator).__name__} ({error}): resume with the kind that it was saved with"
            ) from error
        self._turn += 1
        self.epoch, self._consumed, self._order = epoch, batch, None
        if batch:
            self._start_epoch()

    def _fixed(self) -> dict[str, Any]:
        """What must be the same for a position to mean the same batches."""
        return {
            "length": len(self.dataset),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
        }

    def _start_epoch(self) -> np.ndarray:
        self._rng_before_order = self._rng.bit_generator.state
        self.communicator.check_same("the loader", {**self._fixed(), "rng": _to_plain(self._rng_before_order)})
        count = len(self.dataset)
        self._order = self._rng.permutation(count) if self.shuffle else np.arange(count)
        if isinstance(self.dataset, Drawn):
            self._epoch_seed = int(self._rng.integers(2**62))
        return self._order

    # ---- making batches ----------------------------------------------------------------------------------------------

    def _uploaded(self, order: np.ndarray, first: int) -> Iterator[Callable[[], tuple[Array, ...]]]:
        """The epoch's batches from number ``first`` on, under way to the backend, up to ``prefetch`` of them ahead."""
        if self.prefetch == 0:
            for number in range(first, len(self)):
                yield self._upload(order, number)
            return
        waiting: deque[Future[Any]] = deque()
        pool, home, ahead = ThreadPoolExecutor(1, "minigan-loader"), os.getpid(), first
        try:
            for number in range(first, len(self)):
                if os.getpid() != home:  # forked in between: the thread has stayed with the parent
                    yield self._upload(order, number)
                    continue
                while ahead < len(self) and len(waiting) <= self.prefetch:
                    waiting.append(pool.submit(self._upload, order, ahead))
                    ahead += 1
                yield waiting.popleft().result()  # what the thread raised is raised here
        finally:  # also when the consumer breaks off
            if os.getpid() == home:
                pool.shutdown(cancel_futures=True)

    def _upload(self, order: np.ndarray, number: int) -> Callable[[], tuple[Array, ...]]:
        return self.backend.upload(*self._host_batch(order, number))

    def _host_batch(self, order: np.ndarray, number: int) -> tuple[np.ndarray, ...]:
        own = self.communicator.own
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
        labels = () if self._labels is None else (self._labels[own(chosen)],)
        if isinstance(self.dataset, Drawn):  # a stream for each batch: it is the same whether others came before or not
            whole = self.dataset.draw(chosen, np.random.default_rng([self._epoch_seed, number]), self.dtype)
            return *map(own, whole), *labels
        images = np.divide(self._pixels[own(chosen)], 127.5, dtype=self.dtype)
        images -= 1
        return images.transpose(0, 3, 1, 2), *labels


def _check_split(size: int, batch_size: int, rest: int) -> None:
    for count, what in ((batch_size, f"batch_size {batch_size}"), (rest, f"an epoch's last batch, of {rest} items,")):
        if count % size:
            raise InputError(
                f"{what} cannot be split into equal parts for {size} processes: take a batch size that is a multiple "
                "of their number, and drop_last=True"
            )


def _check_int(name: str, value: Any, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        raise InputError(f"{name} is {value!r}, expected a whole number from {at_least} up")


def _to_plain(state: Any) -> Any:
    """A bit generator's state with lists for its arrays, which the setters take as well."""
    if isinstance(state, dict):
        return {name: _to_plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state
