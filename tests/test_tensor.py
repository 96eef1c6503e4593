"""The engine: what is recorded, what is differentiated, what is refused, and what is let go of."""

import gc
import operator
import threading
import weakref

import numpy as np
import pytest

import minigan
from minigan import InputError, ops
from minigan import backend as backends
from minigan.ops.translate import translate
from minigan.tensor import Op, Tensor, apply, enable_grad, grad, is_recording, no_grad


def leaf(values, dtype=np.float64, name=""):
    return Tensor(np.array(values, dtype), requires_grad=True, name=name)


class Traced(Op):
    """y = the sum of its inputs; notes which inputs' gradients were computed."""

    def __init__(self, calls):
        self.calls = calls

    def forward(self, backend, *arrays):
        return sum(arrays[1:], arrays[0])

    def vjp(self, g, y, *inputs):
        def thunk(number):
            self.calls.append(number)
            return g

        return tuple(lambda n=n: thunk(n) for n in range(len(inputs)))


# ---- making tensors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, dtype",
    [
        (1.5, np.float32),
        ([1.0, 2.0], np.float32),
        (3, np.int64),
        (np.float64(1.5), np.float64),
        ([1, np.float64(1.5)], np.float64),  # somebody has chosen it
        (([np.ones(2)], [np.ones(2)]), np.float64),
        ([np.ones(2, np.float32)], np.float32),
        (np.ones(2), np.float64),
        (np.ones(2, np.float16), np.float16),
    ],
)
def test_dtype_of_a_new_tensor(data, dtype):
    assert Tensor(data).dtype == dtype


def test_an_array_is_not_copied():
    array = np.ones(3)
    assert Tensor(array).data is array
    assert Tensor(Tensor(array)).data is array


def test_integers_cannot_require_gradients():
    with pytest.raises(TypeError, match="only floating-point tensors can require gradients, not int64"):
        Tensor([1, 2], requires_grad=True)


def test_a_foreign_array_is_refused():
    with pytest.raises(TypeError, match="is no array of a backend in use"):
        backends.backend_of(memoryview(b"abc"))


def test_repr():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert repr(x) == "Tensor([1., 2.], dtype=float32, requires_grad=True)"
    y = x * 2
    assert repr(y) == "Tensor([2., 4.], dtype=float32, made by Mul)"
    y.sum().backward()
    assert repr(y) == "Tensor([2., 4.], dtype=float32)"  # its graph is freed
    assert (
        repr(Tensor(backends.get("reference").asarray(np.ones(1)))) == "Tensor([1.], dtype=float64, backend=reference)"
    )
    assert len(repr(Tensor(np.zeros((1000, 1000))))) < 200


def test_about_the_array(tensor, backend):
    x = tensor([[1, 2, 3], [4, 5, 6]])
    assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 3), 2, 6, 2, np.float64)
    assert x.backend is backend
    assert type(x.numpy()) is np.ndarray
    assert tensor(2.5).item() == 2.5


# ---- arithmetic: values, broadcasting, dtypes ----------------------------------------------------

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((3, 1, 2), (4, 1)), ((), (2, 2)), ((2,), ())])
def test_operators_agree_with_numpy(op, shapes, tensor, rng):
    a, b = (rng.uniform(1, 2, shape) for shape in shapes)
    np.testing.assert_array_equal(op(tensor(a), tensor(b)).numpy(), op(a, b))


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("number", [2, 0.5, np.float64(0.5), np.float32(3), np.int64(2)])
@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_number_never_changes_the_dtype(op, number, shape, dtype, tensor):
    x = tensor(np.full(shape, 1.5), dtype)
    for left, right in ((x, number), (number, x)):
        y = op(left, right)
        assert isinstance(y, Tensor) and y.dtype == dtype and y.shape == shape
        expected = op(*(side.numpy().astype(np.float64) if side is x else np.float64(side) for side in (left, right)))
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("f", [lambda x: -x, lambda x: x**2, lambda x: x**-0.5, lambda x: x.sum(), lambda x: x.mean()])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_methods_keep_the_dtype(f, shape, tensor):
    assert f(tensor(np.ones(shape), np.float32)).dtype == np.float32


