"""python -m minigan evaluate: the same samples from a model, a checkpoint, PNGs and an array; and --metric-every."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import contents, idx_bytes, write_digits
from PIL import Image
from small_extractor import SmallExtractor

from minigan import cli, gan
from minigan.checkpoint import Checkpoints, read, save_model
from minigan.metrics.evaluation import HALVES, NOISE, PCA, SAMPLES, TEST
from minigan.metrics.pixels import as_bytes

ARCHITECTURE = {"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 6, "width": 4}
SMALL = ["--data", "digits", "-n", "30"]
TRAIN = ["train", "--data", "digits", "--width", "2", "--z-dim", "4", "--batch-size", "8", "--quiet", "--out", "out"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with digits of both splits, a model and a small extractor in place of those that are bundled."""
    monkeypatch.chdir(tmp_path)
    digits = write_digits(tmp_path / "digits", count=60)
    rng = np.random.default_rng(1)
    (digits / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(rng.integers(0, 256, (40, 28, 28)).astype(np.uint8)))
    (digits / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(rng.integers(0, 10, 40).astype(np.uint8)))
    save_model(tmp_path / "model.safetensors", generator(), ARCHITECTURE)
    monkeypatch.setattr("minigan.metrics.load_extractor", lambda name: SmallExtractor())
    return tmp_path


def generator(architecture=ARCHITECTURE):
    return gan.build(architecture, np.random.default_rng(0))[0]


def images(count=30):
    """What evaluate draws from the model: the first of the two streams of seed 0."""
    rng = np.random.default_rng(np.random.SeedSequence(0).spawn(2)[0])
    return gan.generate(generator(), rng.standard_normal((count, 6)))


def evaluate(*argv):
    """The numbers that are written, of a command line that is expected to do well."""
    assert cli.main(["evaluate", *map(str, argv), *SMALL, "--json", "found.json"]) == 0
    return json.loads(Path("found.json").read_text())


def refused(capsys, *argv):
    capsys.readouterr()
    assert cli.main([str(arg) for arg in argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


# ---- sources --------------------------------------------------------------------------------------------------------


def test_the_table_and_the_json(here, capsys):
    found = evaluate("model.safetensors")
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0] == "30 samples of model.safetensors, batch norm in evaluation mode"
    assert lines[1] == "against 60 images of digits-train"
    assert lines[2] == SmallExtractor().describe()
    assert all(name in lines[4] for name in (SAMPLES, TEST, PCA, NOISE))
    assert found["samples_of"] == lines[0].removeprefix("30 samples of ") and found["seed"] == 0
    assert found[SAMPLES]["count"] == found[TEST]["count"] == 30


def test_every_source_of_the_same_samples_scores_the_same(here):
    drawn = images()
    expected = evaluate("model.safetensors", "--no-baselines")[SAMPLES]

    pixels = as_bytes(drawn)
    (here / "pictures").mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image[0]).save(here / "pictures" / f"{number:03}.png")
    state = {f"generator/{name}": array for name, array in generator().state_dict().items()}
    state |= {"discriminator/0.weight": np.zeros(3, np.float32)}
    Checkpoints(here).save(7, state, {"architecture": ARCHITECTURE, "trainer": {}})
    np.savez(here / "bytes.npz", pixels)
    np.savez(here / "floats.npz", images=drawn, other=np.zeros(3))
    np.savez(here / "last.npz", only=pixels.transpose(0, 2, 3, 1))
    np.savez(here / "flat.npz", images=pixels[:, 0])
    sources = ("step-00000007.safetensors", "pictures", "bytes.npz", "floats.npz", "last.npz", "flat.npz")
    for source in sources:
        found = evaluate(source, "--no-baselines")[SAMPLES]
        for name in ("frechet_distance", "precision", "coverage", "mifid", "copies_z", "reverse_kl"):
            assert found[name] == pytest.approx(expected[name], rel=1e-6), (source, name)


def test_an_averaged_generator_is_taken_from_a_checkpoint(here):
    state = {f"ema/{name}": array for name, array in generator().state_dict().items()}
    state |= {f"generator/{name}": array * 0 for name, array in generator().state_dict().items()}
    path = Checkpoints(here).save(7, state, {"architecture": ARCHITECTURE, "trainer": {}})
    one, other = (evaluate(source, "--no-baselines")[SAMPLES] for source in (path, "model.safetensors"))
    assert one == other


