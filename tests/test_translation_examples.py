"""cats_to_dogs.py, style.py and emoji.py: a few steps of each, what they judge by, and a line for what cannot be."""

import sys

import numpy as np
import pytest
from commands import ROOT, python
from PIL import Image

from minigan import InputError
from minigan.cli import main

RNG = np.random.default_rng
EXAMPLES = ROOT / "examples"


@pytest.fixture
def examples(monkeypatch):
    """The examples as modules, which find each other as they do when they are run."""
    monkeypatch.syspath_prepend(EXAMPLES)
    import cats_to_dogs
    import emoji
    import style

    yield cats_to_dogs, emoji, style
    for name in ("cats_to_dogs", "emoji", "style", "train_classifier"):
        sys.modules.pop(name, None)


def dry_run(example, *argv, cwd):
    return python(EXAMPLES / f"{example}.py", "--dry-run", "--quiet", "--threads", "1", *argv, cwd=cwd)


def write_pictures(folder, count, size=(70, 66)):
    folder.mkdir()
    for number in range(count):
        Image.fromarray(RNG(number).integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{number:02d}.png")


def test_cats_to_dogs(tmp_path):
    done = dry_run("cats_to_dogs", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the nearest real dog: 100% dogs, IoU 0.660" in done.stdout and "cats as they are: 1% dogs" in done.stdout
    out = tmp_path / "out" / "cats-to-dogs"
    assert {path.name for path in out.iterdir()} == {"ab.safetensors", "ba.safetensors", "step-00002.png"}
    assert main(["translate", str(out / "step-00002.png"), "--model", str(out), "--out", str(tmp_path / "x.png")]) == 0
    with Image.open(tmp_path / "x.png") as made:
        assert made.size == (28, 28)


def test_photos_of_ones_own(tmp_path):
    for kind in "ab":
        write_pictures(tmp_path / kind, 9, (24, 20))
    argv = ("--a", "a", "--b", "b", "--size", "16")
    assert dry_run("cats_to_dogs", *argv, cwd=tmp_path).returncode == 0
    told = dry_run("cats_to_dogs", "--a", "a", cwd=tmp_path)
    assert told.returncode == 2 and "--a and --b: give both folders" in told.stderr
    told = dry_run("cats_to_dogs", "--size", "32", cwd=tmp_path)
    assert told.returncode == 2 and "--size 32 does nothing with the bundled silhouettes" in told.stderr


def test_style(tmp_path):
    write_pictures(tmp_path / "a", 16)
    write_pictures(tmp_path / "b", 3)
    done = dry_run("style", "--a", "a", "--b", "b", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for way in ("cyclegan", "histogram matching", "photos as they are"):
        assert f"{way}: fooled " in done.stdout
    told = dry_run("style", "--a", "b", "--b", "a", cwd=tmp_path)
    assert told.returncode == 2 and "at least 8 photos and 3 paintings" in told.stderr


def test_emoji(tmp_path):
    sheet = RNG(0).integers(0, 256, (2 * 64, 12 * 64, 3), np.uint8)
    Image.fromarray(sheet).save(tmp_path / "faces.png")
    people = [f"{30 + number}\t{('male', 'female')[number % 2]}" for number in range(20)]
    (tmp_path / "faces.tsv").write_text("\n".join(["age\tgender", *people]) + "\n")
    argv = ("--faces", "faces.png", "--size", "16")
    done = dry_run("emoji", *argv, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "cyclegan: hair" in done.stdout and "the nearest head: hair" in done.stdout
    (tmp_path / "faces.tsv").unlink()
    done = dry_run("emoji", *argv, cwd=tmp_path)
    assert done.returncode == 0 and "nothing is judged" in done.stdout
    told = dry_run("emoji", "--faces", "none", cwd=tmp_path)
    assert told.returncode == 2 and told.stderr.startswith("error: none does not exist")


def test_the_measures(examples):
    cats_to_dogs, emoji, style = examples
    left, all_of_it = np.zeros((1, 4, 4, 1), np.uint8), np.full((1, 4, 4, 1), 255, np.uint8)
    left[:, :, :2] = 255
    assert cats_to_dogs.overlap(left, all_of_it) == [0.5] and cats_to_dogs.overlap(left, left) == [1]
    assert emoji.rank_correlation(np.array([1, 2, 3]), np.array([10, 20, 1000])) == pytest.approx(1)
    assert emoji.rank_correlation(np.array([1, 1, 2, 2]), np.array([4, 3, 2, 1])) == pytest.approx(-2 / 5**0.5)
    assert emoji.rank_correlation(np.array([1, 2]), np.array([3, 3])) == 0
    photo, painting = (RNG(n).integers(0, 256, (20, 30, 3), np.uint8) for n in range(2))
    painting //= 2
    matched = style.matched(photo, [painting])
    for channel in range(3):
        assert sorted(matched[:, :, channel].ravel()) == sorted(painting[:, :, channel].ravel())
        assert (np.diff(matched[:, :, channel].ravel()[photo[:, :, channel].ravel().argsort(kind="stable")]) >= 0).all()
    assert (
        style.edge_correlation(photo, photo) == pytest.approx(1) and style.edge_correlation(photo, 255 - photo) > 0.99
    )
    assert abs(style.edge_correlation(photo, RNG(5).integers(0, 256, photo.shape, np.uint8))) < 0.2


def test_heads_are_drawn_in_the_mix_that_is_asked_for(examples):
    _, emoji, _ = examples
    known, learned = emoji.traits(), np.arange(0, 850, 2)
    assert emoji.in_mix(None, learned, RNG(0)) is learned
    drawn = emoji.in_mix((0.2, 0.4, 0.0), learned, RNG(0))
    assert set(drawn) <= set(learned) and len(drawn) == 850
    assert np.abs([known[name][drawn].mean() - share for name, share in (("long", 0.2), ("white", 0.4))]).max() < 0.06
    assert not known["dark"][drawn].any()
    with pytest.raises(InputError, match=r"--mix: 1\.2 is to be the share of white, from 0 to 1"):
        emoji.in_mix((0.2, 1.2, 0.1), learned, RNG(0))


def test_every_hair_style_is_short_or_long(examples):
    _, emoji, _ = examples
    styles = {row["hair"]: row["length"] for row in emoji.table(emoji.AVATARS / "hair_lengths.tsv")}
    worn = {row["hair"] for row in emoji.table(emoji.AVATARS / "avatars.tsv")}
    assert set(styles) == worn and set(styles.values()) == {"short", "long"}
