"""PSNR and SSIM agree with scikit-image's; the patch distance sees what is blurred."""

import math

import numpy as np
import pytest

from minigan import InputError
from minigan.metrics import patch_distance, psnr, ssim


def pictures():
    y, x = np.mgrid[:40, :48]
    waves = np.stack([128 + 80 * np.sin(x / 5), 128 + 80 * np.cos(y / 7), (x * 5 + y * 3) % 256], 2)
    truth = waves.clip(0, 255).astype(np.uint8)
    noise = 20 * np.random.default_rng(0).standard_normal(truth.shape)
    return np.rint(truth + noise).clip(0, 255).astype(np.uint8), truth


def test_they_are_what_scikit_image_says():
    """structural_similarity(..., gaussian_weights=True, sigma=1.5, use_sample_covariance=False) of version 0.26."""
    noisy, truth = pictures()
    assert psnr(noisy, truth) == pytest.approx(22.2704600371682, abs=1e-9)
    assert ssim(noisy, truth) == pytest.approx(0.4861235109532198, abs=1e-9)
    assert ssim(noisy[:, :, 0], truth[:, :, 0]) == pytest.approx(0.519566416740204, abs=1e-9)


def test_the_same_picture():
    _, truth = pictures()
    assert psnr(truth, truth) == math.inf and ssim(truth, truth) == pytest.approx(1)
    assert patch_distance([truth], [truth]) == pytest.approx(0, abs=1e-6)


def test_the_patch_distance_sees_blur_and_noise_but_not_another_place():
    noisy, truth = pictures()
    blurred = ((truth.astype(int) + np.roll(truth, 1, 1) + np.roll(truth, 2, 1)) // 3).astype(np.uint8)
    elsewhere = np.ascontiguousarray(truth[:, ::-1][:, ::-1])
    assert patch_distance([elsewhere], [truth]) < 1 < patch_distance([noisy], [truth])
    assert patch_distance([blurred], [truth]) > 50


def test_of_gaussian_patches_it_is_the_formula():
    """White noise of strengths s and t, less each patch's mean: 63 directions, (s - t)^2 in each."""
    rng = np.random.default_rng(0)
    made = [np.rint(128 + s * rng.standard_normal((600, 600))).clip(0, 255).astype(np.uint8) for s in (10, 20)]
    assert patch_distance(made[:1], made[1:]) == pytest.approx(63 * 100, rel=0.05)


@pytest.mark.parametrize(
    "measure, shapes, message",
    [
        (psnr, [(8, 8), (8, 9)], r"\(8, 8\) cannot be held against one of \(8, 9\)"),
        (ssim, [(10, 12), (10, 12)], "its window needs 11x11"),
        (psnr, [(8,), (8,)], "expected uint8"),
    ],
)
def test_pictures_that_do_not_fit(measure, shapes, message):
    with pytest.raises(InputError, match=message):
        measure(*(np.zeros(shape, np.uint8) for shape in shapes))


def test_floats_are_refused():
    with pytest.raises(InputError, match="expected uint8"):
        psnr(np.zeros((8, 8)), np.zeros((8, 8)))


def test_too_small_for_patches():
    with pytest.raises(InputError, match="no 8x8 patch"):
        patch_distance([np.zeros((7, 9), np.uint8)], [np.zeros((7, 9), np.uint8)])
