"""The table of objectives x models trains on MNIST without a NaN, 100 steps a case, in CI-sized runs.

Covered, on narrow networks and small batches: every objective with DCGAN; every model with all that its own paper says
(objective, penalties, n_critic, clipping, optimizer); every penalty with WGAN-GP's critic, lazy and not; and everything
a Trainer can be told at once. Also, for 20 steps, every objective with SNGAN's residual networks. All losses and all of
the state stay finite, and every weight of both networks has moved. (Not every bias: one that batch norm takes away
again has no gradient, nor has that of a critic's last layer in E f - E r.)
"""

import numpy as np
import pytest
from small_models import PICTURES

from minigan import data, gan, optim

Z_DIM, BATCH = 8, 4
STEPS = 100
WIDTHS = {"gan": 20, "sngan": 2}


@pytest.fixture(scope="module")
def digits():
    return data.mnist("test")  # the smaller split


def train(digits, name, steps=STEPS, accumulate=1, **changes):
    model = gan.MODELS[name]
    settings = {"model": name, "image_size": 28, "channels": 1, "z_dim": Z_DIM, "width": WIDTHS.get(name, 4)}
    if model.conditional:
        settings["classes"] = 10
    generator, discriminator = gan.build(settings, np.random.default_rng(0))
    loader = data.Loader(
        digits,
        BATCH * accumulate,
        backend=generator.backend,
        rng=np.random.default_rng(1),
        labels=model.conditional,
    )
    trainer = model.trainer(
        generator, discriminator, z_dim=Z_DIM, rng=np.random.default_rng(2), accumulate=accumulate, **changes
    )
    before = trainer.arrays()
    batches = iter(loader)
    records = list(trainer.steps(next(batches) for _ in range(steps)))
    assert_sound(trainer, records, before, steps)
    return trainer, records


def assert_sound(trainer, records, before, steps):
    assert [record.step for record in records] == list(range(1, steps + 1))
    for record in records:
        known = [record.d_loss, record.d_real, record.d_fake, record.penalty, record.d_grad]
        known += [record.g_loss, record.g_grad] if record.step >= trainer.game.n_critic else []
        assert np.isfinite(known).all(), record
    after = trainer.arrays()
    for name, array in after.items():
        assert np.isfinite(array).all(), name
    for network in ("generator", "discriminator"):
        weights = [f"{network}/{name}" for name, p in trainer.game.networks[network].named_parameters() if p.ndim > 1]
        assert weights
        still = [name for name in weights if np.array_equal(after[name], before[name])]
        assert not still, f"never learned: {still}"


@pytest.mark.parametrize("objective", gan.OBJECTIVES)
def test_every_objective_with_dcgan(digits, objective):
    trainer, _ = train(digits, "dcgan", objective=gan.OBJECTIVES[objective]())
    assert type(trainer.game.objective) is gan.OBJECTIVES[objective]


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "sngan"])
def test_every_model_as_its_paper_trains_it(digits, name):
    trainer, records = train(digits, name)
    assert trainer.step_count == STEPS
    assert any(record.penalty for record in records) == bool(gan.MODELS[name].penalties)


def test_sngan_as_its_paper_trains_it(digits):
    train(digits, "sngan")


@pytest.mark.parametrize("objective", [name for name in gan.OBJECTIVES if name != "hinge"])
def test_every_objective_with_residual_networks(digits, objective):
    train(digits, "sngan", steps=20, n_critic=1, objective=gan.OBJECTIVES[objective]())


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("penalty", gan.PENALTIES)
def test_every_penalty_with_wgan_gp(digits, penalty, every):
    _, records = train(digits, "wgan_gp", n_critic=2, penalties=[gan.PENALTIES[penalty](every=every)])
    assert [record.step for record in records if record.penalty] == list(range(every, STEPS + 1, every))


def test_everything_at_once(digits):
    train(
        digits,
        "acgan",
        accumulate=2,
        objective=gan.AuxiliaryClassifier(gan.NonSaturating(label_smoothing=0.1)),
        penalties=[gan.R1(every=4)],
        n_critic=2,
        augment=[gan.InstanceNoise(0.1, STEPS), gan.DiffAugment()],
        clip_grad_norm=1.0,
        clip_weights=1.0,
        schedule=optim.LinearDecay(start=STEPS // 2, end=STEPS + 1),
        ema=0.99,
    )
