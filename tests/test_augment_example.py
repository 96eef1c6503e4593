"""examples/augment.py: whom it trains on what, that its classifiers learn, and the table that comes of it."""

import argparse
import doctest
import json

import numpy as np
import pytest
from commands import ROOT, python
from PIL import Image

from examples import augment
from minigan import backend, data
from minigan.data import Dataset
from minigan.tensor import Tensor

EXAMPLE = ROOT / "examples" / "augment.py"


class Bar:
    def update(self):
        pass


@pytest.fixture(scope="module")
def digits():
    return augment.balanced(data.mnist("train"), 200, np.random.default_rng(0))


def settings(**changes):
    return argparse.Namespace(**{"seed": 0, "batch_size": 20} | changes)


def test_dry_run(tmp_path):
    done = python(EXAMPLE, "--dry-run", "--quiet", "--threads", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    out = tmp_path / "out" / "augment"
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line.pop("labels") for line in lines] == [40, 50]
    for line in lines:
        assert list(line) == ["nothing", "shifts", "GAN", "shifts and GAN"]
        assert all(len(values) == 2 and all(0 <= value <= 1 for value in values) for values in line.values())
    table = (out / "table.md").read_text()
    assert table in done.stdout
    assert [row.split(" | ")[0] for row in table.splitlines()] == ["| labelled digits", "|--:|--:|--:|--:|--:|",
                                                                   "| 40", "| 50"]  # fmt: skip
    for picture in ("accuracy.png", "samples/labels-40.png", "samples/labels-50.png"):
        with Image.open(out / picture) as image:
            image.load()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--labels", "105"], "error: --labels 105: give a multiple of 10"),
        (["--labels", "30"], "error: --labels 30: give a multiple of 10, and at least 4 of each class"),
        (["--batch-size", "6"], "error: --batch-size 6: D judges 4 digits at a time, give a multiple of 4"),
        (["--backend", "tpu"], "error: unknown backend 'tpu'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, argv, message):
    done = python(EXAMPLE, "--quiet", *argv, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_as_many_digits_of_each_class_and_none_twice(digits):
    assert np.bincount(digits.labels).tolist() == 10 * [20]
    assert len(np.unique(digits.images, axis=0)) == 200


def test_every_digit_is_shown_before_any_is_shown_again(digits):
    few = Dataset(digits.images[:7], np.arange(7), digits.classes)
    batches = augment.shuffled(few, 3, np.random.default_rng(0))
    labels = np.concatenate([next(batches)[1] for _ in range(7)]).reshape(3, 7)
    assert all(sorted(turn) == list(range(7)) for turn in labels.tolist())
    images, labels = next(batches)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, few.images[labels] / 127.5 - 1, atol=1e-6)


def test_a_classifier_learns(digits):
    test = data.mnist("test")
    test = Dataset(test.images[:500], test.labels[:500], test.classes)
    network = augment.learn(digits, None, False, 0, settings(steps=40), backend.get("numpy"), Bar())
    assert augment.accuracy(network, test) > 0.5


def test_the_seed_decides(digits):
    networks = [augment.learn(digits, None, True, s, settings(steps=2), backend.get("numpy"), Bar()) for s in (0, 0, 1)]
    weights = [b"".join(array.tobytes() for array in network.state_dict().values()) for network in networks]
    assert weights[0] == weights[1] != weights[2]


def test_half_of_each_batch_is_generated(digits, monkeypatch):
    seen = []
    entropy = augment.cross_entropy
    monkeypatch.setattr(augment, "cross_entropy", lambda logits, labels: seen.append(labels) or entropy(logits, labels))
    real = Dataset(digits.images, np.zeros(200, int), digits.classes)
    drawn = Dataset(digits.images, np.full(200, 9), digits.classes)
    augment.learn(real, drawn, True, 0, settings(steps=2), backend.get("numpy"), Bar())
    assert [np.bincount(labels, minlength=10).tolist() for labels in seen] == 2 * [[10, *8 * [0], 10]]


def test_shifted_digits_are_moved_over_black(digits, monkeypatch):
    seen = []
    translate = augment.translate
    monkeypatch.setattr(augment, "translate", lambda x, offsets: seen.append(translate(x, offsets)) or seen[-1])
    augment.learn(digits, None, True, 0, settings(steps=1), backend.get("numpy"), Bar())
    (x,) = seen
    corners = x.numpy()[:, :, [0, -1], :][..., [0, -1]]
    assert np.allclose(corners, 0)  # 0 here is -1, black, for the classifier
    assert x.numpy().max() == 2


def test_d_is_shown_different_digits_of_one_class(digits):
    images, labels = next(augment.packs(digits, 5, np.random.default_rng(0)))
    assert images.shape == (20, 1, 28, 28) and images.min() == -1
    assert all(len(set(pack)) == 1 for pack in labels.reshape(5, 4).tolist())
    assert all(len(np.unique(pack, axis=0)) == 4 for pack in images.reshape(5, 4, 784))

    d = augment.PackedByClass(4, 10, np.random.default_rng(0))
    judged = d(Tensor(images), labels).numpy()
    assert judged.shape == (5, 1)
    d.eval()
    before = d(Tensor(images), labels).numpy()
    images[7] = images[11]  # of the second pack
    changed = d(Tensor(images), labels).numpy() != before
    assert changed.ravel().tolist() == [False, True, False, False, False]


def test_the_gan_draws_as_many_of_each_class(digits):
    streams = [np.random.default_rng(seed) for seed in range(4)]
    drawn = augment.forge(digits, settings(width=4, gan_steps=2, dry_run=True), backend.get("numpy"), streams, Bar())
    assert np.bincount(drawn.labels).tolist() == 10 * [10]
    assert drawn.images.dtype == np.uint8 and drawn.images.std() > 0


def test_the_verdict_compares_classifiers_of_one_seed():
    found = {"nothing": [0.5, 0.7], "shifts": [0.8, 0.8], "GAN": [0.6, 0.8], "shifts and GAN": [0.7, 0.8]}
    assert augment.verdict(found) == (
        "the GAN's digits change the accuracy by +10.0 ± 0.0 points on top of nothing, "
        "-5.0 ± 7.1 points on top of shifts"
    )
    assert augment.table({100: found}).splitlines()[-1] == (
        "| 100 | 60.0 ± 14.1 % | 80.0 ± 0.0 % | 70.0 ± 14.1 % | 75.0 ± 7.1 % |"
    )


def test_examples_in_docstrings():
    assert doctest.testmod(augment).failed == 0
