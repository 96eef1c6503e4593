"""Sizes and axes: whatever is an integer is taken, the rest is refused by name, in every op and every layer."""

import numpy as np
import pytest

from minigan import nn, ops
from minigan.errors import InputError
from minigan.sizes import axes, axis, pair, size, sizes
from minigan.tensor import Tensor

INTEGERS = [2, np.int64(2), np.uint8(2), np.array(2), Tensor(2)]
NO_INTEGERS = [2.0, 1.9, np.float32(2), "2", None, True, np.True_, Tensor(2.0), Tensor([2, 2]), {2}, 2j]


@pytest.mark.parametrize("value", INTEGERS, ids=repr)
def test_what_is_an_integer_is_taken(value):
    read = [size("f: n", value), *pair("f: n", value), *pair("f: n", (value, value)), axis("f", value, 3)]
    assert read == [2] * 6 and {type(n) for n in read} == {int}


@pytest.mark.parametrize("value", NO_INTEGERS, ids=repr)
def test_what_is_none_is_refused_by_name(value):
    for read in (
        lambda: size("f: n", value),
        lambda: pair("f: n", value),
        lambda: pair("f: n", (1, value)),
        lambda: axis("f", value, 3),
    ):
        with pytest.raises(InputError, match=r"f: (n|axis) = .* must be"):
            read()


def test_too_few_too_many_too_small():
    for value in ((1,), (1, 1, 7), (), "11", 0, (1, 0)):
        with pytest.raises(InputError, match=r"f: n = .* must be one whole number, or 2 of them, at least 1"):
            pair("f: n", value)
    assert sizes("f: n", [1, 2, 3]) == (1, 2, 3)
    assert sizes("f: n", range(1, 3), 2) == sizes("f: n", np.array([1, 2]), 2) == (1, 2)


def test_axes_exist_and_differ():
    assert axes("f", None, 2) == (0, 1) and axes("f", (-1, 0), 2) == (1, 0)
    assert axes("f", -1, 0) == ()  # PyTorch's rule for a tensor of no axes
    with pytest.raises(InputError, match="axis 2 does not exist in a tensor of 2 axes"):
        axes("f", 2, 2)
    with pytest.raises(InputError, match="name the same axis twice"):
        axes("f", (0, -2), 2)


X = np.arange(96.0).reshape(2, 3, 4, 4)
W = np.ones((3, 3, 2, 2))
OPS = {
    "sum": lambda x, w, n: x.sum(n),
    "mean": lambda x, w, n: x.mean((0, n)),
    "amax": lambda x, w, n: ops.amax(x, n),
    "softmax": lambda x, w, n: ops.softmax(x, n),
    "log_softmax": lambda x, w, n: ops.log_softmax(x, n),
    "concat": lambda x, w, n: ops.concat([x, x], n),
    "flatten": lambda x, w, n: ops.flatten(x, n),
    "transpose": lambda x, w, n: x.transpose(0, 1, n, 3),
    "reshape": lambda x, w, n: x.reshape(n, -1),
    "broadcast_to": lambda x, w, n: x.broadcast_to((n, 2, 3, 4, 4)),
    "pad": lambda x, w, n: ops.pad(x, [(0, 0), (0, 0), (n, 0), (0, 1)]),
    "reflection_pad": lambda x, w, n: ops.reflection_pad(x, [(0, 0), (0, 0), (n, 0), (0, 1)]),
    "conv2d: stride": lambda x, w, n: ops.conv2d(x, w, stride=n),
    "conv2d: padding": lambda x, w, n: ops.conv2d(x, w, padding=(1, n)),
    "conv2d: dilation": lambda x, w, n: ops.conv2d(x, w, dilation=n),
    "conv_transpose2d: stride": lambda x, w, n: ops.conv_transpose2d(x, w, stride=n),
    "conv_transpose2d: output_padding": lambda x, w, n: ops.conv_transpose2d(x, w, stride=3, output_padding=n),
    "conv1d: stride": lambda x, w, n: ops.conv1d(x[0], Tensor(np.ones((4, 4, 2))), stride=n),
    "conv_transpose1d: stride": lambda x, w, n: ops.conv_transpose1d(x[0], Tensor(np.ones((4, 4, 2))), stride=n),
    "avg_pool2d: kernel_size": lambda x, w, n: ops.avg_pool2d(x, n),
    "avg_pool2d: stride": lambda x, w, n: ops.avg_pool2d(x, 2, stride=n),
    "upsample": lambda x, w, n: ops.upsample(x, n),
    "resize": lambda x, w, n: ops.resize(x, n),
    "pixel_shuffle": lambda x, w, n: ops.pixel_shuffle(x.reshape(2, 12, 2, 2), n),
    "pixel_unshuffle": lambda x, w, n: ops.pixel_unshuffle(x, n),
    "maxout": lambda x, w, n: ops.maxout(x.reshape(2, 12, 2, 2), n),
    "group_norm": lambda x, w, n: ops.group_norm(x.reshape(2, 12, 2, 2), n),
    "layer_norm": lambda x, w, n: ops.layer_norm(x.reshape(-1, 2), n),
    "minibatch_std": lambda x, w, n: ops.minibatch_std(x, group_size=n),
    "Linear": lambda x, w, n: nn.Linear(n, n),
    "Conv1d": lambda x, w, n: nn.Conv1d(n, n, n, stride=n),
    "Conv2d": lambda x, w, n: nn.Conv2d(n, n, n, stride=n, padding=n, dilation=n),
    "ConvTranspose2d": lambda x, w, n: nn.ConvTranspose2d(3, n, 3, stride=2),
    "BatchNorm2d": lambda x, w, n: nn.BatchNorm2d(n),
    "GroupNorm": lambda x, w, n: nn.GroupNorm(n, 4),
    "LayerNorm": lambda x, w, n: nn.LayerNorm(n),
    "Embedding": lambda x, w, n: nn.Embedding(n, 3),
    "Reshape": lambda x, w, n: nn.Reshape(n, 3),
    "Upsample": lambda x, w, n: nn.Upsample(n),
    "Resize": lambda x, w, n: nn.Resize((n, 3)),
    "ReflectionPad2d": lambda x, w, n: nn.ReflectionPad2d(n),
    "MinibatchStd": lambda x, w, n: nn.MinibatchStd(group_size=n),
}