def test_the_folder_of_a_training(here, capsys):
    checkpoints = Checkpoints(here / "out" / "checkpoints")
    checkpoints.folder.mkdir(parents=True)
    state = {f"generator/{name}": array for name, array in generator().state_dict().items()}
    for name, write in (
        ("checkpoints/step-00000009.safetensors",
         lambda: checkpoints.save(9, state, {"architecture": ARCHITECTURE, "trainer": {}})),
        ("model.safetensors", lambda: save_model(here / "out" / "model.safetensors", generator(), ARCHITECTURE)),
    ):  # fmt: skip
        write()
        capsys.readouterr()
        evaluate("out", "--no-baselines")
        assert capsys.readouterr().out.startswith(f"30 samples of out/{name}, batch norm in evaluation mode\n")


def test_a_conditional_model_is_asked_for_the_datas_classes(here, monkeypatch):
    monkeypatch.setattr("minigan.metrics.load_extractor", lambda name: SmallExtractor(12, tuple(map(str, range(10)))))
    architecture = {"model": "cgan", "z_dim": 6, "width": 4, "classes": 10}
    save_model(here / "cgan.safetensors", generator(architecture), architecture)
    found = evaluate("cgan.safetensors")
    assert 0 <= found[SAMPLES]["accuracy"] <= 1 and found[PCA]["accuracy"] is None
    assert evaluate("model.safetensors")[SAMPLES]["accuracy"] is None
    monkeypatch.undo()
    monkeypatch.chdir(here)
    monkeypatch.setattr("minigan.metrics.load_extractor", lambda name: SmallExtractor())
    assert (
        evaluate("cgan.safetensors")[SAMPLES]["accuracy"] is None
    )  # an extractor that knows other classes cannot tell


def test_without_test_images_and_with_others(here):
    for path in here.glob("digits/t10k*"):
        path.rename(here / path.name)
    assert set(evaluate("model.safetensors")) >= {SAMPLES, HALVES, PCA, NOISE}
    (here / "held").mkdir()
    for path in here.glob("t10k*"):
        path.rename(here / "held" / path.name)
    found = evaluate("model.safetensors", "--test", "held")
    assert set(found) >= {SAMPLES, TEST, PCA, NOISE} and found[SAMPLES]["mifid"] is not None


def test_one_class_alone(here, capsys):
    found = evaluate("model.safetensors", "--class", "3", "--no-baselines")
    count = int(found["against"].split()[0])
    assert 0 < count < 60 and found["against"].endswith("digits-train[3]")


def test_the_seed_decides(here):
    one, again = evaluate("model.safetensors"), evaluate("model.safetensors")
    other = evaluate("model.safetensors", "--seed", "5")
    assert one == again and one[SAMPLES] != other[SAMPLES] and one[NOISE] != other[NOISE]


def test_neighbours_are_drawn(here, capsys):
    evaluate("model.safetensors", "--no-baselines", "--neighbours", "near.png")
    assert "near.png" in capsys.readouterr().out
    with Image.open(here / "near.png") as picture:
        assert picture.size == (6 * 30 + 2, 12 * 30 + 2)


