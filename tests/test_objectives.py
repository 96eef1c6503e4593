"""Objectives against their formulas, in probabilities where those are safe, and far out where they are not."""

import numpy as np
import pytest

from minigan import InputError
from minigan.gan import OBJECTIVES, Minimax, NonSaturating, Objective, RelativisticAverage
from minigan.gan.objectives import AuxiliaryClassifier, cross_entropy
from minigan.tensor import Tensor, grad


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logits(backend, values, dtype=np.float64):
    return Tensor(backend.asarray(np.asarray(values, dtype).reshape(-1, 1)), requires_grad=True)


def minimax_d(r, f):
    return -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean()


def relativistic_d(r, f):
    return -np.log(sigmoid(r - f.mean())).mean() - np.log(1 - sigmoid(f - r.mean())).mean()


# As the papers write them, with logarithms of probabilities: d_loss(r, f) and g_loss(r, f).
CLOSED_FORMS = {
    "minimax": (minimax_d, lambda r, f: np.log(1 - sigmoid(f)).mean()),
    "non_saturating": (minimax_d, lambda r, f: -np.log(sigmoid(f)).mean()),
    "least_squares": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda r, f: ((f - 1) ** 2).mean() / 2,
    ),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "hinge": (lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(), lambda r, f: -f.mean()),
    "relativistic_average": (relativistic_d, lambda r, f: relativistic_d(f, r)),
}
IN_PROBABILITIES = [Minimax, NonSaturating]


def test_every_objective_has_a_closed_form_here():
    assert set(OBJECTIVES) - set(CLOSED_FORMS) <= {"auxiliary_classifier"}  # that one is tested below
    assert OBJECTIVES["minimax"] is Minimax and OBJECTIVES["non_saturating"] is NonSaturating


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_losses_are_the_closed_forms(backend, rng, name):
    objective = OBJECTIVES[name]()
    r, f = rng.uniform(-5, 5, 7), rng.uniform(-5, 5, 7)
    d_form, g_form = CLOSED_FORMS[name]
    d_loss = objective.d_loss(logits(backend, r), logits(backend, f))
    g_loss = objective.g_loss(logits(backend, f), *([logits(backend, r)] if objective.g_sees_real else []))
    assert d_loss.shape == g_loss.shape == ()
    assert d_loss.item() == pytest.approx(d_form(r, f), rel=1e-12)
    assert g_loss.item() == pytest.approx(g_form(r, f), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_losses_and_slopes_are_finite_far_out(backend, name, dtype):
    objective = OBJECTIVES[name]()
    for r, f in ((1e4, -1e4), (-1e4, 1e4)):
        real, fake = logits(backend, [r, r], dtype), logits(backend, [f, f], dtype)
        d_loss = objective.d_loss(real, fake)
        g_loss = objective.g_loss(fake, *([real] if objective.g_sees_real else []))
        found = [d_loss, g_loss, *grad(d_loss, [real, fake]), *grad(g_loss, [fake])]
        assert all(np.isfinite(t.numpy()).all() and t.dtype == dtype for t in found)


def test_auxiliary_classifier_adds_the_cross_entropy_of_the_class(backend, rng):
    real, fake, labels = rng.uniform(-3, 3, (5, 4)), rng.uniform(-3, 3, (5, 4)), np.array([0, 2, 1, 1, 0])

    def cross_entropy(outputs):
        e = np.exp(outputs[:, 1:])
        return -np.log(e / e.sum(1, keepdims=True))[np.arange(5), labels].mean()

    def tensor(array):
        return Tensor(backend.asarray(array))

    objective = AuxiliaryClassifier(weight=0.5)
    d_loss = objective.d_loss(tensor(real), tensor(fake), labels).item()
    g_loss = objective.g_loss(tensor(fake), labels=labels).item()
    assert d_loss == pytest.approx(minimax_d(real[:, 0], fake[:, 0]) + (cross_entropy(real) + cross_entropy(fake)) / 2)
    assert g_loss == pytest.approx(-np.log(sigmoid(fake[:, 0])).mean() + cross_entropy(fake) / 2)
    of_real = AuxiliaryClassifier(weight=0.5, fakes=False).d_loss(tensor(real), tensor(fake), labels).item()
    assert of_real == pytest.approx(d_loss - cross_entropy(fake) / 2)
    with pytest.raises(InputError, match="needs labels"):
        objective.g_loss(tensor(fake))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_smoothed_labels_ask_for_less_belief(backend, smoothing):
    # E -(1 - a) log D - a log(1 - D) is smallest where D = 1 - a.
    best = np.log((1 - smoothing) / smoothing) if smoothing else 50.0
    real, fake = logits(backend, [best]), logits(backend, [0.0])
    (slope,) = grad(NonSaturating(label_smoothing=smoothing).d_loss(real, fake), [real])
    assert abs(slope.item()) < 1e-12


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, float("nan")])
def test_a_wrong_smoothing_is_refused(smoothing):
    with pytest.raises(InputError, match=r"must be at least 0 and below 0\.5"):
        Minimax(label_smoothing=smoothing)


