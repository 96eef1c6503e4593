"""IDX files: any bytes, mutated good files, and headers that claim what is not there."""

from __future__ import annotations

import contextlib
import gzip
import random
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minigan.data import mnist, read_idx
from minigan.errors import InputError


def good(array: np.ndarray, code: int) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def seeds() -> list[bytes]:
    rng = np.random.default_rng(0)
    arrays = [
        good(rng.integers(0, 256, (3, 5, 5)).astype(np.uint8), 8),
        good(rng.integers(0, 10, 3).astype(np.uint8), 8),
        good(rng.normal(size=(2, 2)).astype(np.float64), 14),
        good(rng.integers(-5, 5, (2, 1, 3)).astype(np.int32), 12),
        b"\0\0\x08\x03" + struct.pack(">III", 2**31, 28, 28),  # claims 1.7 terabytes
        b"\0\0\x08\xff" + bytes(4 * 255),
    ]
    return arrays + [gzip.compress(data) for data in arrays]


def inputs(rng: random.Random) -> Iterator[bytes]:
    from hypothesis import strategies as st

    from .harness import drawn, mutated

    header = st.tuples(
        st.sampled_from([b"\0\0", b"\x1f\x8b", b"PK"]),
        st.integers(0, 255),
        st.lists(st.integers(0, 2**32 - 1), max_size=6),
    ).map(lambda t: t[0] + bytes([t[1], len(t[2])]) + b"".join(size.to_bytes(4, "big") for size in t[2]))
    invented = drawn(st.one_of(st.binary(max_size=100), st.tuples(header, st.binary(max_size=64)).map(b"".join)), 0)
    changed = mutated(seeds(), rng)
    while True:
        yield next(changed)
        yield next(changed)
        yield next(invented)


def reader(folder: Path):
    """Reads bytes as one file, and as the images and the labels of a set."""
    one = folder / "one"
    data = folder / "set"
    data.mkdir()
    images, labels = data / "train-images-idx3-ubyte", data / "train-labels-idx1-ubyte"
    whole = seeds()

    def read(content: bytes) -> None:
        for pair in ((content, whole[1]), (whole[0], content)):
            images.write_bytes(pair[0])
            labels.write_bytes(pair[1])
            with contextlib.suppress(InputError):
                mnist(root=data)
        one.write_bytes(content)
        array = read_idx(one)
        assert array.nbytes <= 2000 * max(1, len(content))  # no more than a file of this size can hold, packed

    return read


def target():
    folder = tempfile.TemporaryDirectory()
    return reader(Path(folder.name)), inputs(random.Random(0)), folder
