"""The explanations: of every op, with right numbers, and of the code that really runs."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from minigan import InputError, cli, ops
from minigan.backend import get
from minigan.study.explain import explain, names
from minigan.study.gradcheck_table import CASES
from minigan.study.spelled import Spelled, spell, values

ROOT = Path(__file__).parent.parent


def test_all_ops_and_operators_are_listed():
    assert set(names()) >= set(ops.__all__) | {"add", "sub", "mul", "div", "neg", "pow", "matmul", "getitem", "sum"}
    assert set(names()) == {case.op for case in CASES}


@pytest.mark.parametrize("name", names())
def test_every_op_is_explained(name):
    text = explain(name)
    for chapter in ("1 formula", "2 its vjp, derived", "3 as textbook loops", "4 checked", "5 where it stands"):
        assert chapter in text
    assert "WRONG" not in text and text.count("): right") == 2
    assert "not spelled out" not in text
    for claimed, measured in re.findall(r"vjp +(\S+)   differences +(\S+)", text):
        assert float(claimed) == pytest.approx(float(measured), abs=1e-6)
    for left, right in re.findall(r"<g, dy> = (\S+) and <d\w+, step> = (\S+)", text):
        assert float(left) == pytest.approx(float(right), abs=1e-5)
    function = getattr(ops, name, None)
    if inspect.isfunction(function):
        assert inspect.getdoc(function).splitlines()[0] in text
    places = re.findall(r"(minigan/[\w/]+\.py):(\d+)$", text, re.MULTILINE)
    assert places
    for path, line in places:
        code = (ROOT / path).read_text().splitlines()[int(line) - 1]
        assert code.strip().startswith(("def ", "@")), (path, line)


def test_numbers_follow_from_each_other():
    """Each spelled-out sum really is the number that it is said to be."""
    for name in ("conv2d", "conv_transpose2d", "matmul", "linear", "mul", "sub"):
        lines = explain(name).split("Term by term:\n")[1].split("\n\n")[0]
        spelled = re.sub(r"\n {6}(?=\S)", " ", lines)  # a long sum goes on in the next line
        checked = 0
        for names_, numbers, result in re.findall(r"(\S+ = .*)\n +=(.*)\n +=(.*)", spelled):
            assert "[" in names_
            assert eval(numbers) == pytest.approx(float(result), rel=1e-4)
            checked += 1
        assert checked >= 2


def test_it_is_the_code_that_is_explained(monkeypatch):
    class Wrong(ops.elementwise.Tanh):
        pass

    monkeypatch.setattr(ops.elementwise.Tanh, "vjp", lambda self, g, y, x: (lambda: g * (1 - y),))
    text = explain("tanh")
    assert "WRONG" in text and "lambda: g * (1 - y)" in text


def test_structure_in_words():
    def said(name):
        return " ".join(explain(name).split())

    assert "y[i] depends on x[i] alone" in said("tanh") and "linear in x" not in said("tanh")
    assert "y is linear in x" in said("conv2d") and "y is linear in w" in said("conv2d")
    for name in ("softmax", "leaky_relu", "log"):
        assert "is linear in" not in said(name)
    assert "is linear in x" not in said("batch_norm") and "is linear in w" in said("batch_norm")
    assert "composed of these" in said("silu") and "composed of these" not in said("relu")


def test_the_compiled_loops_are_shown():
    for name, code in (
        ("batch_norm", "y[i, c] = leaky((x[i, c] - mean[c]) * a[c] + bias[c], slope)"),
        ("relu", "out[i] = below if x[i] <= 0 else x[i]"),
        ("conv2d", "columns[row, a, b, c] = image[n, h, w, c]"),
        ("avg_pool2d", "y[n, i, j, c] += x[n, h, w, c]"),
    ):
        assert code in explain(name), name


def test_kernels_of_every_backend():
    text = explain("batch_norm")
    for place in ("reference  minigan/backend/base.py", "numpy      minigan/backend/numpy", "cupy       minigan/"):
        assert place in text.split("5 where")[1]
    assert "kernel batch_norm_backward" in text


# ---- numbers that remember ------------------------------------------------------------------------------------------


def test_spelled_arithmetic():
    a, b, c = (Spelled(value, name, f"{value:g}") for value, name in ((2.0, "a"), (3.0, "b"), (-4.0, "c")))
    for number, text, value in (
        (a - (b + c), "a - (b + c)", 3.0),
        ((a + b) * c, "(a + b)*c", -20.0),
        (a / (b * c), "a / (b*c)", -1 / 6),
        (a + -b, "a - b", -1.0),
        (-(a + b), "-(a + b)", -5.0),
        (-a * b, "(-a)*b", -6.0),
        ((a + b) ** 2, "(a + b)^2", 25.0),
        (1 - a, "1 - a", -1.0),
        (2 / b, "2 / b", 2 / 3),
        (c * (1 / b), "c / b", -4 / 3),
        (abs(c) * np.sqrt(np.array([a], object))[0], "|c|*sqrt(a)", 4 * 2**0.5),
        (0 + a, "a", 2.0),
        (a * 1, "a", 2.0),
    ):
        assert number.names == text
        assert float(number) == pytest.approx(value)
    assert a * 0 == 0 and 0 / a == 0
    assert (b * c).numbers == "3*(-4)"
    assert a < b and max(a, b, c) is b


def test_the_reference_kernels_run_on_them(rng):
    x, w = rng.standard_normal((1, 2, 3, 3)), rng.standard_normal((2, 2, 2, 2))
    from minigan.backend import ConvGeometry

    backend, geometry = get("reference"), ConvGeometry((3, 3), (2, 2))
    y = backend.conv2d(backend.asarray(spell(x, "x")), backend.asarray(spell(w, "w")), geometry)
    np.testing.assert_allclose(values(y), backend.conv2d(x, w, geometry), rtol=1e-12)
    assert str(y[0, 0, 0, 0].names).count("*") == 8


# ---- the command ----------------------------------------------------------------------------------------------------


def test_command(capsys):
    assert cli.main(["explain", "conv2d"]) == 0
    assert capsys.readouterr().out == explain("conv2d")
    assert cli.main(["explain"]) == 0
    listed = capsys.readouterr().out
    assert [name.strip() for name in listed.replace("\n", " ").split(",")] == names()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("conv", "did you mean conv1d or conv2d"),
        ("Conv2d", "did you mean conv2d?"),
        ("LeakyReLU", "did you mean leaky_relu?"),
        ("zzz", "choose one of abs"),
    ],
)
def test_unknown_op(capsys, name, hint):
    with pytest.raises(InputError, match="unknown op"):
        explain(name)
    assert cli.main(["explain", name]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and hint in shown
