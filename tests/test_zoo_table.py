"""benchmarks/zoo.py: a row for every model, each a command that can be typed, and tables of what they came to."""

import numpy as np
import pytest
from small_models import PICTURES

from benchmarks import zoo
from minigan import cli


def test_every_model_has_a_row():
    assert {row.model for row in zoo.ROWS} == set(PICTURES)
    assert len({row.name for row in zoo.ROWS}) == len(zoo.ROWS)


@pytest.mark.parametrize("row", zoo.ROWS, ids=lambda row: row.name)
def test_each_command_is_understood(row, capsys):
    program, flag, module, *arguments = row.command.split()
    assert (program, flag, module) == ("python", "-m", "minigan")
    assert cli.main([*arguments, "--data", "nowhere"]) != 0  # the data is all that it stumbles over
    assert "nowhere" in capsys.readouterr().err


def test_a_picture_has_a_column_for_each_class():
    wanted = np.random.default_rng(0).integers(0, 10, 500)
    assert (wanted[zoo.shown(wanted)].reshape(-1, zoo.COLUMNS) == np.arange(10)).all()


def test_tables():
    names = ("frechet_distance", "kernel_distance", "kernel_distance_standard_error", "precision", "recall", "coverage")
    scores = dict.fromkeys(names, 0.5) | {"modes_found": 9, "modes": 10, "reverse_kl": 0.1, "accuracy": 0.975}
    made = zoo.tables({"cgan": scores, "dog": scores | {"accuracy": None}})
    assert "| 9 of 10 |" in made["zoo"] and "97.5%" in made["zoo"] and "--class dog" in made["animals"]
