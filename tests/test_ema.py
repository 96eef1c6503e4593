"""The generator's moving average."""

import copy
import pickle

import numpy as np
import pytest
from playing import trainer_of

from minigan import InputError, gan, nn, optim
from minigan.gan import EMA
from minigan.tensor import Tensor

DECAY = 0.75


@pytest.fixture
def source(backend, rng):
    network = nn.Sequential(nn.Linear(2, 3, rng=rng), nn.Reshape(3, 1, 1), nn.BatchNorm2d(3))
    return network.to(backend, np.float64)


def learn(network, rng):
    """New parameters and batch statistics, as a training step leaves them."""
    for parameter in network.parameters():
        parameter.assign(rng.standard_normal(parameter.shape))
    network(Tensor(network.backend.asarray(rng.standard_normal((5, 2)))))


def test_the_average_by_its_formula(source, rng):
    ema = EMA(source, DECAY)
    expected = source.state_dict()
    for count, decay in ((1, 2 / 11), (2, 3 / 12), (3, 4 / 13)):
        learn(source, rng)
        ema.update()
        now = source.state_dict()
        for name, array in expected.items():
            tracked = name.endswith("num_batches_tracked")
            expected[name] = now[name] if tracked else decay * array + (1 - decay) * now[name]
        found = ema.generator.state_dict()
        assert found.keys() == expected.keys()
        for name, array in found.items():
            np.testing.assert_allclose(array, expected[name], rtol=1e-12, atol=1e-15, err_msg=name)
        assert found["2.num_batches_tracked"] == count  # a count has no average: it is copied
        assert not np.allclose(found["2.running_mean"], now["2.running_mean"])


def test_its_memory_grows_to_decay(source):
    """A ninth of the updates so far, then what it was told."""
    ema = EMA(source, 0.9)
    assert [ema.decay_at(n) for n in (1, 8, 80, 81, 10**6)] == pytest.approx([2 / 11, 0.5, 0.9, 0.9, 0.9])


def test_who_counts_the_updates_may_be_someone_else(source, rng):
    """As in a resumed training, whose optimizer knows how many there were."""
    counter = optim.SGD(source.parameters(), lr=0.1)
    counter.step_count = 10**6
    ema, before = EMA(source, DECAY, optimizer=counter), source.state_dict()
    learn(source, rng)
    ema.update()
    now = source.state_dict()
    for name, array in ema.generator.state_dict().items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, DECAY * before[name] + (1 - DECAY) * now[name], rtol=1e-12)


def test_a_young_average_is_about_as_near_as_its_source(source):
    """While a parameter moves from 0 to 1, evenly, the average stays a ninth of the way behind: not at 0."""
    ema = EMA(source, 0.9999)
    for count in range(1, 201):
        for parameter in source.parameters():
            parameter.assign(np.full(parameter.shape, count / 200))
        ema.update()
    for average in ema.generator.parameters():
        assert 0.85 < average.numpy().min() <= average.numpy().max() < 1


def test_decay_0_is_the_generator_itself(source, rng):
    ema = EMA(source, 0)
    learn(source, rng)
    ema.update()
    for name, array in ema.generator.state_dict().items():
        np.testing.assert_allclose(array, source.state_dict()[name], rtol=1e-12, err_msg=name)


def test_it_starts_as_a_copy_and_leaves_its_source_alone(source, rng):
    ema = EMA(source, DECAY)
    before = source.state_dict()
    assert all(np.array_equal(array, before[name]) for name, array in ema.generator.state_dict().items())
    learn(source, rng)
    learned = source.state_dict()
    assert all(np.array_equal(array, before[name]) for name, array in ema.generator.state_dict().items())
    ema.update()
    assert all(np.array_equal(array, learned[name]) for name, array in source.state_dict().items())
    assert all(parameter.requires_grad for parameter in source.parameters())
    assert not any(parameter.requires_grad for parameter in ema.generator.parameters())


