"""minigan restore: any file, kept as it was but for what was asked; and one clear line for whatever cannot be."""

import io
from dataclasses import replace

import numpy as np
import pytest
from commands import ROOT, contents
from PIL import Image

from minigan import backend, checkpoint, gan
from minigan.cli import main
from minigan.data.paired import read_pictures, split
from minigan.restoration import TASKS
from minigan.restoration.judge import JUDGED, baselines, by_network, cases, drawings, score
from minigan.restoration.picture import read_photo, write_photo
from minigan.restoration.restore import Restorer, tiles, weights

RNG = np.random.default_rng
SMALL = {
    "dncnn": {"width": 4},
    "drunet": {"width": 4, "blocks": 1},
    "srgan": {"width": 4, "blocks": 1},
    "pix2pix": {"width": 2},
    "context_encoder": {"width": 2},
}
DATA = ROOT / "examples" / "data"
LEAST = {"denoise": 7, "derain": 5, "enlarge": 0.3, "inpaint": -0.2, "colorize": 0.85}  # dB; of drawings a factor of L1
PROFILE = b"not read by anybody" * 4


def scene(height=40, width=56, seed=0):
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 7), np.cos(y / 5), np.sin((x + y) / 9)], 2)
    return np.rint(128 + 100 * waves + RNG(seed).normal(0, 10, waves.shape)).clip(0, 255).astype(np.uint8)


def look(path):
    """(mode, pixels)"""
    with Image.open(path) as opened:
        return opened.mode, np.asarray(opened)


