"""Dataset: what fits together, and picking classes out of it."""

import numpy as np
import pytest

from minigan.data import Dataset
from minigan.errors import InputError


def pets() -> Dataset:
    images = np.arange(5 * 3 * 2 * 2, dtype=np.uint8).reshape(5, 3, 2, 2)
    return Dataset(images, np.array([1, 0, 2, 1, 0], np.uint8), ("bear", "cat", "dog"), "pets")


def test_shape_length_and_repr():
    dataset = pets()
    assert len(dataset) == 5
    assert dataset.image_shape == (3, 2, 2)
    assert dataset.labels.dtype == np.int64
    assert repr(dataset) == "Dataset('pets', 5 images of (3, 2, 2), 3 classes)"
    unlabelled = Dataset(dataset.images, skipped=(("a.png", "broken"),))
    assert repr(unlabelled) == "Dataset('images', 5 images of (3, 2, 2), no labels, 1 skipped)"


@pytest.mark.parametrize("which", ["cat", 1, np.int64(1)])
def test_of_class_takes_a_name_or_an_index(which):
    cats = pets().of_class(which)
    np.testing.assert_array_equal(cats.images, pets().images[[0, 3]])
    assert cats.labels.tolist() == [1, 1]
    assert cats.classes == ("bear", "cat", "dog")
    assert cats.name == f"pets[{which}]"


def test_of_class_takes_several():
    assert pets().of_class("dog", 0).labels.tolist() == [0, 2, 0]


@pytest.mark.parametrize("which", ["fox", 3, -1, 1.0, None])
def test_of_class_names_the_classes_there_are(which):
    with pytest.raises(InputError, match=r"pets has no class .*: choose one of bear, cat, dog or an index below 3"):
        pets().of_class(which)


def test_of_class_without_labels():
    with pytest.raises(InputError, match="plain has no labels, so no pictures of class 'cat'"):
        Dataset(pets().images, name="plain").of_class("cat")


@pytest.mark.parametrize(
    "images", [np.zeros((2, 3, 4, 4), np.float32), np.zeros((2, 4, 4), np.uint8)], ids=["float", "three axes"]
)
def test_images_must_be_bytes_with_four_axes(images):
    with pytest.raises(InputError, match=r"expected uint8 \(N, C, H, W\)"):
        Dataset(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(4, np.int64), r"labels are int64 \(4,\), expected one integer for each of the 5 images"),
        (np.zeros(5, np.float32), r"labels are float32 \(5,\), expected one integer for each"),
        (np.array([0, 1, 2, 3, 0]), r"labels run from 0 to 3, expected indices into the 3 classes"),
        (np.array([0, -1, 2, 1, 0]), r"labels run from -1 to 2"),
    ],
)
def test_labels_must_fit(labels, message):
    with pytest.raises(InputError, match=message):
        Dataset(pets().images, labels, ("bear", "cat", "dog"))


def test_lists_are_taken_as_arrays_and_no_pixels_are_refused():
    assert Dataset(np.zeros((2, 1, 3, 3), np.uint8), [1, 0], ["a", "b"]).labels.tolist() == [1, 0]
    with pytest.raises(InputError, match=r"labels are float64 \(2,\), expected one integer for each"):
        Dataset(np.zeros((2, 1, 3, 3), np.uint8), [0.5, 0.0], ("a",))
    with pytest.raises(InputError, match=r"images are int64 \(1, 1, 1, 1\), expected uint8"):
        Dataset([[[[3]]]])
    for shape in ((2, 0, 3, 3), (2, 1, 0, 3), (2, 1, 3, 0)):
        with pytest.raises(InputError, match="so there is no pixel in them"):
            Dataset(np.zeros(shape, np.uint8))
