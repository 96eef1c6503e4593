"""Choices that a gradient gets through: their values, the gradients they are given, and how noise makes them draws."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import ops
from minigan.errors import InputError
from minigan.ops.straight_through import (
    binary_neuron,
    gumbel_noise,
    logistic_noise,
    one_hot_max,
    one_hot_neuron,
    step,
)
from minigan.tensor import Tensor, grad

LOGITS = np.array([[0.3, -1.2, 0.31], [2.0, 0.0, -0.5]])


def test_values_are_choices(tensor):
    x = tensor(LOGITS, np.float32)
    for training in (True, False):
        np.testing.assert_array_equal(binary_neuron(x, training=training).numpy(), LOGITS >= 0)
        one = one_hot_neuron(x, axis=1, training=training)
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one.numpy(), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(one_hot_max(x, 0).numpy(), [[0, 0, 1], [1, 1, 0]])
    np.testing.assert_allclose(step(tensor(np.array([-1e-3, -5e-7, 0.0]))).numpy(), [0, 0.5, 1], atol=1e-6)


def test_gradients_are_those_of_what_is_smooth_of_both_orders(backend):
    torch = pytest.importorskip("torch")

    def straight(hard, soft):
        return hard.double() - soft.detach() + soft

    def binary(x):
        return straight(x >= 0, torch.sigmoid(x)) ** 2

    def one_hot(x):
        soft = torch.softmax(x, 1)
        return straight(torch.nn.functional.one_hot(x.argmax(1), 3), soft) * x

    assert_twins(lambda x: binary_neuron(x) ** 2, binary, LOGITS, backend=backend)
    assert_twins(lambda x: one_hot_neuron(x, axis=1) * x, one_hot, LOGITS, backend=backend)


def test_any_value_may_have_any_gradient(tensor):
    x = tensor(LOGITS, requires_grad=True)
    y = ops.straight_through(x * 0 + 7, x * 3)
    np.testing.assert_array_equal(y.numpy(), np.full((2, 3), 7.0))
    np.testing.assert_array_equal(grad(y.sum(), [x])[0].numpy(), np.full((2, 3), 3.0))
    with pytest.raises(InputError, match=r"a value \(3,\) cannot have the gradient of \(2, 3\)"):
        ops.straight_through(x[0], x)


def test_in_evaluation_there_is_no_gradient(tensor):
    x = tensor(LOGITS, requires_grad=True)
    for choice in (binary_neuron(x, training=False), one_hot_neuron(x, axis=1, training=False)):
        np.testing.assert_array_equal(grad(choice.sum(), [x])[0].numpy(), np.zeros((2, 3)))


def test_noise_of_normal_numbers_draws_from_the_sigmoid_and_the_softmax(rng):
    x = Tensor(rng.standard_normal((20000, 3)))
    heads = binary_neuron(Tensor(LOGITS[0]) + logistic_noise(x)).numpy().mean(0)
    np.testing.assert_allclose(heads, 1 / (1 + np.exp(-LOGITS[0])), atol=0.015)
    drawn = one_hot_neuron(Tensor(LOGITS[1]) + gumbel_noise(x), axis=1).numpy().mean(0)
    np.testing.assert_allclose(drawn, np.exp(LOGITS[1]) / np.exp(LOGITS[1]).sum(), atol=0.015)
    assert np.isfinite(gumbel_noise(Tensor(np.array([-9.0, 9.0], np.float32))).numpy()).all()
