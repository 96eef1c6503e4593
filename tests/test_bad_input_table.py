"""Bad input as a table: what is given, and the one line that is said about it, word for word.

{path} stands for the file or folder in question, {other} for another library's words. In tests/test_bad_input.py the
same is tried through the programs.
"""

import gzip
import json
import re
import struct

import numpy as np
import pytest
from commands import idx_bytes, write_digits

from minigan import InputError, backend, checkpoint, cli, gan, optim
from minigan.checkpoint import VERSION, read_model
from minigan.data import Dataset, ImageFolder, Loader, mnist, read_idx


def said_about(call, path=None):
    """The message of the InputError that ``call`` raises, with {path} for the path."""
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    return text if path is None else text.replace(str(path), "{path}")


def assert_is(text, message):
    pattern = re.escape(message).replace(re.escape("{other}"), ".+")
    assert re.fullmatch(pattern, text), f"{text}\n{message}"


# ---- IDX files ------------------------------------------------------------------------------------------------------

DIGITS = idx_bytes(np.zeros((2, 3, 3), np.uint8))
IDX = {
    "nothing": (b"", "{path} is empty, expected an IDX file: download it again"),
    "one byte": (b"\0", "{path} ends after 1 bytes, expected a header of at least 4: download it again"),
    "html": (b"<html>", "{path} starts with the bytes 3c 68 74 6d, expected 00 00: it is not an IDX file"),
    "png": (b"\x89PNG\r\n\x1a\n", "{path} starts with the bytes 89 50 4e 47, expected 00 00: it is not an IDX file"),
    "npy": (b"\x93NUMPY\x01\0", "{path} starts with the bytes 93 4e 55 4d, expected 00 00: it is not an IDX file"),
    "zip": (b"PK\x03\x04", "{path} starts with the bytes 50 4b 03 04, expected 00 00: it is not an IDX file"),
    "unknown dtype": (
        b"\0\0\x07\x01\0\0\0\1\0",
        "{path} has the unknown dtype 0x07, expected one of 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e: it is not an IDX file",
    ),
    "half a header": (
        DIGITS[:7],
        "{path} ends after 7 bytes, expected a header of 16 for 3 dimensions: download it again",
    ),
    "one byte short": (
        DIGITS[:-1],
        "{path} holds 17 bytes of data, expected 18 for shape (2, 3, 3): download it again",
    ),
    "one byte more": (
        DIGITS + b"\0",
        "{path} goes on after the 18 bytes that its shape (2, 3, 3) takes: it is not one IDX file, or its "
        "header is wrong",
    ),
    "claims terabytes": (
        b"\0\0\x08\x03" + struct.pack(">III", 2**31, 28, 28),
        "{path} holds 0 bytes of data, expected 1683627180032 for shape (2147483648, 28, 28): download it again",
    ),
    "claims terabytes, packed": (
        gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 2**32 - 1) + bytes(99)),
        "{path} holds 99 bytes of data, expected 4294967295 for shape (4294967295,): download it again",
    ),
    "truncated gzip": (
        gzip.compress(DIGITS)[:-9],
        "{path} is a corrupt gzip file (Compressed file ended before the end-of-stream marker was reached): "
        "download it again",
    ),
    "gzip of nothing": (gzip.compress(b""), "{path} is empty, expected an IDX file: download it again"),
    "gzip with a wrong method": (
        b"\x1f\x8b\x07" + bytes(20),
        "{path} is a corrupt gzip file (Unknown compression method): download it again",
    ),
}


@pytest.mark.parametrize("name", IDX)
def test_idx_files(tmp_path, name):
    content, message = IDX[name]
    path = tmp_path / "digits"
    path.write_bytes(content)
    assert_is(said_about(lambda: read_idx(path), path), message)


def without_images(folder):
    (folder / "train-images-idx3-ubyte.gz").unlink()


def only_test(folder):
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("train", "t10k"))


def two_sets(folder):
    for path in list(folder.iterdir()):
        for prefix in ("a", "b"):
            (folder / f"{prefix}-{path.name}").write_bytes(path.read_bytes())
        path.unlink()


def colour_images(folder):
    (folder / "train-images-idx3-ubyte.gz").write_bytes(idx_bytes(np.zeros((48, 3, 28, 28), np.uint8)))