@pytest.mark.parametrize("op", BINARY)
def test_reflected_operators_with_numpy_arrays(op, rng):
    array, x = rng.uniform(1, 2, (3, 1)), Tensor(rng.uniform(1, 2, 2))
    y = op(array, x)
    assert isinstance(y, Tensor)  # and not an array of Tensors
    np.testing.assert_array_equal(y.numpy(), op(array, x.numpy()))


def test_mixed_dtypes_are_refused():
    with pytest.raises(TypeError, match="operands have dtypes float32 and float64"):
        Tensor(np.ones(2, np.float32)) + Tensor(np.ones(2))
    with pytest.raises(TypeError, match="operands have dtypes"):
        Tensor(np.ones(2, np.float32)) * np.ones(2)


@pytest.mark.parametrize("f", [lambda x: x * 0.5, lambda x: 1 - x * np.float64(0.5)])
def test_an_integer_tensor_does_not_cut_a_number_off(f):
    with pytest.raises(TypeError, match=r"0\.5 is not a whole number and the tensor is int64"):
        f(Tensor([1, 2]))
    with pytest.raises(TypeError, match="mean: the tensor is int64, and a mean is a fraction: convert"):
        Tensor([1, 2]).mean()


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int32])
def test_whole_numbers_add_up_in_int64(dtype, tensor):
    """Bytes too, as in PyTorch: in NumPy's uint64 what is below zero would be very large."""
    total = tensor([[1, 0], [1, 1]], dtype).sum(0)
    assert total.dtype == np.int64
    assert (total - 2).numpy().tolist() == [0, -1]


def test_mixed_backends_are_refused():
    a, b = (Tensor(backends.get(name).asarray(np.ones(2))) for name in ("reference", "numpy"))
    with pytest.raises(TypeError, match=r"Add: its inputs live on different backends \(reference, numpy\)"):
        a + b


def test_two_backends_live_in_one_process():
    gradients = []
    for name in ("reference", "numpy", "reference"):
        x = Tensor(backends.get(name).asarray(np.arange(3.0)), requires_grad=True)
        (x**3).sum().backward()
        assert x.grad.backend.name == name
        gradients.append(x.grad.numpy())
    np.testing.assert_array_equal(gradients, [[0, 3, 12]] * 3)


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: x + Tensor(np.ones((3, 2))), r"shapes \(2, 3\) and \(3, 2\) do not broadcast together"),
        (lambda x: x @ x, r"matmul: shapes \(2, 3\) and \(2, 3\) do not fit"),
        (lambda x: x.reshape(4), r"reshape: 6 elements of shape \(2, 3\) do not fit shape \(4,\)"),
        (lambda x: x.sum(2), "axis 2 does not exist in a tensor of 2 axes"),
        (lambda x: x.mean(-3), "axis -3 does not exist"),
    ],
)
def test_impossible_shapes(f, message):
    with pytest.raises(ValueError, match=message):
        f(Tensor(np.ones((2, 3))))


def test_shape_methods_agree_with_numpy(tensor, rng):
    a = rng.standard_normal((2, 3, 4))
    x = tensor(a)
    pairs = [
        (x.sum(), a.sum()),
        (x.sum((0, -1)), a.sum((0, 2))),
        (x.sum(1, keepdims=True), a.sum(1, keepdims=True)),
        (x.mean((0, 2)), a.mean((0, 2))),
        (x.reshape(4, -1), a.reshape(4, 6)),
        (x.reshape((6, 4)), a.reshape(6, 4)),
        (x.transpose(), a.T),
        (x.T, a.T),
        (x.transpose(0, -1, 1), a.transpose(0, 2, 1)),
        (x[1, ..., ::2], a[1, ..., ::2]),
        (x[:, np.array([0, 0, 2])], a[:, [0, 0, 2]]),
        (x[0].broadcast_to((5, 3, 4)), np.broadcast_to(a[0], (5, 3, 4))),
        (x.sum_to((3, 1)), a.sum((0, 2))[:, None]),
        (x @ x.transpose(0, 2, 1), a @ a.transpose(0, 2, 1)),
    ]
    for y, expected in pairs:
        assert y.shape == expected.shape
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-13)


# ---- gradients -----------------------------------------------------------------------------------


