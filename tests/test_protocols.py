"""A Tensor answers Python and NumPy as the number or array that it holds."""

import copy
import operator
import pickle

import numpy as np
import pytest

from minigan import nn, ops
from minigan.errors import InputError
from minigan.tensor import Tensor, grad, is_recording, no_grad

COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("compare", COMPARISONS)
def test_comparisons_are_by_value_and_have_no_gradient(compare, tensor):
    a, b = np.array([[1.0, 2, 3], [3, 2, 1]]), np.array([2.0, 2, 3])
    x = tensor(a, requires_grad=True)
    for other in (2, 2.5, b, tensor(b), tensor(b.astype(int), int), np.float32(2)):
        y = compare(x, other)
        assert isinstance(y, Tensor) and y.dtype == bool and not y.requires_grad
        np.testing.assert_array_equal(y.numpy(), compare(a, np.asarray(other)))
        if isinstance(other, np.ndarray):
            np.testing.assert_array_equal(compare(other, x).numpy(), compare(other, a))
    assert bool((tensor([1, 2, 3], int) < 1.5).numpy()[0])  # not cut off to 1 < 1
    single = tensor([0.1], np.float32)
    assert bool(single == 0.1) and bool(single == np.float64(0.1))  # a number takes the tensor's dtype, also NumPy's
    with pytest.raises(InputError, match="do not broadcast together"):
        compare(x, tensor(np.ones(4)))


def test_comparison_with_what_is_no_number():
    x = Tensor([1.0, 2.0])
    assert (x == None) is False and (x != "a") is True  # noqa: E711
    with pytest.raises(TypeError, match="not supported between"):
        x < None  # noqa: B015


def test_masks_combine(tensor):
    x = tensor([1, 2, 3, 4])
    np.testing.assert_array_equal(x[(x > 1) & ~(x == 3) | (x < 0)].numpy(), [2, 4])
    assert ((x > 2).sum()).item() == 2
    assert (tensor([1, 3], np.int32) & np.int64(2)).dtype == np.int32


def test_hash_and_sets_go_by_identity():
    x, y = Tensor([1.0]), Tensor([1.0])
    assert len({x, y, x}) == 2 and {x: 1, y: 2}[y] == 2


def test_contains_is_by_value():
    x = Tensor([1.0, 3.0])
    assert 3.0 in x and 2.0 not in x and Tensor(3.0) in x
    assert 3.0 in Tensor([1, 3]) and 2.5 not in Tensor([1, 2])


def test_iteration(tensor):
    assert [row.shape for row in tensor(np.ones((2, 3)))] == [(3,), (3,)]
    a, b = tensor([1, 2], requires_grad=True)
    assert a.requires_grad and b.item() == 2
    for f in (iter, len, list):
        with pytest.raises(TypeError):
            f(tensor(1.0))


def test_numbers(tensor):
    x = tensor([[2.5]], requires_grad=True)
    assert float(x) == 2.5 and int(x) == 2 and bool(x)
    assert f"{x.sum():.3f}" == "2.500" and f"{x:6.1f}" == "   2.5" and f"{x}" == str(x)
    assert list(range(3))[Tensor(1)] == 1 and operator.index(Tensor([2])) == 2
    two = tensor([1, 2])
    for f in (float, int, bool):
        with pytest.raises(ValueError, match=r"a tensor of shape \(2,\)"):
            f(two)
    with pytest.raises(TypeError, match="is for one number"):
        format(two, ".3f")
    for t in (two, tensor(1.0)):
        with pytest.raises(TypeError, match="is not one integer"):
            operator.index(t)


def test_arrays(tensor):
    a = np.arange(6.0).reshape(2, 3)
    x = tensor(a, requires_grad=True)
    np.testing.assert_array_equal(np.asarray(x), a)
    assert type(np.asarray(x)) is np.ndarray
    assert np.asarray(x, np.float32).dtype == np.float32
    copied = np.array(x)
    copied[:] = 0
    np.testing.assert_array_equal(x.numpy(), a)
    losses = [(x * n).sum() for n in range(3)]
    assert np.mean(losses) == 15 and np.stack(losses).shape == (3,)
    np.testing.assert_allclose(x, a)


def test_products_with_arrays(tensor, rng):
    a, b, v, u = (rng.standard_normal(s) for s in ((2, 3), (3, 4), (3,), (2,)))
    for left, right in ((a, b), (a, v), (u, a), (v, v), (rng.standard_normal((5, 2, 3)), v)):
        x, y = tensor(left, requires_grad=True), tensor(right, requires_grad=True)
        for product in (x @ y, x @ right, left @ y):
            assert isinstance(product, Tensor)
            np.testing.assert_allclose(product.numpy(), left @ right)
        found = grad((x @ y).sum(), [x, y])
        assert [g.shape for g in found] == [left.shape, right.shape]
    for wrong in (tensor(1.0), 2, None, tensor(np.ones(4))):
        with pytest.raises((TypeError, InputError)):
            tensor(a) @ wrong