def three_labels(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(3, np.uint8)))


def no_pixels(folder):
    (folder / "train-images-idx3-ubyte.gz").write_bytes(idx_bytes(np.zeros((48, 0, 28), np.uint8)))


NO_SPLIT = "{path} has no train split, expected a file train-images-idx3-ubyte[.gz] in it: "
SETS = {
    "no images": (without_images, NO_SPLIT + "download the set into it"),
    "only a test split": (only_test, NO_SPLIT + "it has only a test split, use that"),
    "two sets": (two_sets, "{path} holds 2 sets (a, b), expected one: give each a folder of its own"),
    "colour": (
        colour_images,
        "{path}/train-images-idx3-ubyte.gz holds uint8 of shape (48, 3, 28, 28), expected images (N, H, W) as ubyte: "
        "is the file misnamed?",
    ),
    "fewer labels": (
        three_labels,
        "{path}/train-images-idx3-ubyte.gz holds 48 images but {path}/train-labels-idx1-ubyte 3 labels: "
        "take both files from the same set",
    ),
    "no pixels": (
        no_pixels,
        "{path}/train-images-idx3-ubyte.gz has the shape (48, 0, 28): there is no picture in it",
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_sets_of_idx_files(tmp_path, name):
    spoil, message = SETS[name]
    folder = write_digits(tmp_path / "digits")
    spoil(folder)
    assert_is(said_about(lambda: mnist(root=folder), folder), message)


# ---- folders of pictures --------------------------------------------------------------------------------------------


def no_folder(folder):
    folder.rmdir()


def a_file(folder):
    folder.rmdir()
    folder.touch()


def a_text(folder):
    (folder / "notes.txt").write_text("hello")


def hidden(folder):
    (folder / ".hidden.png").touch()


def half_a_png(folder):
    from PIL import Image

    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "a.png")
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:40])


PICTURES = {
    "no folder": (no_folder, {}, "{path} does not exist, expected a folder of pictures: check the path"),
    "a file": (a_file, {}, "{path} is a file, expected a folder of pictures: check the path"),
    "empty": (lambda folder: None, {}, "{path} has no files, expected pictures: check the path"),
    "only hidden": (hidden, {}, "{path} has no files, expected pictures: check the path"),
    "only text": (
        a_text,
        {},
        "{path} has no readable picture among its 1 files (notes.txt: not a picture that Pillow can read)",
    ),
    "half a picture": (
        half_a_png,
        {},
        "{path} has no readable picture among its 1 files (a.png: not a picture that Pillow can read)",
    ),
    "size 0": (a_text, {"size": 0}, "size is 0, expected a whole number of pixels from 1 up"),
    "size 1.5": (a_text, {"size": 1.5}, "size is 1.5, expected a whole number of pixels from 1 up"),
    "size True": (a_text, {"size": True}, "size is True, expected a whole number of pixels from 1 up"),
    "2 channels": (a_text, {"channels": 2}, "channels is 2, expected 3 (colour) or 1 (grey)"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_folders_of_pictures(tmp_path, name):
    spoil, settings, message = PICTURES[name]
    folder = tmp_path / "pictures"
    folder.mkdir()
    spoil(folder)
    assert_is(said_about(lambda: ImageFolder(folder, **{"size": 8, "cache": False, **settings}), folder), message)


IMAGES = np.zeros((4, 1, 2, 2), np.uint8)
ARRAYS = {
    "floats": (
        lambda: Dataset(IMAGES.astype(float)),
        "images: images are float64 (4, 1, 2, 2), expected uint8 (N, C, H, W): scale them to 0..255 and reshape",
    ),
    "labels of another length": (
        lambda: Dataset(IMAGES, np.zeros(3, int), ("a",)),
        "images: labels are int64 (3,), expected one integer for each of the 4 images",
    ),
    "a label without a class": (
        lambda: Dataset(IMAGES, np.full(4, 2), ("a", "b")),
        "images: labels run from 2 to 2, expected indices into the 2 classes: name every class",
    ),
    "an unknown class": (
        lambda: Dataset(IMAGES, np.zeros(4, int), ("a", "b")).of_class("c"),
        "images has no class 'c': choose one of a, b or an index below 2",
    ),
    "batches of 0": (lambda: loader(0), "batch_size is 0, expected a whole number from 1 up"),
    "batches of more than there is": (
        lambda: loader(5),
        "batch_size 5 is larger than the 4 items of images, so there would be no whole batch: use at most 4, or "
        "more data",
    ),
    "labels that are not there": (lambda: loader(2, labels=True), "images has no labels: use labels=False"),
    "whole numbers": (
        lambda: loader(2, dtype="int32"),
        "dtype is int32, expected a floating one such as float32: images go from -1 to 1",
    ),
}


def loader(batch_size, **settings):
    return Loader(Dataset(IMAGES), batch_size, backend=backend.get("numpy"), rng=np.random.default_rng(0), **settings)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name):
    call, message = ARRAYS[name]
    assert_is(said_about(call), message)


# ---- model files and checkpoints ------------------------------------------------------------------------------------


def rewritten(**changes):
    """The bytes of a model file with other things in its metadata."""

    def change(content):
        length = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + length])
        ours = json.loads(header["__metadata__"]["minigan"])
        header["__metadata__"]["minigan"] = json.dumps({**ours, **changes})
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + length :]

    return change


