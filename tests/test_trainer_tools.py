"""What a Trainer can be told: n_critic, rates, clipping, accumulation, schedules, labels, objectives that see both."""

import numpy as np
import pytest
from playing import trainer_of

from minigan import InputError, gan, nn, optim
from minigan.tensor import Tensor, grad

Z_DIM, BATCH = 3, 8


def plain_networks(dtype=np.float64, rng=None):
    """Without batch norm: a batch is then the sum of its images."""
    rng = rng or np.random.default_rng(0)
    generator = nn.Sequential(nn.Linear(Z_DIM, 16, rng=rng), nn.Tanh(), nn.Reshape(1, 4, 4))
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(16, 6, rng=rng), nn.Tanh(), nn.Linear(6, 1, rng=rng))
    return generator.to(dtype=dtype), discriminator.to(dtype=dtype)


def make_trainer(networks=None, **settings):
    generator, discriminator = networks or plain_networks()
    return trainer_of(generator, discriminator, z_dim=Z_DIM, rng=np.random.default_rng(1), **settings)


def batches(count=1, batch=BATCH):
    rng = np.random.default_rng(2)
    return [rng.uniform(-1, 1, (batch, 1, 4, 4)) for _ in range(count)]


def states(trainer):
    return trainer.game.generator.state_dict(), trainer.game.discriminator.state_dict()


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def gradients_of(trainer, which):
    """The list of what the optimizer was given, filled as training goes on; parameters stay as they are."""
    seen = []
    optimizer = {"d": trainer.optimizers["d"], "g": trainer.optimizers["g"]}[which]
    optimizer.update = lambda backend, params, grads: seen.append([np.array(g) for g in grads])
    return seen


# ---- n_critic -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_critic", [1, 2, 3])
def test_g_learns_in_every_nth_step_only(n_critic):
    trainer = make_trainer(n_critic=n_critic)
    g_before, d_before = states(trainer)
    losses = []
    for record in trainer.steps(batches(6)):
        g, d = states(trainer)
        assert same(g, g_before) == (record.step % n_critic != 0)
        assert not same(d, d_before)
        g_before, d_before = g, d
        losses.append(record.g_loss)
    assert trainer.optimizers["g"].step_count == 6 // n_critic and trainer.optimizers["d"].step_count == 6
    assert np.isnan(losses[: n_critic - 1]).all() and np.isfinite(losses[n_critic - 1 :]).all()
    assert len(set(losses[n_critic - 1 :])) == 6 // n_critic  # between updates it is that of the last one


def test_each_update_of_the_critic_sees_fresh_fakes():
    trainer = make_trainer(n_critic=3, objective=gan.Wasserstein())
    seen = []
    forward = trainer.game.generator.forward
    trainer.game.generator.forward = lambda z: (seen.append(np.array(z.numpy())), forward(z))[1]
    list(trainer.steps(batches(3)))
    assert len(seen) == 3 and not np.array_equal(seen[0], seen[1])


def test_no_graph_is_recorded_where_g_does_not_learn():
    trainer = make_trainer(n_critic=2)
    recorded = []
    forward = trainer.game.generator.forward

    def watched(z):
        y = forward(z)
        recorded.append(y.requires_grad)
        return y

    trainer.game.generator.forward = watched
    list(trainer.steps(batches(4)))
    assert recorded == [False, True, False, True]


# ---- rates ----------------------------------------------------------------------------------------------------------


def test_two_time_scales():
    """With plain SGD an update is rate times gradient: each network moves at its own."""
    networks, rates = plain_networks(), {"g": 0.25, "d": 0.5}
    optimizers = {
        f"{which}_optimizer": optim.SGD(network.parameters(), lr=rates[which])
        for which, network in zip("gd", networks, strict=True)
    }
    trainer = make_trainer(networks, **optimizers)
    gradients = {}
    for which, optimizer in (("g", trainer.optimizers["g"]), ("d", trainer.optimizers["d"])):

        def update(backend, params, grads, which=which, original=optimizer.update):
            gradients[which] = [np.array(g) for g in grads]
            original(backend, params, grads)

        optimizer.update = update
    before = states(trainer)
    list(trainer.steps(batches()))
    for which, old, new in zip("gd", before, states(trainer), strict=True):
        for name, g in zip(old, gradients[which], strict=True):
            np.testing.assert_allclose(new[name], old[name] - rates[which] * g, rtol=1e-12, atol=1e-15, err_msg=name)


