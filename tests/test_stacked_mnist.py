"""examples/stacked_mnist.py: its pictures, networks as published, the count of modes, runs that go on exactly."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from commands import ROOT, python

from examples import stacked_mnist
from minigan import data, gan, metrics, nn
from minigan.tensor import Tensor, no_grad

EXAMPLE = ROOT / "examples" / "stacked_mnist.py"
SMALL = ["--dry-run", "--quiet", "--threads", "1"]


def counts(out):
    return [json.loads(line) for line in (out / "modes.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("pack", [1, 2])
def test_dry_run(tmp_path, pack):
    done = python(EXAMPLE, *SMALL, "--pack", pack, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    out = tmp_path / "out" / "stacked-mnist"
    assert "modes counted by mnist classifier" in done.stdout
    assert "2 steps; pictures in out/stacked-mnist, modes in out/stacked-mnist/modes.jsonl" in done.stdout
    found = counts(out)
    assert [line["step"] for line in found] == [1, 2]
    for line in found:
        assert 1 <= line["modes_found"] <= 50 and line["modes"] == 1000
        assert f"step {line['step']}: {line['modes_found']}/1000 modes" in done.stdout
    assert (out / "curves.png").exists() and (out / "model.safetensors").exists()


def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path):
    for steps, out, more in ((3, "parts", []), (5, "parts", ["--resume"]), (5, "whole", [])):
        done = python(EXAMPLE, *SMALL, "--pack", 2, "--steps", steps, "--out", out, *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for name in ("modes.jsonl", "metrics.jsonl", "model.safetensors"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert [line["step"] for line in counts(tmp_path / "whole")] == [1, 2, 3, 4, 5]


def test_counts_made_after_the_checkpoint_are_forgotten(tmp_path):
    path = tmp_path / "modes.jsonl"
    found = metrics.LabelStatistics(modes_found=3, modes=1000, reverse_kl=1.0, accuracy=None)
    first = stacked_mnist.Counts(path, 0)
    for step in (5, 10, 15):
        first.add(step, found)
    assert stacked_mnist.Counts(path, 10).add(20, found).startswith("step 20: 3/1000 modes")
    assert [line["step"] for line in counts(tmp_path)] == [5, 10, 20]


def test_three_digits_in_three_colours_make_a_number():
    digits = data.mnist("test")
    pictures = stacked_mnist.stack(digits, 40, np.random.default_rng(0))
    assert pictures.image_shape == (3, 28, 28) and len(pictures.classes) == 1000
    assert pictures.images.transpose(0, 2, 3, 1).flags.c_contiguous  # the loader makes no copy
    chosen = np.random.default_rng(0).integers(len(digits), size=(40, 3))
    for image, label, (red, green, blue) in zip(pictures.images, pictures.labels, chosen, strict=True):
        np.testing.assert_array_equal(image, digits.images[[red, green, blue], 0])
        assert f"{label:03d}" == "".join(str(digits.labels[one]) for one in (red, green, blue))


@pytest.mark.parametrize("pack", [1, 2])
def test_networks_are_as_published(pack):
    rng = np.random.default_rng(0)
    made, judged = stacked_mnist.generator(64, rng), stacked_mnist.discriminator(64, 3 * pack, rng)
    assert [p.shape for p in made.parameters() if p.ndim == 4] == [
        (512, 256, 5, 5), (256, 128, 5, 5), (128, 64, 5, 5), (64, 3, 5, 5)
    ]  # fmt: skip
    assert [p.shape for p in judged.parameters() if p.ndim == 4] == [
        (64, 3 * pack, 5, 5), (128, 64, 5, 5), (256, 128, 5, 5), (512, 256, 5, 5)
    ]  # fmt: skip
    sides = []
    x = Tensor(rng.standard_normal((2 * pack, 100)).astype(np.float32))
    with no_grad():
        for layer in made:
            x = layer(x)
            sides += [x.shape[2]] if isinstance(layer, nn.ConvTranspose2d | nn.Reshape) else []
        assert sides == [2, 4, 7, 14, 28]
        assert x.shape == (2 * pack, 3, 28, 28)
        assert gan.Packed(judged, pack)(x).shape == (2, 1)


def test_each_colour_is_judged_on_its_own():
    """A generator that paints the red of picture n in shade n, and so on, before a judge who names the shade."""

    class Painter(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.zeros(1, np.float32))

        def forward(self, z):
            return z.reshape(len(z), 3, 1, 1)

    def judge(images):
        assert images.shape[1:] == (1, 1, 1)
        return SimpleNamespace(probabilities=np.eye(10)[np.rint(images[:, 0, 0, 0]).astype(int)])

    z = np.array([[0, 0, 0], [1, 2, 3], [1, 2, 3], [3, 2, 1]])
    found = stacked_mnist.count_modes(Painter(), z, judge)
    assert (found.modes_found, found.modes) == (3, 1000)
    assert found.reverse_kl == pytest.approx(np.log(1000) - 1.5 * np.log(2))


def test_the_shipped_classifier_finds_the_modes_that_are_there():
    """Real stacked digits instead of generated ones: nearly each number is named right."""
    pictures = stacked_mnist.stack(data.mnist("test"), 300, np.random.default_rng(0))
    judge = metrics.load_extractor("mnist")

    class Real(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.zeros(1, np.float32))

        def forward(self, z):
            chosen = z.numpy()[:, 0].astype(int)
            return Tensor((pictures.images[chosen] / 127.5 - 1).astype(np.float32))

    found = stacked_mnist.count_modes(Real(), np.arange(300.0)[:, None], judge)
    assert abs(found.modes_found - len(np.unique(pictures.labels))) <= 6
