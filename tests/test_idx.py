"""read_idx against every way a file can be wrong, and mnist: the built-in set and its relatives."""

import gzip
import hashlib
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.data import idx, mnist, read_idx
from minigan.errors import InputError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array, shape=None):
    array = np.asarray(array)
    shape = array.shape if shape is None else shape
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, CODES[array.dtype.str[1:]], len(shape), *shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, content):
    path.write_bytes(content)
    return path


# ---- read_idx --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (2, 3, 4), (2, 1, 3, 2), (0, 28, 28)])
@pytest.mark.parametrize("dtype", CODES)
def test_reads_what_was_written(tmp_path, dtype, shape, packed):
    rng = np.random.default_rng(0)
    written = np.asarray(rng.integers(0, 100, shape)).astype(dtype) - np.dtype(dtype).type(0 if dtype == "u1" else 50)
    content = idx_bytes(written)
    # The name says nothing, the content does.
    read = read_idx(write(tmp_path / "data", gzip.compress(content) if packed else content))
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, written)
    assert read.shape == written.shape
    assert read.flags.writeable


def test_takes_a_string_and_a_gzip_of_two_members(tmp_path):
    content = idx_bytes(np.arange(6, dtype=np.uint8))
    path = write(tmp_path / "a", gzip.compress(content[:5]) + gzip.compress(content[5:]))
    assert read_idx(str(path)).tolist() == list(range(6))


GOOD = idx_bytes(np.arange(12, dtype=np.int16).reshape(3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, expected an IDX file"),
        (gzip.compress(b"", mtime=0), "is empty, expected an IDX file"),
        (GOOD[:3], "ends after 3 bytes, expected a header of at least 4"),
        (GOOD[:10], "ends after 10 bytes, expected a header of 12 for 2 dimensions"),
        (b"\x89PNG\r\n", "starts with the bytes 89 50 4e 47, expected 00 00"),
        (b"\x00\x00\x0a\x01" + GOOD[4:], "has the unknown dtype 0x0a, expected one of 0x08, 0x09"),
        (GOOD[:-1], r"holds 23 bytes of data, expected 24 for shape \(3, 4\)"),
        (gzip.compress(GOOD[:-1], mtime=0), r"holds 23 bytes of data, expected 24 for shape \(3, 4\)"),
        (GOOD + b"\x00", r"goes on after the 24 bytes that its shape \(3, 4\) takes"),
        (gzip.compress(GOOD, mtime=0)[:-12], "is a corrupt gzip file .*: download it again"),
        (gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), "is a corrupt gzip file .*CRC"),
        (gzip.compress(GOOD, mtime=0)[:10] + b"\xff" * 20, "is a corrupt gzip file"),
        (gzip.compress(GOOD, mtime=0) + b"more", "is a corrupt gzip file"),
        (idx_bytes(np.zeros((0,), np.uint8), (0, 2**32 - 1, 2**32 - 1, 2)), "which no NumPy array can have"),
        (idx_bytes(np.zeros(1, np.uint8), (1,) * 255), "which no NumPy array can have"),
    ],
)
def test_says_what_is_wrong(tmp_path, content, message):
    path = write(tmp_path / "some-file", content)
    with pytest.raises(InputError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="nothing-here does not exist: check the path"):
        read_idx(tmp_path / "nothing-here")
    with pytest.raises(InputError, match="is a folder, expected an IDX file"):
        read_idx(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="loop cannot be read: "):
        read_idx(tmp_path / "loop")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", [(2**32 - 1, 2**32 - 1), (2**31,), (2**32 - 1,) * 8])
def test_a_claimed_size_allocates_nothing(tmp_path, shape, packed):
    content = idx_bytes(np.zeros(100, np.float64), shape)
    path = write(tmp_path / "liar", gzip.compress(content) if packed else content)
    assert peak_memory_of_failing_read(path, "holds 800 bytes of data, expected") < 4 << 20


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    path = write(tmp_path / "bomb", gzip.compress(idx_bytes(np.zeros(10, np.uint8)) + bytes(64 << 20), 1))
    assert peak_memory_of_failing_read(path, "goes on after the 10 bytes") < 4 << 20


