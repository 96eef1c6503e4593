"""pix2pix and its PatchGAN, side by side with PyTorch: the networks as one writes them there, 50 steps."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from harness import Lockstep  # noqa: E402
from test_other_games import paired_step  # noqa: E402

from minigan import gan  # noqa: E402


def make_game(dtype=np.float64, l1_weight=10.0):
    architecture = {"model": "pix2pix", "channels": 1, "source_channels": 1, "width": 2, "halvings": 2, "d_width": 2}
    networks = (network.to("numpy", dtype) for network in gan.build(architecture, np.random.default_rng(0)))
    trainer = gan.PAIRED["pix2pix"].trainer(*networks, rng=np.random.default_rng(1), l1_weight=l1_weight)
    return Lockstep(trainer, paired_step)


def batches(count, dtype):
    rng = np.random.default_rng(2)
    for _ in range(count):
        x = rng.uniform(-1, 1, (2, 1, 16, 16))
        yield ((x + np.roll(x, 1, axis=3)) / 2).astype(dtype), x.astype(dtype)


def test_float64():
    game = make_game()
    for batch in batches(50, np.float64):
        game.step(*batch)
        if game.count in (1, 10, 50):
            game.compare(1e-10 if game.count == 1 else 1e-7)


def test_float32():
    game = make_game(np.float32)
    for batch in batches(10, np.float32):
        game.step(*batch)
    game.compare_losses(1e-3)


def test_another_weight_is_noticed():
    game = make_game(l1_weight=10.01)
    (batch,) = batches(1, np.float64)
    game.step(*batch)
    with pytest.raises(AssertionError, match="loss l1"):
        game.compare(1e-10)
