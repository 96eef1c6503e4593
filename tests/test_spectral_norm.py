"""Spectral norm against PyTorch's, step by step, and against the singular value it estimates."""

import copy
import math

import numpy as np
import pytest
from twins import assert_twins, state_of

from minigan import check_grad, nn
from minigan.errors import InputError
from minigan.interop import to_torch
from minigan.tensor import Tensor, grad

LAYERS = {
    "linear": (lambda rng: nn.Linear(5, 3, rng=rng), (4, 5)),
    "conv1d": (lambda rng: nn.Conv1d(3, 4, 3, rng=rng), (2, 3, 5)),
    "conv2d": (lambda rng: nn.Conv2d(3, 4, 3, stride=2, padding=1, rng=rng), (2, 3, 5, 6)),
    "conv2d-no-bias": (lambda rng: nn.Conv2d(3, 4, (2, 3), bias=False, rng=rng), (2, 3, 5, 6)),
    "conv-transpose1d": (lambda rng: nn.ConvTranspose1d(3, 5, 3, rng=rng), (2, 3, 4)),
    "conv-transpose2d": (lambda rng: nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1, rng=rng), (2, 3, 3, 4)),
}


@pytest.fixture(params=LAYERS)
def pair(request, backend, rng):
    """A normalised layer, PyTorch's with the same state, and an input."""
    pytest.importorskip("torch")
    make, shape = LAYERS[request.param]
    layer = nn.spectral_norm(make(rng), rng=rng).to(backend, np.float64)
    return layer, to_torch(layer), rng.standard_normal(shape)


def test_state_has_pytorchs_names_and_goes_both_ways(pair):
    layer, twin, _ = pair
    for name, array in state_of(twin).items():
        np.testing.assert_array_equal(layer.state_dict()[name], array)
    assert list(layer.state_dict()) == list(state_of(twin))
    assert [name for name, _ in layer.named_parameters()] == [name for name, _ in twin.named_parameters()]
    other = copy.deepcopy(layer)
    for parameter in other.parameters():
        parameter.assign(0)
    other.load_state_dict(twin.state_dict())
    np.testing.assert_array_equal(
        other.parametrizations.weight.original.numpy(), layer.parametrizations.weight.original.numpy()
    )


def test_training_is_pytorchs_step_by_step(pair):
    torch = pytest.importorskip("torch")
    layer, twin, x = pair
    for step in range(4):
        ours_x, torch_x = Tensor(layer.backend.asarray(x), requires_grad=True), torch.tensor(x, requires_grad=True)
        y, t = layer(ours_x), twin(torch_x)
        np.testing.assert_allclose(y.numpy(), t.detach().numpy(), rtol=1e-10, atol=1e-12)
        gradients = grad((y * y).sum(), [ours_x, *layer.parameters()])
        expected = torch.autograd.grad((t * t).sum(), [torch_x, *twin.parameters()])
        for own, other in zip(gradients, expected, strict=True):
            np.testing.assert_allclose(own.numpy(), other.numpy(), rtol=1e-9, atol=1e-11)
        for parameter, other, g in zip(layer.parameters(), twin.parameters(), expected[1:], strict=True):
            parameter.assign(parameter.numpy() - 0.1 * g.numpy())
            other.data -= 0.1 * g
        if step == 2:
            layer.eval()
            twin.eval()
    for name, array in state_of(twin).items():
        np.testing.assert_allclose(layer.state_dict()[name], array, rtol=1e-10, atol=1e-13)


def test_second_order_is_pytorchs(pair):
    layer, twin, x = pair
    torch = pytest.importorskip("torch")
    layer.eval()
    twin.eval()
    normalised = layer.parametrizations.weight

    def ours(x, weight):
        normalised.original = weight
        return layer(x)

    def theirs(x, weight):
        return torch.func.functional_call(twin, {"parametrizations.weight.original": weight}, (x,))

    weight = normalised.original.numpy()
    assert_twins(ours, theirs, x, weight, backend=layer.backend)


@pytest.mark.parametrize("kind, shape", [(nn.Conv2d, (3, 2, 2, 1)), (nn.ConvTranspose2d, (2, 3, 1, 2))])
def test_with_exact_vectors_it_is_the_derivative_of_the_singular_value(kind, shape, backend, rng):
    """u and v are constants in the gradient. At the singular vectors this is no approximation, to first order."""
    layer = nn.spectral_norm(kind(2, 3, shape[2:], rng=rng), rng=rng, n_power_iterations=50).to(backend, np.float64)
    x = Tensor(backend.asarray(rng.standard_normal((1, 2, 2, 2))))
    normalised = layer.parametrizations.weight
    weight = Tensor(backend.asarray(1 + 0.3 * rng.standard_normal(shape)))  # one singular value far above the others

    def f(weight):
        normalised.original = weight
        return layer(x)  # in training: u and v converge anew for every weight

    check_grad(f, weight)
    layer.eval()  # u and v stay, so the second derivative is that of a function as well
    check_grad(f, weight, order=2)