def test_backward_accumulates_and_grad_does_not(tensor):
    x = tensor([1, 2, 3], requires_grad=True)
    for times in (1, 2):
        (x**3).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), times * 3 * np.array([1, 4, 9]))
    (g,) = grad((x**3).sum(), [x])
    np.testing.assert_array_equal(g.numpy(), [3, 12, 27])
    np.testing.assert_array_equal(x.grad.numpy(), [6, 24, 54])


def test_gradients_of_every_path_add_up():
    x = leaf(3.0)
    a = x * 2
    b = a * a + a  # a is used three times, and x by way of a and directly: (2x)^2 + 2x + x
    (b + x).backward()
    assert x.grad.item() == 8 * 3 + 3


def test_a_ladder_of_diamonds_is_walked_once():
    calls = []
    x = y = leaf(1.0)
    for _ in range(60):  # 2^60 paths
        y = apply(Traced(calls), y, y)
    y.backward()
    assert x.grad.item() == 2.0**60
    assert len(calls) == 120


def test_a_leaf_is_its_own_gradient_source():
    x = leaf(2.0)
    x.backward()
    assert x.grad.item() == 1


def test_gradient_of_an_intermediate_tensor():
    x = leaf(2.0)
    h = x * 3
    dh, dx = grad(h * h, [h, x])
    assert (dh.item(), dx.item()) == (12, 36)


def test_a_backward_may_go_on_where_another_one_ended():
    """What made the tensor that a gradient was asked for was not walked, so it is not freed."""
    x = leaf(2.0)
    h = x * x
    (dh,) = grad(h * 3, [h])
    h.backward(dh)
    assert x.grad.item() == 12


def test_several_outputs_and_their_cotangents():
    x = leaf([1.0, 2.0])
    (g,) = grad([x * 2, x * x], [x], [Tensor(np.array([1.0, 10.0])), Tensor(np.array([100.0, 1000.0]))])
    np.testing.assert_array_equal(g.numpy(), [202, 4020])


def test_only_asked_for_gradients_are_computed():
    calls = []
    x, w, c = leaf(1.0), leaf(1.0), Tensor(np.array(1.0))
    y = apply(Traced(calls), x, w, c)
    grad(y, [w], retain_graph=True)
    assert calls == [1]
    calls.clear()
    y.backward()
    assert calls == [0, 1]  # every leaf that requires one, no constant
    assert c.grad is None


def test_a_branch_that_leads_nowhere_is_not_entered():
    calls = []
    x, w = leaf(1.0), leaf(1.0)
    branch = apply(Traced(calls), w)
    grad(apply(Traced([]), x, branch), [x])
    assert calls == []
    branch.backward()  # nor was it freed: a discriminator's step leaves the generator's graph alone
    assert calls == [0]


def test_create_graph_to_the_third_order(tensor):
    x = tensor([1, 2], requires_grad=True)
    y, expected = x**4, [4 * np.array([1, 8]), 12 * np.array([1, 4]), 24 * np.array([1, 2])]
    for values in expected:
        (y,) = grad(y.sum(), [x], create_graph=True)
        np.testing.assert_allclose(y.numpy(), values)


def test_backward_with_create_graph_leaves_a_gradient_that_has_one():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    (d2x,) = grad(x.grad, [x])
    assert d2x.item() == 12


def test_without_create_graph_a_gradient_is_a_constant():
    x = leaf(2.0)
    (dx,) = grad(x**3, [x])
    assert not dx.requires_grad and dx.node is None


def test_cotangents_are_checked():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"output of shape \(2,\) needs grad_outputs"):
        (x * 2).backward()
    for wrong in (np.ones(3), np.ones(2, np.float32)):
        with pytest.raises(ValueError, match=r"grad_outputs is float.* for an output of float64"):
            (x * 2).backward(Tensor(wrong))
    with pytest.raises(TypeError, match="grad_outputs is a ndarray: make it a Tensor"):
        (x * 2).backward(np.ones(2))
    with pytest.raises(ValueError, match="grad got 2 outputs and 1 grad_outputs: give one for each"):
        grad([x.sum(), x.sum()], [x], [None])
    with pytest.raises(ValueError, match="grad got 2 outputs and 1 grad_outputs: give one for each"):
        grad([x * 2, x * 3], [x], leaf([1.0, 1.0]))  # which might be meant for either


