"""data/opening.py: a data set by what a user calls it."""

import numpy as np
import pytest
from commands import python, write_digits
from PIL import Image

from minigan import InputError
from minigan.data import mnist, open_images


@pytest.fixture
def sheet(tmp_path):
    """Five pictures of 8x8 pixels, three in a row, and a black one that fills the last row."""
    pixels = np.zeros((16, 24, 3), np.uint8)
    for number in range(5):
        pixels[number // 3 * 8 :, number % 3 * 8 :][:8, :8] = 40 * (number + 1), 10, 20
    Image.fromarray(pixels).save(tmp_path / "heads.png")
    return tmp_path / "heads.png"


def test_a_sheet_is_cut_into_its_pictures(sheet):
    found = open_images(str(sheet), 8, 3)
    assert found.name == "heads" and found.image_shape == (3, 8, 8) and found.labels is None
    assert (
        found.images[:, 0, 0, 0].tolist() == [40, 80, 120, 160, 200] and (found.images[:, 1:] == [[[10]], [[20]]]).all()
    )
    assert open_images(str(sheet), 8, 1).image_shape == (1, 8, 8)


def test_folders_and_names(tmp_path):
    digits = write_digits(tmp_path / "digits")
    np.testing.assert_array_equal(open_images(str(digits), None, 3).images, mnist(root=digits).images)
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (20, 30), "red").save(tmp_path / "pictures" / "red.png")
    assert open_images(str(tmp_path / "pictures"), None, 3).image_shape == (3, 64, 64)


def test_files_that_are_no_sheets(sheet, tmp_path):
    with pytest.raises(InputError, match=r"heads\.png is 24x16 pixels, which is no sheet of 7x7 pictures"):
        open_images(str(sheet), 7, 3)
    Image.new("RGB", (16, 16)).save(tmp_path / "night.png")
    with pytest.raises(InputError, match=r"night\.png: all pictures of this sheet are black"):
        open_images(str(tmp_path / "night.png"), 8, 3)
    (tmp_path / "notes.txt").write_text("a forger and a detective")
    with pytest.raises(
        InputError, match=r"notes\.txt is no picture that can be read .*: name a folder of pictures, or a sheet"
    ):
        open_images(str(tmp_path / "notes.txt"), 8, 3)


def test_the_command_line_trains_on_a_sheet(sheet, tmp_path):
    small = ["--model", "dcgan", "--width", "2", "--batch-size", "2", "--steps", "2", "--quiet"]
    done = python(
        "-m", "minigan", "train", "--data", sheet, "--size", "8", *small, "--out", tmp_path / "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    done = python("-m", "minigan", "sample", tmp_path / "run", "-n", "4", "--out", tmp_path / "grid.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "grid.png") as made:
        assert made.mode == "RGB"
