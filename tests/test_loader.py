"""Loader: the batches, their memory, the thread behind them, and resuming to the bit."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from commands import python

from minigan import backend as backends
from minigan.data import Dataset, Loader
from minigan.errors import InputError

NUMPY = backends.get("numpy")


def numbered(count=10, channels=1, size=2):
    """Pictures whose every pixel is the picture's number, which is its label too."""
    numbers = np.arange(count)
    images = np.broadcast_to(numbers.astype(np.uint8)[:, None, None, None], (count, channels, size, size))
    return Dataset(images, numbers, tuple(map(str, numbers)), "numbered")


def make(dataset=None, batch_size=3, *, seed=0, backend=NUMPY, **options):
    dataset = numbered() if dataset is None else dataset
    return Loader(dataset, batch_size, backend=backend, rng=np.random.default_rng(seed), **options)


def numbers(batch):
    return np.rint((batch[:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("minigan-loader")]


# ---- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [0, 1, 2, 50])
def test_an_epoch_is_every_picture_once(prefetch):
    loader = make(batch_size=5, prefetch=prefetch)
    epochs = [[numbers(batch) for batch in loader] for _ in range(2)]
    for epoch in epochs:
        assert [len(batch) for batch in epoch] == [5, 5]
        assert sorted(itertools.chain(*epoch)) == list(range(10))
    assert epochs[0] != epochs[1]
    expected = np.random.default_rng(0)
    assert epochs == [expected.permutation(10).reshape(2, 5).tolist() for _ in range(2)]
    assert loader.epoch == 2


@pytest.mark.parametrize(("drop_last", "sizes"), [(True, [4, 4]), (False, [4, 4, 2])])
def test_drop_last(drop_last, sizes):
    loader = make(batch_size=4, drop_last=drop_last)
    assert len(loader) == len(sizes)
    assert [len(batch) for batch in loader] == sizes


def test_without_drop_last_a_batch_may_be_larger_than_the_data():
    assert [len(batch) for batch in make(batch_size=64, drop_last=False)] == [10]


def test_without_shuffle_the_order_is_the_data_sets():
    loader = make(batch_size=5, shuffle=False)
    assert [numbers(batch) for batch in loader] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_labels_go_with_their_pictures():
    for images, labels in make(labels=True):
        assert labels.tolist() == numbers(images)
        assert labels.dtype == np.int64


@pytest.mark.parametrize("dtype", ["float32", np.float64, "float16"])
def test_scaled_to_minus_one_to_one(dtype):
    dataset = Dataset(np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16))
    (batch,) = make(dataset, 1, dtype=dtype)
    assert batch.dtype == np.dtype(dtype)
    expected = np.arange(256) / 127.5 - 1
    np.testing.assert_allclose(batch.ravel(), expected, atol=2 * np.finfo(dtype).eps)
    assert batch.min() == -1
    assert batch.max() == 1


@pytest.mark.parametrize("source", ["channels first", "channels last"])
@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_in_memory(channels, source):
    images = np.random.default_rng(0).integers(0, 256, (7, channels, 4, 5), dtype=np.uint8)
    if source == "channels last":
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    loader = make(Dataset(images), 7, shuffle=False)
    (batch,) = loader
    assert batch.shape == (7, channels, 4, 5)
    assert batch.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(batch, images / np.float32(127.5) - 1)
    # Bytes that lie as they should are not copied.
    assert np.shares_memory(loader._pixels, images) == (channels == 1 or source == "channels last")


def test_batches_are_fresh_memory():
    first, second, _ = make(shuffle=False)
    kept = second.copy()
    first[...] = 9
    np.testing.assert_array_equal(second, kept)
    assert numbers(next(iter(make(shuffle=False)))) == [0, 1, 2]


def test_a_backend_may_be_given_by_its_name():
    assert next(iter(make(backend="reference"))).__class__ is backends.ReferenceArray
    with pytest.raises(InputError, match="unknown backend 'cuda'"):
        make(backend="cuda")


def test_batches_live_on_the_backend():
    batch = next(iter(make(backend=backends.get("reference"))))
    assert type(batch) is backends.ReferenceArray


def test_forever_runs_over_the_end_of_an_epoch():
    loader = make(batch_size=4)
    endless = [numbers(batch) for batch in itertools.islice(loader.forever(), 7)]
    again = make(batch_size=4)
    assert endless == [numbers(batch) for _ in range(4) for batch in again][:7]
    assert loader.epoch == 3


# ---- the thread ------------------------------------------------------------------------------------------------------


def test_the_thread_ends_with_the_epoch():
    list(make())
    assert loader_threads() == []


def test_the_thread_ends_when_the_consumer_breaks_off():
    for _ in make():
        break
    assert loader_threads() == []


def test_the_thread_ends_when_the_consumer_raises():
    def consume():
        for _ in make().forever():
            raise ZeroDivisionError

    with contextlib.suppress(ZeroDivisionError):
        consume()
    assert loader_threads() == []


def test_without_prefetch_there_is_no_thread():
    for _ in make(prefetch=0):
        assert loader_threads() == []


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_exception_in_the_thread_reaches_the_consumer(prefetch, monkeypatch):
    loader = make(prefetch=prefetch, shuffle=False)
    original = loader._host_batch

    def failing(order, number):
        if number == 2:
            raise MemoryError("no room for batch 2")
        return original(order, number)

    monkeypatch.setattr(loader, "_host_batch", failing)
    seen = []
    with pytest.raises(MemoryError, match="no room for batch 2"):
        seen.extend(numbers(batch) for batch in loader)
    assert loader_threads() == []
    monkeypatch.undo()
    # The two batches before it were consumed, the failed one was not.
    assert [numbers(batch) for batch in loader] == [[6, 7, 8]]


def test_no_more_than_prefetch_batches_are_made_ahead(monkeypatch):
    loader = make(batch_size=1, prefetch=3)
    original, made = loader._host_batch, []
    monkeypatch.setattr(loader, "_host_batch", lambda order, number: made.append(number) or original(order, number))
    for consumed, _ in enumerate(loader, 1):
        assert len(made) <= consumed + 3


def test_uploads_begin_in_the_thread_and_end_in_the_consumers():
    began, ended = set(), set()

    class Backend:
        def upload(self, *arrays):
            began.add(threading.current_thread())
            return lambda: (ended.add(threading.current_thread()), arrays)[1]

    list(make(backend=Backend(), labels=True))
    assert ended == {threading.current_thread()} and not began & ended


def test_a_program_ends_with_a_loader_in_mid_epoch():
    code = """
import numpy as np
from minigan import backend
from minigan.data import Dataset, Loader
data = Dataset(np.zeros((1000, 1, 8, 8), np.uint8))
batches = Loader(data, 2, backend=backend.get("numpy"), rng=np.random.default_rng(0)).forever()
next(batches)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---- the position ----------------------------------------------------------------------------------------------------


def through_json(state):
    return json.loads(json.dumps(state))


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("consumed", range(8))
def test_resuming_gives_the_batches_that_would_have_followed(consumed, prefetch):
    options = {"labels": True, "drop_last": False, "batch_size": 4, "prefetch": prefetch}  # 3 batches an epoch
    loader = make(**options)
    stream = loader.forever()
    list(itertools.islice(stream, consumed))
    state = through_json(loader.state_dict())
    assert (state["epoch"], state["batch"]) == divmod(consumed, 3)
    rest = list(itertools.islice(stream, 7))

    resumed = make(seed=99, **options)
    next(iter(resumed))  # wherever it was before
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    for (images, labels), (expected_images, expected_labels) in zip(
        itertools.islice(resumed.forever(), 7), rest, strict=True
    ):
        np.testing.assert_array_equal(images, expected_images)
        np.testing.assert_array_equal(labels, expected_labels)
    assert resumed.state_dict() == loader.state_dict()


@pytest.mark.parametrize("bit_generator", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_the_state_of_every_bit_generator_survives_json(bit_generator):
    def loader(seed):
        rng = np.random.Generator(getattr(np.random, bit_generator)(seed))
        return Loader(numbered(), 3, backend=NUMPY, rng=rng)

    first, second = loader(1), loader(2)
    next(iter(first))
    second.load_state_dict(through_json(first.state_dict()))
    expected = [numbers(batch) for batch in itertools.islice(first.forever(), 8)]
    assert [numbers(batch) for batch in itertools.islice(second.forever(), 8)] == expected


def test_a_loop_goes_on_where_the_last_one_stopped():
    loader = make(shuffle=False)
    assert numbers(next(iter(loader))) == [0, 1, 2]
    assert [numbers(batch) for batch in loader] == [[3, 4, 5], [6, 7, 8]]
    assert [numbers(batch) for batch in loader] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_asking_for_the_state_changes_nothing():
    asked, plain = make(), make()
    stream = asked.forever()
    for expected in itertools.islice(plain.forever(), 8):
        asked.state_dict()
        np.testing.assert_array_equal(next(stream), expected)


def test_an_outdated_iterator_does_not_go_on():
    loader = make(batch_size=1)
    old = iter(loader)
    next(old)
    next(iter(loader))
    with pytest.raises(RuntimeError, match="iterated or loaded anew"):
        next(old)
    old = iter(loader)
    next(old)
    loader.load_state_dict(make(batch_size=1).state_dict())
    with pytest.raises(RuntimeError, match="iterated or loaded anew"):
        next(old)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": 11}, "the loader's state has length 11, but this loader has 10"),
        ({"batch_size": 4}, "the loader's state has batch_size 4, but this loader has 3"),
        ({"shuffle": False}, "has shuffle False, but this loader has True"),
        ({"drop_last": False}, "has drop_last False, but this loader has True"),
        ({"epoch": None}, "epoch of the loader's state is None, expected a whole number from 0 up"),
        ({"batch": -1}, "batch of the loader's state is -1, expected a whole number from 0 up"),
        ({"batch": 3}, "is at batch 3, but an epoch has 3"),
        ({"rng": None}, "has an rng that does not fit this loader's PCG64"),
        ({"rng": {}}, "has an rng that does not fit this loader's PCG64"),
        ({"rng": np.random.Generator(np.random.SFC64(0)).bit_generator.state}, "does not fit this loader's PCG64"),
        ({"rng": {"bit_generator": "PCG64", "state": {"state": "x", "inc": 1}}}, "does not fit this loader's PCG64"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_moves_nothing(change, message):
    loader = make()
    next(iter(loader))
    before = loader.state_dict()
    with pytest.raises(InputError, match=message):
        loader.load_state_dict({**make(seed=5).state_dict(), **change})
    assert loader.state_dict() == before


# ---- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, "8", None, True])
def test_batch_size_must_be_a_positive_int(batch_size):
    with pytest.raises(InputError, match=f"batch_size is {batch_size!r}, expected a whole number from 1 up"):
        make(batch_size=batch_size)


def test_numpy_ints_are_ints():
    loader = make(batch_size=np.int64(3))
    json.dumps(loader.state_dict())
    assert len(loader) == 3


def test_batch_size_larger_than_the_data():
    message = "batch_size 64 is larger than the 10 items of numbered, .*: use at most 10, or more data"
    with pytest.raises(InputError, match=message):
        make(batch_size=64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefetch": -1}, "prefetch is -1, expected a whole number from 0 up"),
        ({"prefetch": 1.5}, "prefetch is 1.5, expected a whole number"),
        ({"dtype": "int32"}, "dtype is int32, expected a floating one"),
        (
            {"dataset": Dataset(numbered().images, name="plain"), "labels": True},
            "plain has no labels: use labels=False",
        ),
        (
            {"dataset": Dataset(np.zeros((0, 1, 2, 2), np.uint8)), "batch_size": 1},
            "images is empty",
        ),
        ({"dataset": numbered().images}, "a Loader takes a Dataset, as of images .*, not a ndarray"),
    ],
)
def test_other_arguments(options, message):
    with pytest.raises(InputError, match=message):
        make(**options)


def test_rng_must_be_a_generator():
    with pytest.raises(InputError, match="rng is 0, expected a generator"):
        Loader(numbered(), 3, backend=NUMPY, rng=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_an_iteration_goes_on_in_a_forked_child(tmp_path):
    code = """
import os, sys
import numpy as np
from minigan import backend, data
pixels = np.random.default_rng(0).integers(0, 256, (40, 1, 2, 2)).astype(np.uint8)
loader = data.Loader(data.Dataset(pixels), 4, backend=backend.get("numpy"), rng=np.random.default_rng(1), prefetch=3)
batches = iter(loader)
next(batches), next(batches)
child = os.fork()
rest = np.concatenate([batch.ravel() for batch in batches])
if child == 0:
    sys.stdout.write(repr(rest.tolist()))
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
sys.stdout.write("|" + repr(rest.tolist()))
"""
    done = python("-W", "ignore", "-c", code, cwd=tmp_path)
    child, parent = done.stdout.split("|")
    assert child == parent and child.count(",") == 8 * 4 * 4 - 1, done.stderr
