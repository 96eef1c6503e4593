"""SAGAN's self-attention against its formulas in PyTorch."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import check_grad, nn
from minigan.errors import InputError


def sagan(x, f, g, h, v, gamma):
    torch = pytest.importorskip("torch")
    conv = torch.nn.functional.conv2d
    s = torch.einsum("nci,ncj->nij", conv(x, f).flatten(2), conv(x, g).flatten(2))
    o = torch.einsum("nij,nci->ncj", s.softmax(1), conv(x, h).flatten(2))
    return x + gamma * conv(o.reshape(len(x), -1, *x.shape[2:]), v)


def test_is_sagans(backend, rng):
    layer = nn.SelfAttention2d(8, reduction=4)

    def ours(x, f, g, h, v, gamma):
        for conv, weight in zip((layer.f, layer.g, layer.h, layer.v), (f, g, h, v), strict=True):
            conv.weight = weight
        layer.gamma = gamma
        return layer(x)

    shapes = (2, 8, 3, 5), (2, 8, 1, 1), (2, 8, 1, 1), (2, 8, 1, 1), (8, 2, 1, 1), (1,)
    assert_twins(ours, sagan, *(rng.standard_normal(shape) for shape in shapes), backend=backend)


def test_to_second_order(tensor, rng):
    layer = nn.SelfAttention2d(4, reduction=2, rng=rng).to(tensor(0.0).backend, np.float64)
    layer.gamma.assign(0.7)
    check_grad(layer, tensor(rng.standard_normal((1, 4, 2, 3))), order=2)


def test_starts_as_the_identity_and_can_leave_it(tensor, rng):
    layer = nn.SelfAttention2d(8, rng=rng).to(tensor(0.0).backend)
    x = tensor(rng.standard_normal((2, 8, 3, 4)), np.float32)
    y = layer(x)
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    (y * x).sum().backward()
    assert abs(layer.gamma.grad.item()) > 0


def test_state(rng):
    layer = nn.SelfAttention2d(16, rng=rng)
    shapes = {name: array.shape for name, array in layer.state_dict().items()}
    inner = (2, 16, 1, 1)
    assert shapes == {"gamma": (1,), "f.weight": inner, "g.weight": inner, "h.weight": inner, "v.weight": (16, 2, 1, 1)}


def test_with_spectral_norm(rng):
    layer = nn.SelfAttention2d(8, rng=rng)
    for conv in layer.children().values():
        nn.spectral_norm(conv, rng=rng)
    assert layer(nn.Parameter(rng.standard_normal((2, 8, 4, 4)).astype(np.float32))).shape == (2, 8, 4, 4)
    assert "v.parametrizations.weight.0._u" in layer.state_dict()


def test_channels_that_do_not_divide():
    with pytest.raises(InputError, match="SelfAttention2d: 12 channels cannot be divided by reduction = 8"):
        nn.SelfAttention2d(12)
