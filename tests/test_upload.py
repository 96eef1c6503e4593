"""Batches that are copied to the device while it computes."""

from __future__ import annotations

import fake_cupy
import numpy as np
import pytest

from minigan import backend as backends
from minigan.backend.cuda.upload import UNDER_WAY, Uploads
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
    monkeypatch.setattr(cupy.xp.cuda.Stream, "dawdle", True)
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
def test_a_copy_waits_for_those_who_still_read_its_memory(slow, cupy, monkeypatch):
    """That is, for all that was launched before its memory was taken."""
    log = []
    event = cupy.xp.cuda.Event
    monkeypatch.setattr(cupy.xp, "empty", lambda *args, empty=cupy.xp.empty: (log.append("taken"), empty(*args))[1])
    monkeypatch.setattr(
        event, "record", lambda self, stream, record=event.record: (log.append(stream), record(self, stream))[1]
    )
    monkeypatch.setattr(slow._stream, "wait_event", lambda event: log.append("waits"))
    monkeypatch.setattr(slow._stream, "later", lambda work: log.append("copies"))
    slow.start(pictures(1)[:1])
    assert log[:4] == ["taken", cupy.xp.cuda.get_current_stream(), "waits", "copies"]


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
