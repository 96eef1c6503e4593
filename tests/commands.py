"""Helpers for the tests of the command line and the example: small data sets on disk, and running a command."""

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "mnist_gan.py"

# The checkout that is tested, also where another minigan is installed; the tests' own settings must not leak in.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "MPLBACKEND": "agg"}


def idx_bytes(array):
    """A uint8 array as the bytes of an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_digits(folder, count=48, height=28, width=28):
    """A folder with a small train split: bars of random height on black."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    images = np.zeros((count, height, width), np.uint8)
    for image in images:
        image[rng.integers(height // 2) :, width // 3 : width // 2] = 255
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(rng.integers(0, 10, count).astype(np.uint8)))
    return folder


def python(*argv, cwd, **options):
    """Run ``python argv`` in a process of its own; its exit code, stdout and stderr."""
    command = [sys.executable, *map(str, argv)]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, **options)


def contents(folder):
    """Every path below ``folder`` with the bytes of the files: equal before and after when nothing was touched."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(Path(folder).rglob("*"))}
