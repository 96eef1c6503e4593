"""Penalties against closed forms, their gradients against finite differences, and the moments they are applied at."""

import numpy as np
import pytest
from playing import trainer_of

from minigan import InputError, nn
from minigan.gan import PENALTIES, R1, R2, Dragan, GradientPenalty, penalties
from minigan.gradcheck import GradientError, check_grad
from minigan.ops import conv2d, relu, tanh
from minigan.tensor import Tensor, grad, no_grad

N, SHAPE = 5, (2, 4, 3)


@pytest.fixture
def images(tensor, rng):
    return tensor(rng.uniform(-1, 1, (N, *SHAPE))), tensor(rng.uniform(-1, 1, (N, *SHAPE)))


def linear(w):
    """A critic w . x: its slope is w everywhere."""
    return lambda x: (x * w).sum(tuple(range(1, x.ndim))).reshape(-1, 1)


def quadratic(x):
    """A critic |x|^2 / 2, whose slope at x is x."""
    return (x * x).sum((1, 2, 3)).reshape(-1, 1) * 0.5


# ---- closed forms ---------------------------------------------------------------------------------------------------


def test_every_penalty_has_a_closed_form_here():
    assert {"gradient_penalty": GradientPenalty, "dragan": Dragan, "r1": R1, "r2": R2} == PENALTIES


def test_a_linear_critic_has_the_slope_of_its_weights_over_all_pixels(tensor, rng, images):
    w = rng.standard_normal(SHAPE)
    slope = np.linalg.norm(w)
    expected = {
        GradientPenalty(weight=3.0): 3 * (slope - 1) ** 2,
        Dragan(weight=3.0): 3 * (slope - 1) ** 2,
        R1(gamma=3.0): 1.5 * slope**2,
        R2(gamma=3.0): 1.5 * slope**2,
    }
    for penalty, value in expected.items():
        found = penalty(linear(tensor(w)), *images, np.random.default_rng(1))
        assert found.shape == ()
        assert found.item() == pytest.approx(value, rel=1e-11)


def test_a_critic_of_slope_one_is_not_punished(tensor, rng, images):
    w = rng.standard_normal(SHAPE)
    critic = linear(tensor(w / np.linalg.norm(w)))
    for penalty in (GradientPenalty(), Dragan()):
        assert penalty(critic, *images, np.random.default_rng(1)).item() == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("shape", [(N,), (N, 1, 1)])
def test_a_critic_whose_logits_have_another_shape_is_refused(shape, images):
    for penalty in (GradientPenalty(), Dragan(), R1(), R2()):
        with pytest.raises(InputError, match=r"makes logits \(N, 1\), not \(5,"):
            penalty(lambda x: quadratic(x).reshape(shape), *images, np.random.default_rng(1))


def test_default_weights_are_the_papers():
    assert GradientPenalty().weight == Dragan().weight == R1().gamma == R2().gamma == 10
    assert all(kind().every == 1 for kind in PENALTIES.values())


def points(name, real, fake):
    """Where a penalty looks at the slope, given the random numbers it draws."""
    rng = np.random.default_rng(1)
    if name == "gradient_penalty":
        a = rng.random(N).reshape(-1, 1, 1, 1)
        return a * real + (1 - a) * fake
    if name == "dragan":
        a = rng.random(N).reshape(-1, 1, 1, 1)
        return real + 0.5 * real.std() * a * rng.random(real.shape)
    return {"r1": real, "r2": fake}[name]


@pytest.mark.parametrize("name", PENALTIES)
def test_a_quadratic_critic_tells_the_points_that_are_looked_at(name, images):
    real, fake = (t.numpy() for t in images)
    norms = np.linalg.norm(points(name, real, fake).reshape(N, -1), axis=1)
    expected = 5 * (norms**2).mean() if name in ("r1", "r2") else 10 * ((norms - 1) ** 2).mean()
    assert PENALTIES[name]()(quadratic, *images, np.random.default_rng(1)).item() == pytest.approx(expected, rel=1e-12)


def test_one_alpha_for_all_pixels_of_a_sample_and_another_for_each_sample(tensor):
    seen = []

    def critic(x):
        seen.append(np.array(x.numpy()))
        return quadratic(x)

    GradientPenalty()(critic, tensor(np.ones((N, *SHAPE))), tensor(np.zeros((N, *SHAPE))), np.random.default_rng(1))
    alpha = seen[0].reshape(N, -1)
    assert (alpha == alpha[:, :1]).all() and len(np.unique(alpha)) == N
    assert ((alpha > 0) & (alpha < 1)).all()


