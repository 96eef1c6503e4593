"""Modules: what is part of a model, under which name, and how its state travels."""

import numpy as np
import pytest

from minigan import InputError, backend, nn, ops, optim
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
    part = nn.Sequential(*list(model)[1:])  # of another model now
    assert [parameter.name for parameter in part.parameters()] == ["1.weight", "1.bias"]
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


# ---- nothing is dropped ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList])
def test_a_slice_is_of_the_same_kind_and_shares_its_modules(kind):
    modules = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]
    row = kind().extend(modules)
    part = row[1:]
    assert type(part) is kind and list(part) == modules[1:] and row[-1] is modules[-1]
    assert [name for name, _ in part.named_parameters()] == ["1.weight", "1.bias"]
    assert list(part.append(nn.Tanh()).children()) == ["0", "1", "2"] and len(row) == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (ops.relu, r"number 1 is the function relu, no Module: use the layer for it, such as nn\.ReLU\(\)"),
        (nn.ReLU, r"number 1 is the class ReLU, no Module: make one of it, ReLU\(\.\.\.\)"),
        ([nn.ReLU()], r"number 1 is a list, no Module: hand over its modules one by one"),
        ((nn.ReLU(),), r"number 1 is a tuple, no Module"),
        (None, "number 1 is None, no Module"),
        ("relu", "number 1 is 'relu', no Module"),
        (nn.Parameter(np.ones(3, np.float32)), "number 1 is .*, no Module"),
    ],
)
@pytest.mark.parametrize("holder", [nn.Sequential, lambda *modules: nn.ModuleList(modules)])
def test_what_is_no_module_is_refused(holder, wrong, message):
    with pytest.raises(TypeError, match=message):
        holder(nn.Linear(3, 3), wrong)
    network = holder(nn.Linear(3, 3), nn.ReLU())
    with pytest.raises(TypeError, match=message):
        setattr(network, "1", wrong)
    assert isinstance(network[1], nn.ReLU)


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ([nn.ReLU()], r"Module\.blocks is a plain list with a ReLU in it, .*: use nn\.ModuleList"),
        ((nn.ReLU(), nn.Tanh()), "is a plain tuple with a ReLU in it"),
        ([[3, nn.Tanh()]], "is a plain list with a Tanh in it"),
        ({"a": nn.Tanh()}, r"is a plain dict with a Tanh in it, .*: use nn\.ModuleDict"),
        ([nn.Parameter(np.ones(3, np.float32))], "a plain list with a Parameter in it, .*: use an attribute for each"),
    ],
)
def test_a_plain_container_of_modules_is_refused(value, fix):
    network = nn.Module()
    with pytest.raises(TypeError, match=fix):
        network.blocks = value
    network.blocks = type(value)()
    if isinstance(value, list):
        network.blocks.extend(value)  # filled later
        for look in (network.parameters, network.state_dict, network.train, network.to):
            with pytest.raises(TypeError, match=fix):
                look()
    network.sizes, network.names = [1, 2], {"a": (3, "b")}
    assert network.sizes == [1, 2]


