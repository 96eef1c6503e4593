"""The games of the literature side by side with PyTorch: penalties with their double backward, spectral norm, labels.

Every game runs 50 steps in float64 and 20 in float32, and each has controls: bugs, put into minigan's side, that the
comparison must notice. In float64 it asks for 1e-10 at the first step and 1e-8 after it.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
import small_models

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402 (needs torch)
from harness import Lockstep, play  # noqa: E402

from minigan import gan, nn, ops, optim  # noqa: E402
from minigan.gan import penalties  # noqa: E402
from minigan.gan.models import acgan, cgan, sngan, specgan  # noqa: E402
from minigan.tensor import Tensor  # noqa: E402

Z_DIM, CLASSES = 16, 3


# ---- the formulas, as one writes them in PyTorch ------------------------------------------------------------------


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def non_saturating_d(r, f, *labels):
    return bce(r, 1.0) + bce(f, 0.0)


def non_saturating_g(real, f, *labels):
    return bce(f, 1.0)


def critic_d(r, f):
    return f.mean() - r.mean()


def critic_g(real, f):
    return -f.mean()


def hinge_d(r, f):
    return F.relu(1 - r).mean() + F.relu(1 + f).mean()


def relativistic(r, f):
    return bce(r - f.mean(), 1.0) + bce(f - r.mean(), 0.0)


def acgan_d(r, f, labels):
    return bce(r[:, :1], 1.0) + bce(f[:, :1], 0.0) + F.cross_entropy(r[:, 1:], labels)


def acgan_g(real, f, labels):
    return bce(f[:, :1], 1.0) + F.cross_entropy(f[:, 1:], labels)


def slope(critic, x):
    """The gradient of the scores with respect to the images: (N, pixels)."""
    if not x.is_leaf:
        x = x.detach().requires_grad_(True)
    (v,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return v.flatten(1)


def towards_one(critic, x):
    return 10 * ((torch.sqrt(slope(critic, x).square().sum(1) + 1e-12) - 1) ** 2).mean()


def per_sample(values, like):
    return torch.from_numpy(values).to(like.dtype).view(-1, *[1] * (like.ndim - 1))


def gradient_penalty(critic, real, fake, rng):
    alpha = per_sample(rng.random(len(real)), real)
    return towards_one(critic, alpha * real + (1 - alpha) * fake)


def dragan(critic, real, fake, rng):
    alpha = per_sample(rng.random(len(real)), real)
    noise = torch.from_numpy(rng.random(tuple(real.shape))).to(real.dtype)
    return towards_one(critic, real + 0.5 * alpha * real.std(correction=0) * noise)


def r1(critic, real, fake, rng):
    return 5 * slope(critic, real).square().sum(1).mean()


def r2(critic, real, fake, rng):
    return r1(critic, fake, real, rng)


# ---- the games ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Game:
    """A model of the zoo, narrow, with ``settings`` for its trainer, and PyTorch's side of it."""

    model: str = "dcgan"
    d_loss: object = non_saturating_d
    g_loss: object = non_saturating_g
    torch_settings: dict = field(default_factory=dict)  # of ``play``
    settings: dict = field(default_factory=dict)
    adam: dict = field(default_factory=lambda: {"lr": 2e-4, "betas": (0.5, 0.999)})
    seed: int = 2  # of the pictures: see test_float32
    width: int = 4
    batch: int = 8
    normalise: bool = False  # spectral norm on every layer of D that has a weight
    g_float32: float = 1e-5  # what G's gradients are held to in float32 at the first step
    zero: str = "(?!)"  # parameters without a gradient, see harness.assert_close


PENALISED = {"model": "wgan_gp", "adam": {"lr": 1e-4, "betas": (0.0, 0.9)}}
SOFT = {"model": "wgan_gp"}  # networks without batch norm in D

