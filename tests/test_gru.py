"""The GRU cell: its formula gate by gate, its gradients, and PyTorch's."""

import threading

import numpy as np
import pytest
from twins import assert_twins

from minigan import interop, nn
from minigan.errors import InputError
from minigan.gradcheck import check_grad
from minigan.tensor import Tensor


def cell(bias=True, inputs=3, hidden=4):
    return nn.GRUCell(inputs, hidden, bias=bias, rng=np.random.default_rng(0)).to(dtype=np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_values(backend, rng):
    gru = nn.GRUCell(3, 4, rng=rng)
    x, h = rng.standard_normal((5, 3)).astype(np.float32), rng.standard_normal((5, 4)).astype(np.float32)
    w, u, b, c = (parameter.numpy() for parameter in gru.parameters())
    (xr, xz, xn), (hr, hz, hn) = np.split(x @ w.T + b, 3, axis=1), np.split(h @ u.T + c, 3, axis=1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    expected = (1 - z) * np.tanh(xn + r * hn) + z * h
    gru.to(backend)
    y = gru(Tensor(backend.asarray(x)), Tensor(backend.asarray(h)))
    np.testing.assert_allclose(backend.to_numpy(y.data), expected, rtol=2e-5, atol=1e-6)


def test_without_a_state_it_is_zero(backend, rng, monkeypatch):
    """Which does not come from the host: so the step can be captured."""
    gru, x, h = (
        cell().to(backend),
        *(Tensor(backend.asarray(a)) for a in (rng.standard_normal((2, 3)), np.zeros((2, 4)))),
    )
    monkeypatch.setattr(backend, "captured_thread", threading.get_ident(), raising=False)
    y = gru(x)
    monkeypatch.undo()
    np.testing.assert_array_equal(y.numpy(), gru(x, h).numpy())


def as_function(gru):
    """Of x, h and the parameters, in their order."""
    names = [name for name, _ in gru.named_parameters()]

    def of(x, h, *parameters):
        for name, parameter in zip(names, parameters, strict=True):
            object.__setattr__(gru, name, parameter)
        return gru(x, h)

    return of


def arrays(gru, rng):
    x, h = rng.standard_normal((3, gru.input_size)), rng.standard_normal((3, gru.hidden_size))
    return [x, h, *(parameter.numpy().copy() for parameter in gru.parameters())]


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_both_orders(rng, bias):
    gru = cell(bias, 2, 2)
    check_grad(as_function(gru), *map(Tensor, arrays(gru, rng)), order=2)


@pytest.mark.parametrize("bias", [True, False])
def test_pytorchs(rng, bias, backend):
    torch = pytest.importorskip("torch")
    gru = cell(bias).to(backend)
    inputs = arrays(cell(bias), rng)
    assert_twins(as_function(gru), torch.gru_cell, *inputs, backend=backend)


def test_its_twin(rng):
    torch = pytest.importorskip("torch")
    for bias in (True, False):
        gru, x = cell(bias), rng.standard_normal((6, 3))
        twin = interop.to_torch(gru)
        assert repr(gru) == "GRUCell(3, 4)" and list(twin.state_dict()) == list(gru.state_dict())
        np.testing.assert_allclose(twin(torch.tensor(x)).detach().numpy(), gru(Tensor(x)).numpy(), atol=1e-14)


def test_what_does_not_fit_is_refused(rng):
    gru = cell()
    with pytest.raises(InputError, match=r"input \(2, 4\) must be \(N, 3\)"):
        gru(Tensor(np.zeros((2, 4))))
    with pytest.raises(InputError, match=r"state \(3, 4\) must be \(2, 4\)"):
        gru(Tensor(np.zeros((2, 3))), Tensor(np.zeros((3, 4))))
    with pytest.raises(InputError, match="hidden_size"):
        nn.GRUCell(3, 0)
