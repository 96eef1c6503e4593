"""Turns the animal silhouettes of the package animal-mnist into the IDX files that minigan reads.

    pip download --no-deps animal-mnist==0.4
    python examples/get_animals.py animal_mnist-0.4-py3-none-any.whl animals
    python -m minigan train --data animals --class dog

10,000 grey pictures of 28x28 pixels, ten animals, MIT licence. A tenth of each kind becomes the test split. The package
holds its arrays as pickles, which can run any code when they are read: here nothing but NumPy arrays is let in.
"""

import argparse
import gzip
import io
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np

from minigan.cli import user_errors
from minigan.errors import InputError
from minigan.files import write_atomically

CLASSES = ["bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra"]
INSIDE = "animal_mnist/data/Animal_MNIST/animal_{}_version_3.gz"
ALLOWED = {"_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="animal_mnist-0.4-py3-none-any.whl")
    parser.add_argument("out", type=Path, help="the folder to write")
    return user_errors(convert, parser.parse_args())


def convert(args: argparse.Namespace) -> None:
    try:
        with zipfile.ZipFile(args.wheel) as wheel:
            images, labels = (_array(wheel.read(INSIDE.format(name))) for name in ("data", "label"))
            licence = next(wheel.read(name) for name in wheel.namelist() if name.endswith("LICENSE"))
    except (
        OSError,
        zipfile.BadZipFile,
        KeyError,
        StopIteration,
        EOFError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        raise InputError(f"{args.wheel} is not the package animal-mnist 0.4 ({error}): pip download it again") from None
    images = images.reshape(-1, 28, 28).astype(np.uint8)
    labels = labels.reshape(-1).astype(np.uint8)
    rng = np.random.default_rng(0)
    test = np.zeros(len(labels), bool)
    for kind in range(len(CLASSES)):
        of_kind = np.flatnonzero(labels == kind)
        test[rng.choice(of_kind, len(of_kind) // 10, replace=False)] = True
    args.out.mkdir(parents=True, exist_ok=True)
    for split, chosen in (("train", ~test), ("t10k", test)):
        write_atomically(args.out / f"{split}-images-idx3-ubyte.gz", _idx(images[chosen]))
        write_atomically(args.out / f"{split}-labels-idx1-ubyte.gz", _idx(labels[chosen]))
    write_atomically(args.out / "classes.txt", ("\n".join(CLASSES) + "\n").encode())
    write_atomically(args.out / "LICENSE", licence)
    print(f"{(~test).sum()} training and {test.sum()} test images in {args.out}")


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] == "numpy" and name in ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")


def _array(packed: bytes) -> np.ndarray:
    return np.asarray(_ArraysOnly(io.BytesIO(gzip.decompress(packed))).load())


def _idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


if __name__ == "__main__":
    sys.exit(main())