def test_grad_wants_a_list():
    x = leaf(1.0)
    with pytest.raises(TypeError, match="give a list of Tensors"):
        grad(x * 2, x)


def test_unused_inputs():
    x, other = leaf(1.0), leaf(1.0, name="other")
    with pytest.raises(RuntimeError, match="input other of grad is not part of the outputs' graph"):
        grad(x * 2, [x, other])
    dx, none = grad(x * 2, [x, other], allow_unused=True)
    assert dx.item() == 2 and none is None


def test_backward_from_nowhere_is_refused():
    with no_grad():
        y = leaf(1.0) * 2
    for t in (y, Tensor(1.0), (leaf(1.0) * 2).detach()):
        with pytest.raises(RuntimeError, match="nothing that requires a gradient leads to this tensor"):
            t.backward()


def test_a_thunk_of_none_is_a_zero_gradient(tensor):
    x = tensor([1, 2], requires_grad=True)
    h = x * 2
    for wanted in (x, h):  # a leaf, and a tensor that an op made
        (g,) = grad((h**0).sum(), [wanted], retain_graph=wanted is x)
        assert g.shape == (2,) and g.dtype == np.float64
        np.testing.assert_array_equal(g.numpy(), 0)


@pytest.mark.parametrize(
    "bad, said",
    [
        (lambda g: g.sum(), r"float64\(\) for an input of float64\(2,\)"),
        (lambda g: Tensor(g.data.astype(np.float32)), r"float32\(2,\) for an input of float64\(2,\)"),
    ],
)
def test_a_gradient_of_the_wrong_shape_or_dtype_names_the_op(bad, said):
    class Crooked(Op):
        def forward(self, backend, x):
            return x * 1

        def vjp(self, g, y, x):
            return (lambda: bad(g),)

    y = apply(Crooked(), leaf([1.0, 2.0]))
    with pytest.raises(AssertionError, match="Crooked.vjp returned " + said):
        y.sum().backward()


# ---- recording -----------------------------------------------------------------------------------


def test_nothing_is_recorded_in_no_grad():
    x = leaf(1.0)
    with no_grad():
        y = x * 2
        assert not is_recording()
        with enable_grad():
            z = x * 3
    assert y.node is None and not y.requires_grad
    assert z.node is not None and z.requires_grad
    assert is_recording()


def test_constants_record_nothing():
    assert (Tensor(1.0) * 2).node is None


@pytest.mark.parametrize("context, inside", [(no_grad, False), (enable_grad, True)])
def test_an_exception_restores_recording(context, inside):
    for before in (True, False):
        with enable_grad() if before else no_grad():
            with pytest.raises(ZeroDivisionError), context():
                assert is_recording() is inside
                raise ZeroDivisionError
            assert is_recording() is before


def test_a_failing_vjp_restores_recording():
    class Failing(Traced):
        def vjp(self, g, y, *inputs):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        apply(Failing([]), leaf(1.0)).backward()
    assert is_recording()


def test_each_thread_records_for_itself():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_recording()))
        thread.start()
        thread.join()
        assert not is_recording()
    assert seen == [True]


def test_detach_cuts_the_graph_and_shares_the_array():
    x = leaf([1.0])
    y = x * 2
    assert y.detach().data is y.data
    (g,) = grad((y.detach() * x).sum(), [x])
    np.testing.assert_array_equal(g.numpy(), [2])


# ---- freed graphs and stale values ---------------------------------------------------------------


def test_a_freed_graph_raises_with_the_op():
    x = leaf(2.0)
    y = ops.tanh(x)
    y.backward()
    for again in (y.backward, (y * 2).backward):
        with pytest.raises(RuntimeError, match=r"the graph through Tanh was freed.*retain_graph=True"):
            again()


@pytest.mark.parametrize("keep", [{"retain_graph": True}, {"create_graph": True}])
def test_a_kept_graph_can_be_used_again(keep):
    x = leaf(2.0)
    y = x**3
    assert [grad(y, [x], **keep)[0].item() for _ in range(2)] == [12, 12]


