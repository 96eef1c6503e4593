"""benchmarks/restoration.py draws what the bundled networks do: given, restored and true, side by side."""

import numpy as np
from PIL import Image

from benchmarks import restoration


def cells(path, side, columns):
    """The pictures of a grid with borders of two pixels."""
    grid = np.asarray(Image.open(path).convert("RGB")).astype(int)
    rows = (len(grid) - 2) // (side + 2)
    step = side + 2
    return np.array([
        [grid[2 + i * step :][:side, 2 + j * step :][:, :side] for j in range(columns)] for i in range(rows)
    ])  # fmt: skip


def test_what_is_drawn_is_given_restored_and_true(tmp_path):
    restoration.draw("inpaint", tmp_path)
    found = cells(tmp_path / "inpaint.png", 64, 9)
    given, made, truth = (found[:, i::3] for i in range(3))
    inside = np.s_[:, :, 20:44, 20:44]
    assert given.shape == (3, 3, 64, 64, 3) and (given[inside] > 240).all()
    assert np.abs(made - truth)[inside].mean() < np.abs(given - truth)[inside].mean() / 2
    outside = np.abs(made - truth)[:, :, :16]
    assert outside.mean() < 8  # but for the palette, what was there is kept


def test_a_part_is_of_the_same_place():
    truth = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
    part = restoration.part(restoration.Case(truth[::4, ::4], truth), 16)
    np.testing.assert_array_equal(part.truth, truth[24:40, 24:40])
    np.testing.assert_array_equal(part.given, truth[24:40:4, 24:40:4])
