"""The one command for a lent GPU: a part that dies or hangs takes nothing with it, and each part of it runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import fake_cupy
import pytest

from benchmarks import gpu_suite
from benchmarks.gpu_suite import Part, drive

ROOT = Path(__file__).parent.parent


def python(code):
    return [sys.executable, "-c", code]


def record(**row):
    return f"import os; open(os.environ['GPU_SUITE_OUT'] + '/results.jsonl', 'a').write('{json.dumps(row)}\\n')"


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(gpu_suite, "GRACE", 0.5)


def test_a_part_that_fails_dies_or_hangs_takes_nothing_with_it(tmp_path, quick, capsys):
    hangs = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('begun', flush=True); time.sleep(60)"
    )
    parts = [
        Part("before", 30, python(record(value=1))),
        Part("fails", 30, python("print('so far so good'); raise SystemExit(3)")),
        Part("dies", 30, python("import os; os.kill(os.getpid(), 9)")),
        Part("hangs", 1.5, python(hangs)),
        Part("is not here", 30, ["no-such-program"]),
        Part("after", 30, python(record(value=2))),
    ]
    ended = drive(parts, 100, tmp_path)
    assert ended.pop("is not here").startswith("not run (No such file")
    assert ended == {"before": "0", "fails": "3", "dies": "-9", "hangs": "cut off", "after": "0"}
    assert [row["value"] for row in gpu_suite.results(tmp_path)] == [1, 2]
    lines = (tmp_path / "summary.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["before", "fails", "dies", "hangs", "is", "after"]
    assert lines[1].endswith("so far so good") and lines[3].endswith("begun")
    assert capsys.readouterr().out.splitlines() == lines


def test_what_a_part_has_started_ends_with_it(tmp_path, quick):
    """A worker that outlives its part would keep the GPU."""
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"
    drive([Part("leaves one behind", 30, python(code))], 100, tmp_path)
    child = int(re.search(r"^\d+$", (tmp_path / "log.txt").read_text(), re.MULTILINE)[0])
    state = Path(f"/proc/{child}/stat")
    for _ in range(100):  # a signal takes its time
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("it is still there")


def test_time_that_runs_out(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(gpu_suite, "LEAST", 0.5)
    sleep = python("import time; print('begun', flush=True); time.sleep(60)")
    ended = drive([Part("first", 60, sleep), Part("second", 60, sleep), Part("third", 60, sleep)], 1.5, tmp_path)
    assert ended == {"first": "cut off", "second": "left out", "third": "left out"}
    assert "second        left out: 0 of 1.5 s are left" in (tmp_path / "summary.txt").read_text()


def test_what_is_there_is_appended_to(tmp_path):
    for value in (1, 2):
        drive([Part("part", 30, python(record(value=value)))], 100, tmp_path)
    assert [row["value"] for row in gpu_suite.results(tmp_path)] == [1, 2]
    assert len((tmp_path / "summary.txt").read_text().splitlines()) == 2


def command(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu_suite", *map(str, arguments)],
        cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_bad_input_is_one_line(tmp_path):
    for arguments, words in (
        (("--only", "nothing"), "--only nothing: choose of environment, compile,"),
        (("--budget", "0"), "--budget 0 must be above 0"),
        (("--out", tmp_path), 'backend "cupy"'),  # no GPU can be used
    ):
        done = command(*arguments, CUDA_VISIBLE_DEVICES="", PYTHONPATH=str(ROOT))
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not fake_cupy.installed, reason="here is a GPU: run the suite itself")
@pytest.mark.parametrize(
    "parts", [["environment", "compile", "kernels", "tests", "convolutions", "memcheck"], ["steps"]], ids=",".join
)
def test_its_parts_run(parts, tmp_path):
    pytest.importorskip("torch")
    path = os.pathsep.join([str(ROOT), str(fake_cupy.FOLDER)])
    only = [argument for part in parts for argument in ("--only", part)]
    done = command("--dry-run", "--out", tmp_path, "--budget", 1000, *only, PYTHONPATH=path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + (tmp_path / "log.txt").read_text()
    assert [line.split()[:2] for line in (tmp_path / "summary.txt").read_text().splitlines()] == [
        [p, "0"] for p in parts
    ]
    rows = gpu_suite.results(tmp_path)
    if "steps" in parts:
        assert "minigan / torch_nchw = " in done.stdout and "minigan / minigan_eager = " in done.stdout
        assert [row["precision"] for row in rows] == ["float32", "TF32"]
        assert "device memory, mnist_dcgan, TF32, batch 2: minigan " in (tmp_path / "log.txt").read_text()
    else:
        assert {row["part"] for row in rows} == {"environment", "compile", "kernels", "convolutions"}
        assert next(row for row in rows if row["part"] == "kernels")["wrong"] == []
