"""Every layer that has a PyTorch twin: the same state, names and numbers; the others say that they have none."""

import numpy as np
import pytest
import small_models
from safetensors.numpy import save_file

from minigan import gan, nn
from minigan.errors import InputError
from minigan.interop import loader, to_torch
from minigan.tensor import Tensor

LAYERS = {
    "conv1d": (lambda: nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), (2, 3, 9)),
    "conv-transpose1d": (lambda: nn.ConvTranspose1d(3, 4, 3, stride=2, output_padding=1, bias=False), (2, 3, 5)),
    "conv-transpose2d": (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2, output_padding=1), (2, 3, 5, 4)),
    "layer-norm": (lambda: nn.LayerNorm((5, 4), eps=1e-3), (2, 3, 5, 4)),
    "layer-norm-no-bias": (lambda: nn.LayerNorm(4, bias=False), (2, 4)),
    "layer-norm-plain": (lambda: nn.LayerNorm(4, elementwise_affine=False), (2, 4)),
    "group-norm": (lambda: nn.GroupNorm(2, 6, eps=1e-3), (2, 6, 3, 3)),
    "group-norm-plain": (lambda: nn.GroupNorm(2, 6, affine=False), (2, 6, 3, 3)),
    "instance-norm": (lambda: nn.InstanceNorm2d(3), (2, 3, 4, 4)),
    "instance-norm-affine": (lambda: nn.InstanceNorm2d(3, affine=True, eps=1e-3), (2, 3, 4, 4)),
    "prelu": (lambda: nn.PReLU(), (2, 3)),
    "prelu-channels": (lambda: nn.PReLU(3), (2, 3, 2, 2)),
    "elu": (lambda: nn.ELU(0.5), (2, 3)),
    "gelu": (lambda: nn.GELU(), (2, 3)),
    "gelu-tanh": (lambda: nn.GELU("tanh"), (2, 3)),
    "silu": (lambda: nn.SiLU(), (2, 3)),
    "upsample": (lambda: nn.Upsample((2, 3)), (2, 3, 4, 5)),
    "upsample-bilinear": (lambda: nn.Upsample(2, mode="bilinear"), (2, 3, 4, 5)),
    "resize": (lambda: nn.Resize((7, 2)), (2, 3, 4, 5)),
    "resize-bilinear": (lambda: nn.Resize((7, 2), mode="bilinear"), (2, 3, 4, 5)),
    "pixel-shuffle": (lambda: nn.PixelShuffle(2), (2, 8, 3, 2)),
    "pixel-unshuffle": (lambda: nn.PixelUnshuffle(2), (2, 2, 4, 6)),
    "reflection-pad": (lambda: nn.ReflectionPad2d((1, 2, 0, 3)), (2, 3, 4, 5)),
    "maxout": (lambda: nn.Maxout(3), (2, 6, 2, 2)),
    "minibatch-std": (lambda: nn.MinibatchStd(group_size=2, num_channels=2), (4, 4, 3, 2)),
    "attention": (lambda: nn.SelfAttention2d(8, reduction=4), (2, 8, 3, 2)),
    "normalised": (
        lambda: nn.Sequential(nn.spectral_norm(nn.Conv2d(2, 4, 3)), nn.SiLU(), nn.spectral_norm(nn.Conv2d(4, 1, 1))),
        (2, 2, 4, 5),
    ),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", ["norm", "head"])
def test_conditional_twin(layer, training, rng):
    torch = pytest.importorskip("torch")
    make = {
        "norm": lambda: nn.ConditionalBatchNorm2d(5, num_classes=3),
        "head": lambda: nn.ProjectionHead(5, num_classes=3),
    }
    ours = make[layer]().to(dtype=np.float64).train(training)
    for parameter in ours.parameters():
        parameter.assign(rng.standard_normal(parameter.shape))
    theirs = to_torch(ours)
    x, labels = rng.standard_normal((4, 5)), np.array([0, 2, 1, 1])
    y = theirs(torch.from_numpy(x), torch.from_numpy(labels)).detach().numpy()
    np.testing.assert_allclose(ours(Tensor(x), labels).numpy(), y, rtol=1e-10, atol=1e-12)
    for name, array in ours.state_dict().items():
        np.testing.assert_allclose(array, theirs.state_dict()[name].numpy(), rtol=1e-10, atol=1e-12, err_msg=name)