GAMES = {
    # penalties, with a double backward through convolutions, leaky ReLU and batch norm
    "wgan_gp": Game(
        **PENALISED, seed=4, d_loss=critic_d, g_loss=critic_g, torch_settings={"penalty": gradient_penalty}
    ),
    "dragan": Game(
        **SOFT,
        seed=4,
        torch_settings={"penalty": dragan},
        settings={"objective": gan.NonSaturating(), "penalties": [gan.Dragan()]},
    ),
    "r1": Game(
        **SOFT, torch_settings={"penalty": r1}, settings={"objective": gan.NonSaturating(), "penalties": [gan.R1()]}
    ),
    "r1_batch_norm": Game(seed=5, torch_settings={"penalty": r1}, settings={"penalties": [gan.R1()]}),
    "r2": Game(
        **SOFT, torch_settings={"penalty": r2}, settings={"objective": gan.NonSaturating(), "penalties": [gan.R2()]}
    ),
    # spectral norm: DCGAN's layers, and residual networks. In these, batch norm takes away what the biases before it
    # add: their gradient is zero but for rounding, which Adam would blow up to steps of its full size. With a larger
    # eps it does not. For the same reason the gradients just before a batch norm are what is left of sums that nearly
    # cancel, and have a digit less in float32: 3e-5 of their size.
    "hinge_spectral_norm": Game(
        **SOFT,
        seed=5,
        d_loss=hinge_d,
        g_loss=critic_g,
        normalise=True,
        settings={"objective": gan.Hinge(), "penalties": []},
    ),
    "sngan": Game(
        model="sngan",
        d_loss=hinge_d,
        g_loss=critic_g,
        adam={"lr": 2e-4, "betas": (0.0, 0.9), "eps": 1e-4},
        seed=4,
        width=3,
        batch=4,
        g_float32=3e-5,
        zero=r"g\.[23]\.(body\.[36]|skip\.1)\.bias",
    ),
    # labels
    "acgan": Game(model="acgan", d_loss=acgan_d, g_loss=acgan_g),
    "cgan": Game(model="cgan", seed=3),
    # clusters in place of labels, a minibatch standard deviation, R1 in each step
    "self_conditioned": Game(
        model="self_conditioned",
        torch_settings={"penalty": r1},
        settings={"penalties": [gan.R1()]},
        adam={"lr": 2e-4, "betas": (0.0, 0.99)},
    ),
    # sounds, with their labels: spectrograms, and samples whose phases are shuffled
    "specgan": Game(
        model="specgan",
        torch_settings={"penalty": r1},
        settings={"penalties": [gan.R1()]},
        adam={"lr": 2e-4, "betas": (0.0, 0.99)},
    ),
    "wavegan": Game(
        model="wavegan",
        torch_settings={"penalty": r1},
        settings={"penalties": [gan.R1()]},
        adam={"lr": 2e-4, "betas": (0.0, 0.99)},
    ),
    # texts: probabilities before a critic, and letters that are drawn one after the other
    "text_wgan": Game(
        model="text_wgan",
        seed=3,
        d_loss=critic_d,
        g_loss=critic_g,
        adam={"lr": 2e-4, "betas": (0.5, 0.9)},
        torch_settings={"penalty": gradient_penalty},
    ),
    "text_gumbel": Game(
        model="text_gumbel",
        torch_settings={"penalty": r1},
        settings={"penalties": [gan.R1()]},
        adam={"lr": 2e-4, "betas": (0.0, 0.99)},
    ),
    # tunes: bars of four voices, a straight-through neuron for each choice
    "musegan": Game(
        model="musegan",
        seed=4,
        torch_settings={"penalty": r1},
        settings={"penalties": [gan.R1()]},
        adam={"lr": 2e-4, "betas": (0.0, 0.99)},
    ),
    # the other objectives
    "label_smoothing": Game(
        seed=3,
        d_loss=lambda r, f: bce(r, 0.9) + bce(f, 0.0),
        settings={"objective": gan.NonSaturating(label_smoothing=0.1)},
    ),
    "minimax": Game(seed=3, g_loss=lambda real, f: -bce(f, 0.0), settings={"objective": gan.Minimax()}),
    "least_squares": Game(
        d_loss=lambda r, f: (F.mse_loss(r, torch.ones_like(r)) + F.mse_loss(f, torch.zeros_like(f))) / 2,
        g_loss=lambda real, f: F.mse_loss(f, torch.ones_like(f)) / 2,
        settings={"objective": gan.LeastSquares()},
    ),
    "relativistic_average": Game(
        d_loss=relativistic,
        g_loss=lambda real, f: relativistic(f, real()),
        settings={"objective": gan.RelativisticAverage()},
    ),
    "wgan": Game(model="wgan", d_loss=critic_d, g_loss=critic_g, torch_settings={"clip": 0.01}),
}


WITHOUT_BATCH_NORM = ("wavegan", "text_wgan", "text_gumbel", "musegan")


def make_game(name, dtype, place="numpy", **changes):
    game = GAMES[name]
    model = gan.MODELS[game.model]
    architecture = small_models.architecture(game.model, z_dim=Z_DIM, width=game.width, classes=CLASSES)
    if model.clusters:
        architecture["clusters"] = [1] * CLASSES
    generator, discriminator = gan.build(architecture, np.random.default_rng(0))
    if game.normalise:
        for layer in list(discriminator.modules()):
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.spectral_norm(layer, rng=np.random.default_rng(3))
    settings = {"n_critic": 1, **game.settings, **changes}
    for network in (generator, discriminator):
        network.to(place, dtype)
    if model.optimizer == "adam":
        players = {"g": generator, "d": discriminator}
        settings["optimizers"] = {who: optim.Adam(p.parameters(), **game.adam) for who, p in players.items()}
    trainer = model.trainer(generator, discriminator, z_dim=Z_DIM, rng=np.random.default_rng(1), **settings)
    torch_settings = {"n_critic": settings["n_critic"], **game.torch_settings}
    return Lockstep(trainer, play(game.d_loss, game.g_loss, **torch_settings), game.zero)


