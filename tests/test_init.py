"""Initialisers: the right distribution, from the caller's generator, and PyTorch's defaults."""

import numpy as np
import pytest

from minigan import nn
from minigan.errors import InputError
from minigan.nn import init


def parameter(*shape, dtype=np.float32):
    return nn.Parameter(np.full(shape, np.nan, dtype))


def test_normal(rng):
    p = parameter(200, 100)
    init.normal_(p, rng, mean=3, std=0.5)
    assert abs(p.data.mean() - 3) < 0.02 and abs(p.data.std() - 0.5) < 0.01
    init.constant_(p, 2.5)
    assert (p.data == 2.5).all()


@pytest.mark.parametrize(
    ("draw", "bound"),
    [
        (lambda p, rng: init.uniform_(p, rng, low=-0.3, high=0.3), 0.3),
        (lambda p, rng: init.kaiming_uniform_(p, rng, fan_in=12, gain=2.0), 1.0),
        (lambda p, rng: init.xavier_uniform_(p, rng), np.sqrt(6 / ((40 + 30) * 9))),
        (lambda p, rng: init.xavier_uniform_(p, rng, gain=2), 2 * np.sqrt(6 / ((40 + 30) * 9))),
    ],
    ids=["uniform", "kaiming", "xavier", "xavier-gain"],
)
def test_uniform_ones_fill_their_interval(rng, draw, bound):
    p = parameter(40, 30, 3, 3)
    draw(p, rng)
    assert 0.99 * bound < p.data.max() <= bound * (1 + 1e-6)
    assert 0.99 * bound < -p.data.min() <= bound * (1 + 1e-6)
    assert abs(p.data.mean()) < 0.03 * bound
    np.testing.assert_allclose(p.data.std(), bound / np.sqrt(3), rtol=0.02)


@pytest.mark.parametrize("name", ["xavier_uniform_", "kaiming_uniform_"])
def test_bounds_are_pytorchs(rng, name):
    torch = pytest.importorskip("torch")
    ours, theirs = parameter(64, 32, 3, 3), torch.empty(64, 32, 3, 3)
    settings = {"fan_in": 32 * 9, "gain": np.sqrt(2)} if name == "kaiming_uniform_" else {}
    getattr(init, name)(ours, rng, **settings)
    getattr(torch.nn.init, name)(theirs, generator=torch.Generator().manual_seed(0))
    assert np.abs(ours.data).max() == pytest.approx(float(theirs.abs().max()), rel=0.01)


@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (lambda rng: nn.Linear(25, 400, rng=rng), 1 / 5),
        (lambda rng: nn.Conv2d(4, 200, 5, rng=rng), 1 / 10),
        (lambda rng: nn.ConvTranspose2d(200, 4, 5, rng=rng), 1 / 10),  # fan_in from the second axis, as PyTorch's
    ],
    ids=["linear", "conv", "conv-transpose"],
)
def test_layers_start_from_pytorchs_distribution(rng, make, bound):
    layer = make(rng)
    assert 0.99 * bound < np.abs(layer.weight.data).max() <= bound * (1 + 1e-6)
    assert np.abs(layer.bias.data).max() <= bound * (1 + 1e-6)
    assert layer.bias.data.std() > 0


def test_embeddings_start_normal(rng):
    assert abs(nn.Embedding(300, 50, rng=rng).weight.data.std() - 1) < 0.02


def test_dcgan(rng):
    model = nn.Sequential(nn.Conv2d(8, 64, 4), nn.BatchNorm2d(64), nn.Flatten(), nn.Linear(64, 50), nn.BatchNorm2d(500))
    init.dcgan_(model, rng)
    state = model.state_dict()
    for name in ("0.weight", "3.weight"):
        assert abs(state[name].mean()) < 0.002 and abs(state[name].std() - 0.02) < 0.001
    assert abs(state["4.weight"].mean() - 1) < 0.005 and abs(state["4.weight"].std() - 0.02) < 0.003
    for name in ("0.bias", "1.bias", "3.bias", "4.bias"):
        assert (state[name] == 0).all()
    assert (state["1.running_var"] == 1).all()  # buffers are not drawn


def test_dcgan_does_not_pass_over_a_normalised_layer(rng):
    with pytest.raises(InputError, match=r"weight of spectral_norm\(Linear\(2, 3, bias=True\)\) is worked out already"):
        init.dcgan_(nn.Sequential(nn.spectral_norm(nn.Linear(2, 3, rng=rng), rng=rng)), rng)


def test_the_same_generator_gives_the_same_weights_in_every_place(backend):
    def draw(place, dtype):
        p = parameter(3, 4, 2, 2)
        p.data = place.channels_last(place.asarray(p.data, dtype))
        init.normal_(p, np.random.default_rng(3), std=0.1)
        return p.numpy()

    expected = 0.1 * np.random.default_rng(3).standard_normal((3, 4, 2, 2))  # in the order of the shape, not of memory
    np.testing.assert_array_equal(draw(backend, np.float64), expected)
    np.testing.assert_array_equal(draw(backend, np.float32), expected.astype(np.float32))
