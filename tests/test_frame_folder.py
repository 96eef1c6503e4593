"""Clips of one's own: GIFs and folders of frames, in windows."""

import numpy as np
import pytest
from PIL import Image

from minigan import data
from minigan.errors import InputError


def frames(count, first=0, size=(6, 4), mode="RGB"):
    """Each frame of one grey, a step brighter than the last."""
    return [Image.new(mode, size, (first + n,) * 3 if mode == "RGB" else first + n) for n in range(count)]


def save_gif(path, pictures):
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)


def save_folder(path, pictures):
    path.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        picture.save(path / f"{number + 1}.png")


def greys(batch):
    """(N, T) the grey of each frame, in 0..255."""
    assert (batch == batch[:, :, :1, :1, :1]).all()
    return np.rint(batch[:, :, 0, 0, 0] * 127.5 + 127.5).astype(int)


def test_windows_of_gifs_and_of_folders(tmp_path, rng):
    save_gif(tmp_path / "a.gif", frames(9))
    save_folder(tmp_path / "more" / "b", frames(12, first=100))
    (tmp_path / "notes.txt").write_text("no clip")
    clips = data.FrameFolder(tmp_path, frames=4)
    assert repr(clips) == f"FrameFolder({tmp_path.name!r}, 2 clips, 4 frames at a time, 6x4)"
    assert clips.settings == {"image_size": [4, 6], "channels": 3, "frames": 4} and clips.root == str(tmp_path)
    assert len(clips) == 2 + 3
    (batch,) = clips.draw(np.arange(5), rng, np.dtype("float64"))
    assert batch.shape == (5, 4, 3, 4, 6) and batch.dtype == np.float64
    told = greys(batch)
    np.testing.assert_array_equal(np.diff(told, axis=1), np.ones((5, 3)))  # 10.png comes after 9.png
    assert (told[:2] < 9).all() and (told[2:] >= 100).all() and (told[2:] < 112).all()
    starts = {int(greys(clips.draw(np.array([0]), rng, np.dtype("float32"))[0])[0, 0]) for _ in range(100)}
    assert starts == {0, 1, 2, 3, 4, 5}


def test_a_window_is_sorted_by_the_mean_of_its_clip(tmp_path):
    save_gif(tmp_path / "a.gif", frames(8))
    save_folder(tmp_path / "b", frames(4, first=100))
    clips = data.FrameFolder(tmp_path, frames=4)
    stills = clips.stills()
    assert stills.shape == (3, 3, 4, 6) and stills.dtype == np.uint8
    np.testing.assert_array_equal(stills[0], stills[1])
    for still, clip in zip(stills[1:], clips.clips.values(), strict=True):
        np.testing.assert_allclose(still.transpose(1, 2, 0), clip.mean(axis=0), atol=0.5)


def test_sizes_are_refused_by_name_or_brought_together(tmp_path):
    save_gif(tmp_path / "a.gif", frames(3))
    save_gif(tmp_path / "b.gif", frames(3, size=(8, 8)))
    with pytest.raises(InputError, match=r"b\.gif is 8x8 pixels, .*a\.gif is 6x4 pixels.*--size"):
        data.FrameFolder(tmp_path, frames=2)
    clips = data.FrameFolder(tmp_path, frames=2, size=5, channels=1)
    assert clips.settings == {"image_size": 5, "channels": 1, "frames": 2}
    assert {clip.shape for clip in clips.clips.values()} == {(3, 5, 5, 1)}


def test_the_fingerprint_is_of_every_pixel(tmp_path):
    for name, first in (("a", 0), ("b", 0), ("c", 1)):
        save_gif(tmp_path / name / "x.gif", frames(4, first))
    a, b, c = (data.FrameFolder(tmp_path / name, frames=2).fingerprint() for name in "abc")
    assert a == b != c and data.FrameFolder(tmp_path / "a", frames=3).fingerprint() != a


def test_frames_of_two_sizes(tmp_path):
    save_folder(tmp_path / "clip", [*frames(2), *frames(1, size=(5, 5))])
    with pytest.raises(InputError, match="clip: frame 3 is 5x5 pixels, the first is 6x4"):
        data.FrameFolder(tmp_path, frames=2)


def test_frames_of_more_than_8_bits_do_not_flicker(tmp_path):
    def deep():  # of 10 and of 12 bits
        return [Image.fromarray(np.array([[1000, brightest]], np.uint16)) for brightest in (1000, 1100)]

    save_folder(tmp_path / "folder", deep())
    first, second = deep()
    first.save(tmp_path / "file.tiff", save_all=True, append_images=[second])
    for clip in data.FrameFolder(tmp_path, frames=2, channels=1).clips.values():
        assert clip[:, 0, 0, 0].tolist() == [1000 * 255 // 4095] * 2


def test_what_is_no_clip_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        data.FrameFolder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no clip"):
        data.FrameFolder(tmp_path)
    save_gif(tmp_path / "short.gif", frames(3))
    with pytest.raises(InputError, match=r"short\.gif has 3 frames, fewer than the 16"):
        data.FrameFolder(tmp_path)
    (tmp_path / "sub").mkdir()
    save_gif(tmp_path / "sub/still.gif", frames(1))
    with pytest.raises(InputError, match=r"sub has 1 still pictures, fewer than the 3 frames of a clip: take them out"):
        data.FrameFolder(tmp_path, frames=3)
    (tmp_path / "sub/still.gif").unlink()
    with pytest.raises(InputError, match="channels is 2"):
        data.FrameFolder(tmp_path, channels=2)
    (tmp_path / "bad.gif").write_bytes(b"GIF89a and then nothing")
    with pytest.raises(InputError, match=r"bad\.gif is no picture that can be read"):
        data.FrameFolder(tmp_path, frames=2)