def told(model):
    """Whether its players are told something of each image."""
    return model.conditional or bool(model.clusters)


def batches(name, count):
    """Noise on a ramp, in [-1, 1], steeper with the class; with labels where the model wants them."""
    game = GAMES[name]
    rng = np.random.default_rng(game.seed)
    for _ in range(count):
        labels = rng.integers(0, CLASSES, game.batch)
        shape = small_models.DATA[gan.MODELS[game.model].medium][1]
        ramps = np.linspace(-1, 1, shape[-1]) * labels.reshape(-1, *[1] * len(shape))
        real = np.tanh(rng.standard_normal((game.batch, *shape)) + ramps)
        yield (real, labels) if told(gan.MODELS[game.model]) else (real,)


@pytest.mark.parametrize("name", GAMES)
def test_float64(name):
    game = make_game(name, np.float64)
    for batch in batches(name, 50):
        game.step(*batch)
        if game.count < 3 or game.count % 10 == 0:
            game.compare(1e-10 if game.count == 1 else 1e-8)
    assert game.count == 50


@pytest.mark.parametrize("name", GAMES)
def test_the_other_fast_backend(name):
    pytest.importorskip("numba")
    game = make_game(name, np.float64, place="numba")
    for batch in batches(name, 10):
        game.step(*batch)
        game.compare(1e-10 if game.count == 1 else 1e-8)


@pytest.mark.parametrize("name", GAMES)
def test_float32(name):
    """Losses and gradients to 1e-5 at the first step, everything to 1e-3 at the twentieth.

    Where a unit lies within rounding of its ReLU's kink, two right answers part ways, as two runs of PyTorch do. So
    each game has pictures (``seed``) with which none does: found by running it from weights off by a few times their
    rounding, eight times over.

    At the first step squares of gradients have twice their relative error; and parameters are held to 1e-3 there too,
    since Adam makes of a gradient near its eps, of which rounding has eaten half the digits, a step of full size.
    """
    game = make_game(name, np.float32)
    for batch in batches(name, 20):
        game.step(*batch)
        if game.count == 1:
            game.compare_losses(1e-5)
            for which, bound in (("d", 1e-5), ("g", GAMES[name].g_float32)):
                game.compare_network(which, bound, moments=2 * bound, parameters=1e-3)
    game.compare(1e-3)


def test_several_updates_of_the_critic():
    game = make_game("wgan_gp", np.float64, n_critic=3)
    for batch in batches("wgan_gp", 12):
        game.step(*batch)
        assert ("g_loss" in game.losses[1]) == (game.count % 3 == 0)
        if game.count % 3 == 0:
            game.compare(1e-10)


# ---- controls: bugs on minigan's side that must be noticed ----------------------------------------------------------


def assert_noticed(name, noticed, tamper=lambda trainer: None):
    game = make_game(name, np.float64)
    tamper(game.trainer)  # minigan's side only: PyTorch's is built already
    for batch in batches(name, 1):
        game.step(*batch)
    with pytest.raises(AssertionError, match=noticed):
        game.compare(1e-10)


@pytest.mark.parametrize("name", [name for name in GAMES if name not in WITHOUT_BATCH_NORM])
def test_a_wrong_eps_of_batch_norm_is_noticed(name):
    def tamper(trainer):
        for module in [*trainer.game.generator.modules(), *trainer.game.discriminator.modules()]:
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1.01e-5

    assert_noticed(name, "loss|gradient", tamper)


class AlphaPerPixel(gan.GradientPenalty):
    def __call__(self, critic, real, fake, rng):
        alpha = Tensor(rng.random(real.shape))
        return penalties._towards_one(critic, fake + (real - fake) * alpha) * self.weight


class Flattened(gan.GradientPenalty):
    """The norm over the channels only, for each pixel of its own."""

    def __call__(self, critic, real, fake, rng):
        alpha = rng.random((len(real), 1, 1, 1))
        x = Tensor(fake.data + (real.data - fake.data) * alpha, requires_grad=True)
        (v,) = penalties.grad(critic(x)[:, 0].sum(), [x], create_graph=True)
        norm = penalties.sqrt((v * v).sum(1) + 1e-12)
        return ((norm - 1) ** 2).mean() * self.weight


class Detached(penalties.Penalty):
    """The right number without a graph: as if the gradient had been taken without create_graph."""

    def __init__(self, penalty):
        object.__setattr__(self, "penalty", penalty)

    def __call__(self, *args):
        return self.penalty(*args).detach()


