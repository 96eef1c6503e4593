"""Looking on is one thread's business: the diagnosis of NaNs and the gradient check's table see no other thread."""

import threading

import numpy as np
import pytest

from minigan import gan, nn, ops
from minigan import tensor as engine
from minigan.ops.elementwise import Tanh
from minigan.study import gradcheck_table
from minigan.study.diagnosis import NotFiniteError, watch
from minigan.tensor import Op, Tensor, grad


def make_trainer(discriminator=None):
    rng = np.random.default_rng(0)
    generator = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.Tanh())
    discriminator = discriminator or nn.Sequential(nn.Linear(4, 1, rng=rng))
    return gan.Trainer(gan.TwoPlayer(generator, discriminator, z_dim=3, rng=rng))


def in_another_thread(work):
    found = []

    def run():
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def log_of_zero():
    with np.errstate(all="ignore"):
        return ops.log(Tensor(np.zeros(2))).numpy().tolist()


def test_another_threads_infinities_are_its_own():
    forward = {kind: kind.forward for kind in Op.__subclasses__()}
    with watch(make_trainer()):
        assert in_another_thread(log_of_zero) == [-np.inf, -np.inf]
        with pytest.raises(NotFiniteError, match="Log outside the networks' forward made 0 NaN, 2 infinite of 2"):
            log_of_zero()
        assert {kind: kind.forward for kind in Op.__subclasses__()} == forward
    assert log_of_zero() == [-np.inf, -np.inf] and engine.tracer() is None


def test_a_watch_within_a_watch_of_another_thread():
    def both():
        with watch(make_trainer()):
            return log_of_zero()

    with watch(make_trainer()):
        assert isinstance(in_another_thread(both), NotFiniteError)
        assert ops.exp(Tensor(np.zeros(2))).numpy().tolist() == [1, 1]


def test_the_table_counts_no_other_threads_vjps():
    def differentiate():
        x = Tensor(np.ones(2), requires_grad=True)
        return grad(ops.tanh(x).sum(), [x])

    with gradcheck_table.vjps_run() as seen:
        in_another_thread(differentiate)
        assert Tanh not in seen
        differentiate()
        assert Tanh in seen


def test_a_layer_and_a_parameter_are_named():
    trainer = make_trainer()
    trainer.game.generator[0].weight.data[0, 0] = np.nan
    with watch(trainer), pytest.raises(NotFiniteError, match=r"the parameter generator\.0\.weight holds 1 NaN"):
        trainer.step(np.ones((4, 4), np.float32))


def test_a_kernels_own_backward_is_looked_at():
    class Leap(Op):
        """y = x; its backward is a kernel's."""

        def forward(self, backend, x):
            return x + 0

        def vjp(self, g, y, x):
            return (lambda: Tensor(g.data / 0),)

    class Leaping(nn.Module):
        def forward(self, x):
            return engine.apply(Leap(), x)

    trainer = make_trainer(nn.Sequential(nn.Linear(4, 1), Leaping()))
    with watch(trainer), pytest.raises(NotFiniteError, match="the backward of Leap made 0 NaN, 4 infinite of 4"):
        trainer.step(np.ones((4, 4), np.float32))
