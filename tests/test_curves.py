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


def test_smooth_is_the_mean_of_a_window():
    values = np.random.default_rng(0).random(200)
    expected = [values[max(0, i - 5) : i + 6].mean() for i in range(200)]
    np.testing.assert_allclose(smooth(values, share=0.05), expected)
    np.testing.assert_array_equal(smooth([3.0, 1.0, 2.0]), [3.0, 1.0, 2.0])  # a window of one


def test_smooth_leaves_out_what_is_not_known():
    nan = float("nan")
    smoothed = smooth([nan, nan, nan, 4.0, nan, 6.0], share=0.34)  # a window of three
    np.testing.assert_allclose(smoothed, [nan, nan, 4, 4, 5, 6])
