"""The exercises of docs/learn: each has a solution that passes, an answer that does not, and its place in a chapter."""

import json
import re

import pytest
from commands import ROOT

from minigan import cli
from minigan.study.exercises import EXERCISES, check
from minigan.study.notebook import CHAPTERS, notebook

SOLUTIONS = ROOT / "tests/solutions"

# A wrong answer in the gap of each, and what is said of it.
WRONG = {
    "1.1": (
        "return g * x",
        "exp_vjp(1.0, e^0.0, 0.0): 0, expected 1",
    ),
    "1.2": (
        "return 2 * (x * y + x) * y, 0",
        "dz/dx at x = 1.0",
    ),
    "1.3": (
        "return list(graph)[:1] + sorted(list(graph)[1:])",
        "comes before",
    ),
    "2.1": (
        "return g.sum(0)",
        "sum_to of (4, 3) to (1, 3): the shape is (3,), expected (1, 3)",
    ),
    "2.2": (
        "return np.cumsum(g)",
        "must be <A^T g, x>",
    ),
    "2.3": (
        "x, g = np.ones(inputs), np.ones(outputs)\n    return abs(g @ f(x) - f_adjoint(g) @ x)",
        "are x and g random",
    ),
    "3.1": (
        "return (n + 2 * padding) // stride",
        "output_size(28, 4, 2, 1): 15, expected 14",
    ),
    "3.2": (
        "return x",
        "a (5, 5) picture, kernel (3, 3), stride 1, padding 0: the shape is (2, 3, 5, 5), expected (2, 4, 3, 3)",
    ),
    "3.3": (
        "return g[:, :3]",
        "a (5, 5) picture",
    ),
    "4.1": (
        "return (x - x.mean()) / x.std()",
        "normalise: ",
    ),
    "4.2": (
        "return (g - g.mean(0)) / np.sqrt(x.var(0) + eps)",
        "takes the spread for a constant",
    ),
    "4.3": (
        "return (1 - momentum) * running_mean + momentum * x.mean(0), (1 - momentum) * running_var + momentum * x.var(0)",
        "divide by 5",
    ),
    "5.1": (
        "return q / (p + q)",
        "best_belief: 1 at (2,), expected 0",
    ),
    "5.2": (
        "return np.log(1 + np.exp(-logits))",
        "take no logarithm",
    ),
    "5.3": (
        "s = 1 / (1 + np.exp(-logits))\n    return s - 1, -s",
        "the minimax slope",
    ),
    "6.1": (
        "x = Tensor(x, requires_grad=True)\n    return grad(f(x).sum(), [x])[0].numpy()",
        "second_derivative: ",
    ),
    "6.2": (
        "share = rng.random(real.shape)\n    return share * real + (1 - share) * fake",
        "have different shares",
    ),
    "6.3": (
        "x = Tensor(x, requires_grad=True)\n    (slope,) = grad(critic(x).sum(), [x])\n    return (((slope * slope).sum(1) ** 0.5 - 1) ** 2).mean() * 10",
        "create_graph=True keeps the graph",
    ),
    "7.1": (
        "return np.median(values), values.mean()",
        "the best guess by squares for [-1. -1.  1.]: -1, expected -0.333333",
    ),
    "7.2": ("return 10 * np.log10(255**2 / ((picture - truth) ** 2).mean())", "psnr, with noise of 60"),
    "7.3": ("return sum(kernel // 2 for kernel, dilation in layers)", "reach([(3, 1), (3, 2), (5, 1)]): 4, expected 5"),
    "8.1": (
        "return [(b[1] - b[0], b[0]), (b[0] - b[1], b[1])]",
        "the heap that slope 1.0, offset 0.0 makes of (-1.0, 0.0)",
    ),
    "8.2": ("return 1 - np.abs(back - pictures).mean()", "returns, where the mean picture comes back for each"),
    "8.3": ("kept.append(fake)\n    return fake", "after 11 fakes, 11 are kept, expected at most 10"),
    "9.1": ("return (logits + u).argmax(1)", "choose(logits, u)"),
    "9.2": ("return (verdicts[:, None] * np.eye(len(logits))[chosen]).mean(0)", "try_and_see of logits"),
    "9.3": ("return 0.0", "divergence(['anna', 'hanna'], ['anna', 'otto'], 2): 0, expected"),
}


def answered(number, answer):
    start = EXERCISES[number].file
    assert start.count("return ...") == 1
    return start.replace("return ...", answer)