def test_a_models_rates_are_changed_by_name():
    for changes, expected in ({}, (1e-4, 1e-4, (0.0, 0.9))), ({"g_lr": 1.0, "d_lr": 2.0, "betas": (0.1, 0.2)},) * 2:
        networks = plain_networks()
        trainer = gan.MODELS["wgan_gp"].trainer(*networks, z_dim=Z_DIM, rng=np.random.default_rng(0), **changes)
        found = trainer.optimizers["g"].lr, trainer.optimizers["d"].lr, trainer.optimizers["g"].betas
        assert found == (expected if isinstance(expected, tuple) else tuple(expected.values()))
        assert trainer.game.n_critic == 5 and trainer.game.penalties == (gan.GradientPenalty(weight=10.0),)


def test_a_schedule_is_a_factor_on_both_rates():
    networks = plain_networks()
    optimizers = {"g_optimizer": (networks[0], 0.5), "d_optimizer": (networks[1], 0.25)}
    settings = {name: optim.Adam(network.parameters(), lr=lr) for name, (network, lr) in optimizers.items()}
    trainer = make_trainer(networks, schedule=optim.LinearDecay(start=2, end=6), **settings)
    rates = [(trainer.optimizers["g"].lr, trainer.optimizers["d"].lr) for _ in trainer.steps(batches(7))]
    factors = [1, 1, 0.75, 0.5, 0.25, 0, 0]
    assert rates == [(0.5 * factor, 0.25 * factor) for factor in factors]


def test_at_rate_0_nothing_moves():
    trainer = make_trainer(schedule=lambda step: 0.0)
    before = states(trainer)
    list(trainer.steps(batches(2)))
    assert all(same(a, b) for a, b in zip(before, states(trainer), strict=True))


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5), (-1, 5)])
def test_a_decay_that_cannot_be_is_refused(start, end):
    with pytest.raises(InputError, match=f"LinearDecay: start {start} must be at least 0 and below end {end}"):
        optim.LinearDecay(start=start, end=end)


# ---- accumulation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [2, 4, 8])
@pytest.mark.parametrize(
    "settings",
    [{}, {"penalties": [gan.R1(), gan.R2(every=2)]}, {"objective": gan.Wasserstein(), "n_critic": 2}],
    ids=["plain", "penalties", "n_critic"],
)
def test_in_parts_it_is_the_whole_batch(parts, settings):
    whole, split = make_trainer(**settings), make_trainer(**settings, accumulate=parts)
    for a, b in zip(whole.steps(batches(4)), split.steps(batches(4)), strict=True):
        found, expected = ([r.d_loss, r.g_loss, r.d_real, r.d_fake, r.penalty] for r in (b, a))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    for ours, theirs in zip(states(split), states(whole), strict=True):
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_labels_are_dealt_out_with_their_images():
    def trained(accumulate):
        trainer = make_trainer(conditional_networks(), accumulate=accumulate)
        list(trainer.steps(labelled(3)))
        return states(trainer)

    for ours, theirs in zip(trained(4), trained(1), strict=True):
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(("batch", "parts"), [(8, 3), (2, 4)])
def test_a_batch_that_cannot_be_parted_is_refused(batch, parts):
    trainer = make_trainer(accumulate=parts)
    with pytest.raises(InputError, match=f"a batch of {batch} images cannot be worked on in {parts} equal parts"):
        list(trainer.steps(batches(1, batch)))


@pytest.mark.parametrize("settings", [{"n_critic": 0}, {"accumulate": 0}, {"n_critic": -2}])
def test_less_than_one_is_refused(settings):
    with pytest.raises(InputError, match=r"(n_critic|accumulate) = .* must be a whole number of at least 1"):
        make_trainer(**settings)


# ---- clipping -------------------------------------------------------------------------------------------------------


def test_weights_are_clipped_after_each_update_of_d():
    trainer = make_trainer(clip_weights=0.01)
    before = states(trainer)
    list(trainer.steps(batches(1)))
    g, d = states(trainer)
    for name, array in d.items():
        assert np.abs(array).max() <= 0.01 < np.abs(before[1][name]).max()
        assert np.abs(array).max() == 0.01  # at the limit, not below it
    assert max(np.abs(array).max() for array in g.values()) > 0.1  # G's are nobody's business


def test_what_is_within_the_limit_stays():
    trainer, free = make_trainer(clip_weights=100.0), make_trainer()
    for one in (trainer, free):
        list(one.steps(batches(2)))
    assert all(same(a, b) for a, b in zip(states(trainer), states(free), strict=True))


