"""examples/get_animals.py: a wheel of pickled arrays becomes an IDX folder; code in the pickles is not run."""

import gzip
import os
import pickle
import zipfile

import numpy as np
import pytest
from commands import ROOT, python

from minigan import data

SCRIPT = ROOT / "examples/get_animals.py"


def write_wheel(path, images, labels):
    with zipfile.ZipFile(path, "w") as wheel:
        for name, array in (("data", images), ("label", labels)):
            packed = gzip.compress(pickle.dumps(array))
            wheel.writestr(f"animal_mnist/data/Animal_MNIST/animal_{name}_version_3.gz", packed)
        wheel.writestr("animal_mnist-0.4.dist-info/licenses/LICENSE", "MIT")
    return path


def test_it_becomes_two_splits_with_names(tmp_path, rng):
    labels = np.repeat(np.arange(10), 20)
    images = rng.integers(0, 256, (200, 784)).astype(np.uint8)
    images[:, 0] = labels
    done = python(SCRIPT, write_wheel(tmp_path / "a.whl", images, labels), tmp_path / "animals", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    train, test = (data.mnist(split, root=tmp_path / "animals") for split in ("train", "test"))
    assert (len(train), len(test)) == (180, 20)
    assert train.classes[4] == "dog" and len(train.of_class("dog")) == 18
    for part in (train, test):
        np.testing.assert_array_equal(part.images[:, 0, 0, 0], part.labels)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("broken-into",)


@pytest.mark.parametrize("images", [Evil(), None])
def test_anything_else_is_refused(tmp_path, images):
    if images is None:
        (tmp_path / "a.whl").write_bytes(b"no zip")
    else:
        write_wheel(tmp_path / "a.whl", images, np.zeros(3))
    done = python(SCRIPT, tmp_path / "a.whl", tmp_path / "animals", cwd=tmp_path)
    assert done.returncode != 0 and "is not the package animal-mnist 0.4" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "broken-into").exists()