PENALTY_BUGS = {
    "alpha-per-pixel": ("wgan_gp", AlphaPerPixel(), "loss penalty"),
    "norm-per-pixel": ("wgan_gp", Flattened(), "loss penalty"),
    "weight": ("wgan_gp", gan.GradientPenalty(weight=10.001), "loss penalty"),
    "no-double-backward": ("wgan_gp", Detached(gan.GradientPenalty()), "loss g_loss|gradient d"),
    "r1-no-double-backward": ("r1", Detached(gan.R1()), "loss g_loss|gradient d"),
    "r1-on-generated-images": ("r1", gan.R2(), "loss penalty"),
    "r1-without-the-half": ("r1_batch_norm", gan.R1(gamma=20.0), "loss penalty"),
    "r2-on-real-images": ("r2", gan.R1(), "loss penalty"),
    "dragan-between": ("dragan", gan.GradientPenalty(), "loss penalty"),
}


@pytest.mark.parametrize("bug", PENALTY_BUGS)
def test_a_wrong_penalty_is_noticed(bug):
    name, penalty, noticed = PENALTY_BUGS[bug]
    assert_noticed(name, noticed, lambda trainer: setattr(trainer.game, "penalties", (penalty,)))


@pytest.mark.parametrize("name", ["hinge_spectral_norm", "sngan"])
def test_a_wrong_spectral_norm_is_noticed(name, monkeypatch):
    kind = nn.spectral_norm.__globals__["SpectralNorm"]
    with monkeypatch.context() as patch:
        patch.setattr(kind, "turn", lambda self, weight, times=1: None)  # u and v are never updated
        assert_noticed(name, "loss d_loss")

    def constant_sigma(self, weight):
        u, v = Tensor(self._u.copy()), Tensor(self._v.copy())
        return weight / (u.reshape(1, -1) @ self.matrix(weight) @ v.reshape(-1, 1)).reshape(()).detach()

    monkeypatch.setattr(kind, "forward", constant_sigma)
    assert_noticed(name, "loss g_loss|gradient d")


def test_a_wrong_residual_block_is_noticed(monkeypatch):
    original = sngan.DownBlock.forward

    def forward(self, x):  # a ReLU on the pixels
        return original(self, sngan.ops.relu(x) if self.first else x)

    monkeypatch.setattr(sngan.DownBlock, "forward", forward)
    assert_noticed("sngan", "loss")


def test_a_wrong_phase_shuffle_is_noticed(monkeypatch):
    def forward(self, x):  # the other way round, at one layer of the same draws
        shifts = self.rng.integers(-self.reach, self.reach + 1, len(x))
        return ops.phase_shuffle(x, -shifts, self.reach)

    monkeypatch.setattr(nn.PhaseShuffle, "forward", forward)
    assert_noticed("wavegan", "loss")


def test_forgotten_labels_are_noticed(monkeypatch):
    for kind, name in (
        (cgan.ConditionalDiscriminator, "cgan"),
        (cgan.ConditionalGenerator, "cgan"),
        (acgan.ScaledGenerator, "acgan"),
        (specgan.ProjectionDiscriminator, "specgan"),
        (cgan.ConditionalGenerator, "wavegan"),
    ):
        with monkeypatch.context() as patch:

            def forward(self, x, labels, original=kind.forward):
                return original(self, x, labels * 0)

            patch.setattr(kind, "forward", forward)
            assert_noticed(name, "loss d_loss")


OBJECTIVE_BUGS = {
    "acgan": gan.AuxiliaryClassifier(weight=1.001, fakes=False),
    "cgan": gan.NonSaturating(label_smoothing=0.001),
    "label_smoothing": gan.NonSaturating(label_smoothing=0.101),
    "minimax": gan.NonSaturating(),
    "least_squares": gan.Wasserstein(),
    "relativistic_average": gan.NonSaturating(),
    "wgan": gan.Hinge(),
    "wgan_gp": gan.Hinge(),
    "hinge_spectral_norm": gan.Wasserstein(),
    "sngan": gan.Wasserstein(),
}


@pytest.mark.parametrize("name", OBJECTIVE_BUGS)
def test_another_objective_is_noticed(name):
    assert_noticed(name, "loss", lambda trainer: setattr(trainer.game, "objective", OBJECTIVE_BUGS[name]))


def test_a_classifier_that_is_trained_on_generated_images_too_is_noticed():
    assert_noticed("acgan", "loss d_loss", lambda t: setattr(t.game, "objective", gan.AuxiliaryClassifier()))


def test_clipping_is_compared():
    assert_noticed("wgan", "loss g_loss|parameter d", lambda trainer: setattr(trainer.game, "clip_weights", 0.0101))
