"""The table of gradients on every backend, its guard, and planted bugs that the check must catch."""

import gc
import re

import numpy as np
import pytest

from minigan import gradcheck, ops, tensor
from minigan.errors import InputError
from minigan.gradcheck import BOUNDS, GradientError, check_grad
from minigan.ops import arithmetic as p
from minigan.ops.activation import Gate, LeakyReLU
from minigan.ops.conv import Conv2d, Conv2dInput, Conv2dWeight
from minigan.ops.elementwise import Softplus, Tanh
from minigan.ops.norm import AXES, BatchNorm
from minigan.study import gradcheck_table as table
from minigan.tensor import Op, Tensor, apply, grad


def normal(*shape, seed=1):
    return Tensor(np.random.default_rng(seed).standard_normal(shape))


# ---- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", table.CASES, ids=repr)
def test_every_gradient_of_the_table(case, backend, monkeypatch):
    """With nothing kept that an op says it does not read: what it reads all the same is NaN."""
    monkeypatch.setattr(tensor, "LARGE", 0)
    mismatches = case.check(backend)
    assert len(mismatches) == max(2, case.order)
    for mismatch in mismatches:
        assert mismatch.error <= BOUNDS[mismatch.order], str(mismatch)


def test_the_cases_have_different_names():
    names = [case.name for case in table.CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("op", ["conv2d", "conv_transpose2d", "tanh"])
def test_these_are_checked_at_the_third_order(op):
    assert any(case.order == 3 for case in table.CASES if case.op == op)


def test_the_run_passes_and_prints_a_row_for_each_case():
    lines = []
    assert table.run(write=lines.append)
    assert lines[-1] == f"{len(table.CASES)} cases, 0 failed"
    assert [line.split("  ")[0] for line in lines[1:-1]] == [case.name for case in table.CASES]


@pytest.fixture
def two_cases(monkeypatch):
    cases = [table.Case("tanh", ops.tanh, (2, 3)), table.Case("exp", ops.exp, (3,))]
    monkeypatch.setattr(table, "CASES", cases)
    return cases


def test_only_some_cases(two_cases):
    lines = []
    assert table.run("reference", orders=1, only="tan", write=lines.append)
    assert [line.split()[0] for line in lines] == ["op", "tanh", "1"]
    assert lines[-1] == "1 cases, 0 failed"
    assert "order 2" not in lines[0]
    with pytest.raises(InputError, match="no case is called 'convv': choose from tanh, exp"):
        table.run(only="convv")


def test_a_failing_row_says_what_is_wrong(two_cases, monkeypatch):
    monkeypatch.setattr(Tanh, "vjp", lambda self, g, y, x: (lambda: g * (1 - y * y) * 1.01,))
    lines = []
    assert not table.run(orders=1, write=lines.append)
    assert lines[2].startswith("  FAILED order 1: gradient of input 0 is wrong at element")
    assert lines[-1] == "2 cases, 1 failed"


def test_a_case_that_raises_is_a_failing_row(two_cases):
    two_cases.insert(0, table.Case("broken", lambda x: x @ x, (2, 3)))
    lines = []
    assert not table.run(orders=1, write=lines.append)
    assert lines[2].startswith("  FAILED InputError: matmul: shapes (2, 3) and (2, 3)")
    assert lines[-1] == "3 cases, 1 failed"


# ---- the guard: nothing is forgotten -------------------------------------------------------------


@pytest.fixture
def forgotten(monkeypatch):
    """forgotten() runs the table without the differences, and tells which names the guard misses."""
    monkeypatch.setattr(gradcheck, "_differences", lambda f, v, leaf: np.zeros(leaf.shape))

    def run():
        lines = []
        assert not table.run(write=lines.append)
        return [line.split()[1] for line in lines if line.endswith(": no gradcheck case")]

    return run


def test_no_op_is_forgotten(forgotten):
    assert forgotten() == []


def test_a_public_op_without_a_case_fails_the_run(forgotten, monkeypatch):
    monkeypatch.setattr(ops, "__all__", [*ops.__all__, "shiny"])
    monkeypatch.setattr(table, "CASES", [case for case in table.CASES if case.op != "relu"])
    assert forgotten() == ["relu:", "shiny:"]  # and no other


def test_an_op_class_without_a_case_fails_the_run(forgotten):
    class Shiny(Op):
        """An Op of the package, as far as its module's name tells."""

        __module__ = "minigan.ops.shiny"

        def forward(self, backend, x):
            return x

    try:
        assert forgotten() == ["Shiny:"]
    finally:
        del Shiny
        gc.collect()  # a class is a reference cycle, and Op.__subclasses__ lists it until it is gone
    assert forgotten() == []


def test_only_a_vjp_that_ran_counts():
    """Having been applied is not enough: in a first derivative Gate runs forward only."""
    x = Tensor(np.ones(2), requires_grad=True)
    with table.vjps_run() as seen:
        y = ops.leaky_relu(x)
        assert seen == set()
        (dx,) = grad(y, [x], Tensor(np.ones(2), requires_grad=True), create_graph=True)
        assert seen == {LeakyReLU}
        dx.sum().backward()
        assert Gate in seen
    seen.clear()
    (x * x).sum().backward()
    assert seen == set()  # it is closed


def test_ops_defined_outside_the_package_are_no_concern():
    class Foreign(Op):
        def forward(self, backend, x):
            return x

    assert Foreign not in table.op_classes()
    assert p.Mul in table.op_classes() and Op not in table.op_classes()


# ---- planted bugs --------------------------------------------------------------------------------
#
# Each is an op of the package with a wrong vjp put in its place. They are the mistakes people make.


def one_row_off(dx):
    return ops.pad(dx, [(0, 0), (0, 0), (1, 0), (0, 0)])[:, :, :-1]


def batch_norm_with_constant_statistics(self, g, y, x, weight, bias):
    r = Tensor(1 / np.sqrt(self.var + self.eps)).reshape(1, -1, 1, 1)
    xhat = (x - Tensor(self.mean).reshape(1, -1, 1, 1)) * r
    return (
        lambda: g * weight.reshape(1, -1, 1, 1) * r,
        lambda: (g * xhat).sum(AXES),
        lambda: g.sum(AXES),
    )


def batch_norm_with_constant_variance_in_the_recorded_backward(self, g, y, x, weight, bias):
    """Right at order 1; the scale's own dependence on x is lost at order 2."""
    r = Tensor(1 / np.sqrt(self.var + self.eps)).reshape(1, -1, 1, 1)
    xhat = (x - x.mean(AXES, keepdims=True)) * r
    mean_g, mean_gx = g.mean(AXES, keepdims=True), (g * xhat).mean(AXES, keepdims=True)
    return (
        lambda: weight.reshape(1, -1, 1, 1) * r * (g - mean_g - xhat * mean_gx),
        lambda: (g * xhat).sum(AXES),
        lambda: g.sum(AXES),
    )


def conv(x, w):
    return ops.conv2d(x, w, padding=1)


def matmul(a, b):
    return a @ b


def slope(x):
    return ops.leaky_relu(x, 0.2)


PICTURE, KERNEL, MATRIX = (1, 2, 4, 4), (2, 2, 3, 3), (3, 3)
CHANNELS = ((3, 2, 2, 2), (2,), (2,))

# what is wrong: the op, its wrong vjp, a function that uses it, shapes, the order and the input to be named
PLANTED = {
    "a sign": (
        *(p.Sub, lambda self, g, y, a, b: (lambda: g, lambda: g)),
        *(lambda a, b: a - b, [MATRIX, MATRIX], 1, 1),
    ),
    "a factor of 1 - 1e-4": (
        *(Tanh, lambda self, g, y, x: (lambda: g * (1 - y * y) * (1 - 1e-4),)),
        *(ops.tanh, [MATRIX], 1, 0),
    ),
    "a term of the quotient rule": (
        *(p.Div, lambda self, g, y, a, b: (lambda: g / b, lambda: -g / b)),
        *(lambda a, b: a / (b * b + 1), [MATRIX, MATRIX], 1, 1),
    ),
    "batch norm with constant statistics": (
        *(BatchNorm, batch_norm_with_constant_statistics),
        *(ops.batch_norm, CHANNELS, 1, 0),
    ),
    "a convolution padded one off": (
        *(
            Conv2d,
            lambda self, g, y, x, w: (
                lambda: one_row_off(apply(Conv2dInput(self.geometry), g, w)),
                lambda: apply(Conv2dWeight(self.geometry), x, g),
            ),
        ),
        *(conv, [PICTURE, KERNEL], 1, 0),
    ),
    "a weight gradient one row off": (
        *(
            Conv2d,
            lambda self, g, y, x, w: (
                lambda: apply(Conv2dInput(self.geometry), g, w),
                lambda: apply(Conv2dWeight(self.geometry), one_row_off(x), g),
            ),
        ),
        *(conv, [PICTURE, KERNEL], 1, 1),
    ),
    "a leaky ReLU's slopes swapped": (
        *(LeakyReLU, lambda self, g, y, x: (lambda: apply(Gate(self.negative_slope), g, -x),)),
        *(slope, [MATRIX], 1, 0),
    ),
    "the mean's gradient for a sum": (
        *(p.Sum, lambda self, g, y, x: (lambda: g.reshape(1, 1).broadcast_to(x.shape) * (1 / x.size),)),
        *(lambda x: x.sum(), [MATRIX], 1, 0),
    ),
    "a sum's gradient for the mean": (
        *(p.Mul, lambda self, g, y, a, b: (lambda: g, lambda: g)),  # the factor 1/n of the mean, forgotten
        *(lambda x: x.mean(0), [MATRIX], 1, 0),
    ),
    "a matrix product without its transpose": (
        *(p.MatMul, lambda self, g, y, a, b: (lambda: g @ b.T, lambda: a @ g)),
        *(matmul, [MATRIX, MATRIX], 1, 1),
    ),
    "an input without gradient": (
        *(p.MatMul, lambda self, g, y, a, b: (None, lambda: a.T @ g)),
        *(matmul, [MATRIX, MATRIX], 1, 0),
    ),
    "not a number": (
        *(p.Neg, lambda self, g, y, x: (lambda: g * float("nan"),)),
        *(lambda x: -x, [MATRIX], 1, 0),
    ),
    "a cross term, seen at order 2 only": (
        *(p.Mul, lambda self, g, y, a, b: (lambda: apply(p.Mul(), g, b.detach()), lambda: apply(p.Mul(), g, a))),
        *(lambda a, b: a * b, [MATRIX, MATRIX], 2, 1),
    ),
    "a curvature, seen at order 2 only": (
        *(Softplus, lambda self, g, y, x: (lambda: g * ops.sigmoid(x.detach()),)),
        *(ops.softplus, [MATRIX], 2, 0),
    ),
    "the cotangent's own gradient, seen at order 2 only": (
        *(Conv2dInput, lambda self, gx, x, g, w: (None, lambda: apply(Conv2dWeight(self.geometry), gx, g))),
        *(conv, [PICTURE, KERNEL], 2, 2),
    ),
    "batch norm with constant variance, seen at order 2 only": (
        *(BatchNorm, batch_norm_with_constant_variance_in_the_recorded_backward),
        *(ops.batch_norm, CHANNELS, 2, 0),
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_caught_and_its_input_named(name, monkeypatch):
    op, wrong_vjp, f, shapes, order, number = PLANTED[name]
    inputs = [normal(*shape, seed=k) for k, shape in enumerate(shapes)]
    check_grad(f, *inputs, order=2)  # right before ...
    monkeypatch.setattr(op, "vjp", wrong_vjp)
    if order == 2:
        check_grad(f, *inputs, order=1)
    with pytest.raises(GradientError, match=f"^order {order}: gradient of input {number} is wrong"):
        check_grad(f, *inputs, order=2)


def test_the_wrong_element_and_both_values_are_named(monkeypatch):
    mask = np.ones((2, 3))
    mask[1, 2] = 1.5
    monkeypatch.setattr(p.Neg, "vjp", lambda self, g, y, x: (lambda: apply(p.Mul(), g, Tensor(-mask)),))
    with pytest.raises(GradientError) as caught:
        check_grad(lambda x: -x, normal(2, 3))
    analytic, numeric = map(float, re.findall(r"say?s? (-?[\d.]+)", str(caught.value)))
    assert "element (1, 2)" in str(caught.value)
    np.testing.assert_allclose(analytic, 1.5 * numeric, rtol=1e-6)


def test_a_cotangent_of_ones_would_be_blind(monkeypatch):
    """The sum of a batch norm's outputs does not depend on x: seeded with ones, no gradient at all looks right."""
    x, weight, bias = (normal(*shape, seed=k) for k, shape in enumerate(CHANNELS))
    leaf = Tensor(x.data, requires_grad=True)
    (right,) = grad(ops.batch_norm(leaf, weight, bias).sum(), [leaf])
    np.testing.assert_allclose(right.numpy(), 0, atol=1e-12)
    monkeypatch.setattr(BatchNorm, "vjp", lambda self, g, y, x, weight, bias: (None, None, None))
    with pytest.raises(GradientError, match="order 1: gradient of input 0 is wrong"):
        check_grad(lambda x: ops.batch_norm(x, weight, bias), x)


def test_the_cotangent_is_not_the_input():
    """Inputs are often drawn from a generator of seed 0. Were v drawn alike, <v, x> = <x, x> would hide a lot."""
    x = Tensor(np.random.default_rng(0).standard_normal((4, 3)))
    cotangents = []

    class Spy(Op):
        reads_inputs = False

        def forward(self, backend, x):
            return x * 1

        def vjp(self, g, y, x):
            cotangents.append(g.numpy())
            return (lambda: g,)

    check_grad(lambda x: apply(Spy(), x), x, seed=0)
    (v,) = cotangents
    assert abs(np.corrcoef(v.ravel(), x.numpy().ravel())[0, 1]) < 0.9


# ---- check_grad itself ---------------------------------------------------------------------------


def test_errors_by_order():
    errors = check_grad(lambda x: ops.exp(x), normal(3), order=3)
    assert list(errors) == [1, 2, 3]
    assert all(0 <= errors[k] <= BOUNDS[k] for k in errors)


def test_float32_is_refused():
    with pytest.raises(TypeError, match="input 1 is float32: finite differences need float64"):
        check_grad(lambda a, b: a, normal(2), Tensor(np.ones(2, np.float32)))
    with pytest.raises(TypeError, match="input 0 is a ndarray: make it a Tensor"):
        check_grad(ops.tanh, np.ones(2))  # type: ignore[arg-type]


@pytest.mark.parametrize("writeable", [True, False])
def test_the_inputs_are_left_as_they_were(writeable):
    x = Tensor(normal(5, 4).data * 1e-6)
    before = x.data.copy()
    x.data.flags.writeable = writeable
    check_grad(lambda x: ops.exp(x) * x, x, order=2)  # moving by a step and back would round
    np.testing.assert_array_equal(x.data, before)
    assert not x.requires_grad and x.grad is None


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: a * 2,  # b is not used
        lambda a, b: a * b.detach() * 0 + a,  # b is used, without effect
        lambda a, b: ops.concat([a, b]),
    ],
)
def test_a_gradient_of_zero_is_right_where_it_is(f):
    check_grad(f, normal(2), normal(2), order=2)


def test_a_forgotten_dependence_is_wrong():
    with pytest.raises(GradientError, match="gradient of input 1"):
        check_grad(lambda a, b: a * b.detach(), normal(2), normal(2))


def test_inputs_without_axes_and_without_elements():
    check_grad(lambda a, b: a * b.sum(), normal(), normal(0, 2), order=2)