def test_powers(tensor):
    x = tensor([0, 1, 2], requires_grad=True)
    np.testing.assert_array_equal((2**x).numpy(), [1, 2, 4])
    np.testing.assert_allclose(grad((2**x).sum(), [x])[0].numpy(), np.log(2) * np.array([1, 2, 4]))
    b = tensor([2, 0, 3], requires_grad=True)
    dx, db = grad((x**b).sum(), [x, b])
    np.testing.assert_allclose(dx.numpy(), [0, 0, 12])
    np.testing.assert_allclose(db.numpy(), [0, 0, 8 * np.log(2)])  # PyTorch's, at 0^2 as well
    np.testing.assert_array_equal(abs(-x).numpy(), [0, 1, 2])


def test_the_slope_of_a_power_of_zero_has_a_slope(tensor):
    """d2(a^b) / da db = a^(b-1) (1 + b log a), in either order; at 0^0 all is 0, as in PyTorch."""
    a, b = tensor([2, 3, 0], requires_grad=True), tensor([0, 2, 0], requires_grad=True)
    da, db = grad((a**b).sum(), [a, b], create_graph=True)
    np.testing.assert_allclose(da.numpy(), [0, 6, 0])
    for first, other in ((da, b), (db, a)):
        (mixed,) = grad(first[:2].sum(), [other], retain_graph=True)
        np.testing.assert_allclose(mixed.numpy(), [1 / 2, 3 + 6 * np.log(3), 0])


def test_indices(tensor):
    a = np.arange(12.0).reshape(3, 4)
    x = tensor(a, requires_grad=True)
    for index, same in (
        (a > 3, a > 3),
        (x > 3, a > 3),
        (Tensor([2, 0, 2]), [2, 0, 2]),
        ((slice(None), Tensor([1, 1])), (slice(None), [1, 1])),
        (Tensor(1), 1),
        ([], np.array([], int)),
        (np.array([True, False, True]), [0, 2]),
        (np.int64(1), 1),
    ):
        y = x[index]
        np.testing.assert_array_equal(y.numpy(), a[same])
        expected = np.zeros_like(a)
        np.add.at(expected, same, 1)
        np.testing.assert_array_equal(grad(y.sum(), [x])[0].numpy(), expected)
    for wrong in (1.0, [0.5], Tensor([1.0]), "a"):
        with pytest.raises(InputError, match="an index must be whole numbers"):
            x[wrong]


class Subclass(np.ndarray):
    pass


def test_subclasses_memmaps_and_foreign_byte_orders(tmp_path):
    memory = np.memmap(tmp_path / "m", np.float32, "w+", shape=(3,))
    memory[:] = [1, 2, 3]
    x = Tensor([1.0, 1.0, 1.0])
    for given in (memory, np.ones(3, np.float32).view(Subclass), np.ones(3, ">f4")):
        t = Tensor(given)
        assert type(t.data) is np.ndarray and t.dtype == np.float32 and t.dtype.isnative
        for y in (t + x, x + given, given + x, given * x):
            assert isinstance(y, Tensor)
        np.testing.assert_array_equal((x + given).numpy(), 1 + np.asarray(given))
    assert Tensor(memory).data.base is not None  # not copied
    with pytest.raises(TypeError, match="masked"):
        Tensor(np.ma.masked_array([1.0, 2.0], [False, True]))


@pytest.mark.parametrize(
    "data",
    ["abc", None, [None], {}, {1, 2}, 1j, b"ab", np.array(["a"]), np.array([None]), 10**30, object()],
    ids=lambda d: type(d).__name__,
)
def test_what_is_no_number_is_no_tensor(data):
    with pytest.raises(TypeError, match="a Tensor holds real numbers, not"):
        Tensor(data)


@pytest.mark.parametrize("data", [[Tensor(1.0)], [[1.0], [Tensor(1.0)]], (Tensor(1.0), 2)])
def test_a_list_of_tensors_would_lose_gradients(data):
    with pytest.raises(TypeError, match=r"lose their gradients: put them together with ops\.concat"):
        Tensor(data)
    with pytest.raises(TypeError, match="lose their gradients"):
        Tensor([1.0, 2.0]) + data