def peak_memory_of_failing_read(path, message):
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=message):
            read_idx(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    packed=st.booleans(),
    edits=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=6),
    cut=st.none() | st.integers(0, 60),
    tail=st.binary(max_size=3),
)
def test_any_bytes_give_an_array_or_an_input_error(tmp_path_factory, packed, edits, cut, tail):
    content = bytearray(gzip.compress(GOOD, mtime=0) if packed else GOOD)
    for position, value in edits:
        content[position % len(content)] = value
    path = write(tmp_path_factory.getbasetemp() / "fuzzed", bytes(content[:cut] + tail))
    try:
        array = read_idx(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(array, np.ndarray)
        assert array.dtype.str[1:] in CODES


# ---- mnist -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "count", "first"), [("train", 60000, [5, 0, 4]), ("test", 10000, [7, 2, 1])])
def test_built_in_mnist(split, count, first):
    digits = mnist(split)
    assert repr(digits) == f"Dataset('mnist-{split}', {count} images of (1, 28, 28), 10 classes)"
    assert digits.images.dtype == np.uint8
    assert digits.labels[:3].tolist() == first
    assert digits.labels.dtype == np.int64
    assert digits.classes == tuple("0123456789")
    # A one is thin: its pictures hold the least ink of all.
    ink = [digits.of_class(str(digit)).images.mean() for digit in range(10)]
    assert np.argmin(ink) == 1


def test_built_in_files_are_the_canonical_ones():
    for name, md5 in idx.BUILT_IN_MD5.items():
        assert hashlib.md5(gzip.decompress((idx.BUILT_IN / name).read_bytes())).hexdigest() == md5
    licence = (idx.BUILT_IN / "LICENSE").read_text()
    assert "Yann LeCun and Corinna Cortes" in licence
    assert all(md5 in licence for md5 in idx.BUILT_IN_MD5.values())


def test_an_altered_built_in_file_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    for name in idx.BUILT_IN_MD5:
        array = np.zeros((2, 28, 28) if "images" in name else 2, np.uint8)
        write(tmp_path / "mnist" / name, gzip.compress(idx_bytes(array)))
    monkeypatch.setattr(idx, "BUILT_IN", tmp_path / "mnist")
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz has the md5 \w{32} unpacked, expected 6bbc9ace"):
        mnist()


def images_of(value, count=3, size=4):
    return np.full((count, size, size), value, np.uint8)


def put_set(folder, names, count=3, packed=True):
    """Writes files under ``names`` (pairs of an images and a labels name); pictures of pair i are filled with i."""
    folder.mkdir(exist_ok=True)
    for i, (images, labels) in enumerate(names):
        for name, array in ((images, images_of(i, count)), (labels, np.arange(count, dtype=np.uint8))):
            if name is not None:
                content = idx_bytes(array)
                write(folder / name, gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("split", "pattern", "name"),
    [
        ("train", "train-{}-idx3-ubyte.gz", "fashion-train"),
        ("train", "train-{}.idx3-ubyte", "fashion-train"),
        ("test", "t10k-{}-idx3-ubyte", "fashion-test"),
        ("test", "test-{}-idx3-ubyte.gz", "fashion-test"),
        ("train", "emnist-letters-train-{}-idx3-ubyte.gz", "emnist-letters-train"),
        ("test", "emnist-letters-test-{}-idx3-ubyte.gz", "emnist-letters-test"),
        ("test", "KMNIST_t10k-{}-idx3-ubyte.gz", "KMNIST-test"),
    ],
)
def test_other_sets_drop_in(tmp_path, split, pattern, name, packed):
    labels = pattern.format("labels").replace("idx3", "idx1")
    folder = put_set(tmp_path / "fashion", [(pattern.format("images"), labels)], packed=packed)
    dataset = mnist(split, str(folder))
    assert dataset.images.shape == (3, 1, 4, 4)
    assert dataset.labels.tolist() == [0, 1, 2]
    assert dataset.classes == ("0", "1", "2")
    assert dataset.name == name


def test_a_set_without_labels(tmp_path):
    dataset = mnist("train", put_set(tmp_path / "plain", [("train-images-idx3-ubyte.gz", None)]))
    assert dataset.labels is None
    assert repr(dataset) == "Dataset('plain-train', 3 images of (1, 4, 4), no labels)"


def test_the_unpacked_file_is_read_when_both_are_there(tmp_path):
    put_set(tmp_path, [("train-images-idx3-ubyte", None)], packed=False)
    write(tmp_path / "train-images-idx3-ubyte.gz", b"not read")
    write(tmp_path / "._train-images-idx3-ubyte", b"not read either: what some systems leave beside a file")
    assert len(mnist("train", tmp_path)) == 3


def test_the_set_without_prefix_goes_first_and_two_prefixes_are_ambiguous(tmp_path):
    pairs = [(f"emnist-{kind}-train-images-idx3-ubyte.gz", None) for kind in ("digits", "letters")]
    put_set(tmp_path, pairs)
    with pytest.raises(InputError, match=r"holds 2 sets \(emnist-digits, emnist-letters\), expected one: give each"):
        mnist("train", tmp_path)
    put_set(tmp_path, [*pairs, ("train-images-idx3-ubyte", None)])
    assert mnist("train", tmp_path).images.max() == 2


def test_labels_come_from_the_same_set(tmp_path):
    put_set(tmp_path, [("emnist-letters-train-images-idx3-ubyte.gz", None)])
    write(tmp_path / "emnist-digits-train-labels-idx1-ubyte", idx_bytes(np.zeros(9, np.uint8)))
    assert mnist("train", tmp_path).labels is None


def test_classes_may_have_names(tmp_path):
    put_set(tmp_path, [("train-images-idx3-ubyte", "train-labels-idx1-ubyte")], packed=False)
    (tmp_path / "classes.txt").write_text("cat\n\n dog \nvogël\nnot seen\n", encoding="utf-8")
    dataset = mnist("train", tmp_path)
    assert dataset.classes == ("cat", "dog", "vogël", "not seen")
    assert dataset.of_class("dog").labels.tolist() == [1]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (b"cat\ndog\n", r"classes.txt holds 2 different names, the labels go up to 2: name each class once"),
        (b"cat\ndog\ncat\n", r"classes.txt holds 2 different names, the labels go up to 2: name each class once"),
        (b"", r"classes.txt holds 0 different names, the labels go up to 2"),
        (b"cat\n\xff\n", r"classes.txt cannot be read \(.*utf-8.*\): write the classes' names into it, a line each"),
    ],
)
def test_names_that_do_not_fit_the_labels(tmp_path, names, message):
    put_set(tmp_path, [("train-images-idx3-ubyte", "train-labels-idx1-ubyte")], packed=False)
    write(tmp_path / "classes.txt", names)
    with pytest.raises(InputError, match=message):
        mnist("train", tmp_path)


