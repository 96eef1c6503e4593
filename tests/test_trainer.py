"""The training step: who learns from what, in which order, and what is left untouched."""

import json
from collections import Counter

import numpy as np
import pytest
from playing import trainer_of

from minigan import InputError, gan, nn, optim
from minigan.ops import conv
from minigan.tensor import Tensor, grad

Z_DIM, BATCH = 5, 4


def make_trainer(place="numpy", dtype=np.float32, networks=None, **settings):
    if networks is None:
        networks = gan.build({"model": "dcgan", "width": 4, "z_dim": Z_DIM}, np.random.default_rng(0))
    generator, discriminator = (network.to(place, dtype) for network in networks)
    return trainer_of(generator, discriminator, z_dim=Z_DIM, rng=np.random.default_rng(1), **settings)


def batches(place, dtype=np.float32, count=1):
    rng = np.random.default_rng(2)
    for _ in range(count):
        yield place.channels_last(place.asarray(rng.uniform(-1, 1, (BATCH, 1, 28, 28)), dtype))


def train(trainer, count=1):
    return list(trainer.steps(batches(trainer.game.generator.backend, trainer.game.generator.dtype, count)))


def plain_generator():
    """A generator without a convolution, so that every convolution seen is the discriminator's."""
    return nn.Sequential(nn.Linear(Z_DIM, 28 * 28), nn.Reshape(1, 28, 28), nn.Tanh())


def plain_discriminator():
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 1))


# ---- records --------------------------------------------------------------------------------------------------------


def test_records_say_what_a_step_did():
    records = train(make_trainer(), 3)
    assert [record.step for record in records] == [1, 2, 3]
    for record in records:
        fields = record.as_dict()
        # No times: equal runs leave equal records.
        assert {"step", "d_loss", "g_loss", "d_real", "d_fake"} <= set(fields)
        assert not {"seconds", "images_per_second"} & set(fields)
        assert all(type(value) in (int, float) for value in fields.values())
        assert json.loads(json.dumps(fields)) == fields
        assert 0 < record.d_real < 1 and 0 < record.d_fake < 1
        assert record.images_per_second == pytest.approx(BATCH / record.seconds)


def test_losses_and_beliefs_are_those_before_the_update():
    trainer = make_trainer(networks=(plain_generator(), plain_discriminator()))
    (real,) = batches(trainer.game.generator.backend)
    z = np.random.default_rng(1).standard_normal((BATCH, Z_DIM)).astype(np.float32)
    fake = trainer.game.generator(Tensor(z))
    r, f = (trainer.game.discriminator(x).numpy().astype(np.float64) for x in (Tensor(real), fake))
    (record,) = trainer.steps([real])
    assert record.d_loss == pytest.approx(np.log1p(np.exp(-r)).mean() + np.log1p(np.exp(f)).mean(), rel=1e-5)
    assert record.d_real == pytest.approx((1 / (1 + np.exp(-r))).mean(), rel=1e-5)
    assert record.d_fake == pytest.approx((1 / (1 + np.exp(-f))).mean(), rel=1e-5)
    # G's loss is judged by the D that has just learned, on the fakes of the G that has not.
    f = trainer.game.discriminator(fake.detach()).numpy().astype(np.float64)
    assert record.g_loss == pytest.approx(np.log1p(np.exp(-f)).mean(), rel=1e-5)


def test_steps_are_taken_as_they_are_asked_for():
    trainer = make_trainer()
    records = trainer.steps(batches(trainer.game.generator.backend, count=3))
    assert trainer.step_count == 0
    next(records)
    assert trainer.step_count == 1


def test_the_step_count_goes_on_over_epochs():
    trainer = make_trainer()
    train(trainer, 2)
    assert [record.step for record in train(trainer, 2)] == [3, 4]


# ---- only what is asked for -----------------------------------------------------------------------------------------


