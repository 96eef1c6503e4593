"""Run by mpiexec: each game on all ranks, and on the first one alone with whole batches; how far apart they are.

mpiexec -n 2 python tests/ranks/equality.py STEPS GAME ...
"""

import json
import sys
from itertools import islice
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import other_games
from playing import trainer_of

from minigan import backend, data, gan, nn, optim, parallel
from minigan.ops import minibatch_std

BATCH, SIDE, Z = 16, 8, 6


class WithStd(nn.Module):
    def forward(self, x):
        return minibatch_std(x)


def generator(rng):
    return nn.Sequential(
        nn.Linear(Z, 64, bias=False, rng=rng), nn.BatchNorm1d(64), nn.ReLU(), nn.Reshape(4, 4, 4),
        nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1, bias=False, rng=rng), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 1, 3, padding=1, rng=rng), nn.Tanh(),
    )  # fmt: skip


def discriminator(rng, *between, channels=1, extra=0):
    half = {"stride": 2, "padding": 1, "rng": rng}
    return nn.Sequential(
        nn.Conv2d(channels, 4, 4, **half), nn.LeakyReLU(0.2), nn.Conv2d(4, 6, 4, bias=False, **half), *between,
        nn.LeakyReLU(0.2), nn.Conv2d(6 + extra, 1, 2, rng=rng), nn.Flatten(),
    )  # fmt: skip


def two_player(place, *between, wrap=lambda d: d, channels=1, extra=0, **settings):
    def make(communicator):
        rng = np.random.default_rng(0)
        g, d = generator(rng), wrap(discriminator(rng, *(make() for make in between), channels=channels, extra=extra))
        networks = (network.to(place, np.float64) for network in (g, d))
        rng = np.random.default_rng(1)
        return trainer_of(*networks, z_dim=Z, rng=rng, communicator=communicator, **settings)

    return make


def conditional(communicator):
    rng = np.random.default_rng(0)
    networks = gan.build({"model": "acgan", "image_size": 16, "width": 4, "classes": 3, "z_dim": Z, "channels": 1}, rng)
    networks = (network.to("numpy", np.float64) for network in networks)
    return trainer_of(
        *networks,
        z_dim=Z,
        rng=np.random.default_rng(1),
        communicator=communicator,
        objective=gan.MODELS["acgan"].objective,
    )


def other(name, **settings):
    def make(communicator):
        return gan.Trainer(other_games.GAMES[name](dtype=np.float64), communicator=communicator, **settings)

    return make


def exchange(communicator):
    rng = np.random.default_rng(0)
    made = (
        other_games.translator(rng),
        other_games.translator(rng),
        other_games.judge(1, rng),
        other_games.judge(1, rng),
    )
    networks = (network.to("numpy", np.float64) for network in made)
    game = gan.Cycle(*networks, rng=np.random.default_rng(1), buffer=5, identity_weight=5.0)
    return gan.Trainer(game, communicator=communicator, accumulate=2)


def video(communicator):
    rng, settings = np.random.default_rng(0), {"model": "mocogan", "image_size": 16, "width": 2, "channels": 1}
    networks = [network.to("numpy", np.float64) for network in gan.build({**settings, "frames": 3, "z_dim": 48}, rng)]
    # Of a gradient that is next to nothing Adam magnifies the rounding by lr / eps.
    optimizers = {
        name: optim.Adam(network.parameters(), eps=1e-4) for name, network in zip("gd", networks, strict=True)
    }
    rng = np.random.default_rng(1)
    return gan.MODELS["mocogan"].trainer(*networks, z_dim=48, rng=rng, communicator=communicator, optimizers=optimizers)


def norm():
    return nn.BatchNorm2d(6)


GAMES = {
    "batch_norm": two_player("numpy", norm),
    "reference": two_player("reference", norm),
    "accumulated": two_player("numpy", norm, accumulate=2, clip_grad_norm=0.5, ema=0.9, n_critic=2),
    "double_backward": two_player("numpy", norm, penalties=[gan.R1(), gan.GradientPenalty()]),
    "dragan": two_player("numpy", penalties=[gan.Dragan(every=2)]),
    "relativistic": two_player("numpy", norm, objective=gan.RelativisticAverage()),
    "minibatch_std": two_player("numpy", WithStd, extra=1, penalties=[gan.R1()]),
    "packed": two_player("numpy", wrap=lambda d: gan.Packed(d, 2), channels=2, penalties=[gan.R2()]),
    "noise": two_player("numpy", lambda: nn.Dropout(0.3, rng=np.random.default_rng(5)),
                        augment=[gan.DiffAugment(), gan.InstanceNoise(0.2)], clip_weights=0.1),
    "conditional": conditional,
    "paired": other("paired"),
    "cycle": other("cycle"),
    "exchange": exchange,
    "video": video,
}  # fmt: skip


class Pairs(data.Drawn):
    """Pairs that are random themselves."""

    def __len__(self):
        return 4 * BATCH

    def draw(self, chosen, rng, dtype):
        x = rng.uniform(-1, 1, (len(chosen), 1, SIDE, SIDE)) + chosen.reshape(-1, 1, 1, 1) / 1000
        return ((x + np.roll(x, 1, axis=3)) / 2).astype(dtype), x.astype(dtype)

    def fingerprint(self):
        return ""


def batches(name, communicator, place="numpy"):
    rng = np.random.default_rng(3)
    side = 16 if name == "conditional" else SIDE
    pictures = data.Dataset(rng.integers(0, 256, (5 * BATCH, 1, side, side), np.uint8), np.arange(80) % 3, tuple("abc"))
    dataset = Pairs() if name in (*other_games.GAMES, "exchange") else pictures
    if name == "video":
        dataset = data.Arrays(rng.uniform(-1, 1, (4 * BATCH, 3, 1, 16, 16)), name="clips")
    settings = {"dtype": "float64", "labels": name == "conditional", "prefetch": 0, "communicator": communicator}
    place = backend.get("reference" if name == "reference" else place)
    return data.Loader(dataset, BATCH, backend=place, rng=np.random.default_rng(4), **settings).forever()


def play(name, steps, communicator):
    """What the trainer has after the first step and after the last, and the last record."""
    trainer = GAMES[name](communicator)
    records = trainer.steps(batches(name, communicator))
    first = (*islice(records, 1), trainer.arrays())
    last = [*islice(records, steps - 1)][-1:]
    return [first, *((record, trainer.arrays()) for record in last)]


def distance(ours, theirs):
    """The largest difference of an array as a share of its largest element, and of a record's values.

    What is next to nothing beside its neighbours, as the moments of a bias before batch norm, is measured by them.
    """
    (record, arrays), (other_record, others) = ours, theirs
    sizes = {name: np.abs(array).max(initial=0) for name, array in others.items()}
    worst = [abs(record.values[name] - v) / max(1, abs(v)) for name, v in other_record.values.items() if v == v]
    for name, array in others.items():
        neighbours = max(size for other, size in sizes.items() if other.split(".")[0] == name.split(".")[0])
        size = max(sizes[name], 1e-3 * neighbours)
        worst.append(np.abs(arrays[name] - array).max(initial=0) / max(size, 1e-300))
    return float(max(worst))


def main():
    world, steps = parallel.world(), int(sys.argv[1])
    found = {}
    for name in sys.argv[2:] or GAMES:
        together = play(name, steps, world)
        if world.is_first:
            alone = play(name, steps, parallel.ALONE)
            found[name] = [distance(a, b) for a, b in zip(together, alone, strict=True)]
    if world.is_first:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
