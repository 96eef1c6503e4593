"""ImageFolder: every mode a picture can have, the files that are none, and the cache."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sounds import hum, write

from minigan.data import ImageFolder, audio, image_folder, read_pictures
from minigan.data.frame_folder import read_clips
from minigan.errors import InputError


@pytest.fixture(autouse=True)
def cache_home(tmp_path, monkeypatch):
    """No test sees a cache that another left, nor the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache home"))
    return tmp_path / "cache home" / "minigan"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"


def save(file, color="red", mode="RGB", size=(8, 8), **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(file, **options)


def one(folder, channels=3, size=4):
    """The only picture in the folder, (size, size, channels); a warning would be an error."""
    dataset = ImageFolder(folder, size, channels)
    assert dataset.images.shape == (1, channels, size, size)
    assert dataset.images.dtype == np.uint8
    return dataset.images[0].transpose(1, 2, 0)


def assert_is(picture, color):
    np.testing.assert_array_equal(picture, np.broadcast_to(np.array(color, np.uint8), picture.shape))


# ---- pixels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode", "color", "rgb", "grey"),
    [
        ("rgb.png", "RGB", (255, 0, 0), (255, 0, 0), 76),
        ("opaque.png", "RGBA", (255, 0, 0, 255), (255, 0, 0), 76),
        ("transparent.png", "RGBA", (255, 0, 0, 0), (255, 255, 255), 255),
        ("half.png", "RGBA", (0, 0, 0, 128), (127, 127, 127), 127),
        ("grey.png", "L", 77, (77, 77, 77), 77),
        ("grey-alpha.png", "LA", (0, 0), (255, 255, 255), 255),
        ("bits.png", "1", 1, (255, 255, 255), 255),
        ("deep.png", "I;16", 0x8080, (0x80, 0x80, 0x80), 0x80),
        ("deep-white.png", "I;16", 0xFFFF, (255, 255, 255), 255),
        ("deep.tiff", "I;16", 0x4040, (0x40, 0x40, 0x40), 0x40),
        ("deep.pgm", "I", 0x8080, (0x80, 0x80, 0x80), 0x80),
        ("cmyk.tiff", "CMYK", (0, 255, 255, 0), (255, 0, 0), 76),
        ("ycc.tiff", "YCbCr", (100, 128, 128), (100, 100, 100), 100),
        ("colour.bmp", "RGB", (0, 0, 255), (0, 0, 255), 29),
    ],
)
def test_modes(folder, name, mode, color, rgb, grey):
    save(folder / name, color, mode)
    assert_is(one(folder), rgb)
    assert_is(one(folder, channels=1), grey)


def test_palette_with_and_without_transparency(folder):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 0, 200, 0])
    picture.save(folder / "a.png")
    picture.save(folder / "b.png", transparency=1)
    picture.save(folder / "c.png", transparency=bytes([255, 0]))
    images = ImageFolder(folder, 4).images
    assert images[:, :, 0, 0].tolist() == [[0, 200, 0], [255, 255, 255], [255, 255, 255]]


def test_transparent_colour_of_an_rgb_picture(folder):
    save(folder / "a.png", (1, 2, 3), transparency=(1, 2, 3))
    assert_is(one(folder), (255, 255, 255))


def test_animation_gives_its_first_frame(folder):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    assert_is(one(folder), (255, 0, 0))


def test_jpeg(folder):
    save(folder / "a.jpg", (90, 90, 90), quality=95)
    assert np.abs(one(folder).astype(int) - 90).max() <= 2


