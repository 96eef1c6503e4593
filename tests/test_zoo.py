"""The models of the zoo: what they build, what they refuse, and that a file brings them back."""

import numpy as np
import pytest
from commands import python
from PIL import Image
from small_models import PICTURES

from minigan import InputError, cli, gan, nn
from minigan.checkpoint import read_model, save_model
from minigan.tensor import Tensor, grad, no_grad

Z_DIM, CLASSES = 5, 4
MLP_WIDTH = 10
CONVOLUTIONAL = [name for name in PICTURES if name != "gan"]


def architecture(name, image_size=28, channels=1, **changes):
    settings = {"model": name, "image_size": image_size, "channels": channels, "z_dim": Z_DIM}
    settings["width"] = MLP_WIDTH if name == "gan" else 2
    if gan.MODELS[name].conditional:
        settings["classes"] = CLASSES
    return settings | changes


def build(name, seed=0, **changes):
    return gan.build(architecture(name, **changes), np.random.default_rng(seed))


def labels_of(name, count):
    return (np.arange(count) % CLASSES,) if gan.MODELS[name].conditional else ()


# ---- building -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize("name", PICTURES)
def test_from_z_to_pictures_to_logits(name, size, channels):
    generator, discriminator = build(name, image_size=size, channels=channels)
    z = np.random.default_rng(1).standard_normal((3, Z_DIM)).astype(np.float32)
    given = labels_of(name, 3)
    with no_grad():
        images = generator(Tensor(z), *given)
        logits = discriminator.eval()(images, *given)  # without dropout
    assert images.shape == (3, channels, size, size) and images.dtype == np.float32
    assert 0 < np.abs(images.numpy()).max() <= 1
    assert logits.shape == (3, 1 + CLASSES if name == "acgan" else 1)
    assert np.isfinite(logits.numpy()).all()
    assert np.ptp(logits.numpy()[:, 0]) > 0  # it tells pictures apart


@pytest.mark.parametrize("size", [1, 17])
def test_the_first_gan_draws_any_size(size):
    """No convolutions, no powers of two."""
    generator, discriminator = build("gan", image_size=size)
    images = generator(Tensor(np.zeros((2, Z_DIM), np.float32)))
    assert images.shape == (2, 1, size, size) and discriminator(images).shape == (2, 1)


@pytest.mark.parametrize("size", [8, 27, (48, 64), (33, 20), 128, 256])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_any_size_large_small_odd_or_not_square(name, size):
    """The blocks follow from the size, and D's gradient reaches every parameter of G."""
    generator, discriminator = build(name, image_size=size, channels=3)
    z, given = Tensor(np.random.default_rng(1).standard_normal((2, Z_DIM)).astype(np.float32)), labels_of(name, 2)
    images = generator(z, *given)
    assert images.shape == (2, 3, *(size if isinstance(size, tuple) else (size, size)))
    logits = discriminator(images, *given)
    assert logits.shape == (2, 1 + CLASSES if name == "acgan" else 1)
    gradients = grad((logits * logits).sum(), [*generator.parameters(), *discriminator.parameters()])
    assert all(np.isfinite(g.numpy()).all() for g in gradients)


@pytest.mark.parametrize("size", [(128, 128), (40, 60)])
@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "sngan"])
def test_a_short_run_on_large_pictures_and_on_oblong_ones(name, size):
    generator, discriminator = build(name, image_size=size)
    settings = {"z_dim": Z_DIM, "rng": np.random.default_rng(1)}
    trainer = gan.MODELS[name].trainer(generator, discriminator, **settings)
    before = generator.state_dict()
    batches = np.random.default_rng(2).uniform(-1, 1, (6, 2, 1, *size)).astype(np.float32)
    for record in trainer.steps(list(batches)):
        assert np.isfinite([record.d_loss, record.d_real, record.d_fake]).all()
    after = generator.state_dict()
    assert all(not np.array_equal(before[key], after[key]) for key, _ in generator.named_parameters())


@pytest.mark.parametrize("size", [7, 0, -28, 5000, (28,), (28, 28, 28), (4, 64), 28.0, True, "28", None])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_sizes_that_cannot_be_are_refused(name, size):
    with pytest.raises(InputError, match=r"image_size .* must be a number of pixels, or \(height"):
        build(name, image_size=size)


@pytest.mark.parametrize(
    "changes", [{"z_dim": -60}, {"channels": 0}, {"width": -1}, {"depth": 3}, {"width": 1.5}, {"image_size": None}]
)
@pytest.mark.parametrize("name", PICTURES)
def test_settings_that_cannot_be_are_refused(name, changes):
    with pytest.raises(InputError):
        build(name, **changes)


@pytest.mark.parametrize("name", [name for name in PICTURES if not gan.MODELS[name].conditional])
def test_models_without_classes_refuse_them(name):
    with pytest.raises(InputError, match=f"model {name}: .* do not fit .*classes"):
        build(name, classes=CLASSES)


