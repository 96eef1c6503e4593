"""PacGAN's experiment: its data and networks, runs that go on where they were stopped, the table that comes of them."""

import doctest
import json

import numpy as np
import pytest

from benchmarks import anchors
from benchmarks.anchors import Run
from minigan import InputError, nn
from minigan.data.mixtures import ring_of_gaussians
from minigan.tensor import Tensor


@pytest.fixture
def small(monkeypatch):
    """Few points and thin networks; else as published."""
    for name, value in {"SAMPLES": 60, "BATCH": 10, "JUDGED": 50, "G_WIDTH": 8, "D_WIDTH": 6}.items():
        monkeypatch.setattr(anchors, name, value)
    monkeypatch.setattr(anchors, "MEASURE_EVERY", 2)


def silent(line):
    pass


def contents(folder, run):
    """Results and state of a run, without the time it took."""
    (curve,) = anchors.load(folder).values()
    arrays, facts = anchors.checkpoint.read(folder / f"{run}.safetensors", "checkpoint")
    plain = [{name: value for name, value in one.items() if name != "seconds"} for one in curve]
    return plain, facts["trainer"], {name: array.tobytes() for name, array in arrays.items()}


def test_networks_are_as_published(rng):
    parameters = {name: p.shape for name, p in anchors.generator_(rng).named_parameters()}
    assert sorted(shape for shape in parameters.values() if len(shape) == 2) == [
        (2, 400), (400, 2), (400, 400), (400, 400), (400, 400)
    ]  # fmt: skip
    assert [shape for name, shape in parameters.items() if name.endswith("bias")] == 4 * [(400,)] + [(2,)]
    for pac in (1, 2):
        d = anchors.discriminator_(pac, rng)
        assert [p.shape for p in d.parameters() if p.ndim == 2] == [(1000, 2 * pac), (1000, 200), (1000, 200), (1, 200)]
        weights = np.concatenate([p.data.ravel() for p in d.parameters() if p.ndim == 2])
        assert abs(weights.std() / 0.02 - 1) < 0.01
        assert all(not p.data.any() for p in d.parameters() if p.ndim == 1)


