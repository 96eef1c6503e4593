"""Digits that move: straight lines, walls, and batches that depend on nothing but their number."""

import numpy as np
import pytest

from minigan import backend, data
from minigan.data import moving
from minigan.errors import InputError

FLOAT = np.dtype("float32")


def block(height=3, width=5, count=4, side=10):
    """Pictures of one white rectangle."""
    images = np.zeros((count, 1, side, side), np.uint8)
    images[:, 0, 2 : 2 + height, 4 : 4 + width] = 255
    return data.Dataset(images, name="blocks")


def corners(clips):
    """Where the ink begins, (N, T, 2): top and left."""
    ink = clips[:, :, 0] > 0
    return np.stack([ink.any(axis=3).argmax(axis=2), ink.any(axis=2).argmax(axis=2)], axis=2)


def test_a_digit_keeps_its_pixels_and_stays_inside(rng):
    clips = data.MovingDigits(block(), frames=40, size=20)
    (batch,) = clips.draw(np.array([0, 3, 1]), rng, FLOAT)
    assert batch.shape == (3, 40, 1, 20, 20) and batch.dtype == FLOAT
    assert set(np.unique(batch)) == {-1.0, 1.0}
    np.testing.assert_array_equal((batch > 0).sum(axis=(2, 3, 4)), np.full((3, 40), 15))


def test_it_goes_straight_and_is_reflected_at_the_walls(monkeypatch):
    monkeypatch.setattr(moving, "SPEED", (1.6, 1.6))

    class East:
        """Draws the middle of what there is room for, the way to the right, and the only speed."""

        def uniform(self, low, high, shape=None):
            return np.asarray(high) // 2 if shape is None else np.full(shape, low if low else 0.0)

        def integers(self, low, high, shape):
            return np.zeros(shape, int)

    clips = data.MovingDigits(block(), frames=32, size=20)  # speed 1 on a field of 20; room 17 down, 15 across
    (batch,) = clips.draw(np.array([0]), East(), FLOAT)
    path = corners(batch)[0]
    assert set(path[:, 0]) == {8}
    assert path[:, 1].tolist() == [*range(7, 16), *range(14, -1, -1), *range(1, 9)]


def test_two_digits_one_over_the_other(rng):
    clips = data.MovingDigits(block(3, 3), digits=2, frames=30, size=12)
    (batch,) = clips.draw(np.arange(4), rng, FLOAT)
    inked = (batch > 0).sum(axis=(2, 3, 4))
    assert inked.max() == 18 and 9 <= inked.min() < 18


def test_a_hollow_digit_hides_nothing(monkeypatch, rng):
    rings = block(3, 3)
    rings.images[:, 0, 3, 5] = 0
    clips = data.MovingDigits(rings, digits=2, frames=1, size=12)
    monkeypatch.setattr(clips, "paths", lambda room, rng: np.array([[[[0, 0]], [[1, 1]]]]))
    (batch,) = clips.draw(np.array([0]), rng, FLOAT)
    assert batch[0, 0, 0, 1, 1] == batch[0, 0, 0, 2, 2] == 1  # the middle of one is a corner of the other


def test_bundled_digits_and_a_folder_of_ones_own(tmp_path):
    clips = data.moving_digits(split="test", frames=5, size=40)
    assert clips.settings == {"image_size": 40, "channels": 1, "frames": 5, "things": 1} and len(clips) == 10000
    assert clips.root is None


def test_a_batch_does_not_depend_on_those_before():
    clips = data.MovingDigits(block(count=8), frames=4, size=20)

    def loader():
        return data.Loader(clips, 2, backend=backend.get("numpy"), rng=np.random.default_rng(0))

    whole, part = loader(), loader()
    batches = [batch for _ in range(2) for batch in whole]
    next(iter(part))
    resumed = loader()
    resumed.load_state_dict(part.state_dict())
    for batch, expected in zip(resumed, batches[1:4], strict=True):
        np.testing.assert_array_equal(batch, expected)
    assert not np.array_equal(batches[0], batches[4])


def test_the_fingerprint_tells_what_a_batch_depends_on():
    prints = {
        data.MovingDigits(block(), digits=digits, frames=frames, size=size).fingerprint()
        for digits in (1, 2) for frames in (4, 5) for size in (20, 21)
    }  # fmt: skip
    assert len(prints) == 8


@pytest.mark.parametrize(
    "settings, said",
    [({"size": 5}, "5 pixels cannot move in a field of 5"), ({"frames": 0}, "frames"), ({"digits": 0}, "digits")],
)
def test_what_cannot_move_is_refused(settings, said):
    with pytest.raises(InputError, match=said):
        data.MovingDigits(block(), **{"size": 20, **settings})


def test_colour_is_refused():
    with pytest.raises(InputError, match="have 3"):
        data.MovingDigits(data.Dataset(np.zeros((1, 3, 8, 8), np.uint8)), size=20)