def test_float32_stays_float32(source, rng):
    source.to(dtype=np.float32)
    ema = EMA(source, 0.999)
    ema.update()
    assert {array.dtype for array in ema.generator.state_dict().values()} == {np.dtype("f4"), np.dtype("i8")}


def test_a_graph_through_an_older_average_is_noticed(source, rng):
    """Its parameters carry versions like any other's."""
    ema = EMA(source, DECAY)
    z = Tensor(source.backend.asarray(rng.standard_normal((2, 2))), requires_grad=True)
    y = ema.generator(z)
    learn(source, rng)
    ema.update()
    with pytest.raises(RuntimeError, match="updated since"):
        y.sum().backward()


@pytest.mark.parametrize("decay", [-0.1, 1, 1.5, float("nan")])
def test_a_decay_that_averages_nothing_is_refused(source, decay):
    with pytest.raises(InputError, match=f"EMA: decay = {decay} must be at least 0 and below 1"):
        EMA(source, decay)


def test_the_trainer_moves_it_once_for_each_update_of_g():
    networks = gan.build({"model": "dcgan", "width": 2, "z_dim": 3}, np.random.default_rng(0))
    trainer = trainer_of(*networks, z_dim=3, rng=np.random.default_rng(1), n_critic=2, ema=DECAY)
    generator, average = trainer.game.generator, trainer.result()
    expected = generator.state_dict()
    batches = np.random.default_rng(2).uniform(-1, 1, (4, 2, 1, 28, 28)).astype(np.float32)
    for record in trainer.steps(list(batches)):
        if record.step % 2 == 0:
            decay = trainer.averages["generator"].decay_at(record.step // 2)
            for name, array in generator.state_dict().items():
                tracked = array.dtype.kind != "f"
                expected[name] = array if tracked else decay * expected[name] + (1 - decay) * array
        for name, array in average.state_dict().items():
            np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-6, err_msg=name)
    assert np.isfinite(gan.generate(average, np.zeros((2, 3)))).all()
    assert trainer.averages["generator"].source is generator


def test_directions_of_spectral_norm_are_copied(rng):
    source = nn.Sequential(nn.spectral_norm(nn.Linear(4, 3, rng=rng), rng=rng)).to(dtype=np.float64)
    ema = EMA(source, DECAY)
    for _ in range(3):
        source(Tensor(rng.standard_normal((5, 4))))
        ema.update()
    found, expected = ema.generator.state_dict(), source.state_dict()
    for name in expected:
        if name.endswith(("_u", "_v")):
            np.testing.assert_array_equal(found[name], expected[name])


def test_the_average_goes_where_the_generator_goes():
    network = nn.Linear(2, 2, rng=np.random.default_rng(0))
    ema = EMA(network, 0.5)
    ema.update()
    network.to(dtype=np.float64)
    before = network.weight.numpy().copy()
    network.weight.assign(before + 1)
    ema.update()
    assert ema.generator.dtype == np.float64
    decay = ema.decay_at(2)
    np.testing.assert_allclose(ema.generator.weight.numpy(), before + (1 - decay), rtol=1e-7)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda trainer: pickle.loads(pickle.dumps(trainer))])
def test_a_copied_trainer_averages_as_the_one_it_is_of(again):
    """It counts its own updates, and not those of the trainer that it was copied from."""
    networks = gan.build({"model": "dcgan", "width": 2, "z_dim": 3}, np.random.default_rng(0))
    trainer = trainer_of(*networks, z_dim=3, rng=np.random.default_rng(1), ema=0.999)
    copied = again(trainer)
    batches = np.random.default_rng(2).uniform(-1, 1, (3, 2, 1, 28, 28)).astype(np.float32)
    for one in (copied, trainer):
        list(one.steps(batches))
    for name, array in trainer.result().state_dict().items():
        np.testing.assert_allclose(copied.result().state_dict()[name], array, rtol=1e-5, atol=1e-7, err_msg=name)
