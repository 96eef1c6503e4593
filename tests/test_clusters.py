"""Pictures sorted into clusters without labels, and the GAN that is told them."""

import numpy as np
import pytest
from PIL import Image

from minigan import InputError, backend, cli, data, gan
from minigan.data import Dataset
from minigan.data.clusters import k_means, nearest, small_copies
from minigan.tensor import Tensor, no_grad


def blobs(rng, per_cluster=120, shape=(1, 8, 8)):
    """Three kinds of pictures, far apart, and the kind of each."""
    kinds = rng.integers(0, 256, (3, *shape))
    truth = np.repeat(np.arange(3), per_cluster)
    images = np.clip(kinds[truth] + rng.integers(-3, 4, (len(truth), *shape)), 0, 255).astype(np.uint8)
    return Dataset(images, name="blobs"), truth


def test_kinds_that_lie_apart_are_found(rng):
    dataset, truth = blobs(rng)
    found = data.clustered(dataset, 3)
    assert found.classes == ("cluster 0", "cluster 1", "cluster 2") and found.name == "blobs in 3 clusters"
    assert found.images is dataset.images
    pairs = set(zip(truth.tolist(), found.labels.tolist(), strict=True))
    assert found.class_counts() == [120, 120, 120]
    assert len(pairs) == 3, "a kind was split, or two were put together"


def test_the_seed_decides_and_labels_are_not_looked_at(rng):
    dataset, truth = blobs(rng)
    named = Dataset(dataset.images, truth, ("a", "b", "c"), "blobs")
    one, again = data.clustered(dataset, 3), data.clustered(named, 3)
    np.testing.assert_array_equal(one.labels, again.labels)
    assert one.fingerprint() == again.fingerprint()


@pytest.mark.parametrize(("count", "wanted", "expected"), [(50, 50, 1), (99, 3, 1), (250, 50, 2), (360, 2, 2)])
def test_small_sets_have_few_clusters(rng, count, wanted, expected):
    images = rng.integers(0, 256, (count, 3, 20, 31)).astype(np.uint8)
    found = data.clustered(Dataset(images), wanted)
    assert len(found.classes) == expected == found.labels.max() + 1
    assert np.bincount(found.labels).min() > 0


def test_no_cluster_stays_empty(rng):
    """Of equal pictures there is one kind, however many clusters were asked for."""
    found = data.clustered(Dataset(np.zeros((300, 1, 8, 8), np.uint8)), 3)
    assert found.classes == ("cluster 0",) and not found.labels.any()


def test_what_cannot_be_clustered_is_refused(rng):
    with pytest.raises(InputError, match="clusters = 0 must be at least 1"):
        data.clustered(blobs(rng)[0], 0)


def test_nearest_by_the_book(rng):
    x, centres = rng.standard_normal((5000, 6)), rng.standard_normal((7, 6))
    distances = ((x[:, None] - centres) ** 2).sum(axis=2)
    np.testing.assert_array_equal(nearest(x, centres), distances.argmin(axis=1))


def test_k_means_ends_where_no_row_wants_to_move(rng):
    x = rng.standard_normal((200, 3))
    labels = k_means(x, 4, rng, rounds=1000)
    centres = np.stack([x[labels == number].mean(axis=0) for number in range(labels.max() + 1)])
    np.testing.assert_array_equal(nearest(x, centres), labels)


@pytest.mark.parametrize(("side", "window"), [(8, 1), (16, 1), (28, 2), (33, 3), (64, 4)])
def test_small_copies_are_means_of_windows(rng, side, window):
    images = rng.integers(0, 256, (2, 3, side, side)).astype(np.uint8)
    kept = side // window
    expected = [
        image[c, i * window : (i + 1) * window, j * window : (j + 1) * window].mean()
        for image in images for c in range(3) for i in range(kept) for j in range(kept)
    ]  # fmt: skip
    np.testing.assert_allclose(small_copies(images).ravel(), expected)


def test_clips_are_sorted_by_one_picture_of_each(rng):
    dataset, _ = blobs(rng)
    moving = data.MovingDigits(dataset, frames=3, size=20)
    found = data.clustered(moving, 3)
    np.testing.assert_array_equal(found.labels, data.clustered(dataset, 3).labels)
    assert found.class_counts() == [120, 120, 120] and found.name == "moving blobs in 3 clusters"
    assert moving.labels is None and found.fingerprint() == moving.fingerprint()
    clips, clusters = next(iter(data.Loader(found, 6, backend=backend.get("numpy"), rng=rng, labels=True)))
    assert clips.shape == (6, 3, 1, 20, 20) and clusters.shape == (6,)


