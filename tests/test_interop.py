"""Every layer that has a PyTorch twin: the same state, names and numbers; the others say that they have none."""

import numpy as np
import pytest

from minigan import nn
from minigan.errors import InputError
from minigan.interop import to_torch
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
    "normalised": (
        lambda: nn.Sequential(nn.spectral_norm(nn.Conv2d(2, 4, 3)), nn.SiLU(), nn.spectral_norm(nn.Conv2d(4, 1, 1))),
        (2, 2, 4, 5),
    ),
}


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


@pytest.mark.parametrize("layer", [nn.Maxout(2), nn.MinibatchStd(), nn.SelfAttention2d(8)])
def test_no_twin(layer):
    pytest.importorskip("torch")
    with pytest.raises(InputError, match=f"{type(layer).__name__} has no PyTorch twin"):
        to_torch(nn.Sequential(layer))
