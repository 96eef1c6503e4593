"""Gumbel softmax: its formula, the distribution of its draws, the straight-through gradient."""

import numpy as np
import pytest
from twins import assert_twins

from minigan import InputError, ops
from minigan.tensor import Tensor, grad


@pytest.mark.parametrize("axis, tau", [(-1, 1.0), (0, 0.5)])
@pytest.mark.parametrize("hard", [False, True])
def test_is_the_softmax_of_perturbed_logits(axis, tau, hard, backend, rng):
    torch = pytest.importorskip("torch")
    logits = rng.standard_normal((4, 3))
    noise = torch.tensor(np.random.default_rng(5).gumbel(size=(4, 3)))

    def theirs(x):
        soft = torch.softmax((x + noise) / tau, axis)
        drawn = torch.nn.functional.one_hot(soft.argmax(axis), logits.shape[axis]).double()
        return (drawn.T if axis == 0 else drawn) - soft.detach() + soft if hard else soft

    assert_twins(
        lambda x: ops.gumbel_softmax(x, tau, rng=np.random.default_rng(5), hard=hard, axis=axis),
        theirs,
        logits,
        backend=backend,
    )


def test_hard_draws_are_exact_and_follow_the_softmax(tensor, rng):
    logits = np.array([0.0, 1.0, -1.0])
    draws = ops.gumbel_softmax(tensor(np.tile(logits, (20000, 1)), np.float32), 0.3, rng=rng, hard=True).numpy()
    assert draws.dtype == np.float32
    assert set(np.unique(draws)) == {0, 1}
    assert (draws.sum(1) == 1).all()
    np.testing.assert_allclose(draws.mean(0), np.exp(logits) / np.exp(logits).sum(), atol=0.015)


def test_hard_has_the_soft_gradient(rng):
    x = Tensor(rng.standard_normal((2, 5)), requires_grad=True)
    g = Tensor(rng.standard_normal((2, 5)))
    dx = [grad(ops.gumbel_softmax(x, rng=np.random.default_rng(1), hard=h), [x], g)[0].numpy() for h in (False, True)]
    np.testing.assert_array_equal(*dx)


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_temperature_is_above_0(tau, rng):
    with pytest.raises(InputError, match=f"gumbel_softmax: tau = {tau} must be above 0"):
        ops.gumbel_softmax(Tensor([[1.0, 2.0]]), tau, rng=rng)
