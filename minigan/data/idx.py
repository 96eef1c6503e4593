"""IDX, the format of MNIST and its many relatives: ``read_idx`` reads one file, ``mnist`` a set of them.

A file is 00 00, a byte for the dtype, a byte for the number of dimensions, each dimension as a big-endian uint32, and
then the values, big-endian too.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import re
import struct
import zlib
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError
from .dataset import Dataset

UBYTE = 0x08
DTYPES = {UBYTE: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CHUNK = 1 << 20

BUILT_IN = Path(__file__).parent / "files" / "mnist"
BUILT_IN_MD5 = {  # of the unpacked files
    "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
}
SPLITS = {"train": ("train",), "test": ("t10k", "test")}
# train-images-idx3-ubyte, t10k-labels.idx1-ubyte, emnist-letters-test-images-idx3-ubyte.gz, ...
FILE_NAME = re.compile(
    r"(?:(?P<prefix>[^.].*)[-_])?(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-ubyte(?:\.gz)?"
)


# ---- one file --------------------------------------------------------------------------------------------------------


def read_idx(path: str | PathLike[str]) -> np.ndarray:
    """The array that an IDX file holds: any of the format's dtypes and shapes, in the machine's byte order.

    The file may be gzipped; that is told by its content, not by its name. Raises InputError when the file is missing or
    is anything but one whole IDX array. Memory use is bounded by what the file really holds, whatever it claims.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] != b"\x1f\x8b":
                return _read_array(file, path)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read_array(unpacked, path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, expected an IDX file: name a file in it") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is a corrupt gzip file ({error}): download it again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_array(file: BinaryIO | gzip.GzipFile, path: Path) -> np.ndarray:
    magic = _read(file, 4)
    if not magic:
        raise InputError(f"{path} is empty, expected an IDX file: download it again")
    if magic[:2] != b"\0\0"[: len(magic)]:
        raise InputError(f"{path} starts with the bytes {magic.hex(' ')}, expected 00 00: it is not an IDX file")
    if len(magic) < 4:
        raise InputError(f"{path} ends after {len(magic)} bytes, expected a header of at least 4: download it again")
    code, ndim = magic[2], magic[3]
    if code not in DTYPES:
        known = ", ".join(f"0x{known:02x}" for known in DTYPES)
        raise InputError(f"{path} has the unknown dtype 0x{code:02x}, expected one of {known}: it is not an IDX file")

    sizes = _read(file, 4 * ndim)
    if len(sizes) < 4 * ndim:
        raise InputError(
            f"{path} ends after {4 + len(sizes)} bytes, expected a header of {4 + 4 * ndim} for {ndim} dimensions: "
            "download it again"
        )
    shape = struct.unpack(f">{ndim}I", sizes)
    dtype = np.dtype(DTYPES[code])
    expected = math.prod(shape) * dtype.itemsize

    data = _read(file, expected)
    if len(data) < expected:
        raise InputError(
            f"{path} holds {len(data)} bytes of data, expected {expected} for shape {shape}: download it again"
        )
    if file.read(1):
        raise InputError(
            f"{path} goes on after the {expected} bytes that its shape {shape} takes: "
            "it is not one IDX file, or its header is wrong"
        )
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError as error:  # too many dimensions, or no elements but huge sizes beside the 0
        raise InputError(f"{path} claims the shape {shape}, which no NumPy array can have ({error})") from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read(file: BinaryIO | gzip.GzipFile, size: int) -> bytearray:
    """The next ``size`` bytes, or fewer at the end. By chunks: ``file.read(size)`` would allocate ``size`` up front,
    and the size is only what the file claims."""
    data = bytearray()
    while len(data) < size:
        chunk = file.read(min(size - len(data), CHUNK))
        if not chunk:
            break
        data += chunk
    return data


# ---- a set of files --------------------------------------------------------------------------------------------------


def mnist(split: str = "train", root: str | PathLike[str] | None = None) -> Dataset:
    """MNIST, which comes with minigan; or with ``root``, the IDX files of that folder, such as Fashion-MNIST's.

    The files keep the names under which such sets are published: train-images-idx3-ubyte, t10k-labels-idx1-ubyte, ...;
    .gz, a dot before idx, test for t10k and a prefix (emnist-letters-train-...) are fine. Without a labels file the
    dataset has no labels. A file classes.txt beside them may name the classes, a line each; else they are numbers.

    Raises InputError for another split, for missing, damaged or mistaken files, and when a folder holds several sets.

    >>> mnist("test")
    Dataset('mnist-test', 10000 images of (1, 28, 28), 10 classes)
    """
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    folder = BUILT_IN if root is None else Path(root)
    prefix, images_path, labels_path = _find_files(folder, split)

    images = _read_ubytes(images_path, "images (N, H, W)", ndim=3)
    if not images.size:
        raise InputError(f"{images_path} has the shape {images.shape}: there is no picture in it")
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    if labels_path is not None:
        labels = _read_ubytes(labels_path, "labels (N,)", ndim=1)
        if len(labels) != len(images):
            raise InputError(
                f"{images_path} holds {len(images)} images but {labels_path} {len(labels)} labels: "
                "take both files from the same set"
            )
        classes = _class_names(folder / "classes.txt", int(labels.max()) + 1)
    return Dataset(images[:, None], labels, classes, f"{prefix or folder.resolve().name}-{split}")


def idx_splits(folder: str | PathLike[str]) -> set[str]:
    """Of "train" and "test" those that ``mnist`` finds in a folder; the empty set where it holds no images in IDX."""
    return {split for _, split, kind in _named(Path(folder)) if kind == "images"}


def is_idx_folder(folder: str | PathLike[str]) -> bool:
    """Whether a folder holds IDX files, by their names. Pictures and folders may be called as they like."""
    return bool(_named(Path(folder)))


def _named(folder: Path) -> dict[tuple[str, str, str], Path]:
    """The IDX files of a folder by prefix, split (train or test) and kind (images or labels)."""
    found: dict[tuple[str, str, str], Path] = {}
    if not folder.is_dir():
        return found
    # From the longest name to the shortest: where a file lies there packed and unpacked, the unpacked one is read.
    for path in sorted(folder.iterdir(), key=lambda path: (-len(path.name), path.name)):
        if (match := FILE_NAME.fullmatch(path.name)) and not path.is_dir():
            own_split = "train" if match["split"] == "train" else "test"
            found[match["prefix"] or "", own_split, match["kind"]] = path
    return found


def _find_files(folder: Path, split: str) -> tuple[str, Path, Path | None]:
    """The set's prefix, mostly "", its images file, and its labels file if there is one."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}, expected a folder of IDX files: check the path")
    found = _named(folder)
    prefixes = sorted(prefix for prefix, own_split, kind in found if (own_split, kind) == (split, "images"))
    if not prefixes:
        names = " or ".join(f"{name}-images-idx3-ubyte[.gz]" for name in SPLITS[split])
        others = sorted({own_split for _, own_split, kind in found if kind == "images"})
        fix = f"it has only a {others[0]} split, use that" if others else "download the set into it"
        raise InputError(f"{folder} has no {split} split, expected a file {names} in it: {fix}")
    if len(prefixes) > 1 and prefixes[0] != "":
        raise InputError(
            f"{folder} holds {len(prefixes)} sets ({', '.join(prefixes)}), expected one: give each a folder of its own"
        )
    prefix = prefixes[0]
    return prefix, found[prefix, split, "images"], found.get((prefix, split, "labels"))


def _class_names(path: Path, count: int) -> tuple[str, ...]:
    """What the file says, or "0", "1", ... where there is none."""
    if not path.exists():
        return tuple(map(str, range(count)))
    try:
        names = tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): write the classes' names into it, a line each") from None
    names = tuple(name.strip() for name in names if name.strip())
    if len(names) < count or len(set(names)) < len(names):
        raise InputError(
            f"{path} holds {len(set(names))} different names, the labels go up to {count - 1}: name each class once"
        )
    return names


def _read_ubytes(path: Path, what: str, ndim: int) -> np.ndarray:
    array = read_idx(path)
    if array.ndim != ndim or array.dtype != np.uint8:
        raise InputError(
            f"{path} holds {array.dtype} of shape {array.shape}, expected {what} as ubyte: is the file misnamed?"
        )
    if path.parent == BUILT_IN:
        header = struct.pack(f">BBBB{ndim}I", 0, 0, UBYTE, ndim, *array.shape)
        digest = hashlib.md5(header, usedforsecurity=False)
        digest.update(array.data)
        if digest.hexdigest() != BUILT_IN_MD5[path.name]:
            raise InputError(
                f"{path} has the md5 {digest.hexdigest()} unpacked, expected {BUILT_IN_MD5[path.name]}: install "
                "minigan again"
            )
    return array
