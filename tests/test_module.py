"""Modules: what is part of a model, under which name, and how its state travels."""

import numpy as np
import pytest

from minigan import InputError, backend, nn, optim
from minigan.tensor import Tensor, grad


class Residual(nn.Module):
    """A module in modules, with a parameter of its own."""

    def __init__(self, rng):
        self.scale = nn.Parameter(np.ones(1, np.float32))
        self.body = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.LeakyReLU(0.2), nn.Linear(4, 3, bias=False, rng=rng))
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return x + self.norm(self.body(x)) * self.scale


@pytest.fixture
def model(rng):
    return nn.Sequential(Residual(rng), nn.ReLU(), nn.Linear(3, 2, rng=rng))


NAMES = [
    "0.scale", "0.body.0.weight", "0.body.0.bias", "0.body.2.weight", "0.norm.weight", "0.norm.bias",
    "2.weight", "2.bias",
]  # fmt: skip
BUFFERS = ["0.norm.running_mean", "0.norm.running_var", "0.norm.num_batches_tracked"]


def test_a_shared_layer_counts_once(rng):
    shared = nn.Sequential(nn.Linear(3, 3, rng=rng), nn.BatchNorm2d(3))
    twice = nn.Sequential(shared, nn.ReLU(), shared)
    assert [name for name, _ in twice.named_parameters()] == ["0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias"]
    assert [name for name, _ in twice.named_buffers()] == [f"0.1.{name}" for name in nn.BatchNorm2d.buffer_names]
    tied = nn.Sequential(nn.Linear(3, 3, rng=rng), nn.Linear(3, 3, rng=rng))
    tied.children()["1"].weight = tied.children()["0"].weight
    assert len(tied.parameters()) == 3
    with pytest.raises(InputError, match="Adam got a parameter twice"):
        optim.Adam(2 * shared.parameters())


def test_names_are_paths(model):
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [name for name, _ in model.named_buffers()] == BUFFERS
    # A parameter knows its path too: error messages use it.
    assert [parameter.name for parameter in model.parameters()] == NAMES
    assert set(model.state_dict()) == {*NAMES, *BUFFERS}
    modules = ["", "0", "0.body", "0.body.0", "0.body.1", "0.body.2", "0.norm", "1", "2"]
    assert [name for name, _ in model.named_modules()] == modules


def test_replacing_an_attribute_replaces_it_in_the_model(model, rng):
    setattr(model, "2", nn.Linear(3, 5, bias=False, rng=rng))
    assert model.state_dict()["2.weight"].shape == (5, 3)
    assert "2.bias" not in model.state_dict()


def test_sequential_is_indexed_and_counted(model):
    assert len(model) == 3
    assert isinstance(model[0], Residual) and isinstance(model[-1], nn.Linear)


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Module\.forward"):
        nn.Module()(1)


def test_repr_shows_the_tree(model):
    text = repr(model)
    assert "(0): Residual(" in text
    assert "    (body): Sequential(\n      (0): Linear(3, 4, bias=True)\n      (1): LeakyReLU(0.2)" in text


# ---- modes and places --------------------------------------------------------------------------------------------


def test_train_and_eval_reach_every_module(model):
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert all(module.training for module in model.modules())


def test_requires_grad_reaches_every_parameter(model):
    model.requires_grad_(False)
    assert not model(Tensor(np.ones((2, 3), np.float32))).requires_grad
    model.requires_grad_()
    assert model(Tensor(np.ones((2, 3), np.float32))).requires_grad


def test_to_moves_parameters_and_buffers(model, backend, rng):
    conv = nn.Sequential(model, nn.Conv2d(2, 3, 3, rng=rng))
    before = conv.state_dict()
    assert conv.to(backend, np.float64) is conv
    assert conv.backend is backend and conv.dtype == np.float64
    for name, array in [*conv.named_buffers(), *((n, p.data) for n, p in conv.named_parameters())]:
        assert isinstance(array, backend.array_type), name
        assert array.dtype == (np.int64 if name.endswith("tracked") else np.float64), name
        # channels-last in memory, whatever is moved
        assert array.ndim != 4 or array.transpose(0, 2, 3, 1).flags.c_contiguous
    for name, array in conv.state_dict().items():
        assert type(array) is np.ndarray
        np.testing.assert_array_equal(array, before[name])


def test_an_empty_model_is_on_numpy_in_float32():
    assert (nn.Tanh().backend, nn.Tanh().dtype) == (backend.get("numpy"), np.float32)


# ---- state ----------------------------------------------------------------------------------------------------------


def test_state_dict_is_a_copy(model):
    state = model.state_dict()
    for array in state.values():
        array[...] = 77
    assert not any((array == 77).any() for array in model.state_dict().values())


def test_state_travels_between_models(model):
    other = nn.Sequential(Residual(np.random.default_rng(9)), nn.ReLU(), nn.Linear(3, 2))
    model(Tensor(np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32)))  # moves the statistics
    other.load_state_dict(model.state_dict())
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, model.state_dict()[name])
    assert other.state_dict()["0.norm.num_batches_tracked"] == 1


def test_loading_keeps_dtype_and_memory(model):
    model.to(dtype=np.float64)
    arrays = [parameter.data for parameter in model.parameters()]
    versions = [parameter.version for parameter in model.parameters()]
    model.load_state_dict({name: array.astype(np.float32) for name, array in model.state_dict().items()})
    # In place: an optimizer that holds these arrays goes on with the new values ...
    assert all(a is parameter.data for a, parameter in zip(arrays, model.parameters(), strict=True))
    assert model.dtype == np.float64
    # ... and a graph recorded with the old ones is stale.
    assert all(v < parameter.version for v, parameter in zip(versions, model.parameters(), strict=True))


def _without(name):
    return lambda state: state.pop(name)


def _with(name, array):
    return lambda state: state.update({name: array})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without("2.bias"), r"does not fit this Sequential: missing 2\.bias$"),
        (_without("0.norm.running_var"), r"missing 0\.norm\.running_var$"),
        (_with("3.weight", np.zeros(2)), r"unexpected 3\.weight$"),
        (_with("2.weight", np.zeros((3, 2))), r"2\.weight is \(3, 2\), the model's is \(2, 3\)$"),
        (_with("2.bias", np.zeros(1)), r"2\.bias is \(1,\), the model's is \(2,\)$"),  # would broadcast
        (_with("2.bias", np.array(["a", "b"])), r"2\.bias is <U1, not numbers$"),
        (_with("0.norm.num_batches_tracked", np.array([3])), r"is \(1,\), the model's is \(\)$"),
        (lambda state: state.clear(), r"missing .*; and 6 more$"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(model, spoil, message):
    before = model.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    spoil(state)
    with pytest.raises(InputError, match=message):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


# ---- stale graphs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["assign", "load", "optimizer"])
def test_a_backward_through_an_updated_parameter_names_it(model, change):
    x = Tensor(np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32), requires_grad=True)
    loss = model(x).sum()
    weight = model[0].body[2].weight
    if change == "assign":
        weight.assign(np.zeros(weight.shape))
    elif change == "load":
        model.load_state_dict(model.state_dict())
    else:
        optim.SGD([weight], lr=0.1).step([weight.detach()])
    name = r"2\.weight" if change == "load" else r"0\.body\.2\.weight"  # the first that the backward meets
    with pytest.raises(RuntimeError, match=rf"needs {name} as it was in the forward, but it has been updated"):
        grad(loss, [x])