def test_three_for_each_chapter():
    assert list(EXERCISES) == [f"{chapter}.{n}" for chapter in range(1, 10) for n in (1, 2, 3)]
    assert list(WRONG) == list(EXERCISES)


@pytest.mark.parametrize("number", EXERCISES)
def test_the_solution_is_right(number, tmp_path):
    """It is the exercise's own file, filled."""
    solution = (SOLUTIONS / f"exercise_{number.replace('.', '_')}.py").read_text()
    start = EXERCISES[number].file
    assert solution.startswith(start[: start.index('"""')])
    assert check(EXERCISES[number], tmp_path / "x.py", solution) is None


@pytest.mark.parametrize("number", EXERCISES)
def test_a_wrong_answer_is_told_what_is_wrong(number, tmp_path):
    answer, told = WRONG[number]
    assert told in check(EXERCISES[number], tmp_path / "x.py", answered(number, answer))


@pytest.mark.parametrize("number", EXERCISES)
def test_a_gap_is_not_right(number, tmp_path):
    assert check(EXERCISES[number], tmp_path / "x.py", EXERCISES[number].file)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("return g *", "line 4: invalid syntax"),
        ("return g * z", "line 4: NameError: name 'z' is not defined"),
        ("raise SystemExit(0)", "line 4: SystemExit: 0"),
        ("return 'nothing'", "'nothing' is not made of numbers"),
        ("pass\nexp_vjp = 1\ndel exp_vjp", "exp_vjp is not defined any more"),
    ],
)
def test_mistakes_are_told_by_their_line(answer, told, tmp_path):
    assert told in check(EXERCISES["1.1"], tmp_path / "x.py", answered("1.1", answer))


def run(*argv):
    return cli.main(["learn", *map(str, argv)])


def test_the_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run() == 0
    assert run("start", "1.1") == 0 and run("start", "1.1") == 2  # nothing is overwritten
    assert "is there already" in capsys.readouterr().err
    assert run("check", "exercise-1.1.py") == 1
    assert "not yet" in capsys.readouterr().out
    path = tmp_path / "exercise-1.1.py"
    path.write_text(path.read_text().replace("return ...", "return g * y"))
    assert run("check", path) == 0
    assert capsys.readouterr().out == "1.1 The backward of exp: right\n"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))  # as Windows' editor leaves it
    assert run("check", path) == 0 and "right" in capsys.readouterr().out
    assert run("notebook", "3", "--out", "c.ipynb") == 0 and run("notebook", "3", "--out", "c.ipynb") == 2
    assert json.loads((tmp_path / "c.ipynb").read_text())["nbformat"] == 4
    for bad in (("start", "10.1"), ("check", "none.py"), ("notebook", "0"), ("start", "1.2", "--out", "x.txt")):
        assert run(*bad) == 2
    (tmp_path / "other.py").write_text("print(1)\n")
    assert run("check", "other.py") == 2
    assert "does not name an exercise" in capsys.readouterr().err


def test_all_are_listed(capsys):
    run()
    listed = capsys.readouterr().out
    assert all(f"{number}  {exercise.title}\n" in listed for number, exercise in EXERCISES.items())


@pytest.mark.parametrize("chapter", sorted(CHAPTERS.glob("[1-9]-*.md")), ids=lambda path: path.stem)
def test_each_chapter_ends_with_its_exercises(chapter):
    text = chapter.read_text()
    number = chapter.name[0]
    section = text[text.index("## Exercises") :]
    for exercise in EXERCISES.values():
        assert (f"**{exercise.number} {exercise.title}" in section) == (exercise.number[0] == number)
    assert f"python -m minigan learn start {number}.1" in section


@pytest.mark.parametrize("chapter", sorted(CHAPTERS.glob("[1-9]-*.md")), ids=lambda path: path.stem)
def test_notebooks_have_the_chapters_code_and_pictures(chapter):
    made = json.loads(notebook(chapter))
    code = [cell["source"] for cell in made["cells"] if cell["cell_type"] == "code"]
    blocks = re.findall(r"^```python\n(.*?)^```", chapter.read_text(), re.M | re.S)
    assert [block.rstrip() for block in blocks] == [
        source for source in code if not source.startswith("import os\n\nos.makedirs")
    ]
    prose = "".join(cell["source"] for cell in made["cells"] if cell["cell_type"] == "markdown")
    assert "```text" not in prose and "](img/" not in prose
    attached = [name for cell in made["cells"] for name in cell.get("attachments", {})]
    assert len(attached) == prose.count("(attachment:")
