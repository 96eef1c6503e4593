"""A short run of the fuzzers; the long one is ``python -m benchmarks.fuzz``."""

import importlib

import numpy as np
import pytest
from commands import ROOT

from minigan.errors import InputError


@pytest.mark.parametrize("name", ["idx", "checkpoint", "config"])
def test_readers_take_or_refuse_whatever_comes(name, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    harness = importlib.import_module("benchmarks.fuzz.harness")
    read, inputs, folder = importlib.import_module(f"benchmarks.fuzz.{name}").target()
    with folder:
        report = harness.fuzz(name, read, inputs, seconds=60, count=100)
    assert report.crashes == []
    assert report.tried == 100 and report.accepted and report.refused


def test_calls_are_pytorchs(monkeypatch):
    """The same value and gradient, or both refuse, or minigan alone refuses for a reason in its table."""
    pytest.importorskip("torch", exc_type=ImportError)
    monkeypatch.syspath_prepend(ROOT)
    harness = importlib.import_module("benchmarks.fuzz.harness")
    read, calls, folder = importlib.import_module("benchmarks.fuzz.calls").target()
    with folder:
        report = harness.fuzz("calls", read, calls, seconds=120, count=2000)
    assert [(str(call), said.splitlines()[-1]) for call, said in report.crashes] == []
    assert report.tried == 2000 and read.outcomes["agree"] > 1500


def test_of_nothing_pytorchs_mean_is_nan_and_ours_is_refused(monkeypatch):
    pytest.importorskip("torch", exc_type=ImportError)
    monkeypatch.syspath_prepend(ROOT)
    calls, draw = (importlib.import_module(f"benchmarks.fuzz.{name}") for name in ("calls", "draw"))
    with pytest.raises(InputError, match="of no numbers there is neither a mean nor a largest one"):
        calls.Comparison()(draw.Call("mean", [np.zeros((0, 2))], lambda x: x.mean(), lambda x: x.mean()))


def test_what_is_no_input_error_is_a_crash(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    harness = importlib.import_module("benchmarks.fuzz.harness")

    def read(number):
        if number == 1:
            raise harness.InputError("refused")
        if number == 2:
            raise KeyError("a crash")
        if number == 3:
            raise MemoryError
        if number == 4:
            while True:
                pass

    monkeypatch.setattr(harness, "SECONDS_EACH", 0.2)
    report = harness.fuzz("numbers", read, iter(range(5)), seconds=60, count=5)
    assert (report.tried, report.accepted, report.refused) == (5, 1, 1)
    assert [given for given, _ in report.crashes] == [2, 3, 4]
