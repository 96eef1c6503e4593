"""CycleGAN side by side with PyTorch: instance norm, residual blocks, earlier fakes, every term."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from harness import Lockstep  # noqa: E402
from test_other_games import cycle_step  # noqa: E402

from minigan import gan  # noqa: E402


def make_game(dtype=np.float64, **settings):
    model = gan.UNPAIRED["cyclegan"]
    players = model.players(np.random.default_rng(0), channels=1, width=2, d_width=2, blocks=1, halvings=1, layers=1)
    players = (network.to("numpy", dtype) for network in players)
    trainer = model.trainer(*players, rng=np.random.default_rng(1), **{"buffer": 5, "identity_weight": 5.0} | settings)
    return Lockstep(trainer, cycle_step(5, 5.0))


def batches(count, dtype):
    rng = np.random.default_rng(2)
    for _ in range(count):
        a, b = rng.uniform(-1, 1, (2, 2, 1, 9, 8))
        yield a.astype(dtype), ((b + np.roll(b, 1, axis=3)) / 2).astype(dtype)


def test_float64():
    game = make_game()
    for batch in batches(12, np.float64):
        game.step(*batch)
        if game.count in (1, 6, 12):
            game.compare(1e-10 if game.count == 1 else 1e-7)


def test_float32():
    game = make_game(np.float32)
    for batch in batches(10, np.float32):
        game.step(*batch)
    game.compare_losses(1e-3)


@pytest.mark.parametrize("other", [{"buffer": 4}, {"identity_weight": 5.01}])
def test_another_setting_is_noticed(other):
    game = make_game(**other)
    with pytest.raises(AssertionError, match="is off by"):
        for batch in batches(10, np.float64):
            game.step(*batch)
            game.compare(1e-8)
