"""Several batches at once give what one after the other does: numbers, statistics, gradients. Or it is not done."""

import numpy as np
import pytest

from minigan import InputError, gan, nn, ops
from minigan.nn import together
from minigan.ops.norm import batches
from minigan.tensor import Tensor, grad

RNG = np.random.default_rng


def network(place, seed=0):
    rng = np.random.default_rng(seed)
    layers = nn.Conv2d(2, 4, 3, rng=rng), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(64, 1, rng=rng)
    return nn.Sequential(*layers).to(place, np.float64)


def two_batches(backend):
    rng = np.random.default_rng(1)
    return [Tensor(backend.asarray(shift + rng.standard_normal((3, 2, 6, 6)))) for shift in (0, 5)]


def test_it_is_the_same_as_one_after_the_other(backend):
    results = []
    for run in (together, lambda net, *inputs: [net(*each) for each in inputs]):
        net, inputs = network(backend), two_batches(backend)
        y = run(net, *((x,) for x in inputs))
        loss = (y[0] * y[0]).sum() - y[1].sum()
        found = grad(loss, list(net.parameters()))
        results.append([*(t.numpy() for t in (*y, *found)), *net.state_dict().values()])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("player", ["translator", "detective"])
def test_networks_that_say_so_are_joined(player, monkeypatch):
    players = gan.build({"model": "cyclegan", "width": 2, "d_width": 2, "blocks": 1, "resize": True}, RNG(0))
    network = players[player == "detective"].to(dtype=np.float64)
    x, y = (Tensor(RNG(n).uniform(-1, 1, (2, 3, 17, 16))) for n in (1, 2))
    alone, seen, forward = [network(x), network(y)], [], type(network).forward
    monkeypatch.setattr(type(network), "forward", lambda self, x: seen.append(len(x)) or forward(self, x))
    for one, other in zip(together(network, (x,), (y,)), alone, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-12)
    assert seen == [4]


@pytest.mark.parametrize(
    "layer",
    [
        lambda rng: nn.Dropout(0.5, rng=rng),
        lambda rng: nn.MinibatchStd(),
        lambda rng: nn.spectral_norm(nn.Conv2d(2, 2, 1, rng=rng), rng=rng),
    ],
    ids=["draws", "mixes samples", "changes with each call"],
)
def test_what_could_tell_is_not_joined(layer, monkeypatch, rng):
    net = nn.Sequential(layer(rng))
    seen = []
    monkeypatch.setattr(nn.Sequential, "forward", lambda self, x: seen.append(x.shape) or x)
    x = Tensor(np.ones((3, 2, 4, 4), np.float32))
    together(net, (x,), (x,))
    together(nn.Sequential(nn.ReLU()), (x,), (x[:2],))
    leaf = Tensor(x.data, requires_grad=True)
    together(nn.Sequential(nn.ReLU()), (leaf,), (x,))
    assert seen == [x.shape] * 3 + [(2, 2, 4, 4)] + [x.shape] * 2
    together(nn.Sequential(nn.ReLU()), (x,), (x,))
    assert seen[-1] == (6, 2, 4, 4)


def test_labels_are_not_joined(rng):
    seen = []

    class Told(nn.Module):
        def forward(self, x, labels):
            seen.append((len(x), len(labels)))
            return x

    x = Tensor(np.ones((3, 2), np.float32))
    together(Told(), (x, np.arange(3)), (x, np.arange(3)))
    assert seen == [(3, 3), (3, 3)]


def test_batches_must_be_equal(rng):
    x, ones = Tensor(rng.standard_normal((5, 2, 2, 2))), Tensor(np.ones(2))
    with batches(2), pytest.raises(InputError, match=r"\(5, 2, 2, 2\) is not 2 batches of one size"):
        ops.batch_norm(x, ones, ones)
    with batches(2), pytest.raises(InputError, match="one value per channel"):
        ops.batch_norm(Tensor(rng.standard_normal((2, 2, 1, 1))), ones, ones)
    assert ops.batch_norm(x, ones, ones).shape == x.shape  # the context has ended


def test_the_discriminator_sees_real_and_generated_images_at_once(monkeypatch, rng):
    networks = gan.build({"model": "dcgan", "width": 4, "z_dim": 4}, rng)
    trainer = gan.MODELS["dcgan"].trainer(*networks, z_dim=4, rng=rng)
    sizes = []
    forward = nn.Sequential.forward
    monkeypatch.setattr(nn.Sequential, "forward", lambda self, x: sizes.append(len(x)) or forward(self, x))
    trainer.step(rng.uniform(-1, 1, (6, 1, 28, 28)).astype(np.float32))
    assert sizes.count(12) == 1