READERS = {
    "Mul": lambda x, w: x * w,
    "Mul, broadcast": lambda x, w: x[:, None] * w,
    "MatMul": lambda x, w: x.reshape(1, 2) @ w.reshape(2, 1),
    "Linear": lambda x, w: ops.linear(x.reshape(1, 2), w.reshape(1, 2)),
    "MatMul, transposed": lambda x, w: x.reshape(1, 2) @ w.reshape(1, 2).T,
    "Mul, element": lambda x, w: x * w[0],
    "Mul, detached": lambda x, w: x * w.detach(),
    "Div": lambda x, w: x / w,
    "Conv2d": lambda x, w: ops.conv2d(x.reshape(1, 1, 1, 2), w.reshape(1, 1, 1, 2)),
}


@pytest.mark.parametrize("name", READERS)
def test_a_stale_value_names_op_and_parameter(name, tensor):
    """An update between forward and backward is seen, also through a view."""
    x, w = tensor([1, 2], requires_grad=True), tensor([3, 4], requires_grad=True, name="layer.weight")
    y = READERS[name](x, w).sum()
    w.data += 1
    w.bump()
    with pytest.raises(RuntimeError, match=rf"backward through {name.split(',')[0]} needs layer\.weight as it was"):
        y.backward()


def test_products_convert_nothing_silently(tensor):
    a, b = tensor(np.ones((2, 2))), tensor(np.ones((2, 2)), np.float32)
    for f in (lambda: a @ b, lambda: ops.concat([a, b]), lambda: a + b):
        with pytest.raises(TypeError, match="have dtypes float64 and float32: convert one"):
            f()


@pytest.mark.parametrize("index", [((0, 0, 2),), (slice(None), (1, 1)), ([0, 0], [1, 1]), (range(2), 1)])
def test_places_taken_twice_add_up(index, tensor, rng):
    x = tensor(rng.standard_normal((3, 4)), requires_grad=True)
    y = x[index]
    g = rng.standard_normal(y.shape)
    expected = np.zeros((3, 4))
    np.add.at(expected, tuple(list(i) if isinstance(i, range) else i for i in index), g)
    (dx,) = grad(y, [x], tensor(g))
    np.testing.assert_allclose(dx.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("through", [lambda h: h, lambda h: h.detach(), lambda h: h[1:], lambda h: Tensor(h.T)])
def test_a_result_that_was_changed_is_stale(through, tensor):
    """Whether an op reads it as its input or as its output, and whichever view it was changed through."""
    x = tensor([1, 2], requires_grad=True)
    for reads, h, of in (
        ("Mul needs a tensor", x + 1, lambda h: h * h),
        ("Exp needs its output", ops.exp(x), lambda h: -h),
    ):
        y = of(h)
        changed = through(h)
        changed.data[...] = 0
        changed.bump()
        with pytest.raises(RuntimeError, match=f"{reads} as it was in the forward, but it has been updated since"):
            y.sum().backward()


def test_a_new_forward_after_the_update_is_fine():
    x, w = leaf([1.0]), leaf([2.0])
    w.bump()
    (w.reshape(1, 1) * x).sum().backward()
    assert x.grad.item() == 2


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: x + w,
        lambda x, w: x - w,
        lambda x, w: -w + x,
        lambda x, w: (w.reshape(2, 1) + x).T.sum(0),
        lambda x, w: ops.concat([x, w]),
        lambda x, w: ops.exp(w) + x,  # reads its output only
    ],
)
def test_an_op_that_does_not_read_its_inputs_is_not_stale(f):
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = f(x, w).sum()
    w.data += 1
    w.bump()
    y.backward()
    assert x.grad is not None and w.grad is not None


def test_an_update_that_the_wanted_gradient_never_reads_still_lets_it_through():
    x, w = leaf([1.0]), leaf([2.0])
    h = x * w  # its own backward would need w, but a gradient that ends at h does not
    y = (h * 3 + w * w).sum()
    w.bump()
    assert grad(y, [h], retain_graph=True)[0].item() == 3
    with pytest.raises(RuntimeError, match="has been updated since"):
        grad(y, [x])


# ---- memory --------------------------------------------------------------------------------------


