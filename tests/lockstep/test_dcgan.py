"""DCGAN trained side by side with PyTorch: every loss, gradient, moment, statistic and parameter is the same number."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from harness import Lockstep, dcgan_step  # noqa: E402 (needs torch)

from minigan import gan, nn, optim  # noqa: E402

Z_DIM, BATCH = 16, 8
WIDTHS = {28: 8, 32: 8, 64: 4}  # narrow, so that a hundred steps take a few seconds


def make_game(size, dtype, backend="numpy", optimizer=optim.Adam, **settings):
    architecture = {"model": "dcgan", "image_size": size, "width": WIDTHS[size], "z_dim": Z_DIM}
    networks = gan.build(architecture, np.random.default_rng(0))
    generator, discriminator = (network.to(backend, dtype) for network in networks)
    settings = settings or {"lr": 2e-4, "betas": (0.5, 0.999)}
    game = gan.TwoPlayer(generator, discriminator, z_dim=Z_DIM, rng=np.random.default_rng(1))
    players = {"g": generator, "d": discriminator}
    trainer = gan.Trainer(game, {who: optimizer(p.parameters(), **settings) for who, p in players.items()})
    return Lockstep(trainer, dcgan_step)


def batches(size, count):
    """Noise on a ramp, in [-1, 1]: something that D can learn to tell from G's first fakes."""
    rng = np.random.default_rng(2)
    for _ in range(count):
        yield np.tanh(rng.standard_normal((BATCH, 1, size, size)) + np.linspace(-1, 1, size))


@pytest.mark.parametrize("size", WIDTHS)
def test_float64(fast, size):
    game = make_game(size, np.float64, backend=fast.name)
    for real in batches(size, 50):
        game.step(real)
        game.compare(1e-10 if game.count == 1 else 1e-8)


def test_reference_backend():
    game = make_game(28, np.float64, backend="reference")
    for real in batches(28, 3):
        game.step(real)
        game.compare(1e-10)


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        (optim.Adam, {"lr": 1e-3, "betas": (0.0, 0.9), "weight_decay": 0.01}),
        (optim.AdamW, {"lr": 1e-3, "betas": (0.5, 0.9), "weight_decay": 0.1}),
        (optim.RMSprop, {"lr": 5e-5}),
        (optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    ],
    ids=["adam-decayed", "adamw", "rmsprop", "sgd"],
)
def test_other_optimizers(fast, optimizer, settings):
    game = make_game(28, np.float64, backend=fast.name, optimizer=optimizer, **settings)
    for real in batches(28, 5):
        game.step(real)
        game.compare(1e-8)


@pytest.mark.parametrize("size", WIDTHS)
def test_float32_one_step(fast, size):
    game = make_game(size, np.float32, backend=fast.name)
    for real in batches(size, 1):
        game.step(real)
    game.compare_losses(1e-5)
    for which in ("d", "g"):
        game.compare_network(which, 1e-5, moments=2e-5, parameters=1e-3)  # see test_games.test_float32


def test_float32_twenty_steps():
    # The narrowest net only: with more units one of them comes to lie within rounding of its ReLU's kink, and two
    # right answers then part ways, as two float32 runs of PyTorch itself do.
    game = make_game(28, np.float32)
    for real in batches(28, 20):
        game.step(real)
    game.compare_losses(1e-3)


# ---- controls: the comparison notices what it is there to notice --------------------------------------------------


def _sabotage(name, value, *kinds):
    def tamper(trainer):
        for network in (trainer.game.generator, trainer.game.discriminator):
            for module in network.modules():
                if isinstance(module, kinds):
                    setattr(module, name, value)
        for optimizer in (trainer.optimizers["g"], trainer.optimizers["d"]):
            if isinstance(optimizer, kinds):
                setattr(optimizer, name, value)

    return tamper


@pytest.mark.parametrize(
    ("tamper", "noticed"),
    [
        (_sabotage("eps", 1e-3, nn.BatchNorm2d), "loss"),
        (_sabotage("momentum", 0.1001, nn.BatchNorm2d), "running_"),
        (_sabotage("negative_slope", 0.2001, nn.LeakyReLU), "loss"),
        (_sabotage("eps", 2e-8, optim.Adam), "g_loss|parameter"),
        (_sabotage("betas", (0.5, 0.9991), optim.Adam), "exp_avg_sq|g_loss"),
    ],
    ids=["batch-norm-eps", "batch-norm-momentum", "leaky-slope", "adam-eps", "adam-betas"],
)
def test_a_wrong_setting_is_noticed(tamper, noticed):
    game = make_game(28, np.float64)
    tamper(game.trainer)  # minigan's side only: PyTorch's is built already
    (real,) = batches(28, 1)
    game.step(real)
    with pytest.raises(AssertionError, match=noticed):
        game.compare(1e-10)
