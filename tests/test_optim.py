"""Optimizers: PyTorch's numbers, exact continuation from a saved state, and no silent misuse."""

import numpy as np
import pytest

from minigan import InputError, nn, optim
from minigan.tensor import Tensor, grad

SHAPES = [(4, 3), (5,), (3, 2, 4, 4), ()]

CASES = {
    "sgd": (optim.SGD, "SGD", {"lr": 0.1}),
    "sgd-momentum": (optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9}),
    "sgd-decay": (optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.01}),
    "rmsprop": (optim.RMSprop, "RMSprop", {"lr": 0.01}),
    "rmsprop-settings": (optim.RMSprop, "RMSprop", {"lr": 5e-5, "alpha": 0.9, "eps": 1e-3}),
    "adam": (optim.Adam, "Adam", {}),
    "adam-dcgan": (optim.Adam, "Adam", {"lr": 2e-4, "betas": (0.5, 0.999)}),
    "adam-wgan-gp": (optim.Adam, "Adam", {"lr": 1e-4, "betas": (0.0, 0.9), "eps": 1e-4}),
    "adam-decay": (optim.Adam, "Adam", {"lr": 0.01, "weight_decay": 0.1}),
    "adamw": (optim.AdamW, "AdamW", {}),
    "adamw-decay": (optim.AdamW, "AdamW", {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.3}),
}


def make_parameters(place=None, dtype=np.float64):
    rng = np.random.default_rng(0)
    model = nn.Module()
    for number, shape in enumerate(SHAPES):
        setattr(model, f"p{number}", nn.Parameter(np.asarray(rng.standard_normal(shape))))
    return model.to(place, dtype).parameters()


def gradients(step, place, dtype=np.float64):
    rng = np.random.default_rng(100 + step)
    # Of very different sizes: an epsilon in the wrong place shows with the small ones.
    return [
        Tensor(place.channels_last(place.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 2), dtype)))
        for shape in SHAPES
    ]


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_twenty_steps_are_pytorchs(case, backend):
    torch = pytest.importorskip("torch")
    kind, name, settings = case
    ours = make_parameters(backend)
    theirs = [torch.from_numpy(p.numpy().copy()).requires_grad_() for p in make_parameters()]
    optimizer, reference = kind(ours, **settings), getattr(torch.optim, name)(theirs, **settings)
    for step in range(20):
        found = gradients(step, backend)
        optimizer.step(found)
        for p, g in zip(theirs, found, strict=True):
            p.grad = torch.from_numpy(np.array(g.numpy()))
        reference.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-12, atol=1e-12, err_msg=f"step {step}")


def test_float32_stays_float32_and_in_place(case, backend):
    kind, _, settings = case
    parameters = make_parameters(backend, np.float32)
    arrays = [p.data for p in parameters]
    before = [np.array(p.numpy()) for p in parameters]
    optimizer = kind(parameters, **settings)
    optimizer.step(gradients(0, backend, np.float32))
    for p, array, old in zip(parameters, arrays, before, strict=True):
        assert p.data is array and p.dtype == np.float32
        assert not np.array_equal(p.numpy(), old)
    for slot in optimizer.slots:
        assert all(array.dtype == np.float32 for array in optimizer.state[slot])


def test_gradients_are_left_alone(case, backend):
    kind, _, settings = case
    optimizer = kind(make_parameters(backend), **settings)
    found = gradients(0, backend)
    before = [np.array(g.numpy()) for g in found]
    optimizer.step(found)
    for g, old in zip(found, before, strict=True):
        np.testing.assert_array_equal(g.numpy(), old)