@pytest.fixture
def without_garbage_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("create_graph", [False, True])
def test_no_reference_cycles(backward, create_graph, without_garbage_collector):
    x = leaf(np.ones((2, 2, 3, 3)))
    w, scale = leaf(np.ones((2, 2, 2, 2))), leaf([1.0, 2.0])
    middle = ops.conv2d(x, w)
    y = ops.batch_norm(middle, scale, scale, negative_slope=0.2)[0, :, ::2] * scale[0] / 2
    z = (ops.softplus(ops.tanh(y)) ** 2).mean()
    if backward:
        gradients = grad(z, [x, w, scale], create_graph=create_graph)
        if create_graph:
            gradients = grad(gradients[0].sum(), [w])
        del gradients
    watched = [weakref.ref(t) for t in (middle, y, z)]
    del middle, y, z
    assert [w() for w in watched] == [None, None, None]


def test_backward_lets_go_of_the_arrays():
    x = leaf(np.ones(3))
    h = x * 2
    y = (h * h).sum()
    node = h.node
    y.backward()
    assert node.output is None and node.inputs is None


def test_what_no_vjp_reads_is_not_kept(without_garbage_collector):
    """A convolution's bias, a residual sum and a ReLU: a backward reads the ReLU's output only, and x."""
    x, w = leaf(np.ones((1, 8, 32, 32))), leaf(np.ones((8, 8, 1, 1)))
    h = ops.conv2d(x, w, leaf(np.ones(8)))
    y = h + x
    z = ops.relu(y)
    watched = [weakref.ref(t.data) for t in (h, y, z)]
    loss = (z * 2).sum()
    del h, y, z
    assert [array() is None for array in watched] == [True, True, False]
    (dw,) = grad(loss, [w])
    np.testing.assert_array_equal(dw.numpy(), np.full(w.shape, 2.0 * 32 * 32))


def test_what_is_read_is_kept_where_leaky_relu_changes_signs():
    x = leaf(np.linspace(-1, 1, 40_000))
    (dx,) = grad(ops.leaky_relu(x * 1.0, -2.0).sum(), [x])
    np.testing.assert_array_equal(dx.numpy(), np.where(x.numpy() > 0, 1.0, -2.0))


def test_an_op_of_ones_own_is_given_all_unless_it_says_otherwise():
    class Square(Op):
        def forward(self, backend, x):
            return x * x

        def vjp(self, g, y, x):
            return (lambda: g * y * 2 / x,)

    x = leaf(np.full(40_000, 3.0))
    (dx,) = grad(apply(Square(), x * 1.0).sum(), [x])
    assert (dx.numpy() == 6).all()


def test_detach_does_not_keep_the_graph_alive(without_garbage_collector):
    y = leaf([1.0]) * 2
    kept, watched = y.detach(), weakref.ref(y)
    del y
    assert watched() is None and kept.item() == 2


def test_a_chain_of_20_000_nodes():
    """Nothing recurses: neither the walk, nor the release of the graph, used or not."""
    x = leaf(1.0, np.float32)
    for backward in (True, False):
        y = x
        for _ in range(20_000):
            y = -y
        if backward:
            y.backward()
            assert x.grad.item() == 1
        del y


@pytest.mark.parametrize("values", [[1, 2], [True, False]])
def test_only_floating_point_tensors_require_gradients(values):
    t = Tensor(np.array(values))
    with pytest.raises(TypeError, match=r"only floating-point tensors can require gradients, not (int64|bool)"):
        t.requires_grad = True
    t.requires_grad = False
    assert t.requires_grad is False


def test_a_mean_in_half_precision_does_not_overflow(backend):
    x = Tensor(backend.asarray(np.ones(70_000, np.float16)), requires_grad=True)
    y = x.mean()
    assert y.item() == 1 and y.dtype == np.float16
    y.backward(Tensor(backend.asarray(np.array(70_000 / 2, np.float16))))
    np.testing.assert_allclose(x.grad.numpy().astype(np.float32), 0.5, rtol=2e-3)
    rows = Tensor(backend.asarray(np.full((2, 3), 60_000, np.float16)))
    assert rows.mean(1, keepdims=True).numpy().tolist() == [[60_000], [60_000]]


@pytest.mark.parametrize(("shape", "axis"), [((0,), None), ((0, 3), 0), ((2, 0), 1)])
def test_a_mean_of_nothing_is_refused(tensor, shape, axis):
    with pytest.raises(InputError, match=r"over the axes .*: there is nothing to average"):
        tensor(np.zeros(shape)).mean(axis)


