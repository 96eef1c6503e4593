"""Text models from a file to samples that are read, and the example with its baselines."""

import sys

import numpy as np
import pytest
from commands import ROOT

from minigan import cli, data, gan
from minigan.errors import InputError
from minigan.media import Text, medium_of

SETTINGS = {"alphabet": "\nabcd", "length": 6, "z_dim": 8, "width": 8}


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\n".join(f"{a}{b}{a}" for a in "abcdef" for b in "lmno"))
    return path


def test_one_writes_letters_the_other_probabilities(rng):
    z = rng.standard_normal((20, 8))
    for name, sure in (("text_gumbel", True), ("text_wgan", False)):
        generator, _ = gan.build({"model": name, **SETTINGS}, np.random.default_rng(0))
        made = gan.generate(generator, z)
        assert made.shape == (20, 5, 6)
        np.testing.assert_allclose(made.sum(1), 1, rtol=1e-6)
        assert (set(np.unique(made)) == {0, 1}) is sure
        np.testing.assert_array_equal(gan.generate(generator, z), made)  # a function of z


def test_a_letter_depends_on_those_before_it_and_not_on_those_after(rng):
    generator, _ = gan.build({"model": "text_gumbel", **SETTINGS}, np.random.default_rng(0))
    z = rng.standard_normal((50, 8))
    whole = gan.generate(generator, z)
    generator.length = 3
    np.testing.assert_array_equal(gan.generate(generator, z), whole[:, :, :3])


@pytest.mark.parametrize("alphabet", ["", "a", "aa", 5, None])
def test_alphabets_that_cannot_be(alphabet):
    for name in ("text_wgan", "text_gumbel"):
        with pytest.raises(InputError, match="must be a string of different characters"):
            gan.build({"model": name, **SETTINGS, "alphabet": alphabet}, np.random.default_rng(0))


def test_texts_are_written_and_drawn(tmp_path):
    medium = medium_of({"model": "text_wgan", **SETTINGS})
    assert type(medium) is Text
    samples = np.eye(5)[[[1, 2, 0, 3, 3, 3], [4, 4, 4, 4, 4, 4], [0, 1, 1, 1, 1, 1]]].transpose(0, 2, 1)
    (path,) = medium.save(tmp_path / "a.txt", samples)
    assert path.read_text() == "ab\ndddddd\n\n"
    picture = medium.picture(samples)
    assert picture.min() < 100 and picture[-14:].mean() == 255  # black on white; the last text is empty
    assert medium.one(samples[0]).size < picture.size


@pytest.mark.parametrize("model", ["text_wgan", "text_gumbel"])
def test_from_a_file_to_samples(model, names, tmp_path, capsys):
    out = tmp_path / "run"
    for command in (
        ["train", "--model", model, "--data", names, "--steps", 2, "--width", 4, "--out", out, "--quiet",
         "--batch-size", 4],
        ["sample", out, "-n", 5, "--out", tmp_path / "five.txt"],
        ["interpolate", out, "--rows", 2, "--steps", 3, "--out", tmp_path / "walks.txt"],
        ["report", out],
    ):  # fmt: skip
        assert cli.main([str(word) for word in command]) == 0
    assert "5 texts in" in capsys.readouterr().out
    lines = (tmp_path / "five.txt").read_text().split("\n")
    assert len(lines) == 6 and set("".join(lines)) <= set("abcdeflmno")
    assert "<pre>" in (out / "report.html").read_text()
    assert cli.main(["train", "--model", model, "--out", str(tmp_path / "no")]) == 2
    assert "learns from text: name a UTF-8 file" in capsys.readouterr().err


def test_the_example_measures_beside_chains(names, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "examples")
    import text_gan

    arguments = ["x", "--data", str(names), "--dry-run", "--quiet", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    assert text_gan.main() == 0
    table = (tmp_path / "out/judged.md").read_text()
    assert table in capsys.readouterr().out
    rows = {cells[1].strip(): cells for cells in (line.split("|") for line in table.splitlines())}
    assert {"text_gumbel", "independent letters", "4-gram chain", "texts learned from"} <= rows.keys()
    assert rows["texts learned from"][5].strip() == "0%" and float(rows["bigram chain"][2]) < float(
        rows["text_gumbel"][2]
    )


def test_the_bundled_names_give_the_known_baselines(monkeypatch):
    """Those that everything is compared with."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    import text_gan

    learned, held = data.text(text_gan.NAMES).split(1263, np.random.default_rng(0))
    assert (len(learned) + len(held), learned.length) == (7159, 16)
    rng = np.random.default_rng(0)
    made = text_gan.baselines(learned, 1263, rng)
    rows = [line.split("|") for line in text_gan.judged(made, learned, list(held.texts)).splitlines()[2:]]
    found = {row[1].strip(): [float(cell) for cell in row[2:5]] for row in rows}
    for name, expected in {
        "independent letters": [0.18, 0.55, 0.89], "bigram chain": [0.02, 0.28, 0.71],
        "trigram chain": [0.02, 0.16, 0.55], "texts learned from": [0.02, 0.15, 0.44],
    }.items():  # fmt: skip
        np.testing.assert_allclose(found[name], expected, atol=0.025)
