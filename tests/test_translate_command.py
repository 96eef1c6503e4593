"""train --a --b and minigan translate: a run's folder, its files, any picture; one clear line for what cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import contents
from PIL import Image

from minigan import backend, checkpoint, gan
from minigan.cli import main
from minigan.export import open_subject
from minigan.restoration.picture import Photo
from minigan.runs.folder import is_own, model_of
from minigan.translation import PhotoTranslator, bundled, find

RNG = np.random.default_rng
SMALL = {"model": "cyclegan", "width": 2, "d_width": 2, "blocks": 1}


def look(path):
    with Image.open(path) as opened:
        return opened.mode, np.asarray(opened)


def run(*argv):
    return main([*map(str, argv)])


def translate(*argv):
    return run("translate", *argv, "--threads", "1", "--quiet")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two folders: red ones and blue ones."""
    folder = tmp_path_factory.mktemp("pictures")
    for kind, channel in (("a", 0), ("b", 2)):
        (folder / kind).mkdir()
        for number in range(3):
            pixels = RNG(number).integers(0, 80, (20 + number, 26, 3), np.uint8)
            pixels[:, :, channel] += 150
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    return folder


TRAIN = ("train", "--model", "cyclegan", "--steps", "2", "--batch-size", "2", "--width", "2", "--quiet")


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """The folders of two runs: of whole pictures, and of crops."""
    folder = tmp_path_factory.mktemp("runs")
    for name, how in (("whole", "--size"), ("crops", "--crop")):
        argv = (*TRAIN, "--a", pictures / "a", "--b", pictures / "b", how, 16, "--out", folder / name)
        assert run(*argv, "--ema", "0.5") == 0
    return folder


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(RNG(7).integers(0, 256, (30, 44, 3), np.uint8)).save(path)
    return path


# ---- train ----------------------------------------------------------------------------------------------------------


def test_a_run_leaves_both_translators_and_tells_what_it_did(trained, capsys):
    out = trained / "whole"
    assert {"ab.safetensors", "ba.safetensors", "exchanges.png", "curves.png"} <= {p.name for p in out.iterdir()}
    architecture, _ = checkpoint.read_model(out / "ab.safetensors")
    assert architecture == {"model": "cyclegan", "channels": 3, "width": 2, "whole": 16}
    assert "whole" not in checkpoint.read_model(trained / "crops" / "ab.safetensors")[0]
    record = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"d_a_loss", "d_b_loss", "g_loss", "cycle", "returns"} <= record.keys()
    assert run("report", out) == 0
    page = (out / "report.html").read_text()
    assert "What returns of a picture" in page and "what comes back" in page


def test_it_is_resumed_exactly(pictures, trained, tmp_path):
    argv = [*TRAIN, "--a", pictures / "a", "--b", pictures / "b", "--size", 16, "--ema", "0.5", "--out", tmp_path / "x"]
    argv[argv.index("--steps") + 1] = "1"
    assert run(*argv) == 0
    argv[argv.index("--steps") + 1] = "2"
    assert run(*argv, "--resume") == 0
    whole, parts = (
        checkpoint.read(folder / "checkpoints" / "step-00000002.safetensors", "checkpoint")
        for folder in (trained / "whole", tmp_path / "x")
    )
    assert whole[0].keys() == parts[0].keys() and whole[1]["trainer"] == parts[1]["trainer"]
    assert all(np.array_equal(array, parts[0][name]) for name, array in whole[0].items())