@pytest.mark.parametrize("name", [name for name in PICTURES if gan.MODELS[name].conditional])
def test_conditional_models_want_to_know_how_many_classes(name):
    settings = architecture(name)
    del settings["classes"]
    with pytest.raises(InputError, match=f"model {name}: .* do not fit .*classes"):
        gan.build(settings, np.random.default_rng(0))
    for changes in ({"classes": 0}, {"classes": -1}, {"z_dim": 0}, {"z_dim": -10}):
        with pytest.raises(InputError, match=r"(classes|z_dim) = -?\d+ must be a whole number of at least 1"):
            build(name, **changes)


@pytest.mark.parametrize("name", PICTURES)
def test_the_seed_decides_every_weight(name):
    first, again, other = (build(name, seed) for seed in (0, 0, 1))
    for network in (0, 1):
        a, b, c = (networks[network].state_dict() for networks in (first, again, other))
        assert all(np.array_equal(a[key], b[key]) for key in a)
        assert any(not np.array_equal(a[key], c[key]) for key in a)


def test_what_each_model_is_known_for():
    norm = {name: [type(m) for m in build(name)[1].modules()] for name in PICTURES}
    assert nn.BatchNorm2d in norm["dcgan"] and nn.BatchNorm2d not in norm["wgan_gp"]
    assert nn.Maxout in norm["gan"] and nn.Dropout in norm["gan"]
    weighted = [m for m in build("sngan")[1].modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert all("parametrizations" in m.children() for m in weighted) and len(weighted) == 4 * 3 + 1


# ---- labels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_the_class_changes_the_picture(name):
    generator, _ = build(name)
    z = np.repeat(np.random.default_rng(1).standard_normal((1, Z_DIM)), CLASSES, axis=0)
    images = gan.generate(generator, z, np.arange(CLASSES))
    assert not any(np.allclose(images[0], image) for image in images[1:])
    np.testing.assert_array_equal(gan.generate(generator, z, np.full(CLASSES, 2))[0], images[2])


def test_the_class_changes_the_judgement_of_cgan_and_not_of_acgan():
    images = Tensor(np.zeros((2, 1, 28, 28), np.float32))
    one, two = np.array([0, 0]), np.array([1, 1])
    for name, changes in (("cgan", True), ("acgan", False)):
        discriminator = build(name)[1].eval()
        assert np.array_equal(discriminator(images, one).numpy(), discriminator(images, two).numpy()) != changes


@pytest.mark.parametrize("name", ["cgan", "acgan"])
@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2, 3], [0, 1, CLASSES]], ids=["fewer", "more", "unknown"])
def test_labels_that_do_not_fit_are_refused(name, labels):
    generator, _ = build(name)
    with pytest.raises((InputError, IndexError, ValueError)):
        generator(Tensor(np.zeros((3, Z_DIM), np.float32)), np.array(labels))


# ---- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PICTURES)
def test_a_file_brings_the_generator_back(name, tmp_path):
    generator, _ = build(name)
    path = tmp_path / "model.safetensors"
    save_model(path, generator, architecture(name))
    found, state = read_model(path)
    assert found == architecture(name)
    again, _ = gan.build(found, np.random.default_rng(9))
    again.load_state_dict(state)
    z = np.random.default_rng(1).standard_normal((3, Z_DIM))
    np.testing.assert_array_equal(
        gan.generate(again, z, *labels_of(name, 3)), gan.generate(generator, z, *labels_of(name, 3))
    )


@pytest.mark.parametrize("name", PICTURES)
def test_minigan_sample(name, tmp_path, monkeypatch):
    """The picture holds what the generator draws: for a conditional model one column for each class."""
    monkeypatch.chdir(tmp_path)
    generator, _ = build(name, image_size=28)
    save_model("model", generator, architecture(name))
    assert cli.main(["sample", "model", "-n", "8", "--seed", "3", "--out", "grid.png"]) == 0
    z = np.random.default_rng(3).standard_normal((8, Z_DIM))
    expected = gan.generate(generator, z, *labels_of(name, 8))
    with Image.open("grid.png") as picture:
        pixels = np.asarray(picture.convert("L")).astype(int)
    columns = (pixels.shape[1] - 2) // 30
    if gan.MODELS[name].conditional:
        assert columns == CLASSES
    for number in (0, 1, 7):
        top, left = (2 + 30 * place for place in divmod(number, columns))
        drawn = np.rint(expected[number, 0] * 127.5 + 127.5)
        np.testing.assert_array_equal(pixels[top : top + 28, left : left + 28], drawn)


def test_minigan_sample_in_a_process_of_its_own(tmp_path):
    generator, _ = build("cgan")
    save_model(tmp_path / "model", generator, architecture("cgan"))
    done = python("-m", "minigan", "sample", "model", "-n", "4", "--class", "2", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "samples.png").exists()
    done = python("-m", "minigan", "sample", "model", "--class", str(CLASSES), cwd=tmp_path)
    assert done.returncode == 2 and f"this model's classes are 0..{CLASSES - 1}" in done.stderr
