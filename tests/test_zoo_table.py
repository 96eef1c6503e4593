"""benchmarks/zoo.py: a row for every model, each a command that can be typed, and tables of what they came to."""

import numpy as np
import pytest
from small_models import PICTURES

from benchmarks import zoo
from benchmarks.training import trained
from minigan import cli
from minigan.errors import InputError


def test_every_model_has_a_row():
    assert {row.model for row in zoo.ROWS} == set(PICTURES)
    assert len({row.name for row in zoo.ROWS}) == len(zoo.ROWS)


@pytest.mark.parametrize("row", zoo.ROWS, ids=lambda row: row.name)
def test_each_command_is_understood(row, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "QUICK", "--threads 1")  # Numba need not be there
    program, flag, module, *arguments = row.command.split()
    assert (program, flag, module) == ("python", "-m", "minigan")
    assert cli.main([*arguments, "--data", "nowhere"]) != 0  # the data is all that it stumbles over
    assert "nowhere" in capsys.readouterr().err


def test_a_picture_has_a_column_for_each_class():
    wanted = np.random.default_rng(0).integers(0, 10, 500)
    assert (wanted[zoo.shown(wanted)].reshape(-1, zoo.COLUMNS) == np.arange(10)).all()


def test_tables():
    shares = dict.fromkeys(("precision", "recall", "coverage", "copies_share_below"), 0.5)
    scores = shares | {"frechet_distance": 1.25, "second_frechet_distance": 0.75, "steps": 2000, "minutes": 3.21}
    asked = {"modes_found": 9, "modes": 10, "accuracy": 0.975}
    made = zoo.tables({"cgan": scores | asked, "dog": scores | {"accuracy": None, "minutes": None}})
    assert "| cgan | 1.25 | 0.75 | 0.500 | 0.500 | 0.500 | 9 of 10 | 97.5% | 50.0% | 2,000 | 3.2 |" in made["zoo"]
    assert "| 0.500 |  |  | 50.0% | 2,000 |  |" in made["animals"] and "--class dog" in made["animals"]


def test_a_run_is_trained_once_and_gone_on_with(tmp_path, capfd):
    """A program in place of a training: it writes down how it was called, and leaves a model even where it fails."""
    program = tmp_path / "program.py"
    program.write_text(
        "import pathlib, sys\n"
        "print(*sys.argv[1:])\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])\n"
        "out.mkdir(exist_ok=True)\n"
        "(out / 'metrics.jsonl').touch()\n"
        "(out / 'model.safetensors').touch()\n"
        "sys.exit(3 if 'fail' in sys.argv and '--resume' not in sys.argv else 0)\n"
    )
    command, out = f"python {program} --steps 3", tmp_path / "out"
    minutes = trained(command, out, "--quiet")
    assert minutes is not None and minutes > 0
    assert trained(command, out, "--quiet") is None  # there already
    assert capfd.readouterr().out == f"--steps 3 --out {out} --quiet\n"
    stopped = tmp_path / "stopped"
    with pytest.raises(InputError, match="stopped: the training ended with exit code 3"):
        trained(command, stopped, "fail")
    assert trained(command, stopped, "fail") is None  # gone on with: nobody knows what the first part took
    assert capfd.readouterr().out == f"--steps 3 --out {stopped} fail\n--steps 3 --out {stopped} fail --resume\n"