@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_the_norm_of_each_networks_gradient_is_clipped(limit):
    plain, clipped = make_trainer(), make_trainer(clip_grad_norm=limit)
    watched = [[gradients_of(trainer, which) for which in "dg"] for trainer in (plain, clipped)]
    for trainer in (plain, clipped):
        list(trainer.steps(batches()))
    for (wanted,), (found,) in zip(*watched, strict=True):
        norm = np.sqrt(sum((g**2).sum() for g in wanted))
        assert 1e-3 < norm < 1e3  # one limit clips, the other does not
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs * min(1, limit / (norm + 1e-6)), rtol=1e-12)


def test_clip_grad_norm_is_pytorchs(tensor, rng):
    torch = pytest.importorskip("torch")
    arrays = [rng.standard_normal(shape) for shape in ((3, 2), (4,), (1, 2, 3))]
    for limit in (0.5, 50.0):
        found = optim.clip_grad_norm([tensor(a) for a in arrays], limit)
        parameters = [torch.nn.Parameter(torch.zeros(a.shape, dtype=torch.float64)) for a in arrays]
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.grad = torch.tensor(array)
        torch.nn.utils.clip_grad_norm_(parameters, limit)
        for ours, parameter in zip(found, parameters, strict=True):
            np.testing.assert_allclose(ours.numpy(), parameter.grad.numpy(), rtol=1e-12)


# ---- objectives that see both sides ---------------------------------------------------------------------------------


def test_a_relativistic_g_is_judged_against_real_images_it_gets_no_gradient_from():
    trainer = make_trainer(objective=gan.RelativisticAverage())
    generator, discriminator = trainer.game.generator, trainer.game.discriminator
    d_gradients, g_gradients = gradients_of(trainer, "d"), gradients_of(trainer, "g")  # nothing moves
    (real,) = batches()
    (record,) = trainer.steps([real])
    fake = generator(Tensor(np.random.default_rng(1).standard_normal((BATCH, Z_DIM))))
    r, f = discriminator(Tensor(real)), discriminator(fake)

    def softplus(x):
        return np.logaddexp(0, x)

    a, b = r.numpy(), f.numpy()
    assert record.d_loss == pytest.approx(softplus(b.mean() - a).mean() + softplus(b - a.mean()).mean(), rel=1e-12)
    assert record.g_loss == pytest.approx(softplus(a - b.mean()).mean() + softplus(a.mean() - b).mean(), rel=1e-12)
    expected = grad(trainer.game.objective.g_loss(f, r.detach()), generator.parameters())
    for ours, theirs in zip(g_gradients[0], expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-11, atol=1e-15)
    assert len(d_gradients) == 1


@pytest.mark.parametrize(("objective", "calls"), [(gan.NonSaturating(), 2), (gan.RelativisticAverage(), 3)])
def test_d_looks_at_the_real_images_again_only_for_those_who_ask(objective, calls):
    """Real and generated images go through D at once, then the generated ones for G."""
    trainer = make_trainer(objective=objective)
    seen = []
    forward = trainer.game.discriminator.forward
    trainer.game.discriminator.forward = lambda x: (seen.append(x), forward(x))[1]
    list(trainer.steps(batches()))
    assert len(seen) == calls


# ---- labels ---------------------------------------------------------------------------------------------------------


class Told(nn.Module):
    """A network that adds its class's vector to its input, and remembers what it was told."""

    def __init__(self, network, dim, rng):
        self.network, self.embedding = network, nn.Embedding(5, dim, rng=rng)
        self.labels = []

    def forward(self, x, labels):
        self.labels.append(np.array(labels))
        return self.network(x + self.embedding(labels).reshape(x.shape[0], *[-1, 4, 4][: x.ndim - 1]))


def conditional_networks():
    rng = np.random.default_rng(3)
    generator, discriminator = plain_networks()
    return Told(generator, Z_DIM, rng).to(dtype=np.float64), Told(discriminator, 16, rng).to(dtype=np.float64)


def labelled(count):
    rng = np.random.default_rng(4)
    return [(images, rng.integers(0, 5, BATCH)) for images in batches(count)]


def test_both_players_are_told_the_same_labels():
    trainer = make_trainer(conditional_networks(), penalties=[gan.R1()], objective=gan.RelativisticAverage())
    ((images, labels),) = labelled(1)
    list(trainer.steps([(images, labels)]))
    assert len(trainer.game.generator.labels) == 1
    assert len(trainer.game.discriminator.labels) == 4  # real, which the penalty shares, fake, and both for G
    for seen in trainer.game.generator.labels + trainer.game.discriminator.labels:
        np.testing.assert_array_equal(seen, labels)


