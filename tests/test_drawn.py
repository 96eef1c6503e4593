import numpy as np
import pytest

from minigan import backend, data
from minigan.errors import InputError


class Counting(data.Drawn):
    """Item n is n plus noise of the batch's own stream."""

    name = "counting"
    labels = np.arange(10)
    classes = tuple("abcdefghij")

    def __len__(self):
        return 10

    def draw(self, chosen, rng, dtype):
        return ((chosen[:, None] + rng.uniform(0, 0.5, (len(chosen), 3))).astype(dtype), chosen.astype(dtype))

    def fingerprint(self):
        return "0"


def loader(**settings):
    place = backend.get("numpy")
    return data.Loader(Counting(), 3, backend=place, rng=np.random.default_rng(0), **settings)


def test_a_batch_is_what_is_drawn_and_its_labels():
    for values, numbers, labels in loader(labels=True):
        assert values.shape == (3, 3) and values.dtype == np.float32
        np.testing.assert_array_equal(np.floor(values[:, 0]), numbers)
        np.testing.assert_array_equal(labels, numbers)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_batch_does_not_depend_on_those_before(prefetch):
    whole = loader(prefetch=prefetch)
    first = [batch for _ in range(2) for batch in whole]
    again = loader(prefetch=prefetch)
    for _, _ in zip(range(2), again, strict=False):
        pass
    state = again.state_dict()
    resumed = loader(prefetch=prefetch)
    resumed.load_state_dict(state)
    rest = [batch for _ in range(2) for batch in resumed]
    for (a, b), (c, d) in zip(first[2:], rest, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_arrays_of_any_shape():
    items = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    arrays = data.Arrays(items, np.array([0, 1, 1, 0]), ("a", "b"), name="rolls", settings={"length": 3})
    place = backend.get("numpy")
    loaded = data.Loader(arrays, 2, backend=place, rng=np.random.default_rng(0), labels=True, dtype="float64")
    for batch, labels in loaded:
        assert batch.dtype == np.float64
        np.testing.assert_array_equal(labels, arrays.labels[(batch[:, 0, 0] / 6).astype(int)])
    assert arrays.settings == {"length": 3}
    assert arrays.fingerprint() != data.Arrays(items, name="rolls").fingerprint()


@pytest.mark.parametrize("items, labels, said", [
    (np.zeros((3, 2), np.int64), None, "floating-point"), (np.zeros(3), None, "floating-point"),
    (np.zeros((3, 2)), np.array([0, 1]), "expected 3 integers"),
    (np.zeros((3, 2)), np.array([0, 1, 2]), "name every class"),
])  # fmt: skip
def test_what_does_not_fit_together_is_refused(items, labels, said):
    with pytest.raises(InputError, match=said):
        data.Arrays(items, labels, ("a", "b"), name="rolls")