def test_a_saved_state_continues_to_the_bit(case, backend):
    kind, _, settings = case
    straight = make_parameters(backend)
    optimizer = kind(straight, **settings)
    for step in range(3):
        optimizer.step(gradients(step, backend))
    weights, state = [np.array(p.numpy()) for p in straight], optimizer.state_dict()
    for step in range(3, 6):
        optimizer.step(gradients(step, backend))  # must not reach into the saved state

    resumed = make_parameters(backend)
    for p, array in zip(resumed, weights, strict=True):
        p.assign(array)
    optimizer = kind(resumed, **settings)
    optimizer.load_state_dict(state)
    for step in range(3, 6):
        optimizer.step(gradients(step, backend))
    for p, q in zip(resumed, straight, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_state_dict_is_named_and_on_the_host(backend):
    state = optim.Adam(make_parameters(backend)).state_dict()
    slots = [f"{slot}.{number}" for slot in ("exp_avg", "exp_avg_sq") for number in range(4)]
    assert list(state) == ["step", *slots]
    assert all(type(array) is np.ndarray for array in state.values())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("exp_avg.1"), r"does not fit this Adam: it differs in exp_avg\.1$"),
        (lambda state: state.update(momentum=np.zeros(1)), "differs in momentum$"),
        (lambda state: state.update({"exp_avg_sq.1": np.zeros(6)}), r"differs in exp_avg_sq\.1$"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(spoil, message):
    optimizer = optim.Adam(make_parameters())
    state = {name: array + 1 for name, array in optimizer.state_dict().items()}
    spoil(state)
    with pytest.raises(InputError, match=message):
        optimizer.load_state_dict(state)
    assert optimizer.step_count == 0
    assert all((array == 0).all() for array in optimizer.state_dict().values())


# ---- backward, step, zero_grad --------------------------------------------------------------------------------------


def test_step_uses_grad_and_bumps_versions():
    (p,) = nn.Linear(2, 1, bias=False, rng=np.random.default_rng(0)).parameters()
    optimizer = optim.SGD([p], lr=0.5)
    before, version = p.numpy().copy(), p.version
    (p * 3.0).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(p.numpy(), before - 1.5, rtol=1e-6)
    assert p.version > version
    optimizer.zero_grad()
    assert p.grad is None


def test_step_without_gradients_names_the_parameters():
    layer = nn.Linear(2, 1)
    layer.weight.grad = layer.weight.detach()
    with pytest.raises(RuntimeError, match=r"no gradient for bias: call backward\(\) before step\(\)"):
        optim.SGD(layer.parameters(), lr=0.1).step()


def test_lr_can_change_between_steps():
    (p,) = nn.Linear(2, 1, bias=False).parameters()
    optimizer = optim.Adam([p])
    optimizer.lr = 0.0
    before = p.numpy().copy()
    optimizer.step([p.detach()])
    np.testing.assert_array_equal(p.numpy(), before)


@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW])
@pytest.mark.parametrize("lr", [-1e-3, float("nan")])
def test_a_wrong_learning_rate_is_refused(kind, lr):
    with pytest.raises(InputError, match=rf"{kind.__name__}: lr = {lr} must be at least 0"):
        kind(make_parameters(), lr=lr)


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.5, 1.0), (-0.1, 0.9), (0.5, float("nan"))])
def test_wrong_betas_are_refused(betas):
    with pytest.raises(InputError, match="must each be at least 0 and below 1"):
        optim.Adam(make_parameters(), betas=betas)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.SGD(p, lr=0.1, weight_decay=-1), "SGD: weight_decay = -1 must be at least 0"),
        (lambda p: optim.SGD(p, lr=0.1, momentum=-3), "SGD: momentum = -3 must be at least 0"),
        (lambda p: optim.SGD(p, lr=0.1, momentum=float("nan")), "SGD: momentum = nan must be at least 0, and finite"),
        (lambda p: optim.RMSprop(p, alpha=1.0), "RMSprop: alpha = 1.0 must be at least 0, and below 1"),
        (lambda p: optim.RMSprop(p, eps=-1e-8), "RMSprop: eps = -1e-08 must be at least 0"),
        (lambda p: optim.Adam(p, eps=float("inf")), "Adam: eps = inf must be at least 0, and finite"),
        (lambda p: optim.Adam(p, weight_decay=-0.1), "Adam: weight_decay = -0.1 must be at least 0"),
        (lambda p: optim.AdamW(p, weight_decay=-0.1), "AdamW: weight_decay = -0.1 must be at least 0"),
        (lambda p: optim.Adam(p, betas=(0.5,)), r"Adam: betas = \(0.5,\) must be two numbers"),
    ],
)
def test_settings_are_checked_at_construction(make, message):
    with pytest.raises(InputError, match=message):
        make(make_parameters())


