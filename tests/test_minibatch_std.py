"""Minibatch standard deviation against StyleGAN's lines, written in PyTorch."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import nn, ops
from minigan.errors import InputError


def stylegan(x, group_size, num_channels):
    """MinibatchStdLayer of the official StyleGAN code, line for line."""
    torch = pytest.importorskip("torch")
    n, c, h, w = x.shape
    g, f = min(group_size, n), num_channels
    y = x.reshape(g, -1, f, c // f, h, w)
    y = y - y.mean(dim=0)
    y = y.square().mean(dim=0)
    y = (y + 1e-8).sqrt()
    y = y.mean(dim=[2, 3, 4])
    y = y.reshape(-1, f, 1, 1)
    y = y.repeat(g, 1, h, w)
    return torch.cat([x, y], dim=1)


@pytest.mark.parametrize("n, group_size, channels", [(8, 4, 1), (6, 2, 3), (3, 4, 1), (4, 4, 2), (6, 3, 1)])
def test_is_stylegans(n, group_size, channels, backend, rng):
    x = rng.standard_normal((6, 5, 3, n)).transpose(3, 0, 1, 2)
    assert_twins(
        lambda x: ops.minibatch_std(x, group_size=group_size, num_channels=channels),
        lambda x: stylegan(x, group_size, channels),
        x,
        backend=backend,
        rtol=1e-9,
    )


def test_by_hand(tensor):
    x = tensor(np.array([0.0, 2.0, 4.0, 4.0]).reshape(4, 1, 1, 1))  # groups of images 0 and 2, 1 and 3
    y = nn.MinibatchStd(group_size=2)(x).numpy()
    np.testing.assert_array_equal(y[:, :1], x.numpy())
    np.testing.assert_allclose(y[:, 1].ravel(), [2, 1, 2, 1], rtol=1e-8)


def test_equal_images_have_a_finite_gradient(tensor):
    x = tensor(np.ones((4, 2, 3, 3)), np.float32, requires_grad=True)
    y = nn.MinibatchStd()(x)
    assert y.shape == (4, 3, 3, 3) and y.dtype == np.float32
    y.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: ops.minibatch_std(x), "minibatch_std: a batch of 6 cannot be divided into groups of 4"),
        (lambda x: ops.minibatch_std(x, group_size=0), "minibatch_std: group_size = 0"),
        (lambda x: ops.minibatch_std(x, group_size=3, num_channels=2), "3 channels .* among num_channels = 2"),
        (lambda x: ops.minibatch_std(x[0]), r"minibatch_std: input \(3, 2, 2\) must be \(N, C, H, W\)"),
        (lambda x: nn.MinibatchStd(group_size=0), "MinibatchStd: group_size = 0"),
    ],
)
def test_bad_input_says_what_is_wrong(f, message, tensor):
    with pytest.raises(InputError, match=message):
        f(tensor(np.ones((6, 3, 2, 2))))