# ---- what belongs to whom ------------------------------------------------------------------------

SHARERS = {
    "add": lambda a, b: (a + b).sum(),
    "sub": lambda a, b: (a - b).sum(),
    "views": lambda a, b: (a.reshape(3, 2) + b.T).sum(),
    "one view": lambda a, b: (a + 0).sum() + b.reshape(6).sum(),
    "halves": lambda a, b: (ops.concat([a, b]) * ops.concat([b, a])).sum(),
    "index": lambda a, b: a[0].sum() + b[:, 1].sum() + (a + b)[1:].sum(),
    "broadcast": lambda a, b: a.broadcast_to((4, 2, 3)).sum() + b.mean(),
    "batch norm": lambda a, b: (ops.batch_norm(ops.concat([a, b, a * b]), a[0], b[0]) ** 2).sum(),
}


@pytest.mark.parametrize("name", SHARERS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_leaf_owns_its_gradient(name, create_graph, tensor, rng):
    a, b = (tensor(rng.standard_normal((2, 3)), requires_grad=True) for _ in range(2))
    SHARERS[name](a, b).backward(create_graph=create_graph)
    kept = b.grad.numpy().copy()
    a.grad.data *= 0
    a.grad.data += 1
    np.testing.assert_array_equal(b.grad.numpy(), kept)
    np.testing.assert_array_equal(a.grad.numpy(), 1)
    da, db = grad(SHARERS[name](a, b), [a, b], create_graph=create_graph)
    da.data *= 0
    np.testing.assert_array_equal(db.numpy(), kept)


def test_the_callers_cotangent_stays_the_callers(tensor):
    for f in (lambda x: x, lambda x: x + 0, lambda x: x.reshape(3, 1).reshape(3), lambda x: x.T):
        x, g = tensor([1, 2, 3], requires_grad=True), tensor([1, 1, 1])
        f(x).backward(g)
        x.grad.data *= 0
        np.testing.assert_array_equal(g.numpy(), 1)


def test_a_gradient_is_not_copied_where_nobody_else_has_it(rng):
    """The weight gradient is the kernel's own array: Mul is not applied to it."""
    x = Tensor(rng.standard_normal((4, 3, 5, 5)))
    w, v = leaf(rng.standard_normal((2, 3, 3, 3))), leaf(rng.standard_normal((6, 18)))
    with minigan.trace() as t:
        ops.linear(ops.conv2d(x, w).reshape(4, 18), v).sum().backward()
    assert [e.op for e in t.events if e.op == "Mul"] == []
    assert w.grad.data.flags.writeable


@pytest.mark.parametrize("given", [np.array, list, Tensor], ids=["array", "list", "Tensor"])
def test_an_index_may_change_before_the_backward(given, tensor):
    x, table = tensor([1, 2, 3], requires_grad=True), tensor(np.ones((3, 2)), requires_grad=True)
    index = given(np.array([0, 1]))
    y = x[index].sum() + x.reshape(1, 3)[:, index].sum()
    if given is not list:
        y = y + ops.embedding(index, table).sum()
    (index.data if given is Tensor else index)[0] = 2
    np.testing.assert_array_equal(grad(y, [x], retain_graph=True)[0].numpy(), [2, 2, 0])
    if given is not list:
        np.testing.assert_array_equal(grad(y, [table])[0].numpy(), [[1, 1], [1, 1], [0, 0]])


def test_offsets_may_change_before_the_backward(tensor):
    x, offsets = tensor(np.ones((1, 1, 2, 2)), requires_grad=True), np.array([[1, 0]])
    y = translate(x, offsets).sum()
    offsets[:] = 0
    np.testing.assert_array_equal(grad(y, [x])[0].numpy()[0, 0], [[1, 1], [0, 0]])


def test_a_tensor_of_a_tensor_goes_stale_with_it(tensor):
    w, x = tensor([1, 2], requires_grad=True, name="w"), tensor([1, 2], requires_grad=True)
    y = (Tensor(w) * x).sum()
    w.bump()
    with pytest.raises(RuntimeError, match="needs w as it was in the forward"):
        y.backward()
