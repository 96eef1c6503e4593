"""The README's Python runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from minigan import data

README = (Path(__file__).parent.parent / "README.md").read_text()
PROGRAMS = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import" in code.split("\n")[0]]


@pytest.mark.parametrize("code", PROGRAMS, ids=lambda code: code.split("\n")[0])
def test_program(code, monkeypatch, capsys):
    few = data.Dataset(data.mnist().images[:192])
    monkeypatch.setattr(data, "mnist", lambda: few)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    if "trainer" in names:
        assert names["trainer"].step_count == 3 and capsys.readouterr().out.count("Record(step") == 3
        assert names["images"].shape == (16, 1, 28, 28) and np.abs(names["images"]).max() <= 1
    else:
        np.testing.assert_allclose(names["slope"].numpy(), [3, 12])
        np.testing.assert_allclose(names["curvature"].numpy(), [6, 12])


def test_both_programs_are_found():
    assert len(PROGRAMS) == 2
