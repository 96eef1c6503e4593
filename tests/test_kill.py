"""A run that is killed and resumed, over and over, ends as if it had been left in peace."""

import importlib

from commands import ROOT, write_digits


def test_kills_leave_no_trace(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    kill_test = importlib.import_module("benchmarks.kill_test")
    data = write_digits(tmp_path / "data", count=160)
    settings = ["--data", str(data), "--width", "2", "--batch-size", "16", "--threads", "1", "--checkpoint-every", "1"]
    outcome = kill_test.run(3, seed=0, folder=tmp_path, settings=[*settings, "--steps", "45"], pause=0.3)
    assert (outcome.kills, outcome.steps, outcome.differing) == (3, 45, [])
