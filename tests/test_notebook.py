"""In a notebook: a run is shown live, tensors and networks render, and the example's cells run in a real kernel."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from commands import ENVIRONMENT, ROOT

from minigan.runs import live
from minigan.tensor import Tensor


def test_the_example_runs_in_a_kernel(tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONWARNINGS")  # of the kernel's own packages
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(ROOT / "examples/mnist_gan.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # it is kept without them
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.data for output in outputs if "data" in output]
    runs = [data["text/html"] for data in shown if "minigan-live" in data.get("text/html", "")]
    assert len(runs) == 1  # one output, updated in its place
    assert 'max="60" value="60"' in runs[0] and "<svg" in runs[0] and "data:image/png" in runs[0]
    assert "step 60 of 60" in runs[0] and "d_loss" in runs[0]
    assert sum("image/png" in data for data in shown) == 2  # the digits, the walks
    assert any("<pre>Tensor([ 3., 12., 27.]" in data.get("text/html", "") for data in shown)
    assert any("ConvTranspose2d" in data.get("text/html", "") for data in shown)
    said = "".join(output.get("text", "") for output in outputs)
    assert "it/s" not in said and "step/s" not in said  # no bar of a terminal's


def test_only_a_kernel_is_a_notebook(monkeypatch):
    for shell, expected in ((None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert live.in_notebook() is expected
    monkeypatch.delitem(sys.modules, "IPython")
    assert live.in_notebook() is False


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.array([1.0, 3.0], np.float32), "2, float32; 1 to 3, mean 2"),
        (np.zeros((2, 0), np.float32), "2x0, float32"),
        (np.array(4), "a number, int64"),
    ],
)
def test_tensors_render(values, told):
    assert f"<small>{told}</small>" in Tensor(values)._repr_html_()
    if values.dtype.kind == "f":
        assert "requires a gradient" in Tensor(values, requires_grad=True)._repr_html_()
