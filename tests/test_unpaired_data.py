"""Pictures of two kinds: batches that resume to the bit, crops of any size, squares."""

import itertools

import numpy as np
import pytest

from minigan import InputError
from minigan import backend as backends
from minigan.data import Loader, Unpaired
from minigan.data.unpaired import square

RNG = np.random.default_rng
FLOAT = np.dtype(np.float32)


def kinds(count=3):
    """Dark ones and bright ones, of several sizes."""
    a = [RNG(n).integers(0, 100, (20 + 10 * n, 16, 3), np.uint8) for n in range(count)]
    b = [RNG(n).integers(150, 256, (16, 24, 3), np.uint8) for n in range(2 * count)]
    return a, b


def test_a_batch_has_crops_of_both_kinds():
    pictures = Unpaired(*kinds(), crop=10)
    a, b = pictures.draw(np.arange(len(pictures)), RNG(0), FLOAT)
    assert a.shape == b.shape == (len(pictures), 3, 10, 10) and a.dtype == b.dtype == FLOAT
    assert a.max() < -0.2 and b.min() > 0.17 and a.min() >= -1 and b.max() <= 1
    assert pictures.settings == {"channels": 3} and pictures.labels is None


def test_an_epoch_shows_as_many_pixels_as_there_are_of_a():
    assert len(Unpaired(*kinds(), crop=8)) == 20 * 16 // 64 + 30 * 16 // 64 + 40 * 16 // 64


def test_the_fingerprint_knows_every_pixel_its_kind_and_how_crops_are_cut():
    a, b = kinds()
    own = Unpaired(a, b, crop=8).fingerprint()
    assert own == Unpaired(*kinds(), crop=8).fingerprint() != Unpaired(b, a, crop=8).fingerprint()
    assert len({Unpaired(a, b, crop=crop, flip=flip).fingerprint() for crop in (8, 10) for flip in (True, False)}) == 4
    b[1][3, 3, 0] ^= 1
    assert Unpaired(a, b, crop=8).fingerprint() != own


def test_kind_b_is_drawn_anew_whatever_number_is_asked_for():
    b = [np.full((8, 8, 1), value, np.uint8) for value in range(0, 250, 10)]
    pictures = Unpaired([np.zeros((8, 8, 1), np.uint8)], b, crop=8)
    _, drawn = pictures.draw(np.zeros(200, int), RNG(0), FLOAT)
    assert len(np.unique(drawn)) > 20


def test_half_are_mirrored():
    ramp = np.broadcast_to(np.arange(16, dtype=np.uint8)[None, :, None], (16, 16, 1))
    for flip, share in ((True, 0.5), (False, 0.0)):
        a, b = Unpaired([ramp], [ramp], crop=16, flip=flip).draw(np.zeros(200, int), RNG(0), FLOAT)
        for side in (a, b):
            assert np.mean(np.diff(side[:, 0, 0], axis=1).mean(axis=1) < 0) == pytest.approx(share, abs=0.1)


def test_a_crop_is_cut_from_anywhere():
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    a, _ = Unpaired([picture], [picture], crop=3, flip=False).draw(np.zeros(50, int), RNG(0), FLOAT)
    assert set(np.rint(a[:, 0, 0, 0] * 127.5 + 127.5)) == {0, 1, 4, 5}


def test_it_is_resumed_to_the_bit():
    def loader():
        return Loader(Unpaired(*kinds(), crop=8), 4, backend=backends.get("numpy"), rng=RNG(0))

    expected = list(itertools.islice(loader().forever(), 12))
    first, second = loader(), loader()
    list(itertools.islice(first.forever(), 7))
    second.load_state_dict(first.state_dict())
    for batch, wanted in zip(second.forever(), expected[7:], strict=False):
        assert all(np.array_equal(x, y) for x, y in zip(batch, wanted, strict=True))


@pytest.mark.parametrize(
    "a, b, message",
    [
        ([], kinds()[1], "kind a: there is no picture"),
        (kinds()[0], [], "kind b: there is no picture"),
        (kinds()[0], [np.zeros((9, 20, 3), np.uint8)], "20x9 pixels, smaller than the crops of 10"),
        (kinds()[0], [np.zeros((20, 20, 1), np.uint8)], "a has 3 channels, b has 1"),
        ([np.zeros((20, 20, 3))], kinds()[1], "picture 0 is float64"),
    ],
)
def test_pictures_that_are_none(a, b, message):
    with pytest.raises(InputError, match=message):
        Unpaired(a, b, crop=10, name="both")


def test_a_square_is_cut_out_of_the_middle_or_where_one_says():
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, 10:30] = 200
    assert (square(picture, 20) == 200).all() and (square(picture, 5) == 200).all()
    assert square(picture, 10, corner=(0, 0), side=10).max() == 0
    half = square(picture, 10, corner=(0, 0), side=20)
    assert half[:, :4].max() < 30 and half[:, 6:].min() > 170
