"""curves.png: drawn for any training, smoothed as it says."""

import numpy as np
import pytest
from PIL import Image

from minigan.runs.curves import save_curves
from minigan.viz import smooth


@pytest.mark.parametrize("steps", [1, 2, 120])
def test_curves_are_drawn_for_any_number_of_steps(tmp_path, rng, steps):
    names = ("d_loss", "g_loss", "d_real", "d_fake")
    history = {"step": list(range(1, steps + 1)), **{name: list(rng.random(steps)) for name in names}}
    save_curves(tmp_path / "a.png", history)
    history["g_loss"][: steps // 2] = [float("nan")] * (steps // 2)  # a critic's head start
    save_curves(tmp_path / "b.png", history)
    pixels = []
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / name) as image:
            assert image.format == "PNG" and image.size == (1000, 360)
            pixels.append(np.asarray(image))
    assert len(np.unique(pixels[0])) > 10
    assert steps == 1 or not np.array_equal(*pixels)  # the values decide what is drawn


@pytest.mark.parametrize(
    ("names", "panels"),
    [
        (("g_loss",), 1),  # of a network that learns without a D
        (("g_loss", "psnr"), 2),
        (("d_loss", "g_loss", "d_real", "d_fake", "returns", "frechet"), 4),
    ],
)
def test_a_panel_for_what_there_is_and_no_other(tmp_path, names, panels):
    save_curves(tmp_path / "a.png", {"step": [1, 2], **{name: [0.1, 0.2] for name in names}})
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (500 * panels, 360)


def test_every_loss_is_drawn_however_many(tmp_path):
    history = {"step": [1, 2], **{f"{name}_loss": [n, n + 1] for n, name in enumerate("abcdefghi")}}
    save_curves(tmp_path / "all.png", history)
    del history["i_loss"]
    save_curves(tmp_path / "less.png", history)
    assert (tmp_path / "all.png").read_bytes() != (tmp_path / "less.png").read_bytes()


def test_smooth_is_the_mean_of_a_window():
    values = np.random.default_rng(0).random(200)
    expected = [values[max(0, i - 5) : i + 6].mean() for i in range(200)]
    np.testing.assert_allclose(smooth(values, share=0.05), expected)
    np.testing.assert_array_equal(smooth([3.0, 1.0, 2.0]), [3.0, 1.0, 2.0])  # a window of one


def test_smooth_leaves_out_what_is_not_known():
    nan = float("nan")
    smoothed = smooth([nan, nan, nan, 4.0, nan, 6.0], share=0.34)  # a window of three
    np.testing.assert_allclose(smoothed, [nan, nan, 4, 4, 5, 6])
