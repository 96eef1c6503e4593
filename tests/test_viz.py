"""Pictures: every pixel where it belongs, files that other programs open, curves and walks that are right."""

import warnings

import numpy as np
import pytest
from PIL import Image

from minigan import InputError, nn, viz
from minigan.gan import generate


def constant(*values, channels=1, size=(2, 3)):
    """One image of each value."""
    return np.array([np.full((channels, *size), value) for value in values], np.float32)


# ---- grids ----------------------------------------------------------------------------------------------------------


def test_grid_places_images_row_by_row():
    picture = viz.grid(constant(-1.0, 0.0, 1.0, 0.5, -0.5), columns=3, padding=1)
    assert picture.dtype == np.uint8
    assert picture.shape == (2 * 3 + 1, 3 * 4 + 1)
    cells = [picture[1 + 3 * r : 3 + 3 * r, 1 + 4 * c : 4 + 4 * c] for r in range(2) for c in range(3)]
    # -1 is black, 1 is white; the sixth cell stays empty
    for cell, value in zip(cells, [0, 128, 255, 191, 64, 0], strict=True):
        assert (cell == value).all()
    for cell in cells:  # views: what is left of the picture is the padding
        cell[...] = 0
    assert (picture == 0).all()


def test_grid_keeps_orientation_and_colours(rng):
    images = rng.uniform(-1, 1, (1, 3, 4, 5))
    picture = viz.grid(images, padding=0)
    np.testing.assert_array_equal(picture, np.rint(images[0].transpose(1, 2, 0) * 127.5 + 127.5))


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (2, (1, 2)), (4, (2, 2)), (5, (2, 3)), (64, (8, 8))])
def test_grid_is_square_by_default(count, shape):
    picture = viz.grid(constant(*[0.0] * count), padding=0)
    assert picture.shape == (2 * shape[0], 3 * shape[1])


def test_grid_clips_instead_of_wrapping_around():
    assert set(np.unique(viz.grid(constant(1.5, -1.5), padding=0))) == {0, 255}


@pytest.mark.parametrize("channels", [2, 4])
def test_grid_refuses_other_channels(channels):
    with pytest.raises(InputError, match=f"have {channels} channels; a picture has 1 or 3"):
        viz.grid(constant(0.0, channels=channels))


# ---- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)], ids=["grey", "colour"])
def test_png_holds_the_picture(tmp_path, rng, shape):
    picture = rng.integers(0, 256, shape).astype(np.uint8)
    viz.save_png(tmp_path / "a.png", picture)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), picture)