def size_of(path):
    return look(path)[1].shape[1::-1]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A small untrained network for each task, whose changes are large enough to be seen."""
    folder, made = tmp_path_factory.mktemp("models"), {}
    for task in TASKS.values():
        own = task.architecture(task.model, gan.PAIRED[task.model].scales, None)
        architecture = {"task": task.name, **{k: v for k, v in own.items() if k != "width"}, **SMALL[task.model]}
        generator, _ = gan.build(architecture, RNG(1))
        made[task.name] = folder / f"{task.name}.safetensors"
        checkpoint.save_model(made[task.name], generator, architecture)
    return made


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(scene()).save(path)
    return path


def restore(*argv):
    return main(["restore", *map(str, argv), "--threads", "1", "--quiet"])


# ---- what is bundled ------------------------------------------------------------------------------------------------


SHIPPED = sorted(weights("denoise").parent.glob("*.safetensors"))


def test_there_is_a_network_for_every_task():
    assert all(weights(task).is_file() for task in TASKS)
    assert sum(path.stat().st_size for path in SHIPPED) <= 4_000_000


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_says_how_it_was_trained(path):
    arrays, facts = checkpoint.read(path, "model")
    assert facts["trained_by"].startswith("python -m minigan train --model ")
    assert f"--task {facts['architecture']['task']} " in facts["trained_by"]
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}


def test_a_network_that_does_not_come_along(monkeypatch, photo, tmp_path, capsys):
    monkeypatch.setattr("minigan.restoration.restore.WEIGHTS", tmp_path)
    assert restore(photo, "--task", "derain", "--sharp") == 2
    assert "--task derain --sharp: no such network is bundled; minigan train --task derain" in capsys.readouterr().err


def test_noise_is_taken_out():
    truth = scene(64, 64) * 0 + np.uint8(120)
    truth[16:48, 16:48] = (200, 60, 40)
    noisy = np.rint(truth + RNG(0).normal(0, 25, truth.shape)).clip(0, 255).astype(np.uint8)
    made = Restorer.load(weights("denoise"), backend.get("numpy")).pixels(noisy)
    errors = [np.square(picture.astype(float) - truth).mean() for picture in (noisy, made)]
    assert errors[1] < errors[0] / 4


@pytest.mark.parametrize("task", TASKS)
def test_it_is_better_than_what_needs_no_training(task):
    """On a few pictures that none of the networks has learned from; docs/restore.md has all of them."""
    drawn = task == "colorize"
    where = DATA / "openmoji" / "color.png" if drawn else DATA / "photos"
    pictures = read_pictures(where, 64)
    held = {name: pictures[name] for name in split(list(pictures), 8)[1][:: 4 if drawn else 3]}
    if drawn:
        found = list(drawings(held, read_pictures(DATA / "openmoji" / "black.png", 64, 1)))
        simple = baselines(task, found)["best constant colour"]
    else:
        middle = {name: picture[80:208, 120:248] for name, picture in held.items()}
        found = list(cases(task, next(iter(JUDGED[task].values())), middle, 0))
        simple = baselines(task, found)["bicubic"] if task == "enlarge" else lambda case: case.given
    network = by_network(Restorer.load(weights(task), backend.get("numpy")))
    own, other = (next(iter(score(task, found, method).values())) for method in (network, simple))
    print(task, own, other)
    assert own < other * LEAST[task] if drawn else own > other + LEAST[task]


# ---- tiles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_tiles_have_no_seams(models, task):
    pixels, mask = scene(100, 132), None
    if task == "inpaint":
        mask = np.zeros((100, 132), bool)
        mask[30:70, 20:90] = True
    whole, parts = (
        Restorer.load(models[task], backend.get("numpy"), tile=tile).pixels(pixels, mask) for tile in (1000, 32)
    )
    assert whole.shape[0] == 100 * TASKS[task].scale
    assert np.abs(whole.astype(int) - parts).max() <= 1  # what is rounded another way
    assert (whole == parts).mean() > 0.99


def test_tiles_cover_a_picture_once():
    seen = np.zeros((70, 45), int)
    for inner, outer in tiles(70, 45, 16, reach=5, step=4):
        seen[inner] += 1
        assert all(
            a.start % 4 == 0 and a.start <= b.start and b.stop <= a.stop for a, b in zip(outer, inner, strict=True)
        )
        assert all(a.stop - a.start <= 16 + 2 * 8 for a in outer)
    assert (seen == 1).all()


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [task for task in TASKS if task != "inpaint"])
def test_a_picture_is_restored(models, photo, tmp_path, task, capsys):
    before = photo.read_bytes()
    assert restore(photo, "--model", models[task]) == 0
    target = tmp_path / f"photo-{task}.png"
    scale = TASKS[task].scale
    assert f"{target}: {56 * scale}x{40 * scale} pixels" in capsys.readouterr().out
    assert size_of(target) == (56 * scale, 40 * scale) and photo.read_bytes() == before


def test_a_result_that_is_there_is_kept(models, photo, tmp_path):
    for _ in range(3):
        assert restore(photo, "--model", models["denoise"]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"photo.png", "photo-denoise.png", "photo-denoise-2.png", "photo-denoise-3.png"}


def test_a_comparison_that_is_there_is_kept(models, photo, tmp_path):
    (tmp_path / "photo-denoise-compare.png").write_bytes(b"of a photo.jpg")
    assert restore(photo, "--model", models["denoise"], "--compare") == 0
    assert (tmp_path / "photo-denoise-compare.png").read_bytes() == b"of a photo.jpg"
    assert (tmp_path / "photo-denoise-2-compare.png").is_file() and not (tmp_path / "photo-denoise.png").exists()


def test_only_the_hole_is_filled(models, photo, tmp_path):
    mask = np.zeros((40, 56), np.uint8)
    mask[10:20, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert restore(photo, "--model", models["inpaint"], "--mask", tmp_path / "mask.png", "--compare") == 0
    made = look(tmp_path / "photo-inpaint.png")[1]
    changed = (made != scene()).any(axis=2)
    assert changed[mask > 0].mean() > 0.9 and not changed[mask == 0].any()
    beside = look(tmp_path / "photo-inpaint-compare.png")[1]
    assert beside.shape == (40, 2 * 56 + 4, 3) and (beside[10:20, 30:50] == 127).all()
    np.testing.assert_array_equal(beside[:, 60:], made)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_scales(models, photo, tmp_path, scale):
    assert restore(photo, "--model", models["enlarge"], "--scale", scale, "--out", tmp_path / "big.png") == 0
    assert size_of(tmp_path / "big.png") == (56 * scale, 40 * scale)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_which_way_is_up(models, tmp_path, orientation):
    """The pixels stay as they lie, with the tag that turns them; a mask is painted on the picture as it is seen."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "camera"
    path = tmp_path / "turned.png"
    Image.fromarray(scene()).save(path, exif=exif)
    photo = read_photo(path)
    with Image.open(path) as opened:
        from PIL import ImageOps

        np.testing.assert_array_equal(photo.pixels, np.asarray(ImageOps.exif_transpose(opened)))
    assert restore(path, "--model", models["denoise"], "--out", tmp_path / "out.png") == 0
    with Image.open(tmp_path / "out.png") as made:
        assert made.size == (56, 40) and made.getexif()[0x0112] == orientation and made.getexif()[0x010F] == "camera"
        assert np.abs(np.asarray(made).astype(int) - scene()).mean() < 60
    write_photo(tmp_path / "same.png", photo)
    np.testing.assert_array_equal(look(tmp_path / "same.png")[1], scene())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_profile_and_exif_are_kept(models, tmp_path, suffix):
    exif = Image.Exif()
    exif[0x010F] = "camera"
    path, out = tmp_path / f"photo{suffix}", tmp_path / f"out{suffix}"
    Image.fromarray(scene()).save(path, icc_profile=PROFILE, exif=exif)
    assert restore(path, "--model", models["denoise"], "--out", out) == 0
    with Image.open(out) as made:
        assert made.info["icc_profile"] == PROFILE and made.getexif()[0x010F] == "camera" and made.mode == "RGB"