def flipped(content):
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


UNREADABLE = "{path}: not a readable safetensors file ({other}); give a model a run wrote"
DAMAGED = "{path}: is damaged, its content does not match its digest: use another copy or checkpoint"
FILES = {
    "empty": (lambda c: b"", UNREADABLE),
    "truncated": (
        lambda c: c[:-1],
        UNREADABLE,
    ),
    "one byte more": (
        lambda c: c + b"\0",
        UNREADABLE,
    ),
    "a picture": (
        lambda c: b"\x89PNG\r\n\x1a\n" + c[8:],
        UNREADABLE,
    ),
    "a flipped bit": (flipped, DAMAGED),
    "another digest": (rewritten(digest="0" * 32), DAMAGED),
    "facts that are no text": (rewritten(facts={}), DAMAGED),
    "another architecture": (rewritten(facts='{"architecture": {"model": "wgan"}}'), DAMAGED),
    "newer": (
        rewritten(version=VERSION + 1),
        f"{{path}}: has format version {VERSION + 1}, this minigan reads {VERSION}: use the minigan that wrote it, "
        "or a newer one",
    ),
    "a checkpoint": (
        rewritten(kind="checkpoint"),
        "{path}: is a checkpoint, not a model; give a model file that a run wrote",
    ),
    "of another program": (
        lambda c: rewritten_metadata(c),
        "{path}: is no file of minigan's, not a model; give a model file that a run wrote",
    ),
}


def rewritten_metadata(content):
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = {"format": "pt"}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


@pytest.mark.parametrize("name", FILES)
def test_model_files(tmp_path, name):
    spoil, message = FILES[name]
    path = tmp_path / "model.safetensors"
    checkpoint.save_model(path, gan.build(SMALL, np.random.default_rng(0))[0], SMALL)
    path.write_bytes(spoil(path.read_bytes()))
    assert_is(said_about(lambda: read_model(path), path), message)


# ---- configurations -------------------------------------------------------------------------------------------------

SMALL = {"model": "gan", "width": 4, "z_dim": 3}


def build(**settings):
    return lambda: gan.build(settings, np.random.default_rng(0))


def networks():
    return gan.build(SMALL, np.random.default_rng(0))


def trainer(**settings):
    return lambda: gan.MODELS["gan"].trainer(*networks(), z_dim=3, rng=np.random.default_rng(0), **settings)


