"""The command line: what each combination ignores or contradicts is refused, in one line, and nothing is written.

The table is to be read: what is typed, and what is said about it.
"""

import runpy

import numpy as np
import pytest
from commands import ROOT, contents, idx_bytes, write_digits
from PIL import Image

from minigan import cli, gan
from minigan.checkpoint import Checkpoints, save_model

ARCHITECTURE = {"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 6, "width": 4}
TRAIN = ["train", "--data", "digits", "--width", "2", "--batch-size", "8", "--quiet", "--out", "out"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with digits, pictures of two classes, a model, and the folder of a run."""
    monkeypatch.chdir(tmp_path)
    write_digits(tmp_path / "digits", count=60)
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(8):
            Image.new("L", (40, 40), 20 * number).save(tmp_path / "pets" / name / f"{number}.png")
    generator, _ = gan.build(ARCHITECTURE, np.random.default_rng(0))
    save_model(tmp_path / "model.safetensors", generator, ARCHITECTURE)
    state = {f"generator/{name}": array for name, array in generator.state_dict().items()}
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    Checkpoints(tmp_path / "run" / "checkpoints").save(7, state, {"architecture": ARCHITECTURE, "trainer": {}})
    np.savez(tmp_path / "samples.npz", np.zeros((9, 28, 28), np.uint8))
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def refused(capsys, argv):
    capsys.readouterr()
    assert cli.main([str(arg) for arg in argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0].removeprefix("error: ")


DCGAN = [*TRAIN, "--model", "dcgan"]
IGNORED = [
    ([*TRAIN, "--size", "64"], "--size 64 does nothing with images that have a size: give a folder of pictures"),
    (["train", "--size", "64", "--channels", "3"], "--size 64 does nothing with images that have a size"),
    ([*TRAIN, "--channels", "3"], "--channels 3 does nothing with images that have their channels"),
    ([*DCGAN, "--penalty-every", "4"], "--penalty-every 4 does nothing without --penalty: add that, or leave it out"),
    ([*DCGAN, "--gamma", "4"], "--gamma 4.0 does nothing without R1 or R2: add --penalty r1, or leave it out"),
    ([*TRAIN, "--penalty", "dragan", "--gamma", "4"], "--gamma 4.0 does nothing without R1 or R2: add --penalty r1"),
    ([*DCGAN, "--clusters", "4"], "--clusters 4 does nothing with a model that is told no clusters: choose --model"),
    ([*TRAIN, "--penalty", "r1", "--penalty", "r1"], "--penalty r1 --penalty r1: names one twice"),
    ([*TRAIN, "--steps", "2", "--epochs", "3"], "--epochs 3 does nothing beside --steps: leave out one of them"),
    ([*TRAIN, "--model", "wgan", "--betas", "0.5", "0.9"], "--betas 0.5 0.9 does nothing with a model that is not"),
    ([*TRAIN, "--backend", "reference", "--threads", "2"], "--threads 2 does nothing on this backend"),
    ([*TRAIN, "--tf32"], "backend 'numpy' has no TF32"),
    ([*TRAIN, "--extractor", "mnist"], "--extractor mnist does nothing without --metric-every"),
    ([*TRAIN, "--steps", "4", "--decay-from", "4"], "--decay-from 4 is not before the end, at step 4"),
    ([*TRAIN, "--steps", "4", "--n-critic", "5"], "--n-critic 5: G would never learn in 4 steps"),
    ([*TRAIN, "--steps", "4", "--checkpoint-every", "5"], "--checkpoint-every 5 does nothing in 4 steps"),
    ([*TRAIN, "--out", ""], "the output folder has no name: give --out one"),
    (["evaluate", "model.safetensors", "--json", "none/a.json"], "--json none/a.json: there is no folder none"),
    ([*TRAIN, "--accumulate", "3"], "--batch-size 8 cannot be worked on in --accumulate 3 parts"),
    ([*TRAIN, "--accumulate", "8"], "--batch-size 8 in --accumulate 8 parts: batch norm needs at least 2 images"),
    (
        [*TRAIN, "--model", "cgan", "--class", "1"],
        "--class 1: cgan learns to tell classes apart, and would",
    ),
    ([*TRAIN, "--model", "wgan", "--label-smoothing", "0.1"], "--label-smoothing: wgan's objective has no labels"),
    ([*TRAIN, "--diffaugment", "color,color"], "DiffAugment: 'color,color' names one twice"),
    (["evaluate", "samples.npz", "--backend", "reference"], "--backend reference does nothing with samples that are"),
    (["evaluate", "pets", "--backend", "numpy"], "--backend numpy does nothing with samples that are there already"),
    (["evaluate", "model.safetensors", "--size", "32"], "--size 32 does nothing with images that have a size"),
    (["evaluate", "model.safetensors", "--json", "a", "--neighbours", "a"], "--neighbours a would overwrite --json's"),
    (["watch", "out", "--model", "toy", "--width", "8"], "--width 8 does nothing with toy: choose another --model"),
]


@pytest.mark.parametrize(("argv", "message"), IGNORED, ids=[" ".join(row[0]).replace("/", "") for row in IGNORED])
def test_an_option_that_does_nothing_is_refused(here, capsys, argv, message):
    before = contents(here)
    assert refused(capsys, argv).startswith(message)
    assert contents(here) == before


PLACES = [
    ["sample", "model.safetensors", "--out", "s.jpg"],
    ["interpolate", "model.safetensors", "--out", "walk.gif"],
    ["sample", "model.safetensors", "--out", "samples.npz"],
    ["sample", "run", "--out", "run/checkpoints/step-00000007.safetensors"],
    ["evaluate", "model.safetensors", "--data", "digits", "--json", "model.safetensors"],
    ["evaluate", "model.safetensors", "--data", "digits", "--neighbours", "near.jpg"],
    ["evaluate", "model.safetensors", "--data", "pets", "--size", "28", "--neighbours", "pets/near.png"],
    ["evaluate", "pets", "--data", "digits", "--json", "pets/found.json"],
    ["report", "run", "--html", "run/metrics.jsonl"],
    [
        "train",
        "--data",
        "pets",
        "--out",
        "pets/out",
        "--steps",
        "1",
        "--batch-size",
        "4",
        "--width",
        "2",
        "--size",
        "28",
    ],
]


@pytest.mark.parametrize("argv", PLACES, ids=lambda argv: " ".join(argv).replace("/", ""))
def test_a_file_is_what_its_name_says_and_nothing_is_written_over_what_is_read(here, capsys, argv):
    before = {path: content for path, content in contents(here).items() if "cache" not in path.parts}
    told = refused(capsys, argv)
    assert "overwrite" in told or "name it so" in told or "lies in the folder of pictures" in told
    assert {path: content for path, content in contents(here).items() if "cache" not in path.parts} == before


@pytest.mark.parametrize(
    ("example", "argv", "message"),
    [
        ("mnist_gan", ["--width", "8"], "--width 8 does nothing beside --dry-run, which sets it"),
        ("mnist_gan", ["--epochs", "8"], "--epochs 8 does nothing beside --dry-run, which sets it"),
        ("mnist_gan", ["--metric-samples", "8"], "--metric-samples 8 does nothing without --metric-every"),
        ("stacked_mnist", ["--count-every", "2"], "--count-every 2 does nothing beside --dry-run, which sets it"),
        ("augment", ["--labels", "40", "80"], "--labels 40 80 does nothing beside --dry-run, which sets it"),
    ],
)
def test_the_examples_dry_run(here, monkeypatch, capsys, example, argv, message):
    before = contents(here)
    monkeypatch.setattr("sys.argv", [example, "--dry-run", "--quiet", *argv])
    with pytest.raises(SystemExit) as leaving:
        runpy.run_path(str(ROOT / "examples" / f"{example}.py"), run_name="__main__")
    assert leaving.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert contents(here) == before


# ---- what is taken ---------------------------------------------------------------------------------------------------


def test_pictures_are_brought_to_a_size(here, capsys):
    argv = ["train", "--data", "pets", "--size", "28", "--channels", "1", "--steps", "1", "--batch-size", "4"]
    assert cli.main([*argv, "--width", "2", "--quiet", "--out", "out"]) == 0
    with Image.open(here / "out" / "samples" / "epoch-001.png") as picture:
        assert picture.mode == "L"


@pytest.mark.parametrize("wanted", ["dogs", "1"])
def test_a_class_is_given_by_name_or_by_index(here, capsys, wanted):
    argv = ["train", "--data", "pets", "--size", "28", "--class", wanted, "--steps", "1", "--batch-size", "9"]
    assert refused(capsys, [*argv, "--width", "2"]).startswith(
        f"batch_size 9 is larger than the 8 items of pets[{wanted}]"
    )
    assert "pets has no class 2: choose one of cats, dogs or an index" in refused(capsys, [*argv[:6], "2"])


@pytest.mark.parametrize("command", ["sample", "interpolate"])
def test_the_folder_of_a_training_stands_for_its_model(here, capsys, command):
    assert cli.main([command, "run", "--out", "a.png"]) == 0
    assert cli.main([command, "model.safetensors", "--out", "b.PNG"]) == 0
    assert (here / "a.png").read_bytes() == (here / "b.PNG").read_bytes()
    assert refused(capsys, [command, "pets"]).startswith("pets: there is no such file, and no model in this folder")


@pytest.mark.parametrize("name", ["cat-idx3.png", "idx3-ubyte.png", "train-images-idx3-ubyte.png"])
def test_pictures_may_be_called_as_they_like(here, capsys, name):
    (here / "pets" / "cats" / "0.png").rename(here / "pets" / name)
    (here / "pets" / "cats").rename(here / "pets" / "train-images-idx3-ubyte")
    argv = ["train", "--data", "pets", "--size", "28", "--steps", "1", "--batch-size", "99"]
    assert refused(capsys, argv).startswith("batch_size 99 is larger than the 16 items of pets")


def test_a_set_without_a_test_split_is_known_as_one(here, capsys):
    (here / "letters").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (60, 28, 28)).astype(np.uint8)
    (here / "letters" / "emnist-letters-train-images-idx3-ubyte").write_bytes(idx_bytes(pixels))
    argv = ["evaluate", "model.safetensors", "--data", "letters", "-n", "20"]
    assert "needs at least 129 samples" in refused(capsys, argv)  # and not: has no test split
