"""The benchmarks' arithmetic and tables, and that each of them starts. No test looks at a time."""

import doctest
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import child, guard, harness, parallel, report, scaling, workloads
from minigan import backend as backends
from minigan import gan

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "benchmarks").glob("*.py"))
COMMANDS = [path.stem for path in FILES if 'if __name__ == "__main__"' in path.read_text()]


@pytest.fixture
def row():
    seconds = {"minigan": [1.0, 2.0, 3.0], "torch_nchw": [4.0] * 3, "torch_tuned": [8.0] * 3, "compiled": [2.5] * 3}
    return harness.result("dcgan", 8, seconds) | {"skipped": {"jax_jit": "not installed"}}


def test_contenders_take_turns_in_rotating_order():
    log = []
    seconds = harness.interleave(
        {name: lambda name=name: log.append(name) for name in "abc"}, rounds=4, warmup=1, turn=0
    )
    assert "".join(log) == "abc" + "abc" + "bca" + "cab" + "abc"
    assert {name: len(values) for name, values in seconds.items()} == {"a": 4, "b": 4, "c": 4}


def test_the_last_run_of_a_turn_counts(monkeypatch):
    now, runs = [0.0], []

    def run():  # each a tenth of a second quicker than the one before
        runs.append(1.0 - 0.1 * len(runs))
        now[0] += runs[-1]

    monkeypatch.setattr(harness.time, "perf_counter", lambda: now[0])
    assert harness.interleave({"a": run}, rounds=1, warmup=0, turn=2.5) == {"a": [pytest.approx(0.8)]}
    assert len(runs) == 3


def test_who_fails_is_taken_out_with_the_reason():
    def fails():
        raise ValueError("no luck\nat all")

    contenders = {"works": lambda: None, "fails": fails}
    assert harness.dismiss(contenders) == {"fails": "ValueError: no luck at all"}
    assert list(contenders) == ["works"]


def test_median_and_quartiles():
    assert harness.summary([5.0, 1.0, 3.0, 2.0, 4.0]) == {"median": 3.0, "q1": 2.0, "q3": 4.0}
    assert harness.summary([7.0]) == {"median": 7.0, "q1": 7.0, "q3": 7.0}


def test_quartiles_stay_within_what_was_measured():
    assert harness.summary([1.0, 9.0]) == {"median": 5.0, "q1": 3.0, "q3": 7.0}


def test_ratio_is_to_the_fastest_eager_pytorch(row):
    assert row["best_torch"] == "torch_nchw"  # not "compiled", which has a column of its own
    assert row["ratio"] == 0.5
    assert row["seconds"]["minigan"] == 2.0


def test_no_ratio_without_pytorch_or_to_nothing():
    assert "ratio" not in harness.result("alone", 1, {"minigan": [1.0]})
    assert "ratio" not in harness.result("growth", 1, {"minigan": [1.0], "torch": [0.0]}, measure="megabytes")


def test_a_row_without_minigan_is_still_a_row():
    row = harness.result("dcgan", 8, {"torch_nchw": [1.0, 2.0]}) | {"skipped": {"minigan": "out of luck"}}
    assert "ratio" not in row and "minigan              skipped: out of luck" in harness.table([row])


def test_each_backend_has_a_ratio(row):
    seconds = {"minigan": [2.0], "minigan_numba": [1.0], "torch_nchw": [4.0]}
    both = harness.result("dcgan", 8, seconds)
    assert both["ratio"] == 0.5 and both["ratios"] == {"minigan": 0.5, "minigan_numba": 0.25}
    assert harness.table([both]).endswith("0.50 (minigan), 0.25 (minigan_numba)")
    head, _, line = report.contenders_table([both]).splitlines()
    assert head.endswith("| ratio, numpy | ratio, numba |") and line.endswith("| **0.50** | **0.25** |")
    assert report.contenders_table([row]).splitlines()[0].endswith("| ratio |")


def test_amdahls_share_is_found_again():
    threads = [1, 2, 4, 8]
    for serial in (0.0, 0.03, 0.5, 1.0):
        seconds = [7 / scaling.speedup(serial, n) for n in threads]
        assert scaling.serial_share(threads, seconds) == pytest.approx(serial, abs=1e-12)


def test_table_in_text(row):
    text = harness.table([row])
    assert "dcgan, batch 8" in text
    assert "minigan / compiled = 0.80" in text
    assert "jax_jit              skipped: not installed" in text
    assert text.endswith("ratio to the best PyTorch (torch_nchw): 0.50")


def test_report_from_files_into_a_document(row, tmp_path):
    harness.save_json(str(tmp_path / "train_step.json"), [row])
    peak = harness.result("peak memory", None, {"minigan": [50.0], "torch_nchw": [200.0]}, measure="megabytes")
    harness.save_json(str(tmp_path / "overhead.json"), [peak])
    made = report.tables(report.load(tmp_path))
    assert "| dcgan, batch 8 | 0.50 | 0.80 |" in made["summary"]
    assert "| peak memory | 0.25 |  |" in made["summary"]
    assert made["train_step"].startswith("|  | minigan | torch_nchw | torch_tuned | compiled | ratio |")
    assert "| dcgan, batch 8, ms | 2000 (1500-2500) | 4000 | 8000 | 2500 | **0.50** |" in made["train_step"]
    assert "- jax_jit: not installed (dcgan)" in made["train_step"]
    assert "| peak memory, MB | 50 (50-50) | 200 | **0.25** |" in made["overhead"]

    document = "<!-- table: summary -->\nold\n<!-- end -->\nafter\n<!-- table: kernels -->\nkept\n<!-- end -->\n"
    filled = report.filled(document, made)
    assert "old" not in filled and "kept" in filled and "after" in filled
    assert report.filled(filled, made) == filled