@pytest.mark.parametrize("name", OPS)
def test_every_op_and_layer_reads_its_sizes_so(name):
    f, x, w = OPS[name], Tensor(X), Tensor(W)
    assert repr(f(x, w, np.int64(2))) == repr(f(x, w, 2))
    for value in (2.0, 1.5, "2", None, True):
        if (name, value) in (("sum", None), ("avg_pool2d: stride", None)):  # the default
            continue
        with pytest.raises(InputError, match=f"{name.split(':')[0]}.* = .*must be"):
            f(x, w, value)
    if name not in ("reshape", "Reshape"):  # where -1 is "what is left"
        with pytest.raises(InputError):
            f(x, w, -7)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: ops.conv_transpose2d(x, w, stride=0),
        lambda x, w: ops.conv_transpose2d(x, w, dilation=0, output_padding=1),
        lambda x, w: ops.avg_pool2d(x, 2, stride=0),
        lambda x, w: ops.avg_pool2d(x, 0),
        lambda x, w: ops.conv2d(x, w, stride=(1, 1, 7)),
        lambda x, w: ops.upsample(x, 0),
    ],
)
def test_nothing_is_divided_by_zero_and_nothing_left_out(f):
    with pytest.raises(InputError, match="must be one whole number, or 2 of them, at least 1"):
        f(Tensor(X), Tensor(W))


def test_a_tensor_of_no_axes(tensor):
    """PyTorch's values."""
    x = tensor(2.5)
    for y, expected in (
        (ops.amax(x), 2.5),
        (ops.softmax(x), 1.0),
        (ops.log_softmax(x, 0), 0.0),
        (x.sum(-1), 2.5),
        (x.mean(0), 2.5),
    ):
        assert y.shape == () and y.item() == expected
    assert ops.flatten(x, 0).shape == (1,)
    with pytest.raises(InputError):
        ops.amax(x, 1)


# ---- shapes that would broadcast, and must not ---------------------------------------------------

BIASES = [(1,), (2, 2), (4, 1), (1, 4), ()]


@pytest.mark.parametrize("shape", BIASES)
def test_a_bias_is_one_number_for_each_output(shape, tensor):
    x, bias = tensor(X), tensor(np.ones(shape))
    for f in (
        lambda: ops.conv2d(x, tensor(np.ones((4, 3, 2, 2))), bias),
        lambda: ops.conv_transpose2d(x, tensor(np.ones((3, 4, 2, 2))), bias),
        lambda: ops.conv1d(x[0], tensor(np.ones((4, 4, 2))), bias),
        lambda: ops.conv_transpose1d(x[0], tensor(np.ones((4, 4, 2))), bias),
        lambda: ops.linear(x, tensor(np.ones((4, 4))), bias),
    ):
        with pytest.raises(InputError, match=r"bias .* (must be|does not fit)"):
            f()


def test_norms_take_one_number_a_channel(tensor):
    x, three, one = tensor(X), tensor(np.ones(3)), tensor(np.ones(1))
    ok, short = np.ones(3), np.ones(1)
    for f in (
        lambda: ops.batch_norm(x, one, three),
        lambda: ops.batch_norm(x, three, one),
        lambda: ops.batch_norm(x, three, three, short, ok),
        lambda: ops.batch_norm(x, three, three, ok, short, training=False),
        lambda: ops.group_norm(x, 3, one, three),
        lambda: ops.instance_norm(x, three, one),
        lambda: ops.layer_norm(x, 4, one),
        lambda: ops.prelu(x, tensor(np.ones(2))),
        lambda: ops.prelu(x, tensor(np.ones((1, 3)))),
        lambda: ops.embedding(np.array([0]), x),
        lambda: tensor(np.ones(1)).put_item(slice(0, 2), (3,)),
        lambda: tensor(np.ones((1, 1))).put_item(np.array([0, 2]), (3, 1)),
        lambda: tensor(np.ones((2, 3))).sum_to((2,)),
        lambda: tensor(np.ones(3)).broadcast_to((3, 2)),
    ):
        with pytest.raises((InputError, ValueError)):
            f()


def test_labels_are_one_a_sample():
    x = Tensor(np.ones((4, 4, 2, 2), np.float32))
    with pytest.raises(InputError, match=r"ConditionalBatchNorm2d: labels \(1,\) must be one for each sample"):
        nn.ConditionalBatchNorm2d(4, num_classes=3)(x, np.array([1]))
    with pytest.raises(InputError, match=r"ProjectionHead: labels \(1,\) must be one for each sample"):
        nn.ProjectionHead(4, num_classes=3)(x[:, :, 0, 0], np.array([1]))


def test_a_parameter_is_assigned_its_own_shape():
    layer = nn.Linear(2, 3)
    for array in (np.ones(1), np.ones((1, 3))):
        with pytest.raises(InputError, match=r"bias is \(3,\), and an array of .* is not"):
            layer.bias.assign(array)
