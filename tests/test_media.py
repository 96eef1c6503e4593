"""Samples that are no pictures go the same way as pictures: planted here is a medium that writes rows of numbers."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from browser import WHY_NOT, Browser

from minigan import cli, data, gan, media, nn, viz
from minigan.errors import InputError
from minigan.explore.offline import to_html
from minigan.explore.server import Explorer, Server
from minigan.export import open_subject


class Rows(media.Medium):
    """Samples (N, length), written as text."""

    noun, suffix = "rows", ".txt"

    def picture(self, samples, columns=None):
        assert samples.shape[1] == self.architecture["length"]
        return viz.grid(samples[:, None, None, :], columns)

    def save(self, path, samples, columns=None):
        path.write_text("\n".join(" ".join(f"{x:.2f}" for x in row) for row in samples))
        beside = path.with_suffix(".json")
        beside.write_text(json.dumps(columns))
        return [path, beside]


def networks(*, rng, length, z_dim=3, width=4):
    generator = nn.Sequential(nn.Linear(z_dim, length, rng=rng), nn.Tanh())
    return generator, nn.Sequential(nn.Linear(length, width, rng=rng), nn.LeakyReLU(0.2), nn.Linear(width, 1, rng=rng))


def open_rows(source):
    if source == "mnist":
        raise InputError("rows learns from rows: name a file, --data FILE")
    rows = np.random.default_rng(0).uniform(-1, 1, (40, 5)).astype(np.float32)
    return data.Arrays(rows, name=source, settings={"length": 5})


@pytest.fixture
def rows(monkeypatch):
    plain = gan.MODELS["dcgan"]
    model = replace(plain, name="rows", networks=networks, z_dim=3, batch_size=8, medium="rows", open_data=open_rows)
    monkeypatch.setitem(gan.MODELS, "rows", model)
    monkeypatch.setitem(media.MEDIA, "rows", Rows)


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_from_training_to_samples(rows, tmp_path, capsys):
    out = tmp_path / "run"
    assert run("train", "--model", "rows", "--data", "x", "--steps", "3", "--out", out, "--quiet") == 0
    assert {path.name for path in out.glob("final*")} == {"final.txt", "final.json"}
    assert len((out / "final.txt").read_text().splitlines()) == 64
    assert run("sample", out, "-n", "4", "--out", tmp_path / "four.txt") == 0
    assert "4 rows in" in capsys.readouterr().out and len((tmp_path / "four.txt").read_text().splitlines()) == 4
    assert run("interpolate", out, "--rows", "2", "--steps", "3", "--out", tmp_path / "walks.txt") == 0
    assert (tmp_path / "walks.json").read_text() == "3"
    assert run("report", out) == 0
    assert "<pre>" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["train", "--model", "rows", "--steps", "1"], "name a file, --data FILE"),
        (["train", "--model", "rows", "--data", "x", "--size", "32"], "--size 32 does nothing"),
        (["train", "--model", "rows", "--data", "x", "--class", "a"], "leave it out"),
        (["train", "--model", "rows", "--data", "x", "--metric-every", "5"], "--metric-every 5 does nothing"),
    ],
)
def test_what_is_for_pictures_only_is_refused(rows, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_another_file_than_it_makes_is_refused(rows, tmp_path, capsys):
    out = tmp_path / "run"
    run("train", "--model", "rows", "--data", "x", "--steps", "1", "--out", out, "--quiet")
    assert run("sample", out, "--out", tmp_path / "rows.png") == 2
    assert "name it so" in capsys.readouterr().err
    assert run("evaluate", out) == 2
    assert "no pictures" in capsys.readouterr().err


def test_the_explorer_shows_and_plays_them(rows, tmp_path):
    out = tmp_path / "run"
    run("train", "--model", "rows", "--data", "x", "--steps", "1", "--out", out, "--quiet")
    explorer = Explorer(open_subject(out / "model.safetensors"))
    assert explorer.facts["plays"] == ".txt"
    channels, height, width = explorer.facts["shape"]
    z = explorer.latents({"seed": 0, "count": 3})["z"]
    assert len(explorer.draw({"z": z})) == 3 * channels * height * width
    assert explorer.path({"z": z, "format": "gif"}).startswith(b"GIF")
    assert explorer.path({"z": z, "format": "strip"}).startswith(b"\x89PNG")
    sample = explorer.subject(np.asarray(z[:1], np.float32))[0]
    assert explorer.play({"z": z[:1]})["html"] == f"<pre>{' '.join(f'{x:.2f}' for x in sample)}</pre>"
    for asked, said in ((explorer.play, "ask for one"), (explorer.find, "is no picture")):
        with pytest.raises(InputError, match=said):
            asked({"z": z})
    with pytest.raises(InputError, match="draw pictures"):
        to_html(explorer.subject)


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_the_explorers_page_plays_them(rows, tmp_path):
    out = tmp_path / "run"
    run("train", "--model", "rows", "--data", "x", "--steps", "1", "--out", out, "--quiet")
    with Browser() as browser, Server(open_subject(out / "model.safetensors")) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        page = browser.open(server.address)
        page.wait("document.body.dataset.ready && $('picture').dataset.drawn")
        assert page.run("$('find').hidden && $('hear').offsetParent !== null && $('hear').textContent") == "Read it"
        page.run("$('hear').click()")
        page.wait("$('played').textContent.split(' ').length == 5")
        assert page.problems() == []
        server.shutdown()


def test_every_medium_is_named_by_a_model():
    assert {model.medium for model in gan.MODELS.values()} == set(media.MEDIA)


@pytest.mark.parametrize("name, content, element", [
    ("a.txt", b"<b>", "<pre>&lt;b&gt;</pre>"),
    ("a.wav", b"RIFF", "<audio controls src=\"data:audio/wav;base64,UklGRg=="),
    ("a.gif", b"GIF", "<img src=\"data:image/gif"), ("a.mid", b"MThd", "<a download=\"a.mid\""),
])  # fmt: skip
def test_a_file_in_a_page(tmp_path, name, content, element):
    (tmp_path / name).write_bytes(content)
    assert media.as_html(tmp_path / name).startswith(element)


@pytest.mark.parametrize("alphabet", ["\nab", "\nжя", "\nλω", "\néñ"])
def test_letters_of_many_alphabets_are_drawn_and_not_as_the_same_box(alphabet):
    samples = np.eye(3, dtype=np.float32)[[[1, 1], [2, 2]]].transpose(0, 2, 1)  # two texts, of one letter each
    drawn = [media.Text({"alphabet": alphabet}).one(sample) for sample in samples]
    assert not np.array_equal(*drawn) and all(picture.min() < 128 for picture in drawn)