@pytest.fixture
def applied(monkeypatch):
    """Counts the backward convolutions, separately for D's half of a step ("d") and for G's ("g")."""

    class Applied(Counter):
        half = "d"

        def watch(self, trainer):
            step = trainer.optimizers["d"].step

            def noted(*args):
                step(*args)
                self.half = "g"

            trainer.optimizers["d"].step = noted
            return trainer

    counts = Applied()
    for kind in (conv.Conv2d, conv.Conv2dInput, conv.Conv2dWeight):

        def forward(self, *args, kind=kind, original=kind.forward):
            counts[counts.half, kind.__name__] += 1
            return original(self, *args)

        monkeypatch.setattr(kind, "forward", forward)
    return counts


def test_the_generators_step_computes_no_weight_gradient_of_the_discriminator(applied):
    half = {"stride": 2, "padding": 1}
    discriminator = nn.Sequential(
        nn.Conv2d(1, 2, 4, **half), nn.LeakyReLU(0.2), nn.Conv2d(2, 3, 4, **half), nn.Flatten(), nn.Linear(3 * 49, 1)
    )
    train(applied.watch(make_trainer(networks=(plain_generator(), discriminator))))
    assert applied == {
        ("d", "Conv2d"): 2,  # two layers, each on real and fake images at once
        ("d", "Conv2dWeight"): 2,
        ("d", "Conv2dInput"): 1,  # from the second layer to the first; the pixels' gradient nobody asked for
        ("g", "Conv2d"): 2,
        ("g", "Conv2dInput"): 2,  # down to the pixels, where G's own gradient begins; and no Conv2dWeight
    }


def test_the_discriminators_step_does_not_touch_the_generator(applied):
    generator = nn.Sequential(
        nn.Linear(Z_DIM, 2 * 49), nn.Reshape(2, 7, 7), nn.ConvTranspose2d(2, 1, 4, stride=4), nn.Tanh()
    )
    trainer = applied.watch(make_trainer(networks=(generator, plain_discriminator())))
    before = generator.state_dict()
    seen = {}
    trainer.optimizers["d"].update = lambda *args: seen.update(generator.state_dict())
    train(trainer)
    assert all(np.array_equal(seen[name], before[name]) for name in before)
    assert any(not np.array_equal(generator.state_dict()[name], before[name]) for name in before)
    # D's half runs the generator forward (a transposed convolution is a Conv2dInput), and nothing of it backward.
    assert applied == {("d", "Conv2dInput"): 1, ("g", "Conv2dWeight"): 1, ("g", "Conv2d"): 1}


def test_the_generator_runs_once_a_step():
    class Counted(nn.Module):
        def __init__(self):
            self.net = plain_generator()
            self.inputs = []

        def forward(self, z):
            self.inputs.append(np.array(z.numpy()))
            return self.net(z)

    generator = Counted()
    train(make_trainer(networks=(generator, plain_discriminator())), 3)
    stream = np.random.default_rng(1)
    # z comes from the host generator the trainer was given, whatever the backend.
    expected = [stream.standard_normal((BATCH, Z_DIM)).astype(np.float32) for _ in range(3)]
    assert len(generator.inputs) == 3
    np.testing.assert_array_equal(generator.inputs, expected)


def test_both_networks_train_in_training_mode():
    trainer = make_trainer()
    trainer.game.generator.eval()
    trainer.game.discriminator.eval()
    train(trainer)
    assert trainer.game.generator.training and trainer.game.discriminator.training
    state = trainer.game.discriminator.state_dict()
    # Real, fake, and the fakes again for G: batch norm sees three batches, as in PyTorch's example.
    assert {int(array) for name, array in state.items() if name.endswith("tracked")} == {3}


# ---- the classic bug ------------------------------------------------------------------------------------------------


def test_stepping_d_before_going_back_through_it_names_the_stale_weight():
    trainer = make_trainer()
    generator, discriminator = trainer.game.generator, trainer.game.discriminator
    (real,) = batches(generator.backend)
    fake = generator(trainer.game.sample_z(BATCH))
    objective = gan.NonSaturating()
    fake_logits = discriminator(fake)
    g_loss = objective.g_loss(fake_logits)  # recorded through today's D ...
    d_loss = objective.d_loss(discriminator(Tensor(real)), discriminator(fake.detach()))
    trainer.optimizers["d"].step(grad(d_loss, trainer.optimizers["d"].params))  # ... which is yesterday's now
    with pytest.raises(RuntimeError, match=r"needs 6\.weight as it was in the forward, but it has been updated since"):
        grad(g_loss, trainer.optimizers["g"].params)


