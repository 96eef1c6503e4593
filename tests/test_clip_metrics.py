"""How clips are judged: paths, ink, centred frames and features, of clips whose answers are known."""

import numpy as np
import pytest
from small_extractor import SmallExtractor

from minigan import data
from minigan.errors import InputError
from minigan.metrics import ClipJudge, clips, load_extractor

FLOAT = np.dtype("float32")


def square(path, side=20, size=3):
    """A clip of one square whose corner goes along ``path`` (T, 2)."""
    clip = np.full((1, len(path), 1, side, side), -1.0, np.float32)
    for frame, (y, x) in zip(clip[0, :, 0], path, strict=True):
        frame[max(0, y) : y + size, max(0, x) : x + size] = 1
    return clip


def test_where_the_ink_is():
    path = np.array([[2, 3], [4, 5], [6, 9]])
    np.testing.assert_allclose(clips.centroids(square(path))[0], path + 1)
    empty = np.full((1, 2, 1, 6, 8), -1.0)
    np.testing.assert_allclose(clips.centroids(empty), np.array([[[2.5, 3.5]] * 2]))


def test_a_faint_ground_does_not_count():
    clip = square(np.array([[2, 3], [4, 5]]))
    faint = np.maximum(clip, -0.85)
    np.testing.assert_allclose(clips.centroids(faint), clips.centroids(clip))


def test_a_clip_cut_off_by_a_wall_is_not_whole():
    inside, outside = square(np.array([[0, 0], [1, 1], [2, 2]])), square(np.array([[-2, 0], [1, 1], [2, 2]]))
    black = np.full_like(inside, -1)
    assert clips.whole(np.concatenate([inside, outside, black])).tolist() == [True, False, False]


def test_frames_are_brought_to_the_centre():
    path = np.array([[0, 0], [7, 9], [16, 15]])
    centred = clips.centred(square(path, size=4))
    assert centred.shape == (1, 3, 1, 28, 28)
    np.testing.assert_array_equal(centred[0, 0], centred[0, 2])
    np.testing.assert_allclose(clips.centroids(centred)[0], np.full((3, 2), 13.5), atol=0.5)


class Named(SmallExtractor):
    """Names a frame by how many pixels are bright: 9 is "a", else "b"."""

    def __call__(self, images, batch_size=500):
        found = super().__call__(images)
        bright = (images > 0).sum(axis=(1, 2, 3))
        return found._replace(probabilities=np.stack([bright == 9, bright != 9, np.zeros(len(images))], axis=1))


@pytest.fixture(scope="module")
def real():
    source = data.moving_digits(split="test", frames=6)
    return [source.draw(np.arange(start, start + 40), np.random.default_rng(start), FLOAT)[0] for start in (0, 50)]


def test_a_digit_is_kept_where_nine_frames_of_ten_agree(real):
    judge = ClipJudge(real[0], Named())
    way = np.stack([np.arange(10)] * 2, axis=1)
    kept = np.concatenate([square(way), square(way), square(way)])
    kept[1, 3, 0, -1] = 1  # one frame of ten has more ink
    kept[2, 3:5, 0, -1] = 1  # two
    np.testing.assert_allclose(judge.agreement(kept), [1.0, 0.9, 0.8])
    assert judge.agreement(np.full_like(kept, -1)).tolist() == [0, 0, 0]  # nothing to be seen
    told = judge(np.concatenate([kept, kept, kept, kept]))
    assert told.kept == pytest.approx(2 / 3)
    assert judge(np.repeat(square(way), 12, axis=0)).jerk == pytest.approx(0, abs=1e-9)
    assert judge(np.repeat(square(way), 12, axis=0)).speed == pytest.approx(2**0.5)


def test_order_and_motion_count_in_the_distance(real, rng):
    reference, others = real
    judge = ClipJudge(reference, SmallExtractor())
    shuffled = np.stack([clip[rng.permutation(6)] for clip in others])
    still = others[:, :1].repeat(6, axis=1)
    near, far, stopped = judge(others), judge(shuffled), judge(still)
    assert near.distance < far.distance and near.distance < stopped.distance
    assert stopped.jerk == stopped.speed == 0 and near.jerk < far.jerk / 3


def test_the_bundled_classifier_names_moving_digits_as_one(real):
    judge = object.__new__(ClipJudge)
    judge.extractor = load_extractor("mnist")
    np.testing.assert_array_equal(judge.agreement(real[1][:10]), np.ones(10))


def test_what_are_no_clips_is_refused():
    with pytest.raises(InputError, match="must be"):
        ClipJudge(np.zeros((40, 1, 1, 8, 8), np.float32), SmallExtractor())