def test_the_largest_singular_value_becomes_one(backend, rng):
    layer = nn.spectral_norm(nn.Conv2d(6, 8, 3, rng=rng), rng=rng, n_power_iterations=50).to(backend, np.float64)
    layer(Tensor(backend.asarray(rng.standard_normal((1, 6, 3, 3)))))
    assert np.linalg.norm(layer.weight.numpy().reshape(8, -1), 2) == pytest.approx(1, rel=1e-6)


def test_vectors_move_in_training_forwards_only(rng):
    layer = nn.spectral_norm(nn.Linear(5, 3, rng=rng), rng=rng)
    layer.parametrizations.weight.original.assign(rng.standard_normal((3, 5)))
    x = Tensor(np.ones((1, 5), np.float32))

    def vectors():
        return [array.copy() for _, array in layer.named_buffers()]

    before = vectors()
    repr(layer), layer.weight, layer.state_dict()
    layer.eval()(x)
    np.testing.assert_equal(vectors(), before)
    layer.train()(x)
    assert not np.array_equal(vectors()[0], before[0])


def test_two_forwards_before_one_backward(rng):
    """D(real) and D(fake), then the backward of both: the first graph keeps the u and v it was made with."""
    layer = nn.spectral_norm(nn.Linear(5, 3, rng=rng), rng=rng).to(dtype=np.float64)
    original = layer.parametrizations.weight.original
    original.assign(rng.standard_normal((3, 5)))
    x = Tensor(rng.standard_normal((2, 5)))
    alone = copy.deepcopy(layer)
    (expected,) = grad(alone(x).sum(), [alone.parametrizations.weight.original])
    y = layer(x).sum()
    layer(x)
    (gradient,) = grad(y, [original])
    np.testing.assert_array_equal(gradient.numpy(), expected.numpy())


def test_embedding(backend, rng):
    torch = pytest.importorskip("torch")
    layer = nn.spectral_norm(nn.Embedding(6, 4, rng=rng), rng=rng).to(backend, np.float64)
    twin = to_torch(layer)
    index = np.array([[0, 5], [5, 2]])
    np.testing.assert_allclose(layer(index).numpy(), twin(torch.from_numpy(index)).detach().numpy(), rtol=1e-10)


def test_in_a_network(backend, rng):
    net = nn.Sequential(nn.spectral_norm(nn.Conv2d(1, 4, 3)), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(16, 1))
    net.to(backend)
    copied = copy.deepcopy(net)
    x = Tensor(backend.asarray(rng.standard_normal((2, 1, 4, 4)).astype(np.float32)))
    np.testing.assert_array_equal(net(x).numpy(), copied(x).numpy())
    assert copied[0].parametrizations.weight.original is not net[0].parametrizations.weight.original
    assert [p.name for p in net.parameters()] == [name for name, _ in net.named_parameters()]
    assert "spectral_norm(Conv2d(1, 4, kernel_size=(3, 3)" in repr(net)
    assert isinstance(net[0], nn.Conv2d)


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda: nn.spectral_norm(nn.ReLU()), r"spectral_norm: ReLU\(\) has no weight matrix to normalise"),
        (lambda: nn.spectral_norm(nn.BatchNorm2d(3)), "BatchNorm2d.* has no weight matrix"),
        (lambda: nn.spectral_norm(nn.spectral_norm(nn.Linear(2, 3))), "or it is normalised already"),
        (
            lambda: nn.spectral_norm(nn.Linear(2, 3), n_power_iterations=0),
            "n_power_iterations = 0 must be a whole number of at least 1",
        ),
    ],
)
def test_bad_input_says_what_is_wrong(f, message):
    with pytest.raises(InputError, match=message):
        f()


@pytest.mark.parametrize(("kernel", "stride"), [((3, 3), (1, 1)), ((4, 4), (2, 2)), ((3, 5), (2, 1)), ((1, 1), (1, 1))])
def test_a_convolution_stretches_as_far_as_a_pixel_is_looked_at(kernel, stride):
    """Not by 1, but by no more than the root of how many places look at a pixel; all ones come near that."""
    conv = nn.Conv2d(1, 1, kernel, stride=stride, bias=False)
    conv.weight.assign(np.ones(conv.weight.shape))
    nn.spectral_norm(conv, rng=np.random.default_rng(0)).eval()
    x = Tensor(np.ones((1, 1, 64, 64), np.float32))
    stretched = np.linalg.norm(conv(x).numpy()) / 64
    bound = math.sqrt(-(-kernel[0] // stride[0]) * -(-kernel[1] // stride[1]))
    assert 0.8 * bound < stretched <= bound * (1 + 1e-6)
