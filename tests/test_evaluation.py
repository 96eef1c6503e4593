"""Everything at once: what the table says of the data itself, of copies, of a blur and of noise."""

import json

import numpy as np
import pytest
from small_extractor import SmallExtractor

from minigan import InputError
from minigan.data import Dataset
from minigan.metrics import frechet_distance, label_statistics, precision_recall
from minigan.metrics.baselines import _principal_axes, pca_gaussian, uniform_noise
from minigan.metrics.evaluation import HALVES, NOISE, PCA, SAMPLES, TEST, Evaluator, evaluate
from minigan.metrics.pixels import as_bytes


def pictures(count, seed, classes=3):
    """Blobs at three places, a class each, with some noise on them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    y, x = np.mgrid[:6, :6]
    centres = np.array([[1, 1], [1, 4], [4, 2]])[labels] + rng.normal(0, 0.3, (count, 2))
    blobs = np.exp(-((y - centres[:, :1, None]) ** 2 + (x - centres[:, 1:, None]) ** 2) / 2)
    images = np.rint(230 * blobs + rng.uniform(0, 20, blobs.shape)).astype(np.uint8)
    return Dataset(images[:, None], labels, ("a", "b", "c"), f"blobs-{seed}")


TRAIN, HELD_OUT = pictures(600, 1), pictures(300, 2)


def evaluated(images, test=HELD_OUT, **settings):
    return evaluate(images, TRAIN, test, SmallExtractor(), rng=np.random.default_rng(3), **settings)


@pytest.fixture(scope="module")
def fresh():
    """Of samples as good as can be: more of the same distribution."""
    return evaluated(pictures(300, 4).images)


def test_the_baselines_are_a_ladder(fresh):
    floor, blur, noise = (fresh.baselines[name] for name in (TEST, PCA, NOISE))
    assert fresh.samples.frechet < 3 * floor.frechet < blur.frechet < noise.frechet
    assert fresh.samples.kernel.value < blur.kernel.value < noise.kernel.value
    assert noise.manifold.precision < 0.1 and noise.manifold.coverage < 0.1
    assert fresh.samples.manifold.precision > 0.9 and fresh.samples.manifold.coverage > 0.8
    assert floor.count == fresh.samples.count == blur.count == noise.count == 300


def test_too_few_test_images_for_a_covariance_leave_their_column_out():
    few = evaluated(HELD_OUT.images, pictures(SmallExtractor().dimensions, 5))
    assert TEST not in few.baselines and PCA in few.baselines


def test_each_number_is_that_metrics_own(fresh):
    extractor, images = SmallExtractor(), pictures(300, 4).images
    real, fake = extractor(TRAIN.images), extractor(images)
    assert fresh.samples.frechet == pytest.approx(frechet_distance(real.features, fake.features), rel=1e-9)
    assert fresh.samples.manifold == precision_recall(real.features, fake.features)  # all 600 are looked at
    assert fresh.samples.labels == label_statistics(fake.probabilities.argmax(1), 3)


def test_copies_are_told_from_fresh_samples(fresh):
    copied = evaluated(TRAIN.images[:300], baselines=False).samples
    assert copied.copies.share_below > 0.99 and copied.copies.z < -10
    assert copied.memorisation < 1e-9 and copied.mifid > 1e6 * copied.frechet
    assert copied.frechet < fresh.baselines[PCA].frechet  # by the distance alone they look good
    assert fresh.samples.copies.share_below < 0.1 and abs(fresh.samples.copies.z) < 4
    assert fresh.samples.mifid == fresh.samples.frechet and fresh.baselines[TEST].mifid == fresh.baselines[TEST].frechet


def test_a_conditional_generator_is_asked(fresh):
    labels = SmallExtractor()(HELD_OUT.images).probabilities.argmax(1)
    asked = evaluated(HELD_OUT.images, wanted=labels, baselines=False)
    assert asked.samples.labels.accuracy == 1 and asked.samples.labels.modes_found == 3
    assert "showswhatwasaskedfor100.00%higher" in str(asked).replace(" ", "")
    assert fresh.samples.labels.accuracy is None and "asked for" not in str(fresh)
    assert fresh.baselines[TEST].labels.accuracy == np.mean(labels == HELD_OUT.labels)


def test_without_test_images_the_floor_is_between_two_halves():
    found = evaluated(pictures(300, 4).images, test=None)
    assert list(found.baselines) == [HALVES, PCA, NOISE]
    assert found.baselines[HALVES].count == 300 and found.baselines[HALVES].frechet < found.baselines[PCA].frechet / 3
    assert found.samples.mifid is None and found.samples.copies is None
    assert "MiFID" not in str(found) and "copying" not in str(found)


def test_floats_and_bytes_are_the_same_samples(fresh):
    images = pictures(300, 4).images
    as_floats = evaluated((images / 127.5 - 1).astype(np.float32), baselines=False)
    assert as_floats.samples.as_dict() == fresh.samples.as_dict()


def test_the_seed_decides_and_the_order_does_not(fresh):
    evaluator = Evaluator(TRAIN, HELD_OUT, SmallExtractor(), rng=np.random.default_rng(3))
    evaluator.evaluate(TRAIN.images[:50], baselines=False)
    again = evaluator.evaluate(pictures(300, 4).images)
    assert again.as_dict() == fresh.as_dict()
    evaluator = Evaluator(TRAIN, HELD_OUT, SmallExtractor(), rng=np.random.default_rng(9))
    other = evaluator.evaluate(pictures(300, 4).images, baselines=False)
    assert other.samples.frechet == fresh.samples.frechet and other.samples.kernel != fresh.samples.kernel


def test_the_table_says_what_was_measured_and_how(fresh):
    lines = str(fresh).splitlines()
    assert lines[0] == "against 600 images of blobs-1"
    assert lines[1] == "small (0badcafe), 5 features, batch norm in evaluation mode"
    assert lines[3].split("  ")[-1] == "better" and all(name in lines[3] for name in (SAMPLES, TEST, PCA, NOISE))
    assert len({len(line) for line in (lines[3], *lines[5:])}) == 1  # columns stand beneath each other
    assert not any(line.endswith(" ") for line in lines)
    assert "Frechet distance" in lines[5] and f"{fresh.samples.frechet:.4g}" in lines[5]


def test_every_number_goes_into_the_json(fresh):
    found = json.loads(json.dumps(fresh.as_dict(), allow_nan=False))
    assert set(found) == {"extractor", "against", SAMPLES, TEST, PCA, NOISE}
    numbers = found[SAMPLES]
    assert numbers["frechet_distance"] == fresh.samples.frechet and numbers["copies_z"] == fresh.samples.copies.z
    assert {"kernel_distance_standard_error", "inception_score", "precision", "density", "modes_found"} < set(numbers)


def test_neighbours_are_the_likest_first():
    evaluator = Evaluator(TRAIN, None, SmallExtractor(), rng=np.random.default_rng(3))
    images = np.concatenate([HELD_OUT.images[:50], TRAIN.images[[7, 400]]])
    closest, nearest = evaluator.neighbours(images, rows=4, k=3)
    assert set(closest[:2]) == {50, 51} and nearest.shape == (4, 3)
    assert sorted(nearest[:2, 0]) == [7, 400]


# ---- baselines ------------------------------------------------------------------------------------------------------


def test_the_blur_has_the_pixels_mean_and_covariance():
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((12, 12)) * 8
    images = np.rint(128 + rng.standard_normal((4000, 12)) @ mixing).clip(0, 255).astype(np.uint8).reshape(-1, 3, 2, 2)
    drawn = pca_gaussian(images, 4000, rng)
    assert drawn.shape == images.shape and drawn.dtype == np.uint8
    one, other = images.reshape(4000, 12).astype(float), drawn.reshape(4000, 12).astype(float)
    assert np.abs(one.mean(0) - other.mean(0)).max() < 3
    assert np.abs(np.cov(one.T) - np.cov(other.T)).max() < 0.08 * np.cov(one.T).max()


def test_the_blur_keeps_the_first_components_only():
    rng = np.random.default_rng(0)
    images = TRAIN.images
    drawn = pca_gaussian(images, 500, rng, components=2).reshape(500, -1).astype(float)
    values = np.linalg.eigvalsh(np.cov(drawn.T))[::-1]
    expected = np.linalg.eigvalsh(np.cov(images.reshape(600, -1).T.astype(float)))[::-1]
    assert (0.6 * expected[:2] < values[:2]).all() and (values[:2] < 1.2 * expected[:2]).all()  # clipping takes some
    assert values[2] < values[1] / 4


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_principal_axes_are_those_of_the_covariance(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    x -= x.mean(axis=0)
    axes = _principal_axes(x, 3)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    expected = (np.sqrt(values[-3:]) * vectors[:, -3:]).T[::-1]
    np.testing.assert_allclose(np.abs(axes), np.abs(expected), atol=1e-12)
    np.testing.assert_allclose(_principal_axes(x, 99).T @ _principal_axes(x, 99), np.cov(x.T), atol=1e-12)


def test_the_blur_of_a_single_picture_is_that_picture():
    one = TRAIN.images[:1]
    np.testing.assert_array_equal(pca_gaussian(one, 3, np.random.default_rng(0)), one.repeat(3, axis=0))


def test_noise_takes_every_value():
    counts = np.bincount(uniform_noise((100, 1, 16, 16), np.random.default_rng(0)).ravel(), minlength=256)
    assert counts.min() > 50 and counts.max() < 150


# ---- bad input ------------------------------------------------------------------------------------------------------

GOOD = pictures(20, 5).images
BAD = {
    "another size": (GOOD[:, :, 1:], "samples are (1, 5, 6), the images of blobs-1 (1, 6, 6): name the --data"),
    "too few": (GOOD[:5], "5 samples are too few for the covariance of 5 features: take at least 6, better 10,000"),
    "flat": (GOOD.reshape(20, 36), "samples: shape (20, 36) must be (N, C, H, W), none of them 0"),
    "none": (GOOD[:0], "samples: shape (0, 1, 6, 6) must be (N, C, H, W), none of them 0"),
    "integers": (GOOD.astype(int), "samples: dtype int64 must be uint8, or floating-point in [-1, 1]"),
    "0 to 255": (GOOD.astype(np.float32), "samples: values from 0 to 245, expected [-1, 1] in floating point"),
    "-2 to 2": (GOOD / 64 - 2, "expected [-1, 1] in floating point: scale them, or give uint8 from 0 to 255"),
    "nan": (np.where(GOOD < 200, GOOD / 127.5 - 1, np.nan), "hold NaN or infinity: look at the run's alarms"),
}


@pytest.mark.parametrize("name", BAD)
def test_samples_that_cannot_be_measured(name):
    images, message = BAD[name]
    with pytest.raises(InputError) as caught:
        evaluated(images)
    assert message in str(caught.value)


def test_test_images_of_another_size():
    other = Dataset(np.zeros((9, 1, 8, 8), np.uint8))
    with pytest.raises(InputError, match=r"test images are \(1, 8, 8\), blobs-1's are \(1, 6, 6\): take both from one"):
        Evaluator(TRAIN, other, SmallExtractor(), rng=np.random.default_rng(0))


def test_bytes_are_left_alone_and_floats_rounded():
    assert as_bytes(GOOD) is GOOD
    values = np.array([-1.005, -1, -0.9961, 0.0, 0.004, 1, 1.005], np.float32).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(as_bytes(values).ravel(), [0, 0, 0, 128, 128, 255, 255])
