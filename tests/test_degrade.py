"""The damage that is done to good pictures: as strong as it says, from its own generator, and of any size."""

import math

import numpy as np
import pytest
from PIL import Image

from minigan import InputError
from minigan.data import degrade

GREY = np.full((64, 80, 3), 0.5, np.float32)
RNG = np.random.default_rng


@pytest.mark.parametrize(
    "damage",
    [
        degrade.GaussianNoise(),
        degrade.ShotNoise(),
        degrade.Rain(),
        degrade.Holes(),
        degrade.Downscale(),
        degrade.Enlarge(2),
        degrade.Grey(),
        degrade.Compose(degrade.Rain(), degrade.GaussianNoise()),
        degrade.OneOf(degrade.Rain(), degrade.GaussianNoise()),
    ],
    ids=lambda damage: type(damage).__name__,
)
def test_it_is_what_its_generator_says(damage):
    picture = RNG(1).random((37, 42, 3), np.float32)
    before = picture.copy()
    one, same, other = (damage(picture, RNG(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(picture, before)
    assert one.dtype == np.float32 and np.isfinite(one).all()
    drawn = type(damage).__name__ not in ("Enlarge", "Grey", "Downscale")
    assert not drawn or not np.array_equal(one, other)


def test_gaussian_noise_is_as_strong_as_it_says():
    assert (degrade.GaussianNoise(25, 25)(GREY, RNG(0)) - GREY).std() * 255 == pytest.approx(25, rel=0.02)


def test_shot_noise_is_stronger_in_the_light():
    noise = [(degrade.ShotNoise(100, 100)(GREY * x, RNG(0)) - GREY * x).std() for x in (0.5, 2)]
    assert noise == [pytest.approx(math.sqrt(level / 100), rel=0.03) for level in (0.25, 1)]


def test_rain_only_brightens_and_falls_the_way_it_says():
    rain = degrade.Rain((45, 45), (2, 2), (30, 30), (0.5, 0.5), (0.8, 0.8))
    veil = rain(np.zeros((96, 96, 3), np.float32), RNG(0))[:, :, 0]
    assert veil.min() >= 0 and 0.02 < (veil > 0.1).mean() < 0.3

    def alike(rows, columns):
        moved = np.roll(veil, (rows, columns), (0, 1))
        return np.corrcoef(veil[8:-8, 8:-8].ravel(), moved[8:-8, 8:-8].ravel())[0, 1]

    assert alike(4, 4) > 0.6 > 0.3 > alike(4, -4)


def test_no_rain_at_density_0():
    np.testing.assert_array_equal(degrade.Rain(densities=(0, 0))(GREY, RNG(0)), GREY)


@pytest.mark.parametrize("kind", degrade.MASKS)
def test_holes_hide_what_was_there(kind):
    picture = RNG(1).random((64, 64, 3), np.float32)
    for seed in range(5):
        left = degrade.Holes((kind,))(picture, RNG(seed))
        mask = left[:, :, 3]
        assert set(np.unique(mask)) == {0, 1} and mask.mean() < 0.6
        np.testing.assert_array_equal(left[:, :, :3][mask == 0], picture[mask == 0])
        assert not (left[:, :, :3][mask == 1] == picture[mask == 1]).any()


def test_a_guess_is_of_the_colours_around():
    picture, known = np.full((20, 31, 3), 0.2, np.float32), np.ones((20, 31), bool)
    picture[:, 16:], known[4:13, 6:28] = 0.8, False
    guess = degrade.fill_in(np.where(known[:, :, None], picture, 9), known)
    np.testing.assert_array_equal(guess[known], picture[known])
    assert guess.min() >= 0.2 and guess.max() <= 0.8 and guess[8, 7, 0] < 0.35 and guess[8, 26, 0] > 0.65
    assert (degrade.fill_in(picture, np.zeros_like(known)) == np.float32(0.5)).all()


def test_the_centre_hole_is_24_of_64():
    mask = degrade.centre_hole(64, 64, RNG(0))
    assert mask.sum() == 24 * 24 and mask[20:44, 20:44].all()


@pytest.mark.parametrize("kernel, name", [("bicubic", "BICUBIC"), ("lanczos", "LANCZOS"), ("box", "BOX")])
@pytest.mark.parametrize("size", [(10, 7), (40, 48), (80, 96), (33, 70)])
def test_resampling_is_pillows(kernel, name, size):
    picture = RNG(0).random((40, 48, 1), np.float32)
    theirs = Image.fromarray(picture[:, :, 0]).resize(size[::-1], getattr(Image.Resampling, name))
    np.testing.assert_allclose(degrade.resample(picture, size, kernel)[:, :, 0], np.asarray(theirs), atol=2e-5)


def test_grey_is_the_luminance():
    assert degrade.Grey()(np.eye(3, dtype=np.float32)[None], RNG(0)).ravel() == pytest.approx([0.299, 0.587, 0.114])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: degrade.GaussianNoise(-1, 5), "sigma from -1 to 5"),
        (lambda: degrade.GaussianNoise(9, 5), "sigma from 9 to 5"),
        (lambda: degrade.ShotNoise(0, 5), "photons from 0 to 5"),
        (lambda: degrade.Rain(lengths=(3, math.inf)), "lengths"),
        (lambda: degrade.Holes(()), "kinds"),
        (lambda: degrade.Holes(("bullet",)), "centre, blocks, scratches"),
        (lambda: degrade.Downscale(0), "factor 0"),
        (lambda: degrade.Downscale(2, ("spline",)), "box, bicubic, lanczos"),
    ],
)
def test_settings_that_make_no_sense(make, message):
    with pytest.raises(InputError, match=message):
        make()