@pytest.mark.parametrize("other", [None, "3", b"3", {}, 1j, object(), ["a"]], ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("t", [Tensor([1.0, 2.0]), Tensor(2), Tensor([1, 2])], ids=repr)
def test_operators_refuse_what_is_no_number(t, other):
    for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.lt):
        for arguments in ((t, other), (other, t)):
            with pytest.raises(TypeError):
                f(*arguments)


def test_integers_stay_integers_and_divide_as_floats():
    """PyTorch's values and dtypes."""
    x = Tensor([1, 2, 3])
    for y, expected in (
        (x**3, np.array([1, 8, 27])),
        (x**0, np.array([1, 1, 1])),
        (x**2, np.array([1, 4, 9])),
        (2**x, np.array([2, 4, 8])),
        (x * 2 + 1, np.array([3, 5, 7])),
        (x / 2, np.array([0.5, 1, 1.5], np.float32)),
        (3 / x, np.array([3, 1.5, 1], np.float32)),
        (x / 2.5, np.array([0.4, 0.8, 1.2], np.float32)),
        (x / x, np.ones(3, np.float32)),
        (x / np.array([2, 2, 2]), np.array([0.5, 1, 1.5], np.float32)),
        (x / Tensor([2.0]), np.array([0.5, 1, 1.5], np.float32)),
        (Tensor([True, False]) / 2, np.array([0.5, 0], np.float32)),
    ):
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)
    for f in (lambda: x * 0.5, lambda: x**0.5, lambda: x**2.0, lambda: Tensor([True]) + 1, lambda: Tensor([True]) ** 2):
        with pytest.raises(TypeError, match="convert the tensor first"):
            f()
    with pytest.raises(InputError, match="whose power -1 is no integer"):
        x**-1


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_tensors_are_copied(again, tensor):
    x = tensor(np.arange(24.0).reshape(1, 2, 3, 4), requires_grad=True, name="x")
    (x * x).sum().backward()
    c = again(x)
    np.testing.assert_array_equal(c.numpy(), x.numpy())
    np.testing.assert_array_equal(c.grad.numpy(), x.grad.numpy())
    assert (c.requires_grad, c.name, c.backend, c.dtype) == (True, "x", x.backend, x.dtype)
    c.data[...] = 0
    assert x.numpy().any()
    y = again(x * 2)  # a result: its values, not the graph behind it
    np.testing.assert_array_equal(y.numpy(), 2 * x.numpy())
    assert y.node is None and not y.requires_grad


@pytest.mark.parametrize("again", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"])
def test_modules_are_copied(again, rng):
    shared = nn.Linear(3, 3, rng=rng)
    net = nn.Sequential(
        nn.spectral_norm(nn.Conv2d(1, 3, 2, rng=rng), rng=rng),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.spectral_norm(nn.ConvTranspose2d(3, 3, 2, rng=rng), rng=rng),
        nn.Flatten(),
        nn.Dropout(0.5, rng=np.random.default_rng(1)),
        nn.Linear(48, 3, rng=rng),
        shared,
        shared,
    )
    x = Tensor(rng.standard_normal((4, 1, 4, 4)).astype(np.float32))
    twin = again(net)
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in net.named_parameters()]
    assert repr(twin) == repr(net) and isinstance(twin[0], nn.Conv2d) and twin[7] is twin[8]
    for step in (net, twin):  # the same from here on, and apart
        step(x).sum().backward()
    for (name, a), (_, b) in zip(net.state_dict().items(), twin.state_dict().items(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())
        assert not np.shares_memory(p.numpy(), q.numpy())


def test_no_grad_can_be_used_again_and_decorates():
    context = no_grad()
    for _ in range(2):
        with context:
            assert not is_recording()
            with context:
                assert not is_recording()
            assert not is_recording()
        assert is_recording()

    @no_grad()
    def f(x):
        return x * 2

    x = Tensor([1.0], requires_grad=True)
    assert not f(x).requires_grad and not f(x).requires_grad and is_recording()


@pytest.mark.parametrize(
    "net",
    [nn.Linear(3, 2), nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), nn.Flatten(), nn.Dropout(), nn.ELU()],
    ids=str,
)
def test_a_network_says_make_it_a_tensor(net):
    with pytest.raises(TypeError, match="make it a Tensor"):
        net(np.ones((2, 3), np.float32))


def test_an_op_says_make_it_a_tensor():
    for given in (np.ones(2), [1.0, 2.0], 1.0, None):
        for f in (ops.relu, ops.exp, ops.silu):
            with pytest.raises((TypeError, AttributeError)):
                f(given)
    with pytest.raises(TypeError, match="LeakyReLU: its input is a ndarray: make it a Tensor"):
        ops.relu(np.ones(2))