@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW])
def test_the_state_goes_where_the_parameters_go(kind, backend):
    """model.to(float64) in the middle is a run in float64 from there on, with the moments so far."""
    layer = nn.Linear(3, 2, rng=np.random.default_rng(0)).to(backend)
    optimizer = kind(layer.parameters(), lr=0.1)

    def step():
        x = Tensor(backend.asarray(np.ones((4, 3))).astype(layer.dtype))
        optimizer.step(grad((layer(x) ** 2).sum(), optimizer.params))

    step()
    before = optimizer.state_dict()
    layer.to(dtype=np.float64)
    step()
    for slot, arrays in optimizer.state.items():
        assert all(array.dtype == np.float64 for array in arrays)
        twin = kind(layer.parameters(), lr=0.1)
        twin.load_state_dict(before)
        assert twin.state[slot][0].dtype == np.float64
    after = optimizer.state_dict()
    layer.to("numpy")  # and the state is there before another step
    assert all(np.array_equal(after[name], array) for name, array in optimizer.state_dict().items())
    layer.to(backend)
    optimizer.load_state_dict(after)


def test_clip_grad_norm_takes_gradients_only():
    layer = nn.Linear(3, 2, rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"clip_grad_norm takes gradients, and weight is a parameter: give what grad"):
        optim.clip_grad_norm(layer.parameters(), 1.0)
    with pytest.raises(TypeError, match="clip_grad_norm takes gradients, which are Tensors, not NoneType"):
        optim.clip_grad_norm([None], 1.0)
    with pytest.raises(TypeError, match="step takes gradients, and weight is a parameter"):
        optim.SGD(layer.parameters(), lr=0.1).step(layer.parameters())
    for limit in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match=f"clip_grad_norm: max_norm = {limit} must be above 0"):
            optim.clip_grad_norm([], limit)
    gradients = [Tensor(np.array([3.0, 4.0]))]
    (clipped,) = optim.clip_grad_norm((g for g in gradients), 1.0)  # whatever can be walked once
    np.testing.assert_allclose(clipped.numpy(), [0.6, 0.8], rtol=1e-6)
    assert optim.clip_grad_norm(iter(gradients), 6.0) == gradients
    (clipped,) = optim.clip_grad_norm([Tensor([3.0, 4.0])], np.float64(1.0))
    assert clipped.dtype == np.float32


def test_no_parameters_are_refused():
    with pytest.raises(InputError, match="SGD got no parameters"):
        optim.SGD(nn.Tanh().parameters(), lr=0.1)


@pytest.mark.parametrize(
    "params, found",
    [
        (nn.Parameter([1.0, 2.0]), "Parameter"),  # whose elements are no parameters
        (nn.Linear(1, 1), "Linear"),
        (nn.Linear(1, 1).named_parameters(), "tuple"),
        ([{"params": nn.Linear(1, 1).parameters()}], "dict"),
        ([nn.Parameter([1.0]) * 2], "the result of an op"),
    ],
)
def test_what_is_no_parameter_is_refused(params, found):
    with pytest.raises(TypeError, match=rf"Adam takes a list of parameters, as model.parameters\(\): not {found}"):
        optim.Adam(params)


@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW])
@pytest.mark.parametrize(
    "shape, dtype", [((1,), np.float32), ((), np.float32), ((1, 3), np.float32), ((3,), np.float64)]
)
def test_a_gradient_has_its_parameters_shape_and_dtype(kind, shape, dtype):
    p = nn.Parameter(np.ones(3, np.float32))
    optimizer = kind([p], lr=0.1)
    with pytest.raises(InputError, match=r"step got a gradient of .* for parameter 0, which is float32\(3,\)"):
        optimizer.step([Tensor(np.ones(shape, dtype))])
    np.testing.assert_array_equal(p.numpy(), 1)
    assert optimizer.step_count == 0
