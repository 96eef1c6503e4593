"""examples/toy_gan.py from end to end, in a process of its own: table, picture, and a clear word when asked wrong."""

import json

import numpy as np
import pytest
from commands import ROOT, contents, python
from PIL import Image

EXAMPLE = ROOT / "examples" / "toy_gan.py"
SHORT = ["--quiet", "--steps", "10", "--batch-size", "20"]


def test_a_table_and_a_picture(tmp_path):
    done = python(EXAMPLE, *SHORT, "--seeds", "0", "3", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "out/toy-gan/modes.png" in done.stdout
    out = tmp_path / "out" / "toy-gan"
    assert {path.name for path in out.iterdir() if path.is_file()} == {"metrics.jsonl", "modes.png"}

    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    runs = [(line["model"], line["seed"]) for line in lines]
    assert runs == [(model, seed) for model in ("gan", "pacgan2", "wgan_gp") for seed in (0, 3)]
    for line in lines:
        assert line["steps"] == 10 and line["modes"] == 25
        assert 0 <= line["modes_found"] <= 25 and 0 <= line["high_quality"] <= 1
        assert 0 <= line["reverse_kl"] <= np.log(25) + 1e-12
        shown = f"{line['modes_found']}/25 modes, {100 * line['high_quality']:.0f} % high quality"
        assert any(row.startswith(line["model"]) and shown in row for row in done.stdout.splitlines())
    with Image.open(out / "modes.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[0] > pixels.shape[1] > 400  # three rows, two columns
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50  # something is drawn


def test_the_seed_decides_and_nothing_is_overwritten(tmp_path):
    argv = [*SHORT, "--models", "wgan_gp", "--seeds"]
    for seed in (1, 1, 2):
        assert python(EXAMPLE, *argv, seed, cwd=tmp_path).returncode == 0
    tables = [(tmp_path / "out" / name / "metrics.jsonl").read_text() for name in ("toy-gan", "toy-gan-2", "toy-gan-3")]
    assert tables[0] == tables[1]
    assert json.loads(tables[2])["seed"] == 2
    pictures = [(tmp_path / "out" / name / "modes.png").read_bytes() for name in ("toy-gan", "toy-gan-2", "toy-gan-3")]
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--backend", "tpu"], "error: unknown backend 'tpu': choose one of reference, numpy, numba, cupy"),
        (["--batch-size", "3", "--models", "pacgan2"], "error: Packed: a batch of 3 cannot be packed in groups of 2"),
        (["--out", "file"], "error: cannot write to the output folder file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, argv, message):
    (tmp_path / "file").write_text("mine")
    done = python(EXAMPLE, *SHORT, *argv, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--models", "stylegan"], "argument --models: invalid choice: 'stylegan'"),
        (["--steps", "0"], "argument --steps: 0 is not a whole number of at least 1"),
        (["--seeds", "-1"], "argument --seeds: -1 is not a whole number of at least 0"),
        (["--seeds"], "argument --seeds: expected at least one argument"),
        (["--batch-size", "many"], "argument --batch-size: many is not a whole number of at least 1"),
    ],
)
def test_usage(tmp_path, argv, message):
    done = python(EXAMPLE, *argv, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert contents(tmp_path) == {}