def test_with_the_extractor_that_comes_along(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_digits(tmp_path / "digits", count=300)
    save_model(tmp_path / "model.safetensors", generator(), ARCHITECTURE)
    assert cli.main(["evaluate", "model.safetensors", "--data", "digits", "-n", "150", "--json", "found.json"]) == 0
    shown = capsys.readouterr().out
    assert "mnist classifier, test accuracy 99." in shown and "128 features, batch norm in evaluation mode" in shown
    found = json.loads(Path("found.json").read_text())
    # bars of any height are nearer to bars than the untrained generator's images and noise are
    assert found[HALVES]["frechet_distance"] < found[SAMPLES]["frechet_distance"] / 10
    assert found[HALVES]["coverage"] > 0.9 > 0.1 > found[NOISE]["coverage"]


# ---- bad input ------------------------------------------------------------------------------------------------------


def write_npz(**arrays):
    return lambda: np.savez("bad.npz", **arrays)


def damaged_npz():
    np.savez_compressed("bad.npz", images=np.random.default_rng(0).random((30, 1, 28, 28)))
    content = bytearray(Path("bad.npz").read_bytes())
    content[70:90] = b"\xff" * 20
    Path("bad.npz").write_bytes(content)


def write_pictures():
    Image.new("L", (242, 242)).save("pictures/grid.png")


GOOD = np.zeros((30, 28, 28), np.uint8)
BAD = {
    "nothing there": (None, "no.npz", "no.npz: there is no such file; give a model, a folder, or an npz file"),
    "no model": (None, "no.safetensors", "no.safetensors: there is no such file; give a model or checkpoint file"),
    "a damaged one": (damaged_npz, "bad.npz", "bad.npz: not a readable npz file (Error -3 while decompressing"),
    "no npz": (lambda: Path("bad.npz").write_text("hello"), "bad.npz", "bad.npz: not a readable npz file ("),
    "objects": (write_npz(a=np.array([{}])), "bad.npz", "bad.npz: not a readable npz file (Object arrays"),
    "two arrays": (write_npz(a=GOOD, b=GOOD), "bad.npz", 'bad.npz holds a, b: name the array of samples "images"'),
    "no arrays": (write_npz(labels=GOOD), "bad.npz", 'bad.npz holds labels: name the array of samples "images"'),
    "another size": (
        write_npz(images=GOOD[:, :20]),
        "bad.npz",
        "bad.npz: images is (30, 20, 28), expected (N, 1, 28, 28) or (N, 28, 28, 1) as the images of digits-train",
    ),
    "0 to 1": (write_npz(images=GOOD / 255), "bad.npz", "bad.npz: images runs from 0 to 1, expected [-1, 1]"),
    "0 to 255": (write_npz(images=GOOD + 255.0), "bad.npz", "samples: values from 255 to 255, expected [-1, 1]"),
    "fewer labels": (write_npz(images=GOOD, labels=np.zeros(3, int)), "bad.npz", "expected an integer for each of 30"),
    "too few": (write_npz(images=GOOD[:5]), "bad.npz", "5 samples are too few for the covariance of 5 features"),
    "a grid": (write_pictures, "pictures", "pictures/grid.png is 242x242 pixels, the images of digits-train are 28x28"),
    "an empty folder": (None, "pictures", "pictures has no files, expected pictures: check the path"),
}


@pytest.mark.parametrize("name", BAD)
def test_sources_that_cannot_be_measured(here, capsys, name):
    write, source, message = BAD[name]
    (here / "pictures").mkdir()
    if write:
        write()
    before = contents(here)
    assert message in refused(capsys, "evaluate", source, *SMALL, "--json", "found.json")
    assert contents(here) == before


def test_a_conditional_model_of_other_data(here, capsys):
    architecture = {"model": "cgan", "z_dim": 6, "width": 4, "classes": 3}
    save_model(here / "cgan.safetensors", generator(architecture), architecture)
    told = refused(capsys, "evaluate", "cgan.safetensors", *SMALL)
    assert told.startswith("cgan.safetensors: this model draws 3 classes, digits-train has 10 classes: name the --data")


# ---- while training -------------------------------------------------------------------------------------------------


def test_a_training_keeps_its_best(here, capsys):
    assert cli.main([*TRAIN, "--steps", "6", "--metric-every", "2", "--metric-samples", "25"]) == 0
    _, facts = read(here / "out" / "best.safetensors", "model")
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "6 steps; samples and model in out"
    assert shown[1] == (
        f"lowest Frechet distance {facts['frechet_distance']:.4g} at step {facts['step']}: out/best.safetensors"
    )
    evaluate("out/best.safetensors", "--no-baselines")


def test_resuming_with_another_measure_is_refused(here, capsys):
    settings = ["--metric-every", "2", "--metric-samples", "25"]
    assert cli.main([*TRAIN, *settings, "--steps", "3"]) == 0
    before = contents(here)
    told = refused(capsys, *TRAIN, *settings[:3], "26", "--steps", "6", "--resume")
    assert "metric was Frechet distance of 25 samples every 2 steps" in told and "now Frechet distance of 26" in told
    assert contents(here) == before
    assert cli.main([*TRAIN, *settings, "--steps", "6", "--resume"]) == 0


MISFITS = {
    ("--metric-samples", "30"): "--metric-samples 30 does nothing without --metric-every: add that, or leave it out",
    ("--extractor", "mnist"): "--extractor mnist does nothing without --metric-every: add that, or leave it out",
    ("--metric-every", "2", "--metric-samples", "5"): "5 samples are too few for the covariance of 5 features",
}


@pytest.mark.parametrize(
    ("size", "count", "message"),
    [
        (32, 200, "images are (1, 32, 32), the mnist classifier takes (1, 28, 28): train one for such images with"),
        (28, 60, "real images: a covariance of 128 dimensions needs at least 129 samples, not 60"),
    ],
)
@pytest.mark.parametrize(
    "command", [["evaluate", "model.safetensors"], [*TRAIN, "--steps", "2", "--metric-every", "1"]]
)
def test_data_that_the_extractor_cannot_take(tmp_path, monkeypatch, capsys, command, size, count, message):
    monkeypatch.chdir(tmp_path)
    write_digits(tmp_path / "digits", count=count, height=size, width=size)
    save_model(tmp_path / "model.safetensors", generator(), ARCHITECTURE)
    before = contents(tmp_path)
    assert message in refused(capsys, *command, "--data", "digits")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("argv", MISFITS)
def test_a_measure_that_cannot_be_taken_ends_before_the_training(here, capsys, argv):
    assert MISFITS[argv] in refused(capsys, *TRAIN, "--steps", "2", *argv)
    assert not (here / "out").exists()
