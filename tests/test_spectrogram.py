"""Sounds as pictures and back: where a hum lies, what an inverse inverts, and that a picture heard looks the same."""

import numpy as np
import pytest
from small_sounds import folder_of, hum

from minigan import data
from minigan.data.sounds import Sounds
from minigan.data.spectrogram import griffin_lim, hann, istft, mel_filters, spread, stft
from minigan.errors import InputError

WINDOW, HOP = 256, 80


@pytest.mark.parametrize("samples", [1600, 1555])
def test_the_inverse_brings_a_sound_back(rng, samples):
    sound = rng.standard_normal((3, samples))
    spectrum = stft(sound, WINDOW, HOP)
    assert spectrum.shape == (3, WINDOW // 2 + 1, 20)
    np.testing.assert_allclose(istft(spectrum, WINDOW, HOP, samples), sound, atol=1e-12)
    assert stft(sound.astype(np.float32), WINDOW, HOP).dtype == np.complex64


def test_stft_is_the_fourier_transform_of_windows(rng):
    sound = rng.standard_normal(800)
    found = stft(sound[None], WINDOW, HOP)[0, :, 5]
    start = 5 * HOP - (WINDOW - HOP) // 2  # centred on the frame's own samples
    shape, t = hann(WINDOW), np.arange(WINDOW)
    for k in (0, 3, 128):
        expected = (
            (sound[start : start + WINDOW] * shape * np.exp(-2j * np.pi * k * t / WINDOW)).sum() * 2 / shape.sum()
        )
        np.testing.assert_allclose(found[k], expected)


def test_a_full_scale_sine_has_magnitude_one():
    sine = np.sin(2 * np.pi * 1000 * np.arange(1600) / 8000)[None]
    magnitude = np.abs(stft(sine, WINDOW, HOP))[0, :, 10]
    assert magnitude.argmax() == 1000 * WINDOW // 8000 and magnitude.max() == pytest.approx(1, abs=1e-3)


def test_mel_filters_are_triangles_that_overlap():
    filters = mel_filters(20, 512, 8000)
    assert filters.shape == (20, 257) and filters.min() == 0 and filters.max() <= 1
    peaks = filters.argmax(axis=1)
    assert (np.diff(peaks) > 0).all()
    inside = slice(peaks[0] + 1, peaks[-1])  # from the first centre to the last they add up to one
    np.testing.assert_allclose(filters[:, inside].sum(axis=0), 1, atol=1e-12)


def test_the_way_back_from_bands_is_never_negative_and_has_these_bands(rng):
    filters = mel_filters(24, 512, 8000)
    bands = filters @ rng.uniform(0, 1, (2, 257, 5))
    found = spread(bands, filters, 500)
    assert found.min() >= 0
    assert np.abs(filters @ found - bands).max() < 0.02 * bands.max()


def test_griffin_lim_comes_nearer_with_every_turn(rng):
    sound = np.stack([hum(700.0), hum(1200.0) * rng.uniform(0.5, 1, 1600)])
    wanted = np.abs(stft(sound, WINDOW, HOP))

    def distance(iterations):
        heard = griffin_lim(wanted, WINDOW, HOP, 1600, iterations)
        return np.linalg.norm(np.abs(stft(heard, WINDOW, HOP)) - wanted) / np.linalg.norm(wanted)

    assert distance(0) > 0.4 and distance(0) > 2 * distance(8) > 2 * distance(64) and distance(64) < 0.1


def sounds_of(*waves, sample_rate=8000):
    names = [str(n) for n in range(len(waves))]
    return Sounds(np.stack(waves)[:, None].astype(np.float32), sample_rate=sample_rate, names=names)


def test_a_picture_has_high_pitches_above_and_time_to_the_right(tmp_path):
    words = data.audio(folder_of(tmp_path))
    pictures = data.spectrograms(words)
    assert pictures.items.shape == (20, 1, 32, 16) and pictures.items.dtype == np.float32
    assert np.abs(pictures.items).max() <= 1 and pictures.classes == ("high", "low")
    loudest = pictures.items[:, 0, :, 5].argmax(axis=1)
    assert loudest[words.labels == 0].max() < loudest[words.labels == 1].min()  # row 0 is the highest
    assert (pictures.items[:, :, :, -1] == pictures.items[:, :, :, -1][:1]).all()  # silence


def test_each_band_has_mean_0_and_its_deviation_is_a_third(rng):
    loud = rng.standard_normal((50, 1280)) * rng.uniform(0.05, 0.1, (50, 1))
    pictures = data.spectrograms(sounds_of(*loud)).items
    np.testing.assert_allclose(pictures.mean(axis=(0, 1, 3)), 0, atol=2e-3)
    np.testing.assert_allclose(pictures.std(axis=(0, 1, 3)), 1 / 3, atol=1e-2)


def test_the_picture_of_what_is_heard_is_the_picture(tmp_path):
    words = data.audio(folder_of(tmp_path))
    scale = data.Spectrogram.of(words)
    pictures = scale.pictures(words.items[::5, 0])
    waves = scale.waves(pictures)
    assert waves.shape == (4, 2560) and waves.dtype == np.float32
    np.testing.assert_allclose(np.abs(waves).max(axis=1), 0.95, rtol=1e-5)
    assert np.abs(scale.pictures(waves) - pictures).mean() < 0.05
    np.testing.assert_array_equal(waves[:1], scale.waves(pictures[:1]))  # by itself, and the same each time


def test_a_scale_comes_back_from_its_settings_and_is_used_for_others(tmp_path):
    words = data.audio(folder_of(tmp_path))
    pictures = data.spectrograms(words, bands=16)
    scale = data.Spectrogram.from_settings(pictures.settings["spectrogram"])
    assert scale == data.Spectrogram.of(words, 16) and pictures.settings["image_size"] == [16, 16]
    one = words.only(words.names[:1])
    np.testing.assert_array_equal(data.spectrograms(one, like=scale).items, pictures.items[:1])


def test_wild_pictures_are_heard_all_the_same():
    scale = data.Spectrogram.of(sounds_of(hum(500.0), hum(900.0)))
    wild = np.stack([np.full((1, 32, 10), v, np.float32) for v in (np.nan, np.inf, -7.0)])
    assert np.isfinite(scale.waves(wild)).all()


GOOD = {"sample_rate": 8000, "samples": 800, "hop": 80, "window": 256, "mean": [0.0, 0.0], "deviation": [1.0, 1.0]}


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"hop": 0}, "spectrogram: hop = 0 must be"),
        ({"window": "256"}, "spectrogram: window = '256' must be"),
        ({"window": 40}, "windows of 40 samples, one each 80, leave some out"),
        ({"mean": [0.0]}, "one for each band"),
        ({"mean": [], "deviation": []}, "one for each band"),
        ({"mean": 1.0}, "are not its settings"),
        ({"deviation": [1.0, 0.0]}, "no deviation 0"),
        ({"deviation": [1.0, float("nan")]}, "must be finite"),
        ({"deviation": [1.0, None]}, "must be finite"),
        ({"more": 1}, "are not its settings"),
    ],
)
def test_a_scale_from_a_damaged_file_is_refused(changes, said):
    data.Spectrogram.from_settings(GOOD)
    with pytest.raises(InputError, match=said):
        data.Spectrogram.from_settings({**GOOD, **changes})
    for settings in (None, [], 3):
        with pytest.raises(InputError, match="are not its settings"):
            data.Spectrogram.from_settings(settings)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda s: s.pictures(np.zeros((2, 99))), r"sounds \(2, 99\) must be \(N, 1600\)"),
        (lambda s: s.waves(np.zeros((2, 1, 32, 9))), r"pictures \(2, 1, 32, 9\) must be \(N, 1, 32, 10\)"),
        (lambda s: data.Spectrogram.of(sounds_of(hum(500.0)), 0), "bands = 0 must be"),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call(data.Spectrogram.of(sounds_of(hum(500.0))))
