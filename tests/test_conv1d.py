"""1-D convolutions against PyTorch's."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import nn, ops
from minigan.errors import InputError


@pytest.fixture
def F():  # noqa: N802 (the field's name)
    return pytest.importorskip("torch.nn.functional")


@pytest.mark.parametrize(
    "length, kernel, settings",
    [
        (7, 3, {}),
        (8, 4, {"stride": 2, "padding": 1}),
        (11, 3, {"stride": 3, "padding": 2, "dilation": 2}),
        (5, 5, {}),
        (4, 1, {"stride": 2}),
    ],
)
def test_conv1d_is_pytorchs(length, kernel, settings, F, backend, rng):  # noqa: N803
    x, w, b = (rng.standard_normal(s) for s in ((2, 3, length), (4, 3, kernel), (4,)))
    assert_twins(
        lambda x, w, b: ops.conv1d(x, w, b, **settings), lambda x, w, b: F.conv1d(x, w, b, **settings),
        x, w, b, backend=backend,
    )  # fmt: skip


@pytest.mark.parametrize(
    "length, kernel, settings",
    [
        (5, 3, {}),
        (4, 4, {"stride": 2, "padding": 1}),
        (4, 3, {"stride": 3, "padding": 1, "output_padding": 2, "dilation": 2}),
        (1, 4, {}),
    ],
)
def test_conv_transpose1d_is_pytorchs(length, kernel, settings, F, backend, rng):  # noqa: N803
    x, w, b = (rng.standard_normal(s) for s in ((2, 3, length), (3, 4, kernel), (4,)))
    assert_twins(
        lambda x, w, b: ops.conv_transpose1d(x, w, b, **settings),
        lambda x, w, b: F.conv_transpose1d(x, w, b, **settings),
        x, w, b, backend=backend,
    )  # fmt: skip


def test_inputs_that_are_not_contiguous(F, backend, rng):  # noqa: N803
    x, w = rng.standard_normal((9, 3, 4)).transpose(2, 1, 0)[::2, :, ::-1], rng.standard_normal((3, 6, 4)).T[:, ::2]
    assert_twins(ops.conv1d, F.conv1d, x, w, backend=backend)


def test_layers_run_in_a_row(backend, rng):
    net = nn.Sequential(
        nn.Conv1d(2, 6, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.ConvTranspose1d(6, 2, 4, stride=2, padding=1)
    )
    x = nn.Parameter(backend.asarray(rng.standard_normal((3, 2, 8)).astype(np.float32)))
    assert net.to(backend)(x).shape == (3, 2, 8)
    assert "Conv1d(2, 6, kernel_size=4, stride=2, padding=1)" in repr(net)


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: ops.conv1d(x, x[0]), r"conv1d: input \(2, 3, 4\) must be \(N, C, L\) and weight \(3, 4\)"),
        (lambda x: ops.conv1d(x[0], x), r"conv1d: input \(3, 4\) must be"),
        (lambda x: ops.conv1d(x, x.transpose(0, 2, 1)), "does not have the 4 channels"),
        (lambda x: ops.conv1d(x, x.put_item((Ellipsis, slice(0, 4)), (2, 3, 9))), "does not fit an input of"),
        (lambda x: ops.conv_transpose1d(x[0], x), r"conv_transpose1d: input \(3, 4\) must be \(N, C, L\)"),
        (lambda x: ops.conv_transpose1d(x[:, :2], x, output_padding=1), "output_padding"),
        (lambda x: nn.Conv1d(3, 0, 2), "Conv1d: out_channels = 0 must be"),
        (lambda x: nn.ConvTranspose1d(3, 2, 0), "ConvTranspose1d: kernel_size = 0 must be"),
    ],
)
def test_bad_input_says_what_is_wrong(f, message, tensor):
    with pytest.raises(InputError, match=message):
        f(tensor(np.ones((2, 3, 4))))