def test_only_the_classes_of_the_batch_learn():
    trainer = make_trainer(conditional_networks())
    before = trainer.game.generator.embedding.weight.numpy().copy()
    list(trainer.steps([(batches()[0], np.array([1, 1, 1, 1, 3, 3, 3, 3]))]))
    moved = (trainer.game.generator.embedding.weight.numpy() != before).any(axis=1)
    assert moved.tolist() == [False, True, False, True, False]


def test_a_conditional_model_without_labels_is_told_so():
    classifier = gan.build({"model": "acgan", "width": 2, "z_dim": 3, "classes": 2}, np.random.default_rng(0))
    trainer = gan.MODELS["acgan"].trainer(*classifier, z_dim=3, rng=np.random.default_rng(1))
    with pytest.raises(TypeError, match="labels"):
        list(trainer.steps([np.zeros((2, 1, 28, 28), np.float32)]))
    with pytest.raises(InputError, match="needs labels: load the data with labels=True"):
        trainer.game.objective.d_loss(Tensor(np.zeros((2, 3))), Tensor(np.zeros((2, 3))))


# ---- what the records say -------------------------------------------------------------------------------------------


def test_the_penalty_is_beside_the_loss_not_in_it():
    """D goes down the gradient of their sum; the record keeps them apart."""
    penalised, plain = make_trainer(penalties=[gan.R1(gamma=100.0)]), make_trainer()
    found = [gradients_of(trainer, "d") for trainer in (penalised, plain)]
    (a,), (b,) = (list(trainer.steps(batches())) for trainer in (penalised, plain))
    assert a.d_loss == b.d_loss and b.penalty == 0 < a.penalty
    assert not np.allclose(found[0][0][0], found[1][0][0])


@pytest.mark.parametrize("name", ["clip_weights", "clip_grad_norm"])
@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_clip_that_leaves_nothing_is_refused(name, limit):
    generator, discriminator = gan.build({"model": "dcgan", "width": 4, "z_dim": 3}, np.random.default_rng(0))
    with pytest.raises(InputError, match=f"{name} = .* must be above 0"):
        trainer_of(generator, discriminator, z_dim=3, rng=np.random.default_rng(1), **{name: limit})


# ---- frozen layers, modes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [optim.Adam, optim.AdamW, optim.RMSprop, lambda p: optim.SGD(p, lr=0.1, momentum=0.5)])
def test_a_frozen_layer_stays_as_it_is(rule):
    networks = plain_networks()
    networks[1][1].requires_grad_(False)
    trainer = make_trainer(networks, d_optimizer=rule(networks[1].parameters()))
    before = states(trainer)[1]
    list(trainer.steps(batches(3)))
    for name, array in states(trainer)[1].items():
        assert np.array_equal(array, before[name]) == name.startswith("1."), name
    networks[1][1].requires_grad_(True)
    list(trainer.steps(batches(1)))
    assert not np.array_equal(states(trainer)[1]["1.weight"], before["1.weight"])


def test_a_player_who_is_frozen_whole_is_refused():
    networks = plain_networks()
    networks[0].requires_grad_(False)
    with pytest.raises(InputError, match="nothing that 'g' could learn requires a gradient"):
        list(make_trainer(networks).steps(batches()))


def test_a_layer_in_evaluation_mode_stays_in_it():
    trainer = make_trainer()
    layer = trainer.game.discriminator[1]
    layer.eval()
    list(trainer.steps(batches()))
    assert not layer.training and trainer.game.discriminator.training


@pytest.mark.filterwarnings("ignore:.* encountered in")
def test_an_infinite_loss_is_no_penalty():
    class Infinite(gan.Wasserstein):
        def d_loss(self, real_logits, fake_logits, labels=None):
            return super().d_loss(real_logits, fake_logits) * float("inf")

    trainer = make_trainer(objective=Infinite())
    (record,) = trainer.steps(batches())
    assert not np.isfinite(record.d_loss) and record.penalty == 0


@pytest.mark.parametrize("batch", [[[1.0]], "abc", None, ([1.0], np.zeros(1)), 3.0])
def test_a_batch_that_is_no_array_is_refused(batch):
    with pytest.raises(
        InputError, match=r"a batch must be an array, or a tuple of arrays such as \(images, labels\), not"
    ):
        list(make_trainer().steps([batch]))