def test_dropout_is_pytorchs():
    torch = pytest.importorskip("torch")
    twin = to_torch(nn.Sequential(nn.Dropout(0.3)))[0]
    assert isinstance(twin, torch.nn.Dropout) and twin.p == 0.3


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", LAYERS)
def test_twin_has_the_same_state_and_numbers(layer, training, backend, rng):
    torch = pytest.importorskip("torch")
    make, shape = LAYERS[layer]
    ours = make().to(backend, np.float64).train(training)
    for parameter in ours.parameters():
        parameter.assign(rng.standard_normal(parameter.shape))
    theirs = to_torch(ours)
    if not ours.parameters():
        theirs.double()
    assert theirs.training == training
    assert sorted(theirs.state_dict()) == sorted(ours.state_dict())
    x = rng.standard_normal(shape)
    y = ours(Tensor(backend.asarray(x))).numpy()
    np.testing.assert_allclose(y, theirs(torch.from_numpy(x)).detach().numpy(), rtol=1e-10, atol=1e-12)
    ours.load_state_dict(theirs.state_dict())


class Own(nn.Module):
    """Somebody's own network."""


@pytest.mark.parametrize("mine", [True, False])
def test_no_twin(mine):
    pytest.importorskip("torch")
    Own.__module__ = __name__ if mine else "minigan.gan.models.own"
    with pytest.raises(InputError, match="Own has no PyTorch twin"):
        to_torch(nn.Sequential(Own()))


NETWORKS = [(name, player) for name in [*gan.MODELS, *gan.PAIRED, *gan.UNPAIRED, *gan.EDITORS] for player in (0, 1)]


@pytest.mark.parametrize(("name", "player"), NETWORKS)
def test_every_network_of_the_zoo_converts(name, player, tmp_path, rng):
    """To the same numbers, and to lines of Python that make it without minigan."""
    torch = pytest.importorskip("torch")
    given = ()
    if name in gan.PAIRED:
        ours = gan.build({"model": name, "width": 4, "d_width": 4}, rng)
        source = rng.standard_normal((2, 4 if name == "context_encoder" else 3, 18, 21))
        scale = 4 if name == "srgan" else 1
        inputs = (rng.standard_normal((2, 3, 18 * scale, 21 * scale)), source) if player else (source,)
        x, *given = inputs
    elif name in gan.UNPAIRED:
        ours = gan.build({"model": name, "width": 4, "d_width": 4}, rng)
        x = rng.standard_normal((2, 3, 18, 21))
    elif name in gan.EDITORS:
        attributes = [{"name": "hair", "values": ["black", "red", "white"]}]
        ours = gan.build(
            {"model": name, "attributes": attributes, "width": 4, "d_width": 4, "image_size": [18, 21]}, rng
        )
        x, given = rng.standard_normal((2, 3, 18, 21)), (np.eye(3)[[0, 2]],)
    else:
        model = gan.MODELS[name]
        architecture = small_models.architecture(name)
        if model.conditional:
            given = (rng.integers(0, 3, 4),)
        if gan.MODELS[name].clusters:
            architecture["clusters"] = [5, 2, 9]
            given = (rng.integers(0, 3, 4),) if player else ()
        ours = gan.build(architecture, rng)
        x = rng.standard_normal((4, *small_models.DATA[model.medium][1]) if player else (4, 6))
    ours = ours[player].to(dtype=np.float64).eval()
    y = ours(Tensor(x), *(Tensor(a) if a.dtype.kind == "f" else a for a in given)).numpy()
    theirs = to_torch(ours)
    assert sorted(theirs.state_dict()) == sorted(ours.state_dict())
    inputs = [torch.from_numpy(a) for a in (x, *given)]
    np.testing.assert_allclose(theirs(*inputs).detach().numpy(), y, rtol=1e-10, atol=1e-12)

    save_file(ours.state_dict(), tmp_path / "weights.safetensors")
    lines = loader(theirs, str(tmp_path / "weights.safetensors"), "network.double().eval()")
    assert "minigan" not in lines.replace(str(tmp_path), "")
    space = {"__name__": "loader"}
    exec(lines, space)
    # their parameters are float32 while they are loaded
    np.testing.assert_allclose(space["network"](*inputs).detach().numpy(), y, rtol=1e-4, atol=1e-6)