def test_the_camera_s_tags_are_kept_but_for_the_size_that_is_another_now(models, tmp_path):
    exif = Image.Exif()
    exif[0x8769] = {0xA002: 56, 0xA003: 40, 0x9003: "2026:11:27 11:00:00"}
    Image.fromarray(scene()).save(tmp_path / "small.jpg", exif=exif)
    assert restore(tmp_path / "small.jpg", "--model", models["enlarge"], "--out", tmp_path / "large.jpg") == 0
    with Image.open(tmp_path / "large.jpg") as made:
        assert made.size == (224, 160) and made.getexif().get_ifd(0x8769) == {0x9003: "2026:11:27 11:00:00"}


@pytest.mark.parametrize("task, scale", [("denoise", 1), ("enlarge", 4)])
def test_transparency_is_kept(models, tmp_path, task, scale):
    alpha = RNG(0).integers(0, 256, (40, 56, 1), np.uint8)
    path = tmp_path / "glass.png"
    Image.fromarray(np.concatenate([scene(), alpha], axis=2)).save(path)
    assert restore(path, "--model", models[task], "--out", tmp_path / "out.png") == 0
    made = look(tmp_path / "out.png")[1]
    assert made.shape == (40 * scale, 56 * scale, 4)
    shrunk = made[:, :, 3].reshape(40, scale, 56, scale).mean((1, 3))
    assert np.abs(shrunk - alpha[:, :, 0]).mean() < (1e-9 if scale == 1 else 25)


def test_a_drawing_on_nothing_is_coloured_as_one_on_white(models, tmp_path, capsys):
    ink = scene()[:, :, :1]
    Image.fromarray(np.concatenate([0 * ink, 0 * ink, 0 * ink, 255 - ink], axis=2)).save(tmp_path / "lines.png")
    Image.fromarray(ink[:, :, 0]).save(tmp_path / "white.png")
    for name in ("lines", "white"):
        assert restore(tmp_path / f"{name}.png", "--model", models["colorize"], "--compare") == 0
    assert "does not keep its transparency" in capsys.readouterr().err
    for suffix in ("", "-compare"):
        np.testing.assert_array_equal(*(look(tmp_path / f"{n}-colorize{suffix}.png")[1] for n in ("lines", "white")))


MODES = {  # as they are saved: the mode that comes out, and what is said of it
    "1": ("L", ""),
    "L": ("L", ""),
    "LA": ("LA", ""),
    "P": ("RGB", ""),
    "RGBA": ("RGBA", ""),
    "CMYK": ("RGB", ""),
    "YCbCr": ("RGB", ""),
    "I;16": ("L", "the lower 8 of its 16 bits"),
}


