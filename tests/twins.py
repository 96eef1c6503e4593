"""Holding a function against PyTorch's: the value, the gradients, and the gradients of the gradients."""

import numpy as np
import pytest

from minigan.tensor import Tensor, grad


def assert_twins(ours, theirs, *arrays, backend, order=2, rtol=1e-10, atol=1e-11):
    """``ours(*tensors)`` on ``backend`` and ``theirs(*torch tensors)`` agree at float64 ``arrays`` up to ``order``."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    xs = [Tensor(backend.asarray(a), requires_grad=True) for a in arrays]
    ts = [torch.tensor(np.array(a), requires_grad=True) for a in arrays]

    y, t = ours(*xs), theirs(*ts)
    v = rng.standard_normal(y.shape)
    ours_list, theirs_list = [y], [t]
    cotangents, torch_cotangents = [Tensor(backend.asarray(v))], [torch.tensor(v)]
    for k in range(order + 1):
        for a, b in zip(ours_list, theirs_list, strict=True):
            np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=rtol, atol=atol, err_msg=f"order {k}")
        if k == order or not theirs_list[0].requires_grad:
            break
        ours_list = grad(ours_list, xs, cotangents, create_graph=True, allow_unused=True)
        theirs_list = torch.autograd.grad(
            [t for t in theirs_list if t.requires_grad],
            ts,
            [c for t, c in zip(theirs_list, torch_cotangents, strict=True) if t.requires_grad],
            create_graph=True,
            materialize_grads=True,
        )
        weights = [rng.standard_normal(a.shape) for a in arrays]
        ours_list = [
            Tensor(backend.asarray(np.zeros(x.shape))) if g is None else g for g, x in zip(ours_list, xs, strict=True)
        ]
        cotangents = [Tensor(backend.asarray(w)) for w in weights]
        torch_cotangents = [torch.tensor(w) for w in weights]


def state_of(twin):
    """A PyTorch module's state as arrays."""
    return {name: tensor.detach().numpy() for name, tensor in twin.state_dict().items()}
