"""Batches that are copied to the device while it computes."""

from __future__ import annotations

import fake_cupy
import numpy as np
import pytest

from minigan import backend as backends
from minigan.backend.cupy.upload import UNDER_WAY, Uploads
from minigan.data import Dataset, Loader

WHY_NOT = backends.available()["cupy"]
on_gpu = not WHY_NOT and not fake_cupy.installed
pytestmark = [pytest.mark.gpu] if on_gpu else [pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]
on_stand_in = pytest.mark.skipif(not fake_cupy.installed, reason="looks into the stand-in, and here is a GPU")


@pytest.fixture
def cupy():
    return backends.get("cupy")


@pytest.fixture
def slow(cupy, monkeypatch):
    """Uploads whose copies happen when somebody waits for them, and not before."""
    monkeypatch.setattr(cupy.xp.cuda.Stream, "_dawdle", True)
    return Uploads(cupy)


def pictures(number, count=3):
    return np.full((count, 2, 4, 5), number, np.float32), np.arange(count) + number


def assert_are(arrays, number, **sizes):
    for own, expected in zip(arrays, pictures(number, **sizes), strict=True):
        assert own.dtype == expected.dtype
        np.testing.assert_array_equal(own.get(), expected)


def test_arrays_arrive_channels_last(cupy, rng):
    images, labels = rng.standard_normal((3, 2, 4, 5)), rng.integers(0, 9, 3)
    own, told = cupy.upload(images, labels)()
    assert own.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(own.get(), images)
    np.testing.assert_array_equal(told.get(), labels)


def test_more_copies_than_there_is_pinned_memory_for(cupy):
    under_way = [cupy.upload(*pictures(number, 1 + number % 3)) for number in range(3 * UNDER_WAY)]
    for number, finish in enumerate(under_way):
        assert_are(finish(), number, count=1 + number % 3)


@on_stand_in
def test_a_copy_is_there_when_it_was_waited_for(slow):
    finish = slow.start(pictures(7))
    assert slow._stream._put_off
    assert_are(finish(), 7)


@on_stand_in
def test_pinned_memory_is_not_used_again_before_its_copy_has_ended(slow):
    under_way = [slow.start(pictures(number)) for number in range(3 * UNDER_WAY)]
    assert len(slow._busy) == UNDER_WAY
    for number, finish in enumerate(under_way):
        assert_are(finish(), number)


@on_stand_in
def test_a_copy_waits_for_the_last_use_of_its_memory_and_no_longer(cupy, monkeypatch):
    uploads, log, cuda = Uploads(cupy), [], cupy.xp.cuda
    record = cuda.Event.record
    monkeypatch.setattr(
        cuda.Event, "record", lambda event, stream=None: (log.append(("record", event)), record(event, stream))[1]
    )
    monkeypatch.setattr(uploads._stream, "wait_event", lambda event: log.append(("wait", event)))
    (array,) = uploads.start(pictures(1)[:1])()
    at, view = array.data.ptr, array[0]
    del array
    assert not uploads._free  # its view still lies there
    del view
    kind, dropped = log[-1]  # on the compute stream
    assert kind == "record" and [buffer.idle for buffer in uploads._free] == [dropped]
    record(cuda.Event())  # a step that is launched later
    finish = uploads.start(pictures(2)[:1])
    assert [event for kind, event in log if kind == "wait"][-1] is dropped
    (array,) = finish()
    assert array.data.ptr == at


@on_stand_in
def test_a_batch_that_nobody_asks_for_keeps_its_memory_among_the_uploads(slow, cupy):
    pool = cupy.xp.get_default_memory_pool()
    slow.start(pictures(1))()
    held = pool.used_bytes()
    slow.start(pictures(7))  # dropped while its copies are put off
    assert slow._stream._put_off and pool.used_bytes() == held
    other = cupy.xp.full((3, 2, 4, 5), 5, np.float32)
    assert_are(slow.start(pictures(9))(), 9)
    assert (other.get() == 5).all()


def test_memory_is_used_again(cupy):
    uploads, pool = Uploads(cupy), cupy.xp.get_default_memory_pool()
    for number in range(3):
        uploads.start(pictures(number))()
    held = pool.used_bytes()
    for number in range(20):
        assert_are(uploads.start(pictures(number, 3 - number % 2))(), number, count=3 - number % 2)
    assert pool.used_bytes() == held


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("labels", [True, False])
def test_a_loader_hands_out_what_it_would_on_the_cpu(prefetch, labels, cupy, rng):
    data = Dataset(rng.integers(0, 256, (30, 1, 4, 5), np.uint8), rng.integers(0, 3, 30), ("a", "b", "c"))

    def batches(place):
        loader = Loader(data, 4, backend=place, rng=np.random.default_rng(0), labels=labels, prefetch=prefetch)
        for batch in [*loader, *loader]:
            yield [place.to_numpy(array) for array in (batch if labels else [batch])]

    for own, expected in zip(batches(cupy), batches(backends.get("numpy")), strict=True):
        for a, b in zip(own, expected, strict=True):
            np.testing.assert_array_equal(a, b)