@pytest.mark.parametrize("kind", IN_PROBABILITIES)
def test_an_undecided_discriminator_loses_2_log_2(backend, kind):
    zero = logits(backend, [0.0, 0.0])
    assert kind().d_loss(zero, zero).item() == pytest.approx(2 * np.log(2))
    assert abs(kind().g_loss(zero).item()) == pytest.approx(np.log(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("kind", "logit", "d_real", "d_fake", "g", "g_slope"),
    [
        # d_real and d_fake: D's loss on one image of that logit; g_slope: dg_loss/dlogit
        (Minimax, 1e4, 0.0, 1e4, -1e4, -1.0),
        (Minimax, -1e4, 1e4, 0.0, 0.0, 0.0),  # D wins, and G learns nothing
        (NonSaturating, 1e4, 0.0, 1e4, 0.0, 0.0),
        (NonSaturating, -1e4, 1e4, 0.0, 1e4, -1.0),  # D wins, and G learns most
    ],
)
def test_far_out_logits_are_exact(backend, dtype, kind, logit, d_real, d_fake, g, g_slope):
    x = logits(backend, [logit], dtype)
    sure_real, sure_fake = logits(backend, [1e4], dtype), logits(backend, [-1e4], dtype)  # loss 0 each
    objective = kind()
    assert objective.d_loss(x, sure_fake).item() == d_real
    assert objective.d_loss(sure_real, x).item() == d_fake
    loss = objective.g_loss(x)
    assert loss.item() == g and loss.dtype == dtype
    (slope,) = grad(loss, [x])
    assert slope.item() == g_slope


@pytest.mark.parametrize("kind", IN_PROBABILITIES)
def test_slopes_are_beliefs(backend, rng, kind):
    r, f = rng.uniform(-5, 5, 6), rng.uniform(-5, 5, 6)
    real, fake = logits(backend, r), logits(backend, f)
    on_real, on_fake = grad(kind().d_loss(real, fake), [real, fake])
    np.testing.assert_allclose(on_real.numpy()[:, 0], (sigmoid(r) - 1) / 6, rtol=1e-12)
    np.testing.assert_allclose(on_fake.numpy()[:, 0], sigmoid(f) / 6, rtol=1e-12)
    (on_fake,) = grad(kind().g_loss(fake), [fake])
    expected = -sigmoid(f) if kind is Minimax else sigmoid(f) - 1
    np.testing.assert_allclose(on_fake.numpy()[:, 0], expected / 6, rtol=1e-12)


def test_objectives_are_values():
    assert NonSaturating() == NonSaturating() and NonSaturating() != Minimax()
    with pytest.raises(AttributeError):
        Minimax().real_label = 0.9  # frozen: settings are arguments


def test_an_unfinished_objective_says_what_is_missing():
    with pytest.raises(NotImplementedError, match=r"Objective\.d_loss"):
        Objective().d_loss(None, None)
    with pytest.raises(NotImplementedError, match=r"Objective\.g_loss"):
        Objective().g_loss(None)
    with pytest.raises(NotImplementedError, match=r"Objective\.lead"):
        Objective().lead({})


def test_a_classifier_beside_a_relativistic_objective_shows_g_the_real_images():
    objective = AuxiliaryClassifier(RelativisticAverage())
    assert objective.g_sees_real and not AuxiliaryClassifier().g_sees_real
    rng = np.random.default_rng(0)
    real, fake = (Tensor(rng.standard_normal((4, 3))) for _ in range(2))
    labels = [0, 1, 1, 0]  # a list does as well
    expected = RelativisticAverage().g_loss(fake[:, :1], real[:, :1]) + cross_entropy(fake[:, 1:], np.array(labels))
    assert objective.g_loss(fake, real, labels).item() == expected.item()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "needs labels"),
        ([], r"labels float64\(0,\) must be whole numbers, \(4,\)"),
        ([1], r"labels int64\(1,\) must be whole numbers, \(4,\)"),
        (np.ones((4, 1), int), r"labels int64\(4, 1\) must be whole numbers, \(4,\)"),  # a mean over 4x4 of them
        ([0.0, 1.0, 2.0, 1.0], "labels float64.* must be whole numbers"),
        ([0, 1, 2, -1], r"labels -1\.\.2 are not of the 3 classes"),  # the last class, by Python's way of counting
        ([0, 1, 2, 3], r"labels 0\.\.3 are not of the 3 classes"),
    ],
)
def test_labels_must_fit(labels, message):
    with pytest.raises(InputError, match=message):
        cross_entropy(Tensor(np.zeros((4, 3))), labels)
