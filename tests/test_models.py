"""The DCGAN: shapes, PyTorch's names, and a clear word when a configuration cannot be built."""

import numpy as np
import pytest

from minigan import InputError, gan, nn
from minigan.tensor import Tensor, no_grad

SIZES = [28, 32, 64]


def build(seed=0, **settings):
    return gan.build({"model": "dcgan", "width": 4, "z_dim": 6, **settings}, np.random.default_rng(seed))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_from_z_to_pictures_to_logits(size, channels):
    generator, discriminator = build(image_size=size, channels=channels)
    with no_grad():
        images = generator(Tensor(np.random.default_rng(1).standard_normal((3, 6)).astype(np.float32)))
        logits = discriminator(images)
    assert images.shape == (3, channels, size, size) and images.dtype == np.float32
    assert np.abs(images.numpy()).max() <= 1
    assert logits.shape == (3, 1)


@pytest.mark.parametrize("size", [32, 64])
def test_state_is_that_of_pytorchs_dcgan_example(size):
    """The example's networks, where G starts from (N, z, 1, 1): its first layer has number 0, after our Reshape 1."""
    torch = pytest.importorskip("torch")
    t = torch.nn
    w, doublings = 4, {32: 3, 64: 4}[size]
    half = {"stride": 2, "padding": 1, "bias": False}
    up = [t.ConvTranspose2d(6, w * 2 ** (doublings - 1), 4, bias=False)]
    down = [t.Conv2d(1, w, 4, **half), t.LeakyReLU(0.2)]
    for i in reversed(range(doublings)):
        wide, narrow = w * 2**i, w * 2 ** (i - 1) if i else 1
        up += [t.BatchNorm2d(wide), t.ReLU(), t.ConvTranspose2d(wide, narrow, 4, **half)]
    for i in range(1, doublings):
        down += [t.Conv2d(w * 2 ** (i - 1), w * 2**i, 4, **half), t.BatchNorm2d(w * 2**i), t.LeakyReLU(0.2)]
    down += [t.Conv2d(w * 2 ** (doublings - 1), 1, 4, bias=False)]

    generator, discriminator = build(image_size=size)
    theirs = t.Sequential(t.Unflatten(1, (6, 1, 1)), *up, t.Tanh()), t.Sequential(*down, t.Flatten())
    for ours, other in zip((generator, discriminator), theirs, strict=True):
        shapes = {name: tuple(tensor.shape) for name, tensor in other.state_dict().items()}
        assert {name: array.shape for name, array in ours.state_dict().items()} == shapes
        other.load_state_dict({name: torch.from_numpy(array) for name, array in ours.state_dict().items()})

    z = np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)
    images = generator(Tensor(z))
    np.testing.assert_allclose(images.numpy(), theirs[0](torch.from_numpy(z)).detach().numpy(), atol=1e-5)
    logits = theirs[1](torch.from_numpy(np.array(images.numpy()))).detach().numpy()
    np.testing.assert_allclose(discriminator(images).numpy(), logits, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_default_widths_and_initial_weights(size):
    generator, discriminator = gan.build({"model": "dcgan", "image_size": size}, np.random.default_rng(0))
    narrow = 128 if size == 28 else 64
    assert discriminator[0].weight.shape == (narrow, 1, 4, 4)
    assert generator[-2].weight.shape == (narrow, 1, 4, 4)
    for network in (generator, discriminator):
        norms = {name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
        for name, parameter in network.named_parameters():
            norm = name.rpartition(".")[0] in norms
            mean, std = {(True, "bias"): (0, 0), (True, "weight"): (1, 0.02)}.get(
                (norm, name.rpartition(".")[2]), (0, 0.02)
            )
            assert parameter.data.mean() == pytest.approx(mean, abs=0.01), name
            assert parameter.data.std() == pytest.approx(std, rel=0.25), name


def test_the_seed_decides_every_weight():
    first, again, other = build(0), build(0), build(1)
    for network in (0, 1):
        a, b, c = (networks[network].state_dict() for networks in (first, again, other))
        assert all(np.array_equal(a[name], b[name]) for name in a)
        assert any(not np.array_equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({}, "unknown model None: choose one of .*dcgan"),
        ({"model": "stylegan9"}, "unknown model 'stylegan9': choose one of .*dcgan"),
        ({"model": ["dcgan"]}, r"unknown model \['dcgan'\]"),
        ({"model": "dcgan", "image_size": 5}, "image_size 5 must be a number of pixels, or .*: resize the images"),
        ({"model": "dcgan", "image_size": "28"}, "image_size"),
        ({"model": "dcgan", "image_size": [28]}, r"image_size \[28\] must be a number of pixels, or \(height, width\)"),
        ({"model": "dcgan", "depth": 3}, "model dcgan: the settings .* do not fit .*depth"),
        ({"model": "dcgan", "width": "wide"}, "width|do not fit"),
        ({"model": "dcgan", "width": 2.5}, "width|do not fit"),
        ({"model": "dcgan", "width": -4}, "width|must be a whole number"),
        ({"model": "dcgan", "z_dim": 0}, "z_dim|must be a whole number"),
        ({"model": "dcgan", "image_size": 32, "z_dim": 0}, "z_dim|must be a whole number"),
        ({"model": "dcgan", "channels": 0}, "channels|must be a whole number"),
        ({"model": "dcgan", "z_dim": None}, "z_dim|do not fit"),
        ({"model": "dcgan", "rng": 3}, "rng|do not fit"),
    ],
)
def test_what_cannot_be_built_is_refused(architecture, message):
    with pytest.raises(InputError, match=message):
        gan.build(architecture, np.random.default_rng(0))