def quadrants():
    """Red, green / blue, white, 8 x 8."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, :4, 0] = pixels[:4, 4:, 1] = pixels[4:, :4, 2] = 255
    pixels[4:, 4:] = 255
    return Image.fromarray(pixels)


RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]


@pytest.mark.parametrize(
    ("orientation", "corners"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),  # mirrored
        (3, [WHITE, BLUE, GREEN, RED]),  # upside down
        (6, [BLUE, RED, WHITE, GREEN]),  # to be turned clockwise
        (8, [GREEN, WHITE, RED, BLUE]),  # to be turned counter-clockwise
    ],
)
def test_exif_orientation(folder, orientation, corners):
    exif = Image.Exif()
    exif[0x0112] = orientation
    quadrants().save(folder / "a.png", exif=exif)
    assert one(folder, size=8)[[0, 0, 7, 7], [0, 7, 0, 7]].tolist() == corners


@pytest.mark.parametrize("size", [(24, 8), (8, 24), (25, 8)])
def test_the_centre_square_is_kept(folder, size):
    picture = Image.new("RGB", size, "red")
    picture.paste((0, 0, 255), ((size[0] - 8) // 2, (size[1] - 8) // 2, (size[0] + 8) // 2, (size[1] + 8) // 2))
    picture.save(folder / "a.png")
    assert_is(one(folder), BLUE)


@pytest.mark.parametrize("source", [(1, 1), (1, 50), (3, 2), (64, 48)])
def test_any_size_becomes_the_asked_one(folder, source):
    save(folder / "a.png", (9, 8, 7), size=source)
    assert_is(one(folder, size=16), (9, 8, 7))


def test_resized_by_lanczos(folder):
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    expected = Image.fromarray(noise).resize((8, 8), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(one(folder, size=8), np.asarray(expected))


# ---- order, classes --------------------------------------------------------------------------------------------------


def test_sorted_by_relative_path_and_without_labels(folder):
    for i, name in enumerate(["b.png", "a/z.png", "c.png", "a/deep/er.png"]):
        save(folder / name, (i, i, i))
    dataset = ImageFolder(folder, 4)
    assert dataset.images[:, 0, 0, 0].tolist() == [3, 1, 0, 2]
    assert dataset.labels is None
    assert repr(dataset) == "Dataset('pictures', 4 images of (3, 4, 4), no labels)"


def test_immediate_subfolders_are_classes(folder):
    for name in ["dog/1.png", "cat/b/2.png", "cat/a.png"]:
        save(folder / name)
    (folder / "no pictures").mkdir()
    dataset = ImageFolder(str(folder), 4)
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels.tolist() == [0, 0, 1]
    assert len(dataset.of_class("dog")) == 1


def test_hidden_files_and_pipes_are_passed_over(folder):
    save(folder / "a.png")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / ".thumbnails").mkdir()
    save(folder / ".thumbnails" / "a.png")
    os.mkfifo(folder / "pipe")
    (folder / "broken link").symlink_to("nowhere")
    assert len(ImageFolder(folder, 4)) == 1


def test_channels_last_in_memory(folder):
    save(folder / "a.png")
    assert ImageFolder(folder, 4).images.transpose(0, 2, 3, 1).flags.c_contiguous


# ---- what cannot be read ---------------------------------------------------------------------------------------------


def spoil(folder):
    """Three good pictures among five files that are none."""
    for i, name in enumerate(["a.png", "c.png", "e.png"]):
        save(folder / name, (i, i, i))
    whole = (folder / "a.png").read_bytes()
    (folder / "b.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b.txt").write_text("not a picture")
    (folder / "d.jpg").write_bytes(b"")
    save(folder / "d.tiff", 0.5, "F")
    (folder / "f.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))


def test_unreadable_files_are_named_and_counted(folder):
    spoil(folder)
    for _ in range(2):  # the second time from the cache
        with pytest.warns(
            UserWarning, match=r"pictures: skipped 5 of 8 files \(b.png: .*; b.txt: not a picture"
        ) as told:
            dataset = ImageFolder(folder, 4)
        assert len(told) == 1
        assert told[0].filename == __file__
        assert dataset.images[:, 0, 0, 0].tolist() == [0, 1, 2]
        assert [name for name, _ in dataset.skipped] == ["b.png", "b.txt", "d.jpg", "d.tiff", "f.png"]
        assert dict(dataset.skipped)["b.txt"] == "not a picture that Pillow can read"
        assert "floating-point" in dict(dataset.skipped)["d.tiff"]
        assert all(reason for _, reason in dataset.skipped)


def test_a_class_without_a_readable_picture_is_none(folder):
    save(folder / "cat" / "a.png")
    (folder / "notes").mkdir()
    (folder / "notes" / "a.txt").write_text("x")
    with pytest.warns(UserWarning, match="skipped 1 of 2"):
        assert ImageFolder(folder, 4).classes == ("cat",)


def test_a_decompression_bomb_is_skipped_by_pillows_own_limit(folder, monkeypatch):
    save(folder / "a.png")
    save(folder / "b.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.warns(UserWarning, match="skipped 1 of 2 files .b.png: DecompressionBombError"):
        assert len(ImageFolder(folder, 4)) == 1


def test_no_folder_or_nothing_in_it(folder, tmp_path):
    with pytest.raises(InputError, match="gone does not exist, expected a folder of pictures"):
        ImageFolder(tmp_path / "gone", 4)
    with pytest.raises(InputError, match="pictures has no files, expected pictures"):
        ImageFolder(folder, 4)
    (folder / "a.txt").write_text("x")
    for _ in range(2):
        with pytest.raises(InputError, match=r"no readable picture among its 1 files \(a.txt: not a picture"):
            ImageFolder(folder, 4)
    with pytest.raises(InputError, match=r"a.txt is a file, expected a folder"):
        ImageFolder(folder / "a.txt", 4)


@pytest.mark.parametrize("size", [0, -1, 2.5, "64", (4, 4), True, None])
def test_size_must_be_a_positive_int(folder, size):
    with pytest.raises(InputError, match="expected a whole number of pixels from 1 up"):
        ImageFolder(folder, size)


@pytest.mark.parametrize("channels", [0, 2, 4, "RGB", None])
def test_channels_must_be_one_or_three(folder, channels):
    with pytest.raises(InputError, match=r"expected 3 .colour. or 1 .grey."):
        ImageFolder(folder, 4, channels)


def test_without_pillow(folder, monkeypatch):
    save(folder / "a.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match="needs Pillow: pip install pillow"):
        ImageFolder(folder, 4)


# ---- the cache -------------------------------------------------------------------------------------------------------


@pytest.fixture
def decodings(monkeypatch):
    """The names of the files decoded so far."""
    names, original = [], image_folder._decode
    monkeypatch.setattr(image_folder, "_decode", lambda file, *args: names.append(file.name) or original(file, *args))
    return names


def test_a_second_reading_decodes_nothing(folder, decodings, cache_home):
    save(folder / "cat" / "a.png", "red")
    save(folder / "dog" / "a.png", "blue")
    first, second = ImageFolder(folder, 4), ImageFolder(folder, 4)
    assert len(decodings) == 2
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.classes == second.classes
    assert [file.suffix for file in cache_home.iterdir()] == [".npz"]


def test_what_changes_the_pixels_is_decoded_anew(folder, decodings):
    save(folder / "a.png", "red")
    ImageFolder(folder, 4)
    ImageFolder(folder, 5)
    ImageFolder(folder, 4, 1)
    assert len(decodings) == 3
    save(folder / "a.png", "blue")
    assert_is(one(folder), BLUE)
    (folder / "a.png").rename(folder / "b.png")
    ImageFolder(folder, 4)
    save(folder / "c.png")
    assert len(ImageFolder(folder, 4)) == 2
    assert len(decodings) == 7


def test_same_size_and_mtime_but_other_content(folder, decodings):
    save(folder / "a.bmp", "red")
    os.utime(folder / "a.bmp", (1, 1))
    assert_is(one(folder), RED)
    save(folder / "a.bmp", "blue")
    os.utime(folder / "a.bmp", (1, 1))
    assert_is(one(folder), BLUE)


@pytest.mark.parametrize("damage", ["truncated", "one bit", "other bytes", "empty", "other array"])
def test_a_damaged_cache_is_rebuilt(folder, decodings, cache_home, damage):
    save(folder / "a.png", "blue")
    ImageFolder(folder, 4)
    (file,) = cache_home.iterdir()
    whole = bytearray(file.read_bytes())
    if damage == "truncated":
        file.write_bytes(whole[:-30])
    elif damage == "one bit":
        whole[whole.index(bytes(BLUE * 2))] ^= 1
        file.write_bytes(whole)
    elif damage == "other bytes":
        file.write_bytes(b"not a cache")
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        np.savez(file, pixels=np.zeros((3, 4, 4, 3), np.uint8), skipped=np.zeros((0, 2), np.str_))
    assert_is(one(folder), BLUE)
    assert len(decodings) == 2
    assert_is(one(folder), BLUE)
    assert len(decodings) == 2


def test_a_cache_that_cannot_be_written_is_no_error(folder, decodings, tmp_path):
    save(folder / "a.png", "blue")
    (tmp_path / "file").write_bytes(b"")
    for cache in (tmp_path / "file", tmp_path / "file" / "below"):
        assert_is(ImageFolder(folder, 4, cache=cache).images[0].transpose(1, 2, 0), BLUE)
    assert len(decodings) == 2


def test_a_failed_write_leaves_nothing_behind(folder, tmp_path, monkeypatch):
    def full(out, **arrays):
        out.write(b"half")
        raise OSError(28, "No space left on device")

    save(folder / "a.png")
    monkeypatch.setattr(np, "savez", full)
    ImageFolder(folder, 4, cache=tmp_path / "own")
    assert list((tmp_path / "own").iterdir()) == []


def test_cache_parameter(folder, tmp_path, cache_home, decodings):
    save(folder / "a.png")
    ImageFolder(folder, 4, cache=False)
    assert not cache_home.exists()
    ImageFolder(folder, 4, cache=tmp_path / "own")
    assert not cache_home.exists()
    assert len(list((tmp_path / "own").iterdir())) == 1
    assert len(decodings) == 2


def test_cache_lies_under_home_by_default(folder, tmp_path, monkeypatch):
    save(folder / "a.png")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    ImageFolder(folder, 4)
    assert len(list((tmp_path / "home" / ".cache" / "minigan").iterdir())) == 1


def test_a_name_that_is_no_unicode(folder):
    try:
        save(folder / "plain.png")
        os.rename(os.fsencode(folder / "plain.png"), os.fsencode(folder) + b"/\xff.png")
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    (folder / "x.txt").write_text("x")
    for _ in range(2):
        with pytest.warns(UserWarning, match="skipped 1 of 2"):
            assert len(ImageFolder(folder, 4)) == 1


# ---- deep pictures ---------------------------------------------------------------------------------------------------


def ramp(largest, dtype=np.uint16):
    return np.linspace(0, largest, 16).astype(dtype).reshape(4, 4)


@pytest.mark.parametrize(
    ("name", "largest", "dtype"),
    [
        ("a.png", 65535, np.uint16), ("a.png", 4095, np.uint16), ("a.png", 1023, np.uint16),
        ("a.tiff", 4095, np.uint16), ("a.tiff", 255, np.int32), ("a.tiff", 65535, np.int32),
        ("a.tiff", 2**31 - 1, np.int32),
    ],
)  # fmt: skip
def test_deep_pictures_are_as_bright_as_their_depth_says(tmp_path, name, largest, dtype):
    Image.fromarray(ramp(largest, dtype)).save(tmp_path / name)
    pixels = ImageFolder(tmp_path, 4, 1, cache=False).images[0, 0]
    np.testing.assert_allclose(pixels, np.linspace(0, 255, 16).reshape(4, 4), rtol=0, atol=1)


def test_deep_pictures_of_a_folder_are_equally_bright(tmp_path):
    Image.fromarray(ramp(4095)).save(tmp_path / "bright.png")
    Image.fromarray(ramp(400)).save(tmp_path / "dark.png")
    Image.fromarray(ramp(255).astype(np.uint8)).save(tmp_path / "plain.png")
    bright, dark, plain = (image[0].max() for image in ImageFolder(tmp_path, 4, 1, cache=False).images)
    assert (bright, dark, plain) == (255, 25, 255)


# ---- nothing vanishes ------------------------------------------------------------------------------------------------


def two_classes(folder):
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (4, 4), 60 * number).save(folder / name / f"{number}.png")


def test_a_class_folder_that_cannot_be_read_is_told_of(tmp_path, monkeypatch):
    two_classes(tmp_path)
    scandir = os.scandir

    def forbidden(path):
        if Path(path).name == "cats":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(InputError, match=r"cats cannot be read \(Permission denied\), and with it a part of the pict"):
        ImageFolder(tmp_path, 4, 1, cache=False)


def test_links_and_empty_classes_are_told_of(tmp_path):
    two_classes(tmp_path / "pets")
    (tmp_path / "pets" / "foxes").symlink_to(tmp_path / "pets" / "cats")
    (tmp_path / "pets" / "cows").mkdir()
    (tmp_path / "pets" / "cows" / "a.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="skipped 1 of 5 files"):
        pets = ImageFolder(tmp_path / "pets", 4, 1, cache=False)
    told = dict(pets.skipped)
    assert pets.classes == ("cats", "dogs")
    assert "which is not followed" in told["foxes"]
    assert told["cows/"] == "no readable picture in it"


@pytest.mark.parametrize("read", [read_pictures, lambda path: read_clips(path, 3, None), audio])
def test_every_reader_of_a_folder_tells_of_a_link_that_it_does_not_follow(tmp_path, read):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "more").symlink_to(tmp_path / "elsewhere")
    two_classes(tmp_path / "own" / "pictures")
    write(tmp_path / "own" / "hum.wav", hum(200))
    with pytest.warns(UserWarning, match="own: skipped more: links to folders are not followed"):
        read(tmp_path / "own")


@pytest.mark.parametrize("read", [read_pictures, lambda path: read_clips(path, 3, None), audio])
def test_every_reader_of_a_folder_tells_of_the_kinds_that_it_does_not_read(tmp_path, read):
    two_classes(tmp_path / "pictures")
    write(tmp_path / "hum.wav", hum(200))
    for name in ("a.HEIC", "b.mp3", "LICENSE", "list.csv"):
        (tmp_path / name).touch()
    other = "b.mp3" if read is audio else "a.HEIC"
    with pytest.warns(UserWarning, match=rf"skipped {other}: read are \."):
        read(tmp_path)


@pytest.mark.parametrize("home", [None, "", "relative"])
def test_without_a_home_nothing_is_made_here(tmp_path, monkeypatch, home):
    two_classes(tmp_path / "pets")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where the user has no entry
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert len(ImageFolder(tmp_path / "pets", 4, 1)) == 4
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")  # relative ones are to be passed over
    assert len(ImageFolder(tmp_path / "pets", 4, 1)) == 4
    assert list((tmp_path / "here").iterdir()) == []


def test_a_passing_error_is_not_remembered(tmp_path, monkeypatch):
    two_classes(tmp_path)
    with monkeypatch.context() as patched:
        opened = Image.open

        def failing(path, *args):
            if Path(path).name == "1.png" and Path(path).parent.name == "cats":
                raise OSError(5, "Input/output error", str(path))
            return opened(path, *args)

        patched.setattr(Image, "open", failing)
        with pytest.warns(UserWarning, match=r"skipped 1 of 4 files \(cats/1\.png: OSError"):
            assert len(ImageFolder(tmp_path, 4, 1, cache=tmp_path / ".cache")) == 3
    assert len(ImageFolder(tmp_path, 4, 1, cache=tmp_path / ".cache")) == 4