def test_what_has_no_labels_has_none_to_count(rng):
    with pytest.raises(InputError, match="moving blobs has no labels"):
        data.MovingDigits(blobs(rng)[0], size=20).class_counts()


# ---- the model -------------------------------------------------------------------------------------------------------


def networks(clusters=(30, 10, 60), **settings):
    return gan.build(
        {"model": "self_conditioned", "width": 4, "z_dim": 6, "clusters": clusters, **settings},
        np.random.default_rng(0),
    )


def test_clusters_come_up_as_often_as_in_the_data(backend, rng):
    generator = networks()[0].to(backend)
    z = backend.asarray(rng.standard_normal((20_000, 6)).astype(np.float32))
    chosen = backend.to_numpy(generator.choose(Tensor(z)))
    np.testing.assert_allclose(np.bincount(chosen) / len(chosen), [0.3, 0.1, 0.6], atol=0.01)


def test_z_alone_draws_from_the_cluster_that_it_chooses(rng):
    generator = networks()[0].eval()
    z = Tensor(rng.standard_normal((9, 6)).astype(np.float32))
    with no_grad():
        told = generator(z, generator.choose(z))
        other = generator(z, (generator.choose(z) + 1) % 3)
        np.testing.assert_array_equal(generator(z).numpy(), told.numpy())
    assert not np.array_equal(told.numpy(), other.numpy())


def test_one_cluster_is_a_gan_like_others(rng):
    generator, _ = networks(clusters=[7])
    assert generator.choose(Tensor(rng.standard_normal((5, 6)).astype(np.float32))).tolist() == [0] * 5


def test_d_is_told_the_cluster(rng):
    _, discriminator = networks()
    x = Tensor(rng.uniform(-1, 1, (4, 1, 28, 28)).astype(np.float32))
    one, other = (discriminator(x, np.full(4, cluster)).numpy() for cluster in (0, 1))
    assert one.shape == (4, 1) and not np.allclose(one, other)
    with pytest.raises(InputError, match="has to be told each picture's cluster"):
        discriminator(x)


def test_of_a_single_cluster_nobody_has_to_be_told(rng):
    _, discriminator = networks(clusters=[7])
    x = Tensor(rng.uniform(-1, 1, (4, 1, 28, 28)).astype(np.float32))
    np.testing.assert_array_equal(discriminator(x).numpy(), discriminator(x, np.zeros(4, int)).numpy())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clusters": []}, r"clusters = \[\]: give each cluster's number of pictures"),
        ({"clusters": [3, 0]}, r"clusters = \[3, 0\]"),
        ({"clusters": 5}, "the settings .* do not fit"),
        ({"z_dim": 1}, "z_dim = 1 must be at least 2: the first number chooses the cluster"),
    ],
)
def test_what_cannot_be_built_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        networks(**settings)


@pytest.mark.parametrize(("size", "gamma"), [(28, 1), (32, 1), (64, 4), ((64, 96), 6)])
def test_the_defaults_r1_grows_with_the_picture(size, gamma):
    (r1,) = gan.MODELS["self_conditioned"].penalties_for(size)
    assert (r1.gamma, r1.every) == (gamma, 8)


def test_other_models_keep_their_penalties():
    assert gan.MODELS["wgan_gp"].penalties_for(64) == gan.MODELS["wgan_gp"].penalties


def test_a_larger_picture_is_trained_with_more_r1(tmp_path, monkeypatch):
    given = []
    game = gan.TwoPlayer.__init__
    monkeypatch.setattr(gan.TwoPlayer, "__init__", lambda *a, **k: given.append(k["penalties"]) or game(*a, **k))
    (tmp_path / "data").mkdir()
    for number in range(4):
        Image.fromarray(np.full((64, 64, 3), 60 * number, np.uint8)).save(tmp_path / "data" / f"{number}.png")
    argv = ["train", "--data", str(tmp_path / "data"), "--size", "64"]
    argv += ["--width", "2", "--batch-size", "4", "--steps", "1"]
    for more in ([], ["--gamma", "2"]):
        assert cli.main([*argv, "--quiet", "--out", str(tmp_path / f"out{len(more)}"), *more]) == 0
    assert [penalties[0].gamma for penalties in given] == [4, 2]
