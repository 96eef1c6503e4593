"""Games other than the two-player one, for the tests of the trainer: from pairs, and an exchange without pairs."""

from dataclasses import dataclass, field

import numpy as np

from minigan import gan, nn, ops
from minigan.gan.rules import Terms
from minigan.tensor import Tensor


class Told(nn.Module):
    """A discriminator that is told the source: it sees both pictures, one channel after the other."""

    def __init__(self, network):
        self.network = network

    def forward(self, x, source):
        return self.network(ops.concat([source, x], axis=1))


@dataclass
class Exchange:
    """Pictures of both kinds, and what each was made into."""

    a: Tensor
    b: Tensor
    fake_a: Tensor
    fake_b: Tensor
    told: dict = field(default_factory=dict)


class Cycle(gan.Game):
    """Two generators, which are to undo each other, and a discriminator for each kind: three turns a step."""

    results = ("ab", "ba")

    def __init__(self, ab, ba, a, b, *, rng, weight=10.0, objective=None):
        self.networks = {"ab": ab, "ba": ba, "a": a, "b": b}
        self.rng, self.weight, self.objective = rng, weight, objective or gan.LeastSquares()

    @property
    def turns(self):
        return (
            gan.Turn("d_a", (self.networks["a"],), self.a_loss, records_play=False),
            gan.Turn("d_b", (self.networks["b"],), self.b_loss, records_play=False),
            gan.Turn("g", (self.networks["ab"], self.networks["ba"]), self.g_loss),
        )

    def play(self, a, b):
        return Exchange(a, b, self.networks["ba"](b), self.networks["ab"](a))

    def a_loss(self, round) -> Terms:
        judge = self.networks["a"]
        return {"d_a_loss": self.objective.d_loss(judge(round.a), judge(round.fake_a.detach()))}

    def b_loss(self, round) -> Terms:
        judge = self.networks["b"]
        return {"d_b_loss": self.objective.d_loss(judge(round.b), judge(round.fake_b.detach()))}

    def g_loss(self, round) -> Terms:
        ab, ba, a, b = self.networks.values()
        back = ops.abs(ba(round.fake_b) - round.a).mean() + ops.abs(ab(round.fake_a) - round.b).mean()
        return {
            "g_loss": self.objective.g_loss(a(round.fake_a)) + self.objective.g_loss(b(round.fake_b)),
            "cycle": back * self.weight,
        }


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


def cycle(place="numpy", dtype=np.float32, **settings):
    rng = np.random.default_rng(0)
    made = translator(rng), translator(rng), judge(1, rng), judge(1, rng)
    return Cycle(*(network.to(place, dtype) for network in made), rng=np.random.default_rng(1), **settings)


GAMES = {"paired": paired, "cycle": cycle}


def batches(count, dtype=np.float32, size=4, side=8):
    """Pairs of pictures: noise, and the same smoothed."""
    rng = np.random.default_rng(2)
    for _ in range(count):
        x = rng.uniform(-1, 1, (size, 1, side, side))
        yield ((x + np.roll(x, 1, axis=3)) / 2).astype(dtype), x.astype(dtype)
