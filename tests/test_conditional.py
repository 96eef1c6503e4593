"""Conditional batch norm and the projection head against the same in PyTorch."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import check_grad, nn
from minigan.errors import InputError
from minigan.tensor import Tensor

LABELS = np.array([2, 0, 2, 1])


def conditional(backend, rng, **settings):
    layer = nn.ConditionalBatchNorm2d(3, num_classes=4, **settings).to(backend, np.float64)
    layer.gain.weight.assign(rng.standard_normal((4, 3)))
    layer.bias.weight.assign(rng.standard_normal((4, 3)))
    return layer


@pytest.mark.parametrize("shape", [(4, 3, 5, 2), (4, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_conditional_batch_norm_is_pytorchs(shape, training, backend, rng):
    torch = pytest.importorskip("torch")
    layer = conditional(backend, rng, momentum=0.3, eps=1e-3)
    norm = (torch.nn.BatchNorm2d if len(shape) == 4 else torch.nn.BatchNorm1d)(3, 1e-3, 0.3, affine=False).double()
    earlier = rng.standard_normal(shape)
    layer(Tensor(backend.asarray(earlier)), LABELS)
    norm(torch.tensor(earlier))
    layer.train(training)
    norm.train(training)

    def ours(x, gain, bias):
        layer.gain.weight, layer.bias.weight = gain, bias
        return layer(x, LABELS)

    def theirs(x, gain, bias):
        per_sample = (4, 3) + (1,) * (len(shape) - 2)
        return norm(x) * gain[LABELS].reshape(per_sample) + bias[LABELS].reshape(per_sample)

    arrays = rng.standard_normal(shape), rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    assert_twins(ours, theirs, *arrays, backend=backend)
    for name, buffer in layer.named_buffers():
        np.testing.assert_allclose(backend.to_numpy(buffer), getattr(norm, name).numpy(), rtol=1e-12)


def test_to_second_order(backend, tensor, rng):
    layer = conditional(backend, rng)
    check_grad(lambda x: layer(x, LABELS), tensor(rng.standard_normal((4, 3, 2, 1))), order=2)
    head = nn.ProjectionHead(3, num_classes=4, rng=rng).to(backend, np.float64)
    check_grad(lambda h: head(h, LABELS) ** 2, tensor(rng.standard_normal((4, 3))), order=2)


def test_starts_as_plain_batch_norm(rng):
    x = Tensor(rng.standard_normal((4, 3, 2, 2)).astype(np.float32))
    ours, plain = nn.ConditionalBatchNorm2d(3, num_classes=4), nn.BatchNorm2d(3)
    np.testing.assert_array_equal(ours(x, LABELS).numpy(), plain(x).numpy())
    assert {n: a.shape for n, a in ours.state_dict().items()} == {
        "gain.weight": (4, 3),
        "bias.weight": (4, 3),
        "running_mean": (3,),
        "running_var": (3,),
        "num_batches_tracked": (),
    }


def test_the_head_adds_the_projection(backend, rng):
    torch = pytest.importorskip("torch")
    head = nn.ProjectionHead(5, num_classes=4)

    def ours(h, weight, bias, table):
        head.psi.weight, head.psi.bias, head.embed.weight = weight, bias, table
        return head(h, LABELS)

    def theirs(h, weight, bias, table):
        return torch.nn.functional.linear(h, weight, bias) + (table[LABELS] * h).sum(1, keepdim=True)

    shapes = (4, 5), (1, 5), (1,), (4, 5)
    assert_twins(ours, theirs, *(rng.standard_normal(shape) for shape in shapes), backend=backend)


def test_the_head_takes_spectral_norm(rng):
    head = nn.ProjectionHead(5, num_classes=4, rng=rng)
    nn.spectral_norm(head.psi, rng=rng)
    nn.spectral_norm(head.embed, rng=rng)
    y = head(Tensor(rng.standard_normal((4, 5)).astype(np.float32)), LABELS)
    assert y.shape == (4, 1)
    y.sum().backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda: nn.ConditionalBatchNorm2d(3, num_classes=0), "num_classes = 0 must be"),
        (lambda: nn.ProjectionHead(0, num_classes=2), "ProjectionHead: features = 0 must be"),
        (
            lambda: nn.ConditionalBatchNorm2d(3, num_classes=2)(Tensor(np.ones((4, 3, 2, 2), np.float32)), LABELS),
            r"index 0..2 is outside the table of 2 rows",
        ),
    ],
)
def test_bad_input_says_what_is_wrong(f, message):
    with pytest.raises(InputError, match=message):
        f()
