"""Every wrong thing a person may type or hand over: exit code 2, one clear line on stderr, and nothing touched.

The tables are to be read: what is given, and what is said about it.
"""

import gzip
import json
import runpy
import struct

import numpy as np
import pytest
from commands import EXAMPLE, contents, idx_bytes, python, write_digits

from minigan import backend, checkpoint, cli, gan

TRAIN = ["--quiet", "--steps", "1", "--width", "4", "--z-dim", "8", "--batch-size", "4", "--out", "out"]
ARCHITECTURE = {"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 8, "width": 4}


@pytest.fixture
def shell(tmp_path, monkeypatch, capfd):
    """Runs a command in this process, in an empty folder; its exit code and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(program, *argv):
        capfd.readouterr()
        if program == "minigan":
            try:
                code = cli.main(argv)
            except SystemExit as leaving:
                code = leaving.code
        else:
            monkeypatch.setattr("sys.argv", [program, *argv])
            with pytest.raises(SystemExit) as leaving:
                runpy.run_path(str(EXAMPLE), run_name="__main__")
            code = leaving.value.code
        return code, capfd.readouterr().err

    return run


def assert_refused(shell, folder, program, argv, *fragments):
    before = contents(folder)
    code, shown = shell(program, *argv)
    lines = shown.splitlines()
    assert code == 2, shown
    assert len(lines) == 1 and lines[0].startswith("error: "), shown
    for fragment in fragments:
        assert fragment in lines[0]
    assert contents(folder) == before  # nothing written, nothing overwritten


# ---- data -----------------------------------------------------------------------------------------------------------


def digits(**settings):
    return lambda folder: write_digits(folder, **settings)


def spoiled(name, spoil):
    """A good folder in which one file's bytes are changed."""

    def make(folder):
        path = write_digits(folder) / name
        path.write_bytes(spoil(path.read_bytes()))

    return make


def flipped(content):
    """One bit wrong in the middle: the checksum at the end tells."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def swapped(folder):
    write_digits(folder)
    images, labels = folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte"
    content = images.read_bytes(), labels.read_bytes()
    images.write_bytes(content[1])
    labels.write_bytes(content[0])


def photographs(folder):
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"\xff\xd8\xff")


IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"
DATA = {
    "missing": (lambda folder: None, "data does not exist, expected a folder of IDX files"),
    "a-file": (lambda folder: folder.write_bytes(b"x"), "data is a file, expected a folder of IDX files"),
    "empty": (lambda folder: folder.mkdir(), "data has no train split, expected a file train-images-idx3-ubyte"),
    "pictures": (photographs, "data has no train split"),
    "truncated-gzip": (spoiled(IMAGES, lambda c: c[:-20]), "is a corrupt gzip file"),
    "flipped-bit": (spoiled(IMAGES, flipped), "is a corrupt gzip file"),
    "truncated": (spoiled(LABELS, lambda c: c[:-1]), "holds 47 bytes of data, expected 48"),
    "header-only": (spoiled(LABELS, lambda c: c[:6]), "ends after 6 bytes"),
    "no-bytes": (spoiled(IMAGES, lambda c: b""), "is empty, expected an IDX file"),
    "png": (spoiled(LABELS, lambda c: b"\x89PNG\r\n"), "starts with the bytes 89 50 4e 47, expected 00 00"),
    "swapped": (swapped, "holds uint8 of shape (48,), expected images (N, H, W) as ubyte: is the file misnamed?"),
    "fewer-labels": (spoiled(LABELS, lambda c: idx_bytes(np.zeros(3, np.uint8))), "48 images but"),
    "no-images": (
        spoiled(IMAGES, lambda c: gzip.compress(idx_bytes(np.zeros((0, 28, 28), np.uint8)))),
        "there is no picture in it",
    ),
    "6-pixels": (digits(height=6, width=6), "image_size 6 must be a number of pixels, or (height, width), from 8"),
    "fewer-than-a-batch": (digits(count=3), "batch_size 4 is larger than the 3 items of data-train", "at most 3"),
}


@pytest.mark.parametrize("name", DATA)
def test_data(shell, tmp_path, name):
    make, *fragments = DATA[name]
    make(tmp_path / "data")
    assert_refused(shell, tmp_path, "mnist_gan.py", [*TRAIN, "--data", "data"], *fragments)


# ---- settings -------------------------------------------------------------------------------------------------------

SETTINGS = [
    (["--batch-size", "1"], "--batch-size 1: batch norm needs at least 2 images"),
    (["--batch-size", "0"], "--batch-size 0: batch norm needs at least 2 images"),
    (["--batch-size", "-5"], "--batch-size -5: batch norm needs at least 2 images"),
    (["--batch-size", "49"], "batch_size 49 is larger than the 48 items of data-train"),
    (["--lr", "-0.1"], "lr = -0.1 must be at least 0"),
    (["--lr", "nan"], "lr = nan must be at least 0"),
    (["--beta1", "1"], "betas = (1.0, 0.99) must each be at least 0 and below 1"),
    (["--beta1", "-0.1"], "betas = (-0.1, 0.99) must each be at least 0 and below 1"),
    (["--beta1", "nan"], "betas = (nan, 0.99) must each be at least 0 and below 1"),
    (["--backend", "tpu"], "unknown backend 'tpu': choose one of reference, numpy, numba, cupy"),
    (["--resume"], "out holds no run to resume"),
    (["--out", "file"], "cannot write to the output folder file", "choose another --out"),
    (["--out", "file/below"], "cannot write to the output folder file/below", "choose another --out"),
]


@pytest.mark.parametrize(("argv", "fragments"), [(row[0], row[1:]) for row in SETTINGS], ids=lambda v: " ".join(v))
def test_settings(shell, tmp_path, argv, fragments):
    write_digits(tmp_path / "data")
    (tmp_path / "file").write_text("mine")  # a folder below a file: nobody can make one, not even root
    assert_refused(shell, tmp_path, "mnist_gan.py", [*TRAIN, "--data", "data", *argv], *fragments)


@pytest.mark.skipif(not backend.available()["cupy"], reason="CuPy is here")
@pytest.mark.parametrize("program", ["mnist_gan.py", "minigan"])
def test_cupy_where_it_is_not(shell, tmp_path, program, model):
    write_digits(tmp_path / "data")
    argv = [*TRAIN, "--data", "data"] if program == "mnist_gan.py" else ["sample", "model"]
    assert_refused(shell, tmp_path, program, [*argv, "--backend", "cupy"], 'backend "cupy"', "use --backend numpy")


def test_a_folder_that_holds_a_training(shell, tmp_path):
    write_digits(tmp_path / "data")
    argv = [*TRAIN, "--data", "data"]
    assert shell("mnist_gan.py", *argv)[0] == 0
    assert_refused(shell, tmp_path, "mnist_gan.py", argv, "out already holds a run", "choose another --out")
    changed = [*argv, "--resume", "--lr", "0.1"]
    assert_refused(
        shell, tmp_path, "mnist_gan.py", changed, "out was run with different settings: lr was 0.001, now 0.1"
    )


# ---- model files ----------------------------------------------------------------------------------------------------


def save(path, architecture, network=ARCHITECTURE, leave_out=()):
    """A model file with the arrays of ``network`` that says it is ``architecture``."""
    state = gan.build(network, np.random.default_rng(0))[0].state_dict()
    state = {name: array for name, array in state.items() if name not in leave_out}
    checkpoint.save(path, "model", state, {"architecture": architecture})


@pytest.fixture
def model(tmp_path):
    save(tmp_path / "model", ARCHITECTURE)
    return tmp_path / "model"


def says(**changes):
    return lambda path: save(path, {**ARCHITECTURE, **changes})


def foreign(path):
    """A safetensors file as other programs write them."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def truncated(path):
    save(path, ARCHITECTURE)
    path.write_bytes(path.read_bytes()[:-100])


def damaged(path):
    save(path, ARCHITECTURE)
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")


MODEL_FILES = {
    "missing": (lambda path: None, "there is no such file"),
    "a-folder": (lambda path: path.mkdir(), "there is no such file"),
    "empty": (lambda path: path.write_bytes(b""), "not a readable safetensors file"),
    "png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "not a readable safetensors file"),
    "truncated": (truncated, "not a readable safetensors file"),
    "damaged": (damaged, "is damaged"),
    "another-programs": (foreign, "is no file of minigan's, not a model"),
    "a-classifier": (lambda path: checkpoint.save(path, "classifier", {}, {}), "is a classifier, not a model or"),
    "an-empty-checkpoint": (lambda path: checkpoint.save(path, "checkpoint", {}, {}), "metadata holds no architecture"),
    "no-architecture": (lambda path: save(path, None), "its metadata holds no architecture"),
    "architecture-a-list": (lambda path: save(path, ["dcgan"]), "its metadata holds no architecture"),
    "unknown-model": (says(model="stylegan9"), "unknown model 'stylegan9': choose one of"),
    "model-a-number": (says(model=3), "unknown model 3: choose one of"),
    "unknown-setting": (says(depth=3), "the settings", "do not fit", "depth"),
    "size-that-is-none": (says(image_size=5), "image_size 5 must be a number of pixels"),
    "z-of-another-size": (says(z_dim=9), "does not fit", "0.weight is (392, 8), the model's is (392, 9)"),
    "no-z": (says(z_dim=0), "z_dim = 0 must be"),
    "another-width": (says(width=5), "does not fit", "the model's is"),
    "width-a-word": (says(width="wide"), "model"),
    "a-missing-array": (lambda path: save(path, ARCHITECTURE, leave_out=["4.weight"]), "missing 4.weight"),
}


@pytest.mark.parametrize("name", MODEL_FILES)
def test_model_files(shell, tmp_path, name):
    make, *fragments = MODEL_FILES[name]
    make(tmp_path / "model")
    assert_refused(shell, tmp_path, "minigan", ["sample", "model"], "model: ", *fragments)


PLACES = [
    (["sample", "model", "--out", "missing/a.png"], "missing/a.png: No such file or directory"),
    (["sample", "model", "--out", "file/a.png"], "file/a.png: Not a directory"),
    (["sample", "model", "--out", "folder"], "folder: Is a directory"),
    (["sample", "model", "--out", "model"], "--out model would overwrite the model"),
    (["interpolate", "model", "--out", "./model"], "--out ./model would overwrite the model"),
    (["sample", "model", "--backend", "tpu"], "unknown backend 'tpu'"),
    (["sample", "model", "--class", "3"], "--class 3: this model knows no classes"),
    (["sample", "model", "-n", "1000000000000000"], "one picture shows at most 100,000"),
    (["gradcheck", "--backend", "tpu"], "unknown backend 'tpu'"),
    (["train", "--model", "stylegan9"], "unknown model 'stylegan9': choose one of"),
    (["train", "--data", "missing", "--quiet"], "missing"),
    (["train", "--data", "folder", "--quiet"], "folder"),
    (["train", "--batch-size", "1"], "--batch-size 1: batch norm needs at least 2 images"),
]


@pytest.mark.parametrize(("argv", "fragment"), PLACES, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_commands(shell, tmp_path, model, argv, fragment):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    assert_refused(shell, tmp_path, "minigan", argv, fragment)


# ---- what argparse refuses ------------------------------------------------------------------------------------------

USAGE = [
    ("mnist_gan.py", ["--z-dim", "0"], "argument --z-dim: 0 is not a whole number of at least 1"),
    ("mnist_gan.py", ["--width", "-4"], "argument --width: -4 is not a whole number of at least 1"),
    ("mnist_gan.py", ["--steps", "0"], "argument --steps: 0 is not a whole number of at least 1"),
    ("mnist_gan.py", ["--epochs", "many"], "argument --epochs: many is not a whole number of at least 1"),
    ("mnist_gan.py", ["--seed", "-1"], "argument --seed: -1 is not a whole number of at least 0"),
    ("mnist_gan.py", ["--threads", "0"], "argument --threads: 0 is not a whole number of at least 1"),
    ("mnist_gan.py", ["--batch-size", "4.5"], "argument --batch-size: invalid int value: '4.5'"),
    ("mnist_gan.py", ["--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
    ("mnist_gan.py", ["--turbo"], "unrecognized arguments: --turbo"),
    ("style.py", ["--threads", "0"], "argument --threads: 0 is not a whole number of at least 1"),
    ("avatars.py", ["--steps", "-3"], "argument --steps: -3 is not a whole number of at least 1"),
    ("restore.py", ["--seed", "-1"], "argument --seed: -1 is not a whole number of at least 0"),
    ("minigan", [], "the following arguments are required: COMMAND"),
    ("minigan", ["dream"], "argument COMMAND: invalid choice: 'dream'"),
    ("minigan", ["sample"], "the following arguments are required: MODEL"),
    ("minigan", ["sample", "model", "-n", "0"], "argument -n: 0 is not a whole number of at least 1"),
    ("minigan", ["interpolate", "model", "--rows", "x"], "argument --rows: x is not a whole number of at least 1"),
    ("minigan", ["train", "--objective", "mean"], "argument --objective: invalid choice: 'mean'"),
]


@pytest.mark.parametrize(("program", "argv", "message"), USAGE, ids=[" ".join([row[0], *row[1]]) for row in USAGE])
def test_usage(shell, tmp_path, program, argv, message):
    code, shown = shell(program, *argv)
    assert code == 2
    assert shown.startswith("usage: ") and message in shown.splitlines()[-1]
    assert contents(tmp_path) == {}


# ---- the same through a real shell ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([EXAMPLE, "--quiet", "--data", "nowhere"], "error: nowhere does not exist"),
        (["-m", "minigan", "sample", "text"], "error: text: not a readable safetensors file"),
    ],
    ids=["example", "module"],
)
def test_in_a_process_of_its_own(tmp_path, argv, message):
    (tmp_path / "text").write_text("no model")
    before = contents(tmp_path)
    done = python(*argv, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1
    assert contents(tmp_path) == before