@pytest.mark.parametrize(("count", "each"), [(1, None), (4, 1500), (300, 40)])
def test_gif_plays_every_picture_and_rests_on_the_last(tmp_path, count, each):
    # Different from each other, as PIL joins equal frames
    pictures = [np.full((8, 8), number * 255 // max(count - 1, 1), np.uint8) for number in range(count)]
    for number, picture in enumerate(pictures):
        picture[number % 8, number // 8 % 8] ^= 128
    viz.save_gif(tmp_path / "a.gif", pictures)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.format == "GIF"
        assert image.n_frames == count
        durations = []
        for number in range(count):
            image.seek(number)
            durations.append(image.info["duration"])
            if number in (0, count - 1):
                np.testing.assert_array_equal(np.asarray(image.convert("L")), pictures[number])
        assert durations == [each] * (count - 1) + [2000]
        assert count == 1 or image.info["loop"] == 0  # for ever


@pytest.mark.parametrize("shape", [(4, 70_000), (140_000, 8)])
def test_a_gif_larger_than_the_format_has_room_for_is_shrunk(tmp_path, shape):
    """Of long sounds the grid was, and the run ended in a traceback and without them."""
    viz.save_gif(tmp_path / "a.gif", [np.full(shape, value, np.uint8) for value in (0, 255)])
    with Image.open(tmp_path / "a.gif") as image:
        factor = -(-max(shape) // 65_535)
        assert image.size == (-(-shape[1] // factor), -(-shape[0] // factor)) and image.n_frames == 2


# ---- walks ----------------------------------------------------------------------------------------------------------


def test_interpolation_walks_on_the_great_circle(rng):
    start, end = rng.standard_normal((2, 50))
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    points = viz.interpolate(start, end, 7)
    np.testing.assert_allclose(points[[0, -1]], [start, end], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), np.linalg.norm(start))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0])  # at an even pace


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_interpolation_on_one_line_is_straight(factor):
    # No great circle, or no single one, leads from z to a multiple of it.
    z = np.array([1.0, -2.0, 0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = viz.interpolate(z, factor * z, 5)
    np.testing.assert_allclose(points, np.linspace(1, factor, 5)[:, None] * z)


def test_one_step_is_the_start():
    np.testing.assert_array_equal(viz.interpolate(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 1), [[1.0, 0.0]])


def test_walks_begin_and_end_at_their_latents(rng):
    generator = nn.Sequential(nn.Linear(4, 4 * 4, rng=rng), nn.Reshape(1, 4, 4), nn.Tanh())
    z = rng.standard_normal((6, 4))
    picture = viz.walks(generator, z, steps=5)
    assert picture.shape == (3 * 6 + 2, 5 * 6 + 2)
    ends = viz.grid(generate(generator, z), columns=2)
    np.testing.assert_array_equal(picture[:, 2:6], ends[:, 2:6])  # z[0], z[2], z[4] down the left ...
    np.testing.assert_array_equal(picture[:, -6:-2], ends[:, -6:-2])  # ... z[1], z[3], z[5] down the right


def test_a_grid_of_bytes_is_what_they_are(rng):
    pixels = rng.integers(0, 256, (5, 3, 4, 4)).astype(np.uint8)
    np.testing.assert_array_equal(viz.grid(pixels), viz.grid(pixels / np.float32(127.5) - 1))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 1, 4, 4), np.int64), "images are int64, expected floating-point in"),
        (np.zeros((2, 1, 4, 4), bool), "images are bool, expected"),
        (np.zeros((0, 1, 4, 4)), r"images \(0, 1, 4, 4\) must be \(N, C, H, W\), at least one"),
        (np.zeros((2, 4, 4)), r"must be \(N, C, H, W\)"),
        (np.zeros((2, 0, 4, 4)), "at least one"),
    ],
)
def test_a_grid_of_other_things_is_refused(images, message):
    with pytest.raises(InputError, match=message):
        viz.grid(images)


def test_pictures_are_bytes_and_named_for_what_they_are(tmp_path, rng):
    picture = viz.grid(np.zeros((1, 1, 4, 4)))
    for name in ("s.jpg", "s.gif", "s.npz"):
        with pytest.raises(InputError, match=f"{name} would not be a .* file but a .png one: name it so"):
            viz.save_png(tmp_path / name, picture)
    with pytest.raises(InputError, match=r"would not be a \.png file but a \.gif one"):
        viz.save_gif(tmp_path / "a.png", [picture])
    with pytest.raises(InputError, match="an animation needs at least one picture"):
        viz.save_gif(tmp_path / "a.gif", [])
    with pytest.raises(InputError, match="a picture is float64"):
        viz.save_png(tmp_path / "a.png", np.zeros((3, 3)))
    with pytest.raises(InputError, match="walks: 3 latents, expected pairs"):
        viz.walks(nn.Tanh(), rng.standard_normal((3, 2)))
    assert list(tmp_path.iterdir()) == []


def test_generate_leaves_every_module_in_its_own_mode(rng):
    network = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.BatchNorm1d(4).eval(), nn.BatchNorm1d(4), nn.Reshape(1, 2, 2))
    before = network.state_dict()
    images = generate(network, rng.standard_normal((6, 3)))
    assert [layer.training for layer in network] == [True, False, True, True] and network.training
    np.testing.assert_array_equal(before["2.running_mean"], network.state_dict()["2.running_mean"])
    assert images.shape == (6, 1, 2, 2)
    network.eval()
    generate(network, np.zeros((1, 3)).tolist())
    assert not any(layer.training for layer in network.modules())
    with pytest.raises(InputError, match=r"generate: labels are \(2,\), there must be one for each of 1 latents"):
        generate(network, np.zeros((1, 3)), labels=[0, 1])
