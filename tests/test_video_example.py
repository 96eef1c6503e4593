"""examples/video_gan.py: what it leaves, and what is exchanged."""

import numpy as np
from commands import ROOT, python
from PIL import Image

from examples import video_gan
from minigan.metrics import ClipStatistics

EXAMPLE = ROOT / "examples" / "video_gan.py"


def test_dry_run(tmp_path):
    done = python(EXAMPLE, "--dry-run", "--quiet", "--threads", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    out = tmp_path / "out" / "mocogan"
    for name in ("motions", "contents"):
        with Image.open(out / f"{name}.png") as strip:
            assert strip.size == (16 * 34 + 2, 16 * 34 + 2)
    with Image.open(out / "long.png") as strip:
        assert strip.size == (64 * 34 + 2, 16 * 34 + 2)
    assert not (out / "judged.md").exists()
    # The exchange: rows of motions.png by content, of contents.png by motion, so that one is the other transposed.
    motions, contents = (
        np.asarray(Image.open(out / f"{name}.png"))[2:].reshape(4, 4, 34, -1) for name in ("motions", "contents")
    )
    np.testing.assert_array_equal(motions, contents.swapaxes(0, 1))


def test_other_models_are_refused(tmp_path):
    done = python(EXAMPLE, "--judge", ROOT / "minigan" / "export" / "files" / "digits.safetensors", cwd=tmp_path)
    assert done.returncode == 2 and "are no clips" in done.stderr


def test_the_table():
    told = video_gan.table({"real": ClipStatistics(1.0, 0.96, 1.06, 0.995, 0.569)})
    assert told.splitlines()[2] == "| real | 100.0% | 1.06 | 0.96 | 99.5% | 0.57 |"


def test_frames_of_a_picture_gan(rng):
    clips = video_gan.independent((2, 3, 1, 32, 32), rng)
    assert clips.shape == (2, 3, 1, 32, 32) and clips.min() == -1 and clips.max() > 0.9
    assert len(np.unique(clips.reshape(6, -1), axis=0)) == 6
