"""Layers against PyTorch's, name by name and number by number; the fused batch norm against its parts."""

import numpy as np
import pytest

from minigan import InputError, nn
from minigan.tensor import Tensor, grad


def random(shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


# ---- against PyTorch ------------------------------------------------------------------------------------------------

# minigan's layer, PyTorch's layer from torch.nn, the input's shape
PAIRS = {
    "linear": (lambda: nn.Linear(5, 3), lambda t: t.Linear(5, 3), (4, 5)),
    "linear-bare": (lambda: nn.Linear(5, 3, bias=False), lambda t: t.Linear(5, 3, bias=False), (2, 4, 5)),
    "conv": (
        lambda: nn.Conv2d(3, 4, (4, 3), stride=2, padding=(1, 0)),
        lambda t: t.Conv2d(3, 4, (4, 3), stride=2, padding=(1, 0)),
        (2, 3, 9, 8),
    ),
    "conv-dilated": (
        lambda: nn.Conv2d(2, 3, 3, dilation=2, padding=2, bias=False),
        lambda t: t.Conv2d(2, 3, 3, dilation=2, padding=2, bias=False),
        (2, 2, 7, 7),
    ),
    "conv-transpose": (
        lambda: nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1),
        lambda t: t.ConvTranspose2d(3, 4, 4, stride=2, padding=1),
        (2, 3, 5, 5),
    ),
    "conv-transpose-odd": (
        lambda: nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1, bias=False),
        lambda t: t.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1, bias=False),
        (2, 3, 4, 5),
    ),
    "batch-norm": (lambda: nn.BatchNorm2d(3), lambda t: t.BatchNorm2d(3), (4, 3, 5, 5)),
    "batch-norm-settings": (
        lambda: nn.BatchNorm2d(3, eps=1e-3, momentum=0.3),
        lambda t: t.BatchNorm2d(3, eps=1e-3, momentum=0.3),
        (4, 3, 2, 5),
    ),
    "batch-norm-flat": (lambda: nn.BatchNorm2d(3), lambda t: t.BatchNorm1d(3), (6, 3)),
    "leaky-relu": (lambda: nn.LeakyReLU(), lambda t: t.LeakyReLU(), (4, 5)),
    "leaky-relu-0.2": (lambda: nn.LeakyReLU(0.2), lambda t: t.LeakyReLU(0.2), (4, 5)),
    "relu": (lambda: nn.ReLU(), lambda t: t.ReLU(), (4, 5)),
    "tanh": (lambda: nn.Tanh(), lambda t: t.Tanh(), (4, 5)),
    "sigmoid": (lambda: nn.Sigmoid(), lambda t: t.Sigmoid(), (4, 5)),
    "flatten": (lambda: nn.Flatten(), lambda t: t.Flatten(), (4, 2, 3, 5)),
    "reshape": (lambda: nn.Reshape(2, 3, 1), lambda t: t.Unflatten(1, (2, 3, 1)), (4, 6)),
    "upsample": (lambda: nn.Upsample(2), lambda t: t.Upsample(scale_factor=2), (2, 3, 4, 5)),
    "sequential": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(36, 1)),
        lambda t: t.Sequential(t.Conv2d(2, 4, 3), t.BatchNorm2d(4), t.LeakyReLU(0.2), t.Flatten(), t.Linear(36, 1)),
        (3, 2, 5, 5),
    ),
}


@pytest.fixture(params=PAIRS)
def twins(request, backend):
    """minigan's layer and PyTorch's with the same state, in float64, and the shape of an input."""
    torch = pytest.importorskip("torch")
    make_ours, make_theirs, shape = PAIRS[request.param]
    ours, theirs = make_ours().to(backend, np.float64), make_theirs(torch.nn).double()
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in ours.state_dict().items()})
    return torch, ours, theirs, shape


def test_state_has_pytorchs_names_and_shapes(twins):
    torch, ours, theirs, _ = twins
    state = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    assert {name: array.shape for name, array in ours.state_dict().items()} == {n: a.shape for n, a in state.items()}
    assert list(ours.state_dict()) == list(state) or sorted(ours.state_dict()) == sorted(state)
    # The way back: PyTorch's tensors go in as they are.
    theirs.load_state_dict({name: torch.ones_like(tensor) for name, tensor in theirs.state_dict().items()})
    ours.load_state_dict(theirs.state_dict())
    assert all((array == 1).all() for array in ours.state_dict().values())


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_values_gradients_and_buffers_are_pytorchs(twins, training):
    torch, ours, theirs, shape = twins
    for seed in range(2):  # a first batch moves the running statistics that evaluation uses
        x = random(shape, seed)
        ours(Tensor(ours.backend.asarray(x)))
        theirs(torch.from_numpy(x))
    ours.train(training)
    theirs.train(training)

    x = random(shape, 5)
    ours_x = Tensor(ours.backend.asarray(x), requires_grad=True)
    theirs_x = torch.from_numpy(x).requires_grad_()
    y, theirs_y = ours(ours_x), theirs(theirs_x)
    np.testing.assert_allclose(y.numpy(), theirs_y.detach().numpy(), rtol=1e-10, atol=1e-12)

    g = random(y.shape, 6)
    gradients = grad(y, [ours_x, *ours.parameters()], Tensor(ours.backend.asarray(g)))
    theirs_y.backward(torch.from_numpy(g))
    named = dict(theirs.named_parameters())
    expected = [theirs_x.grad, *(named[name].grad for name, _ in ours.named_parameters())]
    for own, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(own.numpy(), other.numpy(), rtol=1e-9, atol=1e-11)
    for name, buffer in ours.named_buffers():
        own, other = ours.backend.to_numpy(buffer), dict(theirs.named_buffers())[name].numpy()
        np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-14)


