"""Pairs of pictures: the same crop on both sides, batches that resume to the bit, and folders and sheets to read."""

import itertools

import numpy as np
import pytest
from PIL import Image

from minigan import InputError
from minigan import backend as backends
from minigan.data import Loader, Paired, degrade, read_pictures
from minigan.data.paired import split

RNG = np.random.default_rng
FLOAT = np.dtype(np.float32)


def pictures(count=3, sizes=((20, 30), (16, 16), (40, 18))):
    return [RNG(number).integers(0, 256, (*sizes[number % 3], 3), np.uint8) for number in range(count)]


def make_loader(prefetch=2, seed=0, **options):
    pairs = Paired(pictures(), degrade.GaussianNoise(5, 25), crop=8, **options)
    return Loader(pairs, 4, backend=backends.get("numpy"), rng=RNG(seed), prefetch=prefetch)


def test_source_and_target_are_the_same_crop():
    given = pictures()
    pairs = Paired(given, sources=[255 - picture for picture in given], crop=10)
    target, source = pairs.draw(np.arange(len(pairs)), RNG(0), FLOAT)
    np.testing.assert_allclose(source, -target, atol=1e-6)
    assert target.min() >= -1 and target.max() <= 1


def test_half_of_them_are_mirrored():
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, :, None], (32, 32, 1))
    target, _ = Paired([ramp], degrade.Grey(), crop=16).draw(np.zeros(200, int), RNG(0), FLOAT)
    falls = np.diff(target[:, 0, 0], axis=1).mean(axis=1) < 0
    assert 0.4 < falls.mean() < 0.6
    target, _ = Paired([ramp], degrade.Grey(), crop=16, flip=False).draw(np.zeros(50, int), RNG(0), FLOAT)
    assert (np.diff(target[:, 0, 0], axis=1) > 0).all()


def test_sources_are_whole_grey_levels_and_masks_stay():
    pairs = Paired(pictures(), degrade.Compose(degrade.GaussianNoise(50, 50), degrade.Holes()), crop=16)
    _, source = pairs.draw(np.arange(len(pairs)), RNG(0), FLOAT)
    levels = (source[:, :3] + 1) * 127.5
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    assert set(np.unique(source[:, 3])) == {0, 1} and np.abs(source).max() <= 1