@pytest.mark.parametrize("mode", MODES)
def test_modes(models, tmp_path, mode, capsys):
    path = tmp_path / "photo.tif"
    if mode == "I;16":
        Image.fromarray(scene()[:, :, 0].astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(scene()).convert(mode).save(path)
    assert restore(path, "--model", models["denoise"], "--out", tmp_path / "out.png") == 0
    wanted, said = MODES[mode]
    assert look(tmp_path / "out.png")[0] == wanted and said in capsys.readouterr().err
    photo = read_photo(path)  # the tags that say how its pixels lay are not those of another file
    larger = replace(photo, pixels=photo.pixels.repeat(2, axis=0), alpha=None)
    write_photo(tmp_path / "larger.tif", larger)
    np.testing.assert_array_equal(read_photo(tmp_path / "larger.tif").pixels, larger.pixels)


def test_a_grey_drawing_is_coloured(models, tmp_path):
    Image.fromarray(scene()[:, :, 0]).save(tmp_path / "drawing.png")
    assert restore(tmp_path / "drawing.png", "--model", models["colorize"]) == 0
    assert look(tmp_path / "drawing-colorize.png")[0] == "RGB"


def test_several_at_once(models, tmp_path, capsys):
    names = [tmp_path / f"{name}.png" for name in "ab"]
    for name in names:
        Image.fromarray(scene()).save(name)
    out = tmp_path / "new" / "folder"
    assert restore(*names, "--model", models["denoise"], "--out", out) == 0
    assert {path.name for path in out.iterdir()} == {"a-denoise.png", "b-denoise.png"}
    assert capsys.readouterr().out.count("pixels") == 2
    assert restore(names[0], "--model", models["denoise"], "--out", f"{tmp_path}/newer/") == 0
    assert (tmp_path / "newer" / "a-denoise.png").is_file()


@pytest.mark.parametrize("out", [[], ["--out", "folder"]], ids=["beside", "folder"])
def test_pictures_that_differ_in_their_suffix_alone(models, photo, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    for suffix in (".bmp", ".jpg"):
        Image.fromarray(scene()).save(photo.with_suffix(suffix))
    names = ["photo.png", "photo.bmp", "photo.jpg"]
    assert restore(*names, "--model", models["denoise"], "--compare", *out) == 0
    made = {path.name for path in tmp_path.rglob("photo-denoise*")}
    assert made == {
        f"photo-denoise{n}" for n in (".png", "-2.png", "-3.jpg", *(f"{i}-compare.png" for i in ("", "-2", "-3")))
    }


def test_one_that_cannot_be_read_does_not_keep_the_others_from_being_done(models, photo, tmp_path, capsys):
    half = tmp_path / "half.png"
    half.write_bytes(photo.read_bytes()[:999])
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    assert restore(photo, half, other, "--model", models["denoise"]) == 2
    assert (tmp_path / "photo-denoise.png").is_file() and (tmp_path / "other-denoise.png").is_file()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and "half.png: is damaged" in told[0] and "1 of 3 pictures could not be done" in told[1]


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (16, 3)])
def test_the_smallest_pictures(models, tmp_path, size):
    Image.fromarray(scene(*size)).save(tmp_path / "dot.png")
    for task in ("denoise", "enlarge", "colorize"):
        assert restore(tmp_path / "dot.png", "--model", models[task], "--out", tmp_path / "out.png") == 0
        assert size_of(tmp_path / "out.png") == (size[1] * TASKS[task].scale, size[0] * TASKS[task].scale)