REFUSED = {
    "one kind": (["--a", "a"], "name two folders, --a DIR --b DIR"),
    "data of one kind": (["--a", "a", "--b", "b", "--data", "a"], "--data a: cyclegan learns from pictures of two"),
    "size and crop": (["--a", "a", "--b", "b", "--size", "8", "--crop", "8"], "--size 8 does nothing beside --crop"),
    "a task": (["--a", "a", "--b", "b", "--task", "denoise"], "--task denoise does nothing with a model that does not"),
    "latents": (["--a", "a", "--b", "b", "--z-dim", "8"], "--z-dim 8 does nothing"),
    "a penalty": (["--a", "a", "--b", "b", "--penalty", "r1"], "--penalty r1 does nothing with a model that learns"),
    "a class": (["--a", "a", "--b", "b", "--class", "x"], "--class x: cyclegan learns from pictures of any kind"),
    "no folder": (["--a", "a", "--b", "none"], "none does not exist, expected a folder of pictures"),
    "too small": (["--a", "a", "--b", "b", "--size", "11"], "--size 11: the detectives judge no less than 12 pixels"),
    "small ones": (["--a", "a", "--b", "b", "--crop", "25"], "26x20 pixels, smaller than the crops of 25"),
    "kinds for noise": (
        ["--a", "a", "--model", "dcgan"],
        "--a a does nothing with a model that does not learn from two",
    ),
    "into b": (["--a", "a", "--b", "b", "--out", "b/out"], "lies in the folder of pictures b"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_told_in_a_line(pictures, monkeypatch, capsys, name):
    argv, message = REFUSED[name]
    monkeypatch.chdir(pictures)
    before = contents(pictures)
    where = [] if "--out" in argv else ["--out", "x"]
    assert run("train", "--model", "cyclegan", "--steps", "1", "--quiet", *where, *argv) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1 and contents(pictures) == before


# ---- translate ------------------------------------------------------------------------------------------------------


def test_a_whole_picture_is_brought_to_the_size_that_was_learned(trained, photo, tmp_path, capsys):
    before = photo.read_bytes()
    assert translate(photo, "--model", trained / "whole", "--compare") == 0
    _, made = look(tmp_path / "photo-ab.png")
    assert (
        made.shape == (16, 16, 3) and photo.read_bytes() == before and "photo-ab.png: 16x16" in capsys.readouterr().out
    )
    assert look(tmp_path / "photo-ab-compare.png")[1].shape == (16, 36, 3)


def test_a_model_of_crops_takes_a_picture_of_any_size(trained, photo, tmp_path):
    assert translate(photo, "--model", trained / "crops", "--out", tmp_path / "x.png") == 0
    whole = look(tmp_path / "x.png")[1]
    assert whole.shape == (30, 44, 3)
    assert translate(photo, "--model", trained / "crops", "--out", tmp_path / "y.png", "--tile", "16") == 0
    assert look(tmp_path / "y.png")[1].shape == (30, 44, 3)


def test_the_way_and_the_file(trained, photo, tmp_path):
    """A folder with --to, the file itself, and a checkpoint of the same run: its averages."""
    for number, (model, to) in enumerate(
        [
            (trained / "whole", ["--to", "a"]),
            (trained / "whole" / "ba.safetensors", []),
            (trained / "whole" / "checkpoints" / "step-00000002.safetensors", ["--to", "a"]),
            (trained / "whole", []),
        ]
    ):
        assert translate(photo, "--model", model, *to, "--out", tmp_path / f"{number}.png") == 0
    made = [look(tmp_path / f"{number}.png")[1] for number in range(4)]
    assert (made[0] == made[1]).all() and (made[0] == made[2]).all() and (made[0] != made[3]).any()


def test_a_run_goes_before_what_is_bundled_and_is_taken_along(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = trained / "whole" / "ab.safetensors"
    picture = open_subject(file).inputs(1, RNG(0))["picture"]
    for name in ("emoji", "digits"):
        Path(name).symlink_to(trained / "whole")
        assert find(name, None) == (Path(name) / "ab.safetensors", "ab") and is_own(name)
        assert main(["export", name, "--html", "page.html"]) == 0 and Path("page.html").stat().st_size > 10_000
    for source in (model_of(trained / "whole"), trained / "whole" / "checkpoints" / "step-00000002.safetensors"):
        np.testing.assert_array_equal(open_subject(source)(picture), open_subject(file)(picture))


def test_a_crop_says_where_to_look(trained, photo, tmp_path):
    pixels = look(photo)[1]
    Image.fromarray(pixels[5:25, 3:23]).save(tmp_path / "cut.png")
    assert translate(photo, "--model", trained / "whole", "--crop", 3, 5, 20, "--out", tmp_path / "x.png") == 0
    assert translate(tmp_path / "cut.png", "--model", trained / "whole", "--out", tmp_path / "y.png") == 0
    np.testing.assert_array_equal(look(tmp_path / "x.png")[1], look(tmp_path / "y.png")[1])


def test_transparency_becomes_white():
    network, _ = gan.build(SMALL, RNG(0))
    translator = PhotoTranslator(network.to(backend.get("numpy")), 3, 8)
    pixels = RNG(0).integers(0, 256, (8, 8, 3), np.uint8)
    clear, white = Photo(pixels, alpha=np.zeros((8, 8), np.uint8)), Photo(np.full((8, 8, 3), 255, np.uint8))
    made = [translator.photo(photo) for photo in (clear, white)]
    np.testing.assert_array_equal(made[0].pixels, made[1].pixels)
    assert made[0].alpha is None
    parts = PhotoTranslator(translator.network, 3, None)  # takes a picture of any size, and keeps what is transparent
    made = [parts.photo(photo) for photo in (clear, white)]
    np.testing.assert_array_equal(made[0].pixels, made[1].pixels)
    assert made[0].alpha is clear.alpha


def test_a_grey_network_makes_grey_pictures(photo, tmp_path):
    architecture = {**SMALL, "channels": 1, "whole": 8}
    checkpoint.save_model(tmp_path / "grey.safetensors", gan.build(architecture, RNG(0))[0], architecture)
    assert translate(photo, "--model", tmp_path / "grey.safetensors") == 0
    mode, made = look(tmp_path / "photo-grey.png")
    assert mode == "L" and made.shape == (8, 8)


UNKNOWN = {
    "no such model": (["--model", "none"], "none: there is no such file or folder, and bundled is "),
    "a folder without": (["--model", "."], "holds no ab.safetensors: give the folder of a run of train --a --b"),
    "two ways in one file": (["--model", "ab.safetensors", "--to", "a"], "--to a does nothing with one translator"),
    "a generator": (["--model", "dcgan.safetensors"], "dcgan draws what it makes of noise: minigan sample"),
    "a restorer": (["--model", "dncnn.safetensors"], "dncnn restores pictures: minigan restore"),
    "a crop of crops": (["--model", "crops.safetensors", "--crop", "0", "0", "8"], "--crop 0 0 8 does nothing with"),
    "a crop outside": (["--model", "ab.safetensors", "--crop", "30", "0", "20"], "does not lie in a picture of 44x30"),
    "over the model": (["--model", "ab.safetensors", "--out", "ab.safetensors"], "--out ab.safetensors: name a file"),
    "over the picture": (["--model", "ab.safetensors", "--out", "photo.png"], "would overwrite a PICTURE"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_translated_is_told_in_a_line(photo, tmp_path, monkeypatch, capsys, name):
    models = {
        "ab": {**SMALL, "whole": 8},
        "crops": SMALL,
        "dcgan": {"model": "dcgan", "width": 2, "z_dim": 3},
        "dncnn": {"model": "dncnn", "width": 2, "task": "denoise"},
    }
    for file, architecture in models.items():
        checkpoint.save_model(tmp_path / f"{file}.safetensors", gan.build(architecture, RNG(0))[0], architecture)
    monkeypatch.chdir(tmp_path)
    argv, message = UNKNOWN[name]
    if name == "a folder without":
        (tmp_path / "ab.safetensors").unlink()
    before = contents(tmp_path)
    assert translate("photo.png", *argv) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1 and contents(tmp_path) == before


# ---- what is bundled ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", bundled())
def test_what_is_bundled_is_small_and_says_how_it_was_trained(name):
    path, _ = find(name, None)
    _, facts = checkpoint.read(path, "model")
    assert path.stat().st_size < 1_000_000 and facts["trained_by"].startswith("python examples/")