def test_maxout_is_the_librarys_with_the_pieces_in_another_order(rng):
    x = rng.standard_normal((7, 30)).astype(np.float32)
    apart = x.reshape(7, 6, 5).transpose(0, 2, 1).reshape(7, 30)
    ours, theirs = anchors.Maxout(5)(Tensor(apart)), nn.Maxout(5)(Tensor(x))
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_an_epoch_shows_every_pack_once_and_never_splits_one(small, rng):
    data = anchors.packs(ring_of_gaussians().sample(60, rng), 2, rng)
    assert data.shape == (60, 2, 2) and data.dtype == np.float32
    first, again, second = (list(anchors.batches(data, 0, epoch)) for epoch in (0, 0, 1))
    assert [batch.shape for batch in first] == 6 * [(20, 2)]
    seen = np.concatenate(first).reshape(-1, 4)
    assert sorted(map(tuple, seen)) == sorted(map(tuple, data.reshape(-1, 4)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("pac", [1, 2])
def test_a_stopped_run_goes_on_to_the_same_end(small, tmp_path, monkeypatch, pac):
    run = Run("ring", pac, 3)
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    anchors.train(run, tmp_path / "whole", 5, silent)
    steps = anchors.gan.Trainer.steps
    epochs = []

    def killed(trainer, batches):
        epochs.append(0)
        if len(epochs) == 4:
            raise KeyboardInterrupt
        return steps(trainer, batches)

    with monkeypatch.context() as patch:
        patch.setattr(anchors.gan.Trainer, "steps", killed)
        with pytest.raises(KeyboardInterrupt):
            anchors.train(run, tmp_path / "parts", 5, silent)
    lines = []
    anchors.train(run, tmp_path / "parts", 5, lines.append)
    assert [line.split(":")[0] for line in lines] == [f"ring-pac{pac}-seed3, epoch 4", f"ring-pac{pac}-seed3, epoch 5"]
    assert contents(tmp_path / "parts", run) == contents(tmp_path / "whole", run)
    anchors.train(run, tmp_path / "parts", 5, lines.append)
    assert len(lines) == 2  # done is done
    assert [one["epoch"] for one in anchors.load(tmp_path / "whole")[run]] == [2, 4, 5]


def test_seeds_and_games_differ(small, tmp_path):
    runs = [Run("ring", 1, 0), Run("ring", 1, 1), Run("ring", 2, 0), Run("grid", 1, 0)]
    states = []
    for run in runs:
        anchors.train(run, tmp_path, 1, silent)
        arrays, _ = anchors.checkpoint.read(tmp_path / f"{run}.safetensors", "checkpoint")
        states.append(arrays["generator/0.weight"].tobytes())
    assert len(set(states)) == 4
    assert set(anchors.load(tmp_path)) == set(runs)


def found(epoch, modes, quality=0.5, kl=0.25):
    return {"epoch": epoch, "seconds": 1.0, "modes_found": modes, "high_quality": quality, "reverse_kl": kl}


def test_the_table_never_passes_a_short_run_off_as_a_whole_one():
    curves = {
        Run("ring", 1, 0): [found(380, 5), found(400, 6)],
        Run("ring", 1, 1): [found(400, 8, quality=0.75)],
        Run("ring", 1, 2): [found(20, 3)],
        Run("grid", 2, 0): [found(400, 24)],
    }
    assert anchors.table(curves).splitlines()[2:] == [
        "| grid of 25, PacGAN2 | 400 | 1 | 24.0 | 23.8 ± 0.7 | 50.0 % |  | 0.25 |",
        "| ring of 8, GAN | 20 of 400 | 1 | 3.0 | 6.3 ± 0.5 | 50.0 % | 98.2 % | 0.25 |",
        "| ring of 8, GAN | 400 | 2 | 7.0 ± 1.4 | 6.3 ± 0.5 | 62.5 ± 17.7 % | 98.2 % | 0.25 ± 0.00 |",
    ]


def command(monkeypatch, *argv):
    monkeypatch.setattr("sys.argv", ["anchors", *map(str, argv)])
    return anchors.main()


def test_the_command_fills_the_document_and_draws(small, tmp_path, monkeypatch, capsys):
    document, plot = tmp_path / "quality.md", tmp_path / "plots" / "anchors.png"
    document.write_text("before\n<!-- table: anchors -->\nold\n<!-- end -->\nafter\n")
    argv = ["--work", tmp_path / "runs", "--pac", 1, "--seeds", 4, "--epochs", 2]
    assert command(monkeypatch, *argv) == 0
    assert sorted(path.name for path in (tmp_path / "runs").glob("*.json")) == [
        "grid-pac1-seed4.json", "ring-pac1-seed4.json"
    ]  # fmt: skip
    curve = json.loads((tmp_path / "runs" / "ring-pac1-seed4.json").read_text())["curve"]
    assert [one["epoch"] for one in curve] == [2]
    assert "ring-pac1-seed4, epoch 2: " in capsys.readouterr().out
    shown = ["--work", tmp_path / "runs", "--table", "--markdown", document, "--plot", plot]
    assert command(monkeypatch, *shown) == 0
    text = document.read_text()
    assert "old" not in text and text.startswith("before") and text.endswith("after\n")
    assert "| ring of 8, GAN | 2 of 400 | 1 | " in text
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_nothing_to_show_is_said(tmp_path, monkeypatch, capsys):
    assert command(monkeypatch, "--work", tmp_path, "--table") == 2
    assert "holds no results" in capsys.readouterr().err


def test_a_run_of_other_networks_is_refused(small, tmp_path, monkeypatch):
    anchors.train(Run("ring", 1, 0), tmp_path, 1, silent)
    monkeypatch.setattr(anchors, "G_WIDTH", 9)
    with pytest.raises(InputError):
        anchors.train(Run("ring", 1, 0), tmp_path, 2, silent)


def test_examples_in_docstrings():
    assert doctest.testmod(anchors).failed == 0