def test_report_of_the_other_benchmarks():
    axis = {"axis": "batch", "values": [1, 2], "seconds": {"minigan": [1, 2], "torch": [1, 2]},
            "exponents": {key: {"minigan": 1.0, "torch": 0.5} for key in ("seconds", "megabytes")}}  # fmt: skip
    assert "| batch, 1 to 2 | 1.00 | 0.50 | 1.00 | 0.50 |" in report.scaling_table([axis])
    threads = axis | {
        "axis": "threads",
        "serial": {"minigan": 0.5, "torch": 0.0},
        "seconds": {"minigan": [4, 3], "torch": [4, 2]},
    }
    assert "| minigan | 1.33 | 50% | 1.8 | 1.9 |" in report.scaling_table([threads])
    spread = {"median": 0.002, "q1": 0.002, "q3": 0.002}
    kernel = {"workload": "conv", "minigan": spread, "torch": spread, "ratio": 1.0, "gflops": 99.6, "sgemm_gflops": 200}
    assert "| conv | 2.00 | 2.00 | 1.00 | 100 | 200 |" in report.kernels_table([kernel])


def test_every_place_of_the_document_has_a_table():
    documents = "".join((ROOT / "docs" / name).read_text() for name in ("performance.md", "performance/tables.md"))
    names = [name for _, name, _ in report.PLACE.findall(documents)]
    assert len(set(names)) == len(names) and set(names) <= {*report.TABLES, "machine", "summary"}
    assert {"machine", "train_step"} <= set(names)


def test_exponent_is_of_the_larger_half():
    assert scaling.exponent([1, 2, 4, 8], [5.0, 5.0, 16.0, 64.0]) == pytest.approx(2)
    assert scaling.exponent([1, 2], [4.0, 2.0]) == pytest.approx(-1)


def test_baseline_is_of_the_guards_figures():
    baseline = json.loads(guard.BASELINE.read_text())
    for method, known in baseline.items():
        assert method in guard.TOLERANCE
        assert set(known["figures"]) == set(guard.FIGURES)


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_networks_are_the_zoos_and_pytorchs_fit_them(name):
    pytorch = pytest.importorskip("benchmarks.pytorch")
    workload = workloads.WORKLOADS[name]
    trainer = workloads.minigan_trainer(workload)
    settings = {"image_size": workload.side, "channels": workload.channels, "z_dim": workload.z_dim}
    settings["width"] = workload.width
    zoo = gan.build({"model": workload.model, **settings}, trainer.game.rng)
    if workload.gamma:  # D is one without batch norm, as WGAN-GP's
        zoo = zoo[0], gan.build({"model": "wgan_gp", **settings}, trainer.game.rng)[1]
    for ours, theirs, original in zip(
        (trainer.game.generator, trainer.game.discriminator), pytorch.build(workload), zoo, strict=True
    ):
        shapes = {key: tuple(value.shape) for key, value in ours.state_dict().items()}
        assert shapes == {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
        assert shapes == {key: value.shape for key, value in original.state_dict().items()}


@pytest.mark.parametrize("module", [child, guard, parallel, report, scaling])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_without_a_gpu_its_benchmarks_say_so_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.train_step", "--device", "cuda"],
        cwd=ROOT, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_who_takes_part_on_a_gpu():
    pytest.importorskip("torch")
    gpu_step = pytest.importorskip("benchmarks.gpu_step")
    made = gpu_step.contenders(backends.get("numpy"), gpu_step.MNIST | {"width": 2}, 2, "cuda")
    kinds = ("minigan", "minigan_eager", "torch_nchw", "torch_channels_last", "compiled", "graphed")
    assert set(made) == {f"{kind} {precision}" for kind in kinds for precision in ("float32", "TF32")}
    with pytest.raises(RuntimeError, match="backend 'numpy' captures nothing"), pytest.warns(RuntimeWarning):
        made["minigan float32"]()()  # which claims to be captured, and is not


@pytest.mark.parametrize("tf32", [True, False])
def test_pytorchs_float32_is_float32(tf32, monkeypatch):
    """cuDNN's convolutions take TF32 unless they are told not to."""
    torch = pytest.importorskip("torch")
    from benchmarks import gpu_step

    places = torch.backends.cudnn, torch.backends.cuda.matmul
    before, linear, seen = [place.allow_tf32 for place in places], torch.nn.functional.linear, []

    def watched(*args):
        seen.append([place.allow_tf32 for place in places])
        return linear(*args)

    monkeypatch.setattr(torch.nn.functional, "linear", watched)
    try:
        for place in places:
            place.allow_tf32 = not tf32
        gpu_step.torch_step(gpu_step.MNIST | {"width": 2}, np.zeros((2, 1, 28, 28), np.float32), "cpu", tf32)()
        assert seen and all(flags == [tf32, tf32] for flags in seen)
    finally:
        for place, allowed in zip(places, before, strict=True):
            place.allow_tf32 = allowed


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        importlib.import_module(f"benchmarks.{command}").main()
    assert "usage:" in capsys.readouterr().out