# ---- the same numbers everywhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [gan.NonSaturating(), gan.Minimax()], ids=["non-saturating", "minimax"])
def test_numbers_do_not_depend_on_the_backend(backend, objective):
    if backend.name == "reference":
        pytest.skip("the others are held against it")
    here, there = (make_trainer(place, np.float64, objective=objective) for place in (backend, "reference"))
    for a, b in zip(train(here, 3), train(there, 3), strict=True):
        np.testing.assert_allclose(
            [a.d_loss, a.g_loss, a.d_real, a.d_fake], [b.d_loss, b.g_loss, b.d_real, b.d_fake], rtol=1e-10
        )
    for ours, theirs in (
        (here.game.generator, there.game.generator),
        (here.game.discriminator, there.game.discriminator),
    ):
        for name, array in ours.state_dict().items():
            np.testing.assert_allclose(array, theirs.state_dict()[name], rtol=1e-10, atol=1e-10, err_msg=name)


def test_a_run_repeats_to_the_bit():
    one, two = make_trainer(), make_trainer()
    train(one, 2)
    train(two, 2)
    for network in ("generator", "discriminator"):
        a, b = (trainer.game.networks[network].state_dict() for trainer in (one, two))
        assert all(np.array_equal(a[name], b[name]) for name in a)


def test_given_optimizers_and_objective_are_used():
    networks = plain_generator(), plain_discriminator()
    frozen, moving = (optim.SGD(n.parameters(), lr=lr) for n, lr in zip(networks, (0.0, 1.0), strict=True))
    before = [n.state_dict() for n in networks]
    trainer = make_trainer(networks=networks, g_optimizer=frozen, d_optimizer=moving, objective=gan.Minimax())
    (record,) = train(trainer)
    assert record.g_loss < 0  # minimax: E log(1 - D)
    assert all(np.array_equal(before[0][name], array) for name, array in networks[0].state_dict().items())
    assert all(not np.array_equal(before[1][name], array) for name, array in networks[1].state_dict().items())


# ---- generate -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_generate_runs_in_evaluation_and_restores_the_mode(training):
    generator = make_trainer().game.generator.train(training)
    before = generator.state_dict()
    z = np.random.default_rng(3).standard_normal((7, Z_DIM))
    images = gan.generate(generator, z)
    assert images.shape == (7, 1, 28, 28) and images.dtype == np.float32 and type(images) is np.ndarray
    assert all(module.training is training for module in generator.modules())
    assert all(np.array_equal(before[name], array) for name, array in generator.state_dict().items())
    # In evaluation mode an image does not depend on its batch.
    np.testing.assert_allclose(gan.generate(generator, z, batch_size=3), images, atol=1e-6)
    np.testing.assert_allclose(gan.generate(generator, z[4:5]), images[4:5], atol=1e-6)


def test_generate_restores_the_mode_after_an_error():
    generator = make_trainer().game.generator
    with pytest.raises(InputError):
        gan.generate(generator, np.zeros((2, Z_DIM + 1)))
    assert generator.training


def test_generate_records_no_graph():
    class Watched(nn.Module):
        def forward(self, z):
            self.recorded = (z * nn.Parameter(np.ones(Z_DIM, np.float32))).requires_grad
            return z

    generator = Watched()
    gan.generate(generator, np.zeros((2, Z_DIM)))
    assert generator.recorded is False


@pytest.mark.parametrize("shape", [(Z_DIM,), (0, Z_DIM), (2, Z_DIM, 1)])
def test_generate_refuses_z_of_another_shape(shape):
    with pytest.raises(InputError, match=r"generate: z is .*, it must be \(N, z_dim\) with N at least 1"):
        gan.generate(make_trainer().game.generator, np.zeros(shape))