MODELS = ", ".join([*gan.MODELS, *gan.PAIRED, *gan.UNPAIRED, *gan.EDITORS])
CONFIGURATIONS = {
    "no model": (build(width=4), f"unknown model None: choose one of {MODELS}"),
    "unknown model": (build(model="stylegan"), f"unknown model 'stylegan': choose one of {MODELS}"),
    "a number for a model": (build(model=3), f"unknown model 3: choose one of {MODELS}"),
    "unknown setting": (
        build(model="dcgan", depth=3),
        "model dcgan: the settings {'depth': 3} do not fit (dcgan() got an unexpected keyword argument 'depth')",
    ),
    "conditional without classes": (
        build(model="cgan"),
        "model cgan: the settings {} do not fit (cgan() missing 1 required keyword-only argument: 'classes')",
    ),
    "5 pixels": (
        build(model="dcgan", image_size=5),
        "image_size 5 must be a number of pixels, or (height, width), from 8 to 4096 a side: resize the images",
    ),
    "more than any memory": (
        build(model="gan", width=10**11),
        "model gan: the settings {'width': 100000000000} need more memory than there is",
    ),
    "more than any number": (
        build(model="gan", width=10**30),
        "model gan: the settings {'width': 1000000000000000000000000000000} do not fit ({other})",
    ),
    "n_critic 0": (trainer(n_critic=0), "n_critic = 0 must be a whole number of at least 1"),
    "accumulate 0": (trainer(accumulate=0), "accumulate = 0 must be a whole number of at least 1"),
    "a negative rate": (trainer(g_lr=-1.0), "Adam: lr = -1.0 must be at least 0, and finite"),
    "betas of 1": (trainer(betas=(0.5, 1.0)), "Adam: betas = (0.5, 1.0) must each be at least 0 and below 1"),
    "labels smoothed away": (
        lambda: gan.NonSaturating(label_smoothing=0.5),
        "label_smoothing 0.5 must be at least 0 and below 0.5",
    ),
    "a penalty each 0th step": (lambda: gan.R1(every=0), "R1: every = 0 must be a whole number of at least 1"),
    "a schedule that ends first": (
        lambda: optim.LinearDecay(start=5, end=5),
        "LinearDecay: start 5 must be at least 0 and below end 5",
    ),
    "no latents": (
        lambda: gan.generate(networks()[0], np.zeros((0, 3))),
        "generate: z is (0, 3), it must be (N, z_dim) with N at least 1",
    ),
    "a batch in unequal parts": (
        lambda: next(trainer(accumulate=3)().steps([np.zeros((4, 1, 28, 28), np.float32)])),
        "a batch of 4 images cannot be worked on in 3 equal parts",
    ),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations(name):
    call, message = CONFIGURATIONS[name]
    assert_is(said_about(call), message)


# ---- the command line -----------------------------------------------------------------------------------------------

TRAIN = ["train", "--steps", "1", "--quiet", "--out", "out"]
COMMANDS = {
    "an unknown model": ([*TRAIN, "--model", "x"], f"unknown model 'x': choose one of {MODELS}"),
    "a batch of one": ([*TRAIN, "--batch-size", "1"], "--batch-size 1: batch norm needs at least 2 images"),
    "an unknown backend": (
        [*TRAIN, "--backend", "tpu"],
        "unknown backend 'tpu': choose one of reference, numpy, numba, cupy",
    ),
    "data that are not there": (
        [*TRAIN, "--data", "none"],
        "none does not exist, expected a folder of pictures: check the path",
    ),
    "a class that is not there": (
        [*TRAIN, "--class", "ten"],
        "mnist-train has no class 'ten': choose one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 or an index below 10",
    ),
    "smoothing without labels": (
        [*TRAIN, "--model", "dcgan", "--objective", "hinge", "--label-smoothing", "0.1"],
        "--label-smoothing: hinge has no labels to smooth; use non_saturating or minimax",
    ),
    "smoothing a critic's scores": (
        [*TRAIN, "--model", "wgan_gp", "--label-smoothing", "0.1"],
        "--label-smoothing: wgan_gp's objective has no labels to smooth; use non_saturating or minimax",
    ),
    "nothing to resume": (
        [*TRAIN, "--model", "dcgan", "--resume", "--width", "2"],
        "out holds no run to resume: check --out, or leave out --resume to start one there",
    ),
    "a report of nothing": (["report", "nowhere"], "nowhere holds no run: name the --out of one"),
    "a model that is not there": (
        ["sample", "none.safetensors"],
        "none.safetensors: there is no such file; give a model or checkpoint file that a run wrote",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(tmp_path, monkeypatch, capsys, name):
    argv, message = COMMANDS[name]
    monkeypatch.chdir(tmp_path)
    assert cli.main(argv) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_long():
    rows = [IDX, SETS, PICTURES, ARRAYS, FILES, CONFIGURATIONS, COMMANDS]
    assert sum(map(len, rows)) >= 60