def test_embedding_looks_up_rows_and_adds_up_repeated_ones(backend):
    table = nn.Embedding(5, 3, rng=np.random.default_rng(0)).to(backend, np.float64)
    index = np.array([[4, 0], [4, 4]])
    y = table(index)
    np.testing.assert_array_equal(y.numpy(), table.state_dict()["weight"][index])
    g = random(y.shape)
    (gradient,) = grad(y, [table.weight], Tensor(backend.asarray(g)))
    expected = np.zeros((5, 3))
    np.add.at(expected, index, g)
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.array([0.0]), "must be whole numbers, not float64"),
        (np.array([0, 5]), r"index 0\.\.5 is outside the table of 5 rows"),
        (np.array([-1]), "outside the table"),  # NumPy would take the last row
    ],
)
def test_embedding_refuses(index, message):
    with pytest.raises(InputError, match=message):
        nn.Embedding(5, 3)(index)


# ---- dropout --------------------------------------------------------------------------------------------------------


def test_dropout_draws_from_its_own_generator(backend):
    x = Tensor(backend.asarray(np.ones((50, 40), np.float32)))
    layer = nn.Dropout(0.3, rng=np.random.default_rng(7))
    first, second = layer(x).numpy(), layer(x).numpy()
    assert not np.array_equal(first, second)
    # The stream is the generator's, drawn on the host, so it is known what is dropped on every backend.
    keep = np.random.default_rng(7).random((50, 40)) >= 0.3
    np.testing.assert_allclose(first, keep / np.float32(0.7), rtol=1e-6)
    assert first.dtype == np.float32
    assert 0.65 < keep.mean() < 0.75


def test_dropout_lets_everything_through_in_evaluation():
    rng = np.random.default_rng(7)
    x = Tensor(np.ones((5, 4), np.float32))
    assert nn.Dropout(0.5, rng=rng).eval()(x) is x
    assert rng.random() == np.random.default_rng(7).random()  # and draws nothing


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_dropout_refuses_a_wrong_probability(p):
    with pytest.raises(InputError, match="must be at least 0 and below 1"):
        nn.Dropout(p)(Tensor(np.ones(3, np.float32)))


# ---- batch norm and its activation in one kernel --------------------------------------------------------------------


class Unfused(nn.Sequential):
    """A Sequential that runs its modules one by one."""

    def forward(self, x):
        for module in self.children().values():
            x = module(x)
        return x


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (6, 3)], ids=["4d", "2d"])
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.2)], ids=["relu", "leaky"])
def test_sequential_fuses_batch_norm_with_its_activation(backend, activation, shape, training):
    def play(kind):
        """Values, first and second order gradients, and buffers."""
        norm = nn.BatchNorm2d(3)
        model = kind(norm, activation).to(backend, np.float64).train(training)
        state = {name: random(array.shape, 3) for name, array in model.state_dict().items()}
        state["0.running_var"] = np.array([0.5, 1.0, 2.0])
        state["0.num_batches_tracked"] = np.array(0)
        model.load_state_dict(state)
        x = Tensor(backend.asarray(random(shape)), requires_grad=True)
        leaves = [x, norm.weight, norm.bias]
        y = model(x)
        v = Tensor(backend.asarray(random(shape, 2)))
        first = grad(y, leaves, v, retain_graph=True)  # the fused backward
        recorded = grad(y, leaves, v, create_graph=True)  # the composed one
        penalty = (recorded[0] * recorded[0]).sum()
        second = grad(penalty, leaves, allow_unused=True)
        second = [np.zeros(t.shape) if g is None else g.numpy() for t, g in zip(leaves, second, strict=True)]
        buffers = [backend.to_numpy(buffer) for _, buffer in norm.named_buffers()]
        return [y.numpy(), *(g.numpy() for g in first), *(g.numpy() for g in recorded), *second, *buffers]

    for fused, unfused in zip(play(nn.Sequential), play(Unfused), strict=True):
        np.testing.assert_allclose(fused, unfused, rtol=1e-9, atol=1e-11)


def test_the_fusion_happens(monkeypatch):
    # Without this the test above could compare a thing with itself.
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: pytest.fail("the ReLU ran on its own"))
    model = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.BatchNorm2d(2), nn.ReLU())
    model(Tensor(random((3, 2, 4, 4)).astype(np.float32)))


def test_batch_norm_counts_and_moves_its_statistics_in_training_only():
    norm = nn.BatchNorm2d(2)
    x = random((8, 2, 3, 3)).astype(np.float32) * 3 + 1
    norm(Tensor(x))
    assert norm.num_batches_tracked == 1
    np.testing.assert_allclose(norm.running_mean, 0.1 * x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(norm.running_var, 0.9 + 0.1 * x.var((0, 2, 3), ddof=1), rtol=1e-5)
    before = norm.state_dict()
    norm.eval()(Tensor(x))
    for name, array in norm.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(0, 3), "Linear: in_features = 0 must be"),
        (lambda: nn.Conv2d(1, 0, 3), "Conv2d: out_channels = 0 must be"),
        (lambda: nn.ConvTranspose2d(-1, 2, 3), "ConvTranspose2d: in_channels = -1 must be"),
        (lambda: nn.BatchNorm2d(3)(Tensor(np.ones((1, 3), np.float32))), "one value per channel, so no variance"),
        (lambda: nn.Linear(3, 2)(Tensor(np.ones((4, 5), np.float32))), r"input \(4, 5\) does not fit weight \(2, 3\)"),
    ],
)
def test_impossible_layers_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
