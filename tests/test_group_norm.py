"""Layer, group and instance norm against PyTorch's and against the sentence that defines them."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import check_grad, nn, ops
from minigan.errors import InputError


@pytest.fixture
def F():  # noqa: N802 (the field's name)
    return pytest.importorskip("torch.nn.functional")


@pytest.mark.parametrize(
    "shape, axes", [((4, 5), (5,)), ((2, 3, 5, 7), (3, 5, 7)), ((2, 3, 4), (4,)), ((3, 5), (3, 5))]
)
def test_layer_norm_is_pytorchs(shape, axes, F, backend, rng):  # noqa: N803
    x, w, b = (rng.standard_normal(s) for s in (shape, axes, axes))
    assert_twins(
        lambda x, w, b: ops.layer_norm(x, axes, w, b, eps=1e-3),
        lambda x, w, b: F.layer_norm(x, axes, w, b, 1e-3),
        x, w, b, backend=backend,
    )  # fmt: skip
    assert_twins(lambda x: ops.layer_norm(x, axes), lambda x: F.layer_norm(x, axes), x, backend=backend)


@pytest.mark.parametrize("shape, groups", [((2, 6, 3, 5), 3), ((3, 4, 2, 1), 1), ((2, 4, 7), 2), ((3, 6), 2)])
def test_group_norm_is_pytorchs(shape, groups, F, backend, rng):  # noqa: N803
    x, w, b = (rng.standard_normal(s) for s in (shape, shape[1:2], shape[1:2]))
    assert_twins(
        lambda x, w, b: ops.group_norm(x, groups, w, b),
        lambda x, w, b: F.group_norm(x, groups, w, b),
        x, w, b, backend=backend,
    )  # fmt: skip


def test_instance_norm_is_pytorchs(F, backend, rng):  # noqa: N803
    x, w, b = (rng.standard_normal(s) for s in ((2, 3, 5, 4), (3,), (3,)))
    assert_twins(
        lambda x, w, b: ops.instance_norm(x, w, b),
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        x, w, b, backend=backend,
    )  # fmt: skip
    not_contiguous = rng.standard_normal((5, 8, 3, 4)).transpose(3, 2, 0, 1)[:, :, :, ::-2]
    assert_twins(lambda x: ops.instance_norm(x), lambda x: F.instance_norm(x), not_contiguous, backend=backend)


def test_what_shares_a_mean(tensor, rng):
    x = 3 + 2 * rng.standard_normal((2, 4, 5, 3))
    for f, over in [
        (lambda x: ops.layer_norm(x, (5, 3)), lambda y: y),
        (lambda x: ops.instance_norm(x), lambda y: y),
        (lambda x: ops.group_norm(x, 2), lambda y: y.reshape(2, 2, 10, 3)),
        (lambda x: ops.group_norm(x, 1), lambda y: y.reshape(2, 1, 20, 3)),
    ]:
        y = over(f(tensor(x)).numpy())
        np.testing.assert_allclose(y.mean((2, 3)), 0, atol=1e-12)
        np.testing.assert_allclose(y.var((2, 3)), 1, rtol=1e-4)  # eps makes it a little less


def test_no_sample_sees_another(tensor, rng):
    x = rng.standard_normal((3, 4, 5, 5))
    for f in (lambda x: ops.group_norm(x, 2), ops.instance_norm, lambda x: ops.layer_norm(x, x.shape[1:])):
        np.testing.assert_allclose(f(tensor(x)).numpy()[1:2], f(tensor(x[1:2])).numpy(), rtol=1e-12)


@pytest.mark.parametrize("f", [lambda x: ops.group_norm(x, 2), ops.instance_norm])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_channels_last_are_kept(f, dtype, backend, tensor, rng):
    x = tensor(rng.standard_normal((2, 4, 3, 5)), dtype)
    x.data = backend.channels_last(x.data)
    y = f(x)
    assert y.dtype == dtype
    assert y.data.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize(
    "layer", [lambda: nn.LayerNorm((3, 2)), lambda: nn.GroupNorm(2, 4), lambda: nn.InstanceNorm2d(4, affine=True)]
)
def test_layers_to_second_order(layer, tensor, rng):
    layer = layer().to(dtype=np.float64)
    for parameter in layer.parameters():
        parameter.assign(rng.standard_normal(parameter.shape))
    layer.to(tensor(0.0).backend)
    check_grad(layer, tensor(rng.standard_normal((1, 4, 3, 2))), order=2)


def test_without_parameters():
    assert nn.InstanceNorm2d(3).state_dict() == {}
    assert nn.GroupNorm(1, 3, affine=False).state_dict() == {}
    assert nn.LayerNorm(3, elementwise_affine=False).state_dict() == {}
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == ["weight"]


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: ops.layer_norm(x, (4, 2)), r"layer_norm: input \(2, 3, 4, 4\) does not end in the .* \(4, 2\)"),
        (lambda x: ops.layer_norm(x, ()), r"does not end in the normalized_shape \(\)"),
        (lambda x: ops.layer_norm(x, 4, x[0, 0, 0, :3]), r"layer_norm: weight \(3,\) must be \(4,\)"),
        (lambda x: ops.group_norm(x, 2), "group_norm: 3 channels cannot be divided into 2 groups"),
        (lambda x: ops.group_norm(x, 0), "group_norm: num_groups = 0 must be"),
        (lambda x: ops.group_norm(x[:, :, 0, 0], 3), "it has no variance"),
        (lambda x: ops.group_norm(x[0, 0, 0], 1), r"group_norm: input \(4,\) must be \(N, C, ...\)"),
        (lambda x: ops.instance_norm(x, None, x[0, 0, 0]), r"instance_norm: bias \(4,\) must be \(3,\)"),
        (lambda x: ops.instance_norm(x[:, :, 0, 0]), r"instance_norm: input \(2, 3\) must be"),
        (lambda x: ops.instance_norm(x[:, :, :1, :1]), "instance_norm: .* no variance"),
        (lambda x: nn.GroupNorm(32, 8), "GroupNorm: 8 channels cannot be divided into 32 groups"),
        (lambda x: nn.GroupNorm(2, 4)(x), r"GroupNorm: input \(2, 3, 4, 4\) does not have the layer's 4 channels"),
        (lambda x: nn.InstanceNorm2d(4)(x), "InstanceNorm2d: .* does not have the layer's 4 channels"),
        (lambda x: nn.InstanceNorm2d(0), "num_features = 0"),
        (lambda x: nn.LayerNorm(0), "LayerNorm: normalized_shape = 0 must be"),
    ],
)
def test_bad_input_says_what_is_wrong(f, message, tensor):
    with pytest.raises(InputError, match=message):
        f(tensor(np.ones((2, 3, 4, 4))))
