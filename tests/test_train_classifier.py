"""examples/train_classifier.py: a tiny training writes what load_extractor reads."""

import numpy as np
import pytest
from commands import ROOT, idx_bytes, python
from PIL import Image

from minigan import checkpoint
from minigan.metrics import load_extractor


def write_idx(path, array):
    path.write_bytes(idx_bytes(array))


@pytest.fixture
def bars(tmp_path):
    """Two classes, upright and level bars, named; no test split."""
    rng = np.random.default_rng(0)
    labels = np.arange(260) % 2
    images = rng.integers(0, 60, (260, 12, 12))
    images[labels == 0, :, 5:7] = 250
    images[labels == 1, 5:7] = 250
    write_idx(tmp_path / "train-images-idx3-ubyte", images.astype(np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte", labels.astype(np.uint8))
    (tmp_path / "classes.txt").write_text("upright\nlevel\n")
    return tmp_path


def test_it_learns_and_is_read_back(bars, tmp_path):
    out = tmp_path / "bars.safetensors"
    options = ["--width", "4", "--batch-size", "10", "--epochs", "4", "--flip", "--lr", "0.01", "--quiet"]
    done = python(ROOT / "examples/train_classifier.py", "--data", bars, "--out", out, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 52 test images" in done.stdout and str(out) in done.stdout
    extractor = load_extractor(out)
    assert extractor.classes == ("upright", "level") and extractor.accuracy > 0.9
    _, facts = checkpoint.read(out, "classifier")
    assert facts["data"] == f"{tmp_path.name}-train" and len(facts["fingerprint"]) == 8
    pictures = np.zeros((2, 1, 12, 12), np.uint8)
    pictures[0, 0, :, 5:7] = pictures[1, 0, 5:7] = 250
    assert list(extractor(pictures).probabilities.argmax(1)) == [0, 1]


def test_a_judge_that_is_there_is_not_written_over_unless_it_is_named(bars, tmp_path):
    (tmp_path / "classifier.safetensors").write_text("the one of yesterday")
    done = python(ROOT / "examples/train_classifier.py", "--data", bars, cwd=tmp_path)
    assert done.returncode == 2 and "is there already: name the file to write, --out FILE" in done.stderr
    assert (tmp_path / "classifier.safetensors").read_text() == "the one of yesterday"


def test_a_folder_for_each_class(tmp_path):
    rng = np.random.default_rng(0)
    for name, shape in (("level", np.s_[9:15]), ("upright", np.s_[:, 9:15])):
        (tmp_path / "bars" / name).mkdir(parents=True)
        for number in range(60):
            picture = rng.integers(0, 60, (24, 30, 3)).astype(np.uint8)
            picture[:, 3:27][shape] = 250
            Image.fromarray(picture).save(tmp_path / "bars" / name / f"{number}.png")
    argv = ["--data", tmp_path / "bars", "--size", "12", "--channels", "1", "--out", tmp_path / "judge.safetensors"]
    options = ["--width", "4", "--batch-size", "8", "--epochs", "4", "--lr", "0.01", "--quiet"]
    done = python(ROOT / "examples/train_classifier.py", *argv, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 24 test images" in done.stdout
    judge = load_extractor(tmp_path / "judge.safetensors")
    assert judge.classes == ("level", "upright") and judge.image_shape == (1, 12, 12) and judge.accuracy > 0.9


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--size", "12"], "--size 12 does nothing with images that have a size"),
        (["--data", "empty"], "empty has no files, expected pictures"),
        (["--data", "one"], "one: 4 images of cat; at least 5, of which a fifth is held back"),
        (["--data", "loose"], "loose has no labels: put each class into a subfolder"),
    ],
)
def test_what_no_classifier_is_made_of(tmp_path, argv, message):
    for place in ("empty", "one/cat", "one/dog", "loose"):
        (tmp_path / place).mkdir(parents=True)
    for number in range(4):
        for place in ("one/cat", "one/dog", "loose"):
            Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / place / f"{number}.png")
    done = python(ROOT / "examples/train_classifier.py", *argv, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.safetensors"))