def test_points_in_the_plane_and_class_logits_are_fine(tensor, rng):
    """Any number of axes; of an auxiliary classifier's logits only the first counts."""
    w = rng.standard_normal((2, 4))
    real, fake = tensor(rng.standard_normal((N, 2))), tensor(rng.standard_normal((N, 2)))
    found = R1(gamma=2.0)(lambda x: x @ tensor(w), real, fake, rng)
    assert found.item() == pytest.approx((w[:, 0] ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_flat_critic_gives_numbers(name, dtype, tensor, rng):
    """The norm's own slope is infinite at 0: a critic that is flat there must not fill the weights with NaN."""
    w = tensor(np.zeros(SHAPE), dtype, requires_grad=True)
    x = tensor(rng.uniform(-1, 1, (N, *SHAPE)), dtype)
    value = PENALTIES[name]()(linear(w), x, x, rng)
    (g,) = grad(value, [w])
    assert value.item() == pytest.approx(0 if name in ("r1", "r2") else 10, rel=1e-5)
    np.testing.assert_array_equal(g.numpy(), np.zeros(SHAPE))


def test_images_and_generator_stay_out_of_it(tensor, rng):
    """The penalty is D's alone: no gradient reaches what made the images."""
    z = tensor(rng.uniform(-1, 1, (N, *SHAPE)), requires_grad=True)
    w = tensor(rng.standard_normal(SHAPE), requires_grad=True)
    value = R2()(lambda x: linear(w)(tanh(x)), z, z * 2, rng)
    found = grad(value, [w, z], allow_unused=True)
    assert found[0] is not None and found[1] is None


# ---- gradients with respect to D's weights: a double backward -------------------------------------------------------


def smooth_critic(x, w, b, v):
    """conv, tanh, linear: no kinks, so that finite differences are exact enough for order 2."""
    h = tanh(conv2d(x, w, b, padding=1))
    return h.reshape(len(x), -1) @ v


@pytest.fixture
def weights(tensor, rng):
    return (
        tensor(rng.standard_normal((2, 2, 3, 3))),
        tensor(rng.standard_normal(2)),
        tensor(rng.standard_normal((24, 1))),
    )


def as_function_of_the_weights(penalty, real, fake, critic=smooth_critic):
    return lambda *weights: penalty(lambda x: critic(x, *weights), real, fake, np.random.default_rng(1))


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_of_the_weights(name, images, weights):
    """At order 2 the penalty, itself a gradient, is differentiated for the third time."""
    check_grad(as_function_of_the_weights(PENALTIES[name](), *images), *weights, order=2)


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_through_batch_norm_and_leaky_relu(name, tensor, rng):
    """R1 on DCGAN's own discriminator, width 1: every layer it has, as training calls them."""
    discriminator = nn.Sequential(
        nn.Conv2d(1, 2, 4, stride=2, padding=1, rng=rng),
        nn.BatchNorm2d(2),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(8, 1, rng=rng),
    ).to(tensor([0.0]).backend, np.float64)
    names = [name for name, _ in discriminator.named_parameters()]

    def critic(x, *weights):
        conv, norm, _, flat, linear = discriminator.children().values()
        for name, weight in zip(names, weights, strict=True):
            layer, attribute = name.split(".")
            setattr(discriminator[int(layer)], attribute, weight)
        return linear(flat(norm(conv(x), negative_slope=0.2)))

    real, fake = tensor(rng.uniform(-1, 1, (3, 1, 4, 4))), tensor(rng.uniform(-1, 1, (3, 1, 4, 4)))
    weights = [Tensor(parameter.data) for parameter in discriminator.parameters()]
    check_grad(as_function_of_the_weights(PENALTIES[name](), real, fake, critic), *weights)


def test_the_check_sees_a_penalty_without_its_second_backward(images, weights, monkeypatch):
    """The classic mistake: the slope taken as a constant."""
    original = penalties.squared_slope
    monkeypatch.setattr(
        penalties, "squared_slope", lambda critic, x: original(critic, x).detach() + critic(x)[:, 0] * 0.0
    )
    with pytest.raises(GradientError, match="order 1"):
        check_grad(as_function_of_the_weights(R1(), *images), *weights)


# ---- batch norm -----------------------------------------------------------------------------------------------------


def trainer(discriminator, *penalties):
    generator = nn.Sequential(nn.Linear(3, 16, rng=np.random.default_rng(1)), nn.Reshape(1, 4, 4))
    return trainer_of(generator, discriminator, z_dim=3, rng=np.random.default_rng(0), penalties=penalties)


def with_batch_norm():
    block = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LeakyReLU(0.2))
    return nn.Sequential(block, nn.Flatten(), nn.Linear(8, 1))


@pytest.mark.parametrize("penalty", [GradientPenalty(), Dragan()])
def test_a_critic_with_batch_norm_is_warned_of(penalty):
    with pytest.warns(
        UserWarning, match="batch norm in the discriminator mixes .*use layer norm, instance norm or none"
    ):
        trainer(with_batch_norm(), penalty)


def test_no_warning_without_reason():
    """Warnings are errors here."""
    trainer(with_batch_norm(), R1(), R2())  # Mescheder et al. allow it
    trainer(nn.Sequential(nn.Conv2d(1, 2, 4), nn.GroupNorm(1, 2), nn.Flatten(), nn.Linear(2, 1)), GradientPenalty())


# ---- lazy regularisation --------------------------------------------------------------------------------------------


def test_lazy_penalties_are_applied_in_each_kth_step_and_k_times_as_strong(monkeypatch):
    def run(every):
        d = nn.Sequential(nn.Flatten(), nn.Linear(16, 1, rng=np.random.default_rng(1)))
        game = trainer(d, R1(gamma=4.0, every=every))
        game.optimizers["d"].lr = 0.0  # D stays as it is: every step's penalty is 2 |w|^2
        batches = [np.random.default_rng(2).uniform(-1, 1, (4, 1, 4, 4)).astype(np.float32)] * 6
        return [record.penalty for record in game.steps(batches)], 2 * float((d[1].weight.numpy() ** 2).sum())

    always, value = run(1)
    assert always == pytest.approx([value] * 6, rel=1e-5)
    lazy, _ = run(3)
    assert lazy == pytest.approx([0, 0, 3 * value, 0, 0, 3 * value], rel=1e-5)
    assert sum(lazy) == pytest.approx(sum(always))  # as much in all


class Counting(nn.Module):
    def __init__(self, network):
        self.network, self.batches = network, []

    def forward(self, x):
        self.batches.append(x.numpy())
        return self.network(x)


@pytest.mark.parametrize(("penalty", "which"), [(R1, 0), (R2, 1)])
def test_ds_forward_is_shared_with_the_loss(penalty, which):
    """The slope where the loss has looked already: no forward more, and the gradients of one with its own."""

    class Apart(penalty):
        at = ""

    def learn(term):
        rng = np.random.default_rng(1)
        d = nn.Sequential(nn.Conv2d(1, 3, 3, rng=rng), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(12, 1, rng=rng))
        game = trainer(Counting(d), term)
        (record,) = game.steps([np.random.default_rng(2).uniform(-1, 1, (4, 1, 4, 4)).astype(np.float32)])
        return record, game.game.discriminator

    shared, d = learn(penalty(gamma=3.0))
    apart, other = learn(Apart(gamma=3.0))
    seen = d.batches[:2]
    assert len(d.batches) == 3 and len(other.batches) == 4  # the last one is G's
    np.testing.assert_array_equal(other.batches[2], seen[which])
    assert shared.penalty == pytest.approx(apart.penalty) and shared.penalty > 0
    for one, two in zip(d.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-4, atol=1e-7)


def test_a_penalty_can_be_looked_at_without_a_graph(images, rng, tensor):
    w = tensor(rng.standard_normal(SHAPE))
    with no_grad():
        value = R1(gamma=2.0)(linear(w), *images, rng)
    assert value.item() == pytest.approx((w.numpy() ** 2).sum()) and not value.requires_grad


def test_several_penalties_add_up():
    w = nn.Sequential(nn.Flatten(), nn.Linear(16, 1, rng=np.random.default_rng(1)))
    game = trainer(w, R1(gamma=4.0), R2(gamma=2.0))
    value = float((w[1].weight.numpy() ** 2).sum())
    (record,) = game.steps([np.zeros((4, 1, 4, 4), np.float32)])
    assert record.penalty == pytest.approx(3 * value, rel=1e-5)
    assert record.d_loss == pytest.approx(np.log(4), abs=0.5)  # the penalty is not in it


@pytest.mark.parametrize("kind", PENALTIES.values())
@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_rewards_is_refused(kind, weight):
    name = "gamma" if issubclass(kind, R1) else "weight"
    with pytest.raises(InputError, match=f"{kind.__name__}: {name} = {weight} must be at least 0, and finite"):
        kind(**{name: weight})


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.ConditionalBatchNorm2d(3, num_classes=2)])
def test_every_batch_norm_is_warned_of(norm):
    with pytest.warns(UserWarning, match="batch norm in the discriminator mixes the images"):
        GradientPenalty().check(nn.Sequential(norm))


@pytest.mark.parametrize("kind", PENALTIES.values())
@pytest.mark.parametrize("every", [0, -1, 1.5])
def test_never_is_refused(kind, every):
    with pytest.raises(InputError, match=f"{kind.__name__}: every = {every} must be (at least 1|a whole number)"):
        kind(every=every)


@pytest.mark.parametrize("kind", PENALTIES.values())
def test_numbers_are_given_by_name(kind):
    with pytest.raises(TypeError):
        kind(10.0)


def test_a_penalty_of_ones_own_names_what_it_lacks(images, rng):
    with pytest.raises(NotImplementedError, match=r"Mine\.__call__"):
        type("Mine", (penalties.Penalty,), {})()(quadratic, *images, rng)


def test_relu_critics_have_a_slope_where_they_are_not_flat(tensor):
    """relu(x) summed: slope 1 at positive pixels, 0 elsewhere, so the squared slope counts the positive ones."""
    x = tensor(np.array([[1.0, -1.0, 2.0], [-1.0, -2.0, -3.0]]))
    found = penalties.squared_slope(lambda x: relu(x).sum(1, keepdims=True), x)
    np.testing.assert_array_equal(found.numpy(), [2, 0])