def test_larger_pictures_are_shown_more_often():
    pairs = Paired(pictures(), degrade.Grey(), crop=8)
    assert np.bincount(pairs.owner).tolist() == [20 * 30 // 64, 4, 40 * 18 // 64]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_it_is_resumed_to_the_bit(prefetch):
    whole, first = make_loader(prefetch), make_loader(0)
    expected = list(itertools.islice(whole.forever(), 14))  # into the third epoch
    for stop in (3, 8):
        taken = list(itertools.islice(first.forever(), stop))
        second = make_loader(prefetch, seed=9)
        second.load_state_dict(first.state_dict())
        taken += itertools.islice(second.forever(), 14 - stop)
        for own, wanted in zip(taken, expected, strict=True):
            for a, b in zip(own, wanted, strict=True):
                np.testing.assert_array_equal(a, b)
        first = make_loader(0)


def test_epochs_differ():
    loader = make_loader()
    one, two = (np.concatenate([source for _, source in loader]) for _ in range(2))
    assert one.shape == two.shape and not np.array_equal(np.sort(one.ravel()), np.sort(two.ravel()))


def test_batches_lie_as_the_kernels_want_them():
    target, source = next(iter(make_loader()))
    assert target.shape == source.shape == (4, 3, 8, 8)
    assert target.transpose(0, 2, 3, 1).flags.c_contiguous and source.transpose(0, 2, 3, 1).flags.c_contiguous


def test_the_fingerprint_knows_every_pixel():
    given = pictures()
    own = Paired(given, degrade.Grey(), crop=8).fingerprint()
    given[2][5, 5, 1] ^= 1
    assert Paired(given, degrade.Grey(), crop=8).fingerprint() != own


def test_the_fingerprint_knows_how_crops_are_cut():
    prints = {
        Paired(pictures(), degrade.Grey(), crop=crop, flip=flip).fingerprint()
        for crop in (8, 10)
        for flip in (True, False)
    }
    assert len(prints) == 4


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Paired([], degrade.Grey()), "there is no picture"),
        (lambda: Paired(pictures()), "give either degrade"),
        (lambda: Paired(pictures(), degrade.Grey(), sources=pictures()), "give either degrade"),
        (lambda: Paired(pictures(), degrade.Grey(), crop=17), "16x16 pixels, smaller than the crops of 17"),
        (lambda: Paired(pictures(), degrade.Grey(), crop=0), "crop = 0 must be a whole number of at least 1"),
        (lambda: Paired([np.zeros((64, 64, 3))], degrade.Grey()), "float64"),
        (lambda: Paired(pictures(), sources=pictures(2), crop=8), "3 pictures, but 2 sources"),
        (lambda: Paired(pictures(), sources=pictures()[::-1], crop=8), "they must fit together"),
        (lambda: Paired([*pictures(), pictures()[0][:, :, :1]], degrade.Grey(), crop=8), "1 channels"),
    ],
)
def test_pairs_that_are_none(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_labels_are_refused():
    pairs = Paired(pictures(), degrade.Grey(), crop=8)
    with pytest.raises(InputError, match="no labels"):
        Loader(pairs, 2, backend=backends.get("numpy"), rng=RNG(0), labels=True)


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_pictures_of_any_size(tmp_path):
    first, second = pictures(2)
    (tmp_path / "sub").mkdir()
    Image.fromarray(first).save(tmp_path / "sub" / "b.png")
    Image.fromarray(second).save(tmp_path / "a.png")
    (tmp_path / "CREDITS.tsv").write_text("who\n")
    found = read_pictures(tmp_path)
    assert list(found) == ["a.png", "sub/b.png"]
    np.testing.assert_array_equal(found["sub/b.png"], first)
    assert read_pictures(tmp_path, channels=1)["a.png"].shape == (16, 16, 1)


def test_pictures_of_more_than_8_bits_are_equally_bright(tmp_path):
    for name, brightest in (("a.png", 4095), ("b.png", 400)):
        Image.fromarray(np.full((4, 4), brightest, np.uint16)).save(tmp_path / name)
    assert [picture.max() for picture in read_pictures(tmp_path).values()] == [255, 25]


def test_a_sheet_is_cut_up(tmp_path):
    tiles = RNG(0).integers(1, 256, (5, 8, 8, 3), np.uint8)
    sheet = np.zeros((16, 24, 3), np.uint8)
    for number, tile in enumerate(tiles):
        sheet[number // 3 * 8 :, number % 3 * 8 :][:8, :8] = tile
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    found = read_pictures(tmp_path / "sheet.png", tile=8)
    assert list(found) == [f"{number:05d}" for number in range(5)]
    np.testing.assert_array_equal(np.stack(list(found.values())), tiles)
    with pytest.raises(InputError, match="no sheet of 7x7 pictures"):
        read_pictures(tmp_path / "sheet.png", tile=7)
    with pytest.raises(InputError, match="tile = 0 must be"):
        read_pictures(tmp_path / "sheet.png", tile=0)
    (tmp_path / "sheet.txt").write_text("no picture")
    with pytest.raises(InputError, match=r"sheet\.txt is no picture that can be read"):
        read_pictures(tmp_path / "sheet.txt", tile=8)
    with pytest.raises(InputError, match="how large the tiles"):
        read_pictures(tmp_path / "sheet.png")


def test_folders_without_pictures(tmp_path):
    with pytest.raises(InputError, match="holds no picture"):
        read_pictures(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_pictures(tmp_path / "none")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nhello")
    with pytest.raises(InputError, match=r"broken\.png is no picture"):
        read_pictures(tmp_path)


def test_a_split_is_by_picture():
    names = [f"{number:02d}" for number in range(20)]
    learned, held = split(names, 8)
    assert held == ["07", "15"] and sorted(learned + held) == names
    with pytest.raises(InputError, match="leaves nothing"):
        split(names, 1)