def test_a_list_of_modules_is_part_of_the_model(rng):
    class Blocks(nn.Module):
        def __init__(self):
            self.blocks = nn.ModuleList(nn.Linear(3, 3, rng=rng) for _ in range(2))

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    network = Blocks()
    network.blocks.append(nn.Linear(3, 1, bias=False, rng=rng)).extend([nn.Tanh()])
    names = ["blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "blocks.1.bias", "blocks.2.weight"]
    assert [name for name, _ in network.named_parameters()] == names and len(network.blocks) == 4
    y = network(Tensor(np.ones((2, 3), np.float32)))
    assert all(np.abs(g.numpy()).max() > 0 for g in grad(y.sum(), network.parameters()))
    network.blocks[-1] = nn.ReLU()
    assert isinstance(network.blocks[3], nn.ReLU) and len(network.blocks) == 4
    with pytest.raises(IndexError):
        network.blocks[4] = nn.ReLU()
    with pytest.raises(NotImplementedError, match=r"ModuleList\.forward"):
        network.blocks(1)


def test_a_dict_of_modules_is_part_of_the_model(rng):
    heads = nn.ModuleDict({"real": nn.Linear(2, 1, rng=rng), "label": nn.Linear(2, 4, rng=rng)})
    assert [name for name, _ in heads.named_parameters()] == ["real.weight", "real.bias", "label.weight", "label.bias"]
    assert heads.keys() == ["real", "label"] and "real" in heads and len(heads) == 2
    del heads["real"]
    assert [name for name, _ in heads.items()] == ["label"] and heads.values() == [heads["label"]]
    for name in ("forward", "training", "a.b", "", "items", 3):
        with pytest.raises(InputError, match="cannot be a module's name"):
            heads[name] = nn.Tanh()
    with pytest.raises(TypeError, match="number head is the function relu, no Module"):
        heads["head"] = ops.relu
    with pytest.raises(KeyError):
        heads["none"]


class Slope(nn.Module):
    """A module of somebody's own that happens to have a negative_slope."""

    negative_slope = 0.1

    def forward(self, x):
        return x + 2


class Shifted(nn.LeakyReLU):
    def forward(self, x):
        return super().forward(x) + 2


class Doubled(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x) * 2


@pytest.mark.parametrize("second", [Slope(), Shifted(0.2), nn.LeakyReLU(1.5), nn.LeakyReLU(-0.5), nn.ReLU(), nn.Tanh()])
@pytest.mark.parametrize("first", [nn.BatchNorm2d(3), nn.BatchNorm1d(3), Doubled(3), nn.InstanceNorm2d(3)])
def test_a_sequence_is_its_modules_one_by_one(first, second, rng):
    shape = (4, 3, 5) if isinstance(first, nn.BatchNorm1d) else (4, 3, 5, 2)
    x = Tensor(rng.standard_normal(shape).astype(np.float32))
    np.testing.assert_allclose(nn.Sequential(first, second)(x).numpy(), second(first(x)).numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 5)])
def test_batch_norm_of_sequences_is_pytorchs(shape, rng):
    torch = pytest.importorskip("torch")
    own = nn.BatchNorm1d(3)
    theirs = torch.nn.BatchNorm1d(3)
    x = rng.standard_normal(shape).astype(np.float32)
    for training in (True, True, False):
        own.train(training), theirs.train(training)
        leaf, twin = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, z = own(leaf), theirs(twin)
        (y * y * y).sum().backward(), (z * z * z).sum().backward()
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=0, atol=2e-6)
        np.testing.assert_allclose(leaf.grad.numpy(), twin.grad.numpy(), rtol=0, atol=3e-5)
    for name, array in theirs.state_dict().items():
        np.testing.assert_allclose(own.state_dict()[name], array.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.BatchNorm2d(3), (4, 3, 5), r"input \(4, 3, 5\) must be .*; sequences \(N, C, L\) take BatchNorm1d"),
        (nn.BatchNorm1d(3), (4, 3, 5, 5), r"must be .*; pictures \(N, C, H, W\) take BatchNorm2d"),
        (nn.BatchNorm2d(3), (4, 5), r"input \(4, 5\) has 5 channels, this layer has 3"),
        (nn.BatchNorm1d(3), (4, 5), r"input \(4, 5\) has 5 channels, this layer has 3"),
        (nn.BatchNorm1d(3), (4,), r"input \(4,\) must be \(N, C, L\) or \(N, C\)"),
    ],
)
def test_batch_norm_says_what_its_input_must_be(layer, shape, message):
    with pytest.raises(InputError, match=message):
        layer(Tensor(np.ones(shape, np.float32)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.BatchNorm2d(0), lambda: nn.BatchNorm1d(-1), lambda: nn.BatchNorm2d(3, eps=-1.0),
        lambda: nn.BatchNorm2d(3, momentum=-3.0), lambda: nn.BatchNorm2d(3, momentum=float("nan")),
        lambda: nn.Dropout(1.5), lambda: nn.Dropout(-0.1), lambda: nn.Dropout(float("nan")),
        lambda: nn.Embedding(0, 3), lambda: nn.Embedding(3, 0), lambda: nn.LeakyReLU(float("nan")),
        lambda: nn.ELU(float("inf")), lambda: nn.GroupNorm(1, 2, eps=-1.0), lambda: nn.LayerNorm(3, eps=float("nan")),
        lambda: nn.InstanceNorm2d(0), lambda: nn.ConditionalBatchNorm2d(3, num_classes=2, momentum=2.0),
        lambda: nn.Linear(3, 3).to(dtype=np.int32), lambda: nn.spectral_norm(nn.Linear(2, 2), eps=-1.0),
    ],
)  # fmt: skip
def test_settings_are_checked_at_construction(make):
    with pytest.raises(InputError):
        make()


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