def test_an_animation_gives_its_first_frame(models, tmp_path, capsys):
    frames = [Image.fromarray(scene(seed=seed)) for seed in range(3)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    assert restore(tmp_path / "film.gif", "--model", models["denoise"]) == 0
    assert (tmp_path / "film-denoise.png").is_file() and "2 of its 3 frames" in capsys.readouterr().err


@pytest.mark.parametrize("suffix, side", [(".webp", 4096), (".jpg", 16376)])
def test_a_result_larger_than_its_format_holds_is_told_of_before_the_work(tmp_path, monkeypatch, capsys, suffix, side):
    path = tmp_path / f"long{suffix}"
    Image.fromarray(np.zeros((1, side, 3), np.uint8)).save(path)
    monkeypatch.setattr(Restorer, "photo", None)
    assert restore(path, "--task", "enlarge") == 2
    told = capsys.readouterr().err
    assert f"long-enlarge{suffix} would be {4 * side}x4: name a .png or .tif with --out" in told
    assert told.count("\n") == 1


def test_transparency_that_a_jpeg_cannot_have(models, tmp_path, capsys):
    Image.fromarray(scene()).convert("RGBA").save(tmp_path / "a.png")
    assert restore(tmp_path / "a.png", "--model", models["denoise"], "--out", tmp_path / "a.jpg") == 0
    assert "its transparency: a JPEG file has none" in capsys.readouterr().err


# ---- what cannot be --------------------------------------------------------------------------------------------------


def gan_file(folder):
    architecture = {"model": "gan", "width": 8, "z_dim": 3, "image_size": 28, "channels": 1}
    checkpoint.save_model(folder / "gan.safetensors", gan.build(architecture, RNG(0))[0], architecture)


BAD = {
    "no task": (["photo.png"], "what is to be done? --task denoise|derain|enlarge|inpaint|colorize"),
    "no such file": (["none.png", "--task", "denoise"], "none.png: there is no such file"),
    "no picture": (["words.txt", "--task", "denoise"], "words.txt: is no picture that Pillow can read"),
    "no white": (["float.tif", "--task", "denoise"], "float.tif: pixels without a known black and white"),
    "half a picture": (["half.png", "--task", "denoise"], "half.png: is damaged"),
    "a folder": (["folder", "--task", "denoise"], "folder is a folder: name the pictures in it"),
    "over itself": (["photo.png", "--task", "denoise", "--out", "photo.png"], "photo.png would overwrite a PICTURE"),
    "another format": (["photo.png", "--task", "denoise", "--out", "x.doc"], "name a file of one of the formats"),
    "one file for two": (["photo.png", "other.png", "--task", "denoise", "--out", "other.png"], "is a file: for 2"),
    "twice the same": (["photo.png", "photo.png", "--task", "denoise", "--out", "folder"], "photo.png is named twice"),
    "no mask": (["photo.png", "--task", "inpaint"], "say what is missing, --mask MASK.png"),
    "a mask for nothing": (["photo.png", "--task", "denoise", "--mask", "black.png"], "does nothing with this task"),
    "a black mask": (["photo.png", "--task", "inpaint", "--mask", "black.png"], "is black: paint white"),
    "another size": (
        ["photo.png", "--task", "inpaint", "--mask", "small.png"],
        "photo.png: --mask small.png has 5x5 pixels, the picture 56x40",
    ),
    "a scale for nothing": (
        ["photo.png", "--task", "denoise", "--scale", "2"],
        "--scale 2 does nothing with this task",
    ),
    "a GAN": (["photo.png", "--model", "gan.safetensors"], "gan restores no pictures"),
    "another task": (["photo.png", "--model", "denoise.safetensors", "--task", "derain"], "was trained to denoise"),
    "sharp twice": (["photo.png", "--model", "denoise.safetensors", "--sharp"], "--sharp does nothing beside --model"),
}


@pytest.mark.parametrize("argv, message", BAD.values(), ids=BAD)
def test_it_is_told_in_a_line(argv, message, models, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    for name, pixels in {
        "photo": scene(),
        "other": scene(),
        "black": scene() * 0,
        "small": np.eye(5, dtype=np.uint8) * 255,
    }.items():
        Image.fromarray(pixels).save(f"{name}.png")
    Image.fromarray(scene()).save(buffer, "png")
    (tmp_path / "half.png").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    Image.fromarray(scene()[:, :, 0].astype(np.float32)).save("float.tif")
    (tmp_path / "words.txt").write_text("words")
    (tmp_path / "folder").mkdir()
    (tmp_path / "denoise.safetensors").write_bytes(models["denoise"].read_bytes())
    gan_file(tmp_path)
    before = contents(tmp_path)
    assert restore(*argv) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1
    assert contents(tmp_path) == before
