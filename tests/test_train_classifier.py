"""examples/train_classifier.py: a tiny training writes what load_extractor reads."""

import numpy as np
import pytest
from commands import ROOT, idx_bytes, python

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
    assert "of 200 test images" in done.stdout and str(out) in done.stdout
    extractor = load_extractor(out)
    assert extractor.classes == ("upright", "level") and extractor.accuracy > 0.9
    _, facts = checkpoint.read(out, "classifier")
    assert facts["data"] == f"{tmp_path.name}-train" and len(facts["fingerprint"]) == 8
    pictures = np.zeros((2, 1, 12, 12), np.uint8)
    pictures[0, 0, :, 5:7] = pictures[1, 0, 5:7] = 250
    assert list(extractor(pictures).probabilities.argmax(1)) == [0, 1]


def test_too_few_to_hold_back(bars, tmp_path):
    write_idx(bars / "train-images-idx3-ubyte", np.zeros((20, 12, 12), np.uint8))
    write_idx(bars / "train-labels-idx1-ubyte", (np.arange(20) % 2).astype(np.uint8))
    done = python(ROOT / "examples/train_classifier.py", "--data", bars, cwd=tmp_path)
    assert done.returncode != 0 and "too few images to hold back 100 a class" in done.stderr