def test_unknown_split():
    with pytest.raises(InputError, match="unknown split 'valid': choose one of train, test"):
        mnist("valid")


def test_a_split_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"has no train split, expected a file train-images.*: download the set"):
        mnist("train", tmp_path)
    put_set(tmp_path, [("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")])
    with pytest.raises(
        InputError, match=r"no test split, expected .*t10k-images.* or test-.*: it has only a train split"
    ):
        mnist("test", tmp_path)


def test_a_root_that_is_no_folder(tmp_path):
    with pytest.raises(InputError, match="gone does not exist, expected a folder of IDX files"):
        mnist("train", tmp_path / "gone")
    with pytest.raises(InputError, match="file is a file, expected a folder of IDX files"):
        mnist("train", write(tmp_path / "file", b""))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (images_of(0), np.zeros(4, np.uint8), r"holds 3 images but .*train-labels-idx1-ubyte 4 labels"),
        (np.zeros(3, np.uint8), np.zeros(3, np.uint8), r"holds uint8 of shape \(3,\), expected images \(N, H, W\)"),
        (images_of(0), images_of(0), r"holds uint8 of shape \(3, 4, 4\), expected labels \(N,\) as ubyte: is the file"),
        (images_of(0).astype(np.float32), np.zeros(3, np.uint8), r"holds float32 of .* expected images"),
        (images_of(0), np.zeros(3, np.int32), r"holds int32 of shape \(3,\), expected labels"),
        (images_of(0, count=0), np.zeros(0, np.uint8), r"has the shape \(0, 4, 4\): there is no picture in it"),
        (images_of(0, size=0), np.zeros(3, np.uint8), r"has the shape \(3, 0, 0\): there is no picture in it"),
    ],
)
def test_files_that_do_not_fit(tmp_path, images, labels, message):
    write(tmp_path / "train-images-idx3-ubyte", idx_bytes(images))
    write(tmp_path / "train-labels-idx1-ubyte", idx_bytes(labels))
    with pytest.raises(InputError, match=message):
        mnist("train", tmp_path)


def test_importing_the_package_needs_numpy_only():
    code = "import sys, minigan.data; sys.exit('PIL' in sys.modules or 'cupy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
