"""Games other than the two-player one, for the tests of the trainer: from pairs, and an exchange without pairs."""

import numpy as np

from minigan import gan, nn, ops


class Told(nn.Module):
    """A discriminator that is told the source: it sees both pictures, one channel after the other."""

    def __init__(self, network):
        self.network = network

    def forward(self, x, source):
        return self.network(ops.concat([source, x], axis=1))


def translator(rng):
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, rng=rng), nn.LeakyReLU(0.2), nn.Conv2d(3, 1, 3, padding=1, rng=rng), nn.Tanh()
    )


def judge(channels, rng):
    half = {"stride": 2, "padding": 1, "rng": rng}
    return nn.Sequential(nn.Conv2d(channels, 4, 4, **half), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 4, **half), nn.Flatten())


def paired(place="numpy", dtype=np.float32, weight=10.0, **settings):
    rng = np.random.default_rng(0)
    networks = (network.to(place, dtype) for network in (translator(rng), Told(judge(2, rng))))
    return gan.Paired(*networks, rng=np.random.default_rng(1), l1_weight=weight, **settings)


def cycle(place="numpy", dtype=np.float32, weight=10.0, **settings):
    rng = np.random.default_rng(0)
    made = translator(rng), translator(rng), judge(1, rng), judge(1, rng)
    networks = (network.to(place, dtype) for network in made)
    return gan.Cycle(*networks, rng=np.random.default_rng(1), cycle_weight=weight, **settings)


def cycle_of_few(*args, **settings):
    """With a buffer that is soon full, and identity terms."""
    return cycle(*args, **{"buffer": 6, "identity_weight": 5.0} | settings)


GAMES = {"paired": paired, "cycle": cycle, "cycle_of_few": cycle_of_few}


def batches(count, dtype=np.float32, size=4, side=8):
    """Pairs of pictures: noise, and the same smoothed."""
    rng = np.random.default_rng(2)
    for _ in range(count):
        x = rng.uniform(-1, 1, (size, 1, side, side))
        yield ((x + np.roll(x, 1, axis=3)) / 2).astype(dtype), x.astype(dtype)
