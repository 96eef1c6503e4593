"""Captured training steps are the eager ones, bit for bit; and what cannot be captured says why."""

from __future__ import annotations

import fake_cupy
import numpy as np
import pytest
import small_models
from playing import trainer_of

from minigan import InputError, gan, nn, optim
from minigan import backend as backends
from minigan.backend.cupy.graph import CaptureError, DrawnAhead, equal_states
from minigan.backend.host import from_host
from minigan.study.diagnosis import watch
from minigan.tensor import Tensor

WHY_NOT = backends.available()["cupy"]
on_gpu = not WHY_NOT and not fake_cupy.installed
on_stand_in = pytest.mark.skipif(not fake_cupy.installed, reason="looks into the stand-in, and here is a GPU")
needs_cupy = [pytest.mark.gpu] if on_gpu else [pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]
Z_DIM, BATCH, CLASSES = 6, 4, 3


@pytest.fixture
def cupy():
    return backends.get("cupy")


def make_trainer(place="cupy", model="dcgan", size=28, networks=None, **settings):
    """A trainer of a small model of the zoo, and batches for it."""
    architecture = small_models.architecture(model, z_dim=Z_DIM, width=10 if model == "gan" else 2, classes=CLASSES)
    if gan.MODELS[model].medium == "pictures":
        architecture["image_size"] = size
    if gan.MODELS[model].clusters:
        architecture["clusters"] = [1] * CLASSES
    networks = networks or gan.build(architecture, np.random.default_rng(0))
    generator, discriminator = (network.to(place) for network in networks)
    rng = np.random.default_rng(1)
    return gan.MODELS[model].trainer(generator, discriminator, z_dim=Z_DIM, rng=rng, **settings)


def batches(trainer, count, batch=BATCH, size=28, shape=None):
    rng, place = np.random.default_rng(2), trainer.game.generator.backend
    for _ in range(count):
        images = place.asarray(rng.uniform(-1, 1, (batch, *(shape or (1, size, size)))).astype(np.float32))
        labels = place.asarray(rng.integers(0, CLASSES, batch))
        yield (images, labels) if has_classes(trainer) else images


def has_classes(trainer):
    return any(isinstance(module, nn.Embedding) for module in trainer.game.generator.modules())


def train(trainer, steps, **settings):
    return [record.as_dict() for record in trainer.steps(batches(trainer, steps, **settings))]


def replays(trainer):
    return len(trainer.capture._replays)


def assert_equal_states(one, two):
    a, b = one.arrays(), two.arrays()
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert repr(one.facts()) == repr(two.facts())  # NaN is NaN here


def compare(steps, kinds, *, eager=None, size=28, shape=None, **settings):
    """Train captured and eager side by side; ``kinds`` steps of different kinds must have been captured."""
    captured = make_trainer(size=size, **settings, capture=True)
    plain = make_trainer(size=size, **settings, capture=False)
    assert repr(train(captured, steps, size=size, shape=shape)) == repr(train(plain, steps, size=size, shape=shape))
    assert captured.capture_reason == "" and plain.capture_reason == "capture = False"
    assert replays(captured) == kinds and replays(plain) == 0
    assert_equal_states(captured, plain)


@pytest.mark.parametrize("model", gan.MODELS)
class TestZoo:
    pytestmark = needs_cupy

    def test_captured_is_eager(self, model):
        """Those that measure, too, of which the second is step 11."""
        compare(11, 2, model=model, n_critic=1, shape=small_models.DATA[gan.MODELS[model].medium][1])


AUGMENT = [gan.InstanceNoise(0.1, steps=6), gan.DiffAugment()]  # the noise ends in mid-training
GAMES = {  # settings, steps, kinds that are captured among them
    "two kinds, with and without measuring": ({}, 23, 2),
    "augmented": ({"augment": AUGMENT}, 10, 2),
    "in parts": ({"accumulate": 2, "augment": [gan.DiffAugment("translation")]}, 4, 1),
    "averaged, clipped": ({"ema": 0.9, "clip_weights": 0.02}, 4, 1),
    "penalties, some of them lazy": (
        {"model": "wgan_gp", "n_critic": 1, "penalties": [gan.R1(every=2), gan.R2(), gan.Dragan()]},
        8,
        2,
    ),
    "wgan_gp, critic and G": ({"model": "wgan_gp", "n_critic": 2}, 9, 2),
    "sees both": ({"objective": gan.RelativisticAverage()}, 4, 1),
    "rates that change": ({"schedule": optim.LinearDecay(start=1, end=8)}, 6, 1),
}


@pytest.mark.parametrize("settings, steps, kinds", GAMES.values(), ids=GAMES)
class TestGames:
    pytestmark = needs_cupy

    def test_captured_is_eager(self, settings, steps, kinds):
        compare(steps, kinds, **settings)


def small_networks():
    rng = np.random.default_rng(0)
    generator = nn.Sequential(nn.Linear(Z_DIM, 16, rng=rng), nn.Tanh(), nn.Reshape(1, 4, 4))
    discriminator = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 6, rng=rng), nn.LeakyReLU(0.2), nn.Dropout(rng=rng), nn.Linear(6, 1, rng=rng)
    )
    return generator, discriminator


def small_trainer(**settings):
    return make_trainer(networks=small_networks(), **{"capture": True, **settings})


class TestCapture:
    pytestmark = needs_cupy

    @pytest.mark.parametrize(
        "rule", [lambda p: optim.SGD(p, lr=0.1, momentum=0.5), lambda p: optim.RMSprop(p), lambda p: optim.AdamW(p)]
    )
    def test_every_optimizer_gets_the_numbers_of_its_own_step(self, rule):
        def trained(capture):
            networks = [network.to("cupy") for network in small_networks()]
            optimizers = dict(
                zip(("g_optimizer", "d_optimizer"), (rule(n.parameters()) for n in networks), strict=True)
            )
            schedule = optim.LinearDecay(start=1, end=9)
            trainer = trainer_of(*networks, z_dim=Z_DIM, rng=np.random.default_rng(1), schedule=schedule,
                                  capture=capture, **optimizers)  # fmt: skip
            return train(trainer, 6, size=4), trainer

        (own, captured), (expected, eager) = trained(True), trained(False)
        assert repr(own) == repr(expected) and replays(captured) == 1
        assert_equal_states(captured, eager)

    def test_a_captured_training_is_resumed_exactly(self):
        whole = small_trainer()
        expected = train(whole, 8, size=4)
        first, second = small_trainer(), small_trainer()
        given = list(batches(first, 8, size=4))
        list(first.steps(given[:5]))
        train(second, 4, size=4)  # it has graphs already, and is then told another state
        second.load(first.arrays(), first.facts())
        assert [record.as_dict() for record in second.steps(given[5:])] == expected[5:]
        assert_equal_states(second, whole)

    def test_versions_go_up_with_each_replay(self):
        trainer = small_trainer()
        train(trainer, 4, size=4)
        weight = trainer.game.discriminator.parameters()[0]
        before = weight.version
        train(trainer, 3, size=4)
        assert weight.version == before + 3

    def test_two_trainers_at_a_time(self):
        one, two, alone = (small_trainer() for _ in range(3))
        for a, b in zip(one.steps(batches(one, 6, size=4)), two.steps(batches(two, 6, size=4)), strict=True):
            assert repr(a.as_dict()) == repr(b.as_dict())
        train(alone, 6, size=4)
        assert_equal_states(one, alone)

    def test_a_setting_that_changes_is_not_replayed_away(self):
        trainers = [small_trainer(capture=capture) for capture in (True, False)]
        for trainer in trainers:
            train(trainer, 5, size=4)
            trainer.game.clip_weights = 0.01
            train(trainer, 5, size=4)
            trainer.optimizers["d"].betas = (0.9, 0.99)
            trainer.game.discriminator.parameters()[1].requires_grad = True
            train(trainer, 5, size=4)
        assert replays(trainers[0]) == 1
        assert_equal_states(*trainers)

    def test_networks_that_are_moved_are_captured_anew(self):
        trainers = [small_trainer(capture=capture) for capture in (True, False)]
        for trainer in trainers:
            train(trainer, 4, size=4)
            trainer.game.generator.to(dtype=np.float32)
            for parameter in trainer.game.generator.parameters():
                parameter.data = parameter.data.copy()
            train(trainer, 4, size=4)
        assert_equal_states(*trainers)

    @pytest.mark.parametrize("mode", ["nearest", "bilinear"])
    def test_pictures_that_are_resized(self, mode):
        """Which pixels are picked is worked out on the host."""
        trainers = []
        for capture in (True, False):
            generator, discriminator = small_networks()
            sizes = nn.Resize((7, 6), mode=mode), nn.Resize(4, mode=mode)
            networks = nn.Sequential(generator, *sizes), nn.Sequential(*sizes, discriminator)
            trainers.append(make_trainer(networks=networks, capture=capture))
        own, expected = (train(trainer, 5, size=4) for trainer in trainers)
        assert repr(own) == repr(expected) and trainers[0].capture_reason == ""
        assert_equal_states(*trainers)

    @on_stand_in
    def test_z_is_drawn_while_the_graph_runs(self, cupy, monkeypatch):
        log, trainer = [], small_trainer()
        launch = cupy.xp.cuda.Graph.launch
        monkeypatch.setattr(cupy.xp.cuda.Graph, "launch", lambda self: (log.append("launch"), launch(self)))
        rng = trainer.game.rng

        class Watched:
            bit_generator = rng.bit_generator

            def standard_normal(self, shape):
                log.append("draw")
                return rng.standard_normal(shape)

        trainer.game.rng = Watched()
        train(trainer, 5, size=4)
        assert log == ["draw"] * 3 + ["launch", "draw"] * 3  # the third is captured

    def test_nobody_can_tell_that_z_was_drawn_ahead(self):
        """Not by the streams after any step, not if somebody draws in between, not if the state is loaded."""
        captured, eager = (small_trainer(capture=capture) for capture in (True, False))
        streams = {}
        for number, (a, b) in enumerate(zip(batches(captured, 9, size=4), batches(eager, 9, size=4), strict=True)):
            for trainer, batch in ((captured, a), (eager, b)):
                list(trainer.steps([batch]))
                if number == 4:
                    trainer.game.rng.standard_normal(3)
                if number == 6:
                    trainer.load(trainer.arrays(), {**trainer.facts(), "streams": streams})
            streams = eager.facts()["streams"] if number == 2 else streams
            assert repr(captured.facts()) == repr(eager.facts())
        assert_equal_states(captured, eager)

    @on_stand_in
    def test_a_replay_launches_one_graph_and_asks_the_device_once(self, cupy, monkeypatch):
        trainer = small_trainer()
        train(trainer, 4, size=4)
        launched, asked = [], []
        monkeypatch.setattr(cupy.xp.RawKernel, "__call__", lambda self, *args: launched.append(self.name))
        get = cupy.xp.ndarray.get
        monkeypatch.setattr(cupy.xp.ndarray, "get", lambda array: (asked.append(array.shape), get(array))[1])
        ((replay, _),) = trainer.capture._replays.values()
        before = replay._graph._launches
        train(trainer, 3, size=4)
        assert replay._graph._launches == before + 3
        assert launched == [] and asked == [(5,)] * 3

    @on_stand_in
    def test_memory_does_not_grow(self, cupy):
        trainer, pool = small_trainer(), cupy.xp.get_default_memory_pool()
        train(trainer, 25, size=4)
        graphs = trainer.capture._graphs
        held = pool.used_bytes(), graphs._pool.used_bytes()
        train(trainer, 40, size=4)
        assert (pool.used_bytes(), graphs._pool.used_bytes()) == held


# ---- what is not captured -------------------------------------------------------------------------------------------


class Noisy(nn.Module):
    """Draws past ``backend.host``: a capture would freeze what it drew."""

    def __init__(self):
        self.inner, self.rng = nn.Linear(16, 1, rng=np.random.default_rng(0)), np.random.default_rng(5)

    def forward(self, x):
        noise = self.rng.standard_normal((len(x), 16)).astype(np.float32)
        return self.inner(x.reshape(len(x), 16) + Tensor(x.backend.asarray(noise)))


class Curious(gan.NonSaturating):
    def d_loss(self, real_logits, fake_logits, labels=None):
        loss = super().d_loss(real_logits, fake_logits, labels)
        return loss if loss.item() > 0 else loss * 2.0  # a look at the host


class TestFallback:
    pytestmark = needs_cupy

    def both(self, reason, warning, steps=5, **settings):
        eager, tried = (small_trainer(**{**settings, "capture": c}) for c in (False, settings.get("capture", True)))
        expected = train(eager, steps, size=4)
        with pytest.warns(RuntimeWarning, match=f"training steps are not captured: .*{warning}") as told:
            assert repr(train(tried, steps, size=4)) == repr(expected)
        assert len(told) == 1 and reason in tried.capture_reason and not replays(tried)
        assert_equal_states(tried, eager)

    def test_a_look_at_the_host(self):
        self.both("CaptureError: float32() is wanted on the host", "wanted on the host", objective=Curious())

    def test_clip_grad_norm(self):
        self.both("", "[Cc]aptur|cudaError", clip_grad_norm=1.0)
        self.both("clip_grad_norm decides on the host", "clip_grad_norm", clip_grad_norm=1.0, capture="auto")

    def test_numbers_that_come_past_the_tape(self):
        def trainer(capture):
            networks = small_networks()[0].to("cupy"), Noisy().to("cupy")
            return trainer_of(*networks, z_dim=Z_DIM, rng=np.random.default_rng(1), capture=capture)

        tried, eager = trainer(True), trainer(False)
        with pytest.warns(RuntimeWarning, match="comes from the host past backend.host.from_host"):
            own = train(tried, 5, size=4)
        assert repr(own) == repr(train(eager, 5, size=4))
        assert_equal_states(tried, eager)

    def test_auto_captures_what_is_minigans_own_only(self):
        self.both("Curious is not minigan's own; capture=True", "Curious", objective=Curious(), capture="auto")
        trainer = small_trainer(capture="auto")
        train(trainer, 4, size=4)
        assert replays(trainer) == 1 and trainer.capture_reason == ""

    def test_another_batch_size_is_worked_off_eagerly(self):
        trainers = [small_trainer(capture=capture) for capture in (True, False)]
        for trainer in trainers:
            train(trainer, 4, size=4)
            train(trainer, 1, size=4, batch=3)
        assert (
            "the batch is float32(3, 1, 4, 4), the captured ones are float32(4, 1, 4, 4)" in trainers[0].capture_reason
        )
        for trainer in trainers:
            train(trainer, 2, size=4)
        assert trainers[0].capture_reason == ""
        assert_equal_states(*trainers)

    def test_a_watched_step_is_worked_off_eagerly(self):
        trainer = small_trainer()
        train(trainer, 4, size=4)
        with watch(trainer):
            train(trainer, 1, size=4)
            assert trainer.capture_reason == "the step is being watched"
        train(trainer, 1, size=4)
        assert trainer.capture_reason == ""

    @on_stand_in
    def test_no_memory_for_a_capture(self, cupy, monkeypatch):
        cuda, memory = cupy.xp.cuda, cupy.xp.cuda.memory.Memory

        def full(size):
            if cupy.capturing:
                raise cuda.memory.OutOfMemoryError(size, 0)
            return memory(size)

        monkeypatch.setattr(cuda.memory, "Memory", full)
        self.both("CaptureError: the GPU's memory cannot hold", "memory cannot hold")


def test_any_bit_generator_is_put_back():
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        rng, other = (np.random.Generator(kind(5)) for _ in range(2))
        ahead = DrawnAhead()
        ahead.add(lambda rng=rng: rng.standard_normal(3), rng)
        ahead.draw()
        assert equal_states(rng.bit_generator.state, other.bit_generator.state)
        np.testing.assert_array_equal(ahead.take(), [other.standard_normal(3)])
        assert equal_states(rng.bit_generator.state, other.bit_generator.state)
        ahead.draw()
        rng.random()
        assert ahead.take() == [] and ahead.take() == []


def test_the_cpu_captures_nothing():
    trainer = make_trainer("numpy", networks=small_networks(), capture="auto")
    train(trainer, 2, size=4)
    assert trainer.capture_reason == "backend 'numpy' captures nothing"
    with pytest.warns(RuntimeWarning, match="backend 'numpy' captures nothing"):
        train(make_trainer("numpy", networks=small_networks(), capture=True), 1, size=4)


def test_a_mode_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="capture = 'yes' must be \"auto\", True or False"):
        make_trainer("numpy", networks=small_networks(), capture="yes")


# ---- the stand-in's own honesty -------------------------------------------------------------------------------------


@on_stand_in
class TestStandIn:
    def test_what_is_captured_is_not_done_until_it_is_launched(self, cupy):
        xp, stream = cupy.xp, cupy.xp.cuda.Stream(non_blocking=True)
        x, pool = xp.array(np.ones(3)), xp.cuda.MemoryPool()
        with stream, xp.cuda.using_allocator(pool.malloc):
            stream.begin_capture()
            x += 1
            y = cupy.sum(x * 2, (0,), False)
            graph = stream.end_capture()
        assert x.get().tolist() == [1, 1, 1] and np.isnan(y.item())
        graph.launch()
        graph.launch()
        assert x.get().tolist() == [3, 3, 3] and y.item() == 18

    @pytest.mark.parametrize(
        "act, words",
        [
            (lambda xp, x: x.get(), "D2H transfers are disallowed"),
            (lambda xp, x: float(x.sum()), "D2H transfers are disallowed"),
            (lambda xp, x: bool(x[0]), "D2H transfers are disallowed"),
            (lambda xp, x: x.reshape(1, 3) @ x.reshape(3, 1), "calling cuBLAS API during stream capture"),
            (lambda xp, x: xp.asarray(np.ones(3)), "StreamCaptureUnsupported"),
            (lambda xp, x: xp.argsort(x), "StreamCaptureUnsupported"),
            (lambda xp, x: xp.cuda.Device().synchronize(), "StreamCaptureUnsupported"),
            (lambda xp, x: xp.cuda.get_current_stream().synchronize(), "StreamCaptureUnsupported"),
        ],
    )
    def test_what_waits_for_the_device_is_refused(self, act, words, cupy):
        xp, stream = cupy.xp, cupy.xp.cuda.Stream(non_blocking=True)
        x = xp.array(np.ones(3))
        with stream:
            stream.begin_capture()
            with pytest.raises(RuntimeError, match=words):
                act(xp, x)
            stream.end_capture()

    def test_memory_that_went_back_to_the_common_pool_is_noticed(self, cupy):
        xp, stream = cupy.xp, cupy.xp.cuda.Stream(non_blocking=True)
        x = xp.array(np.ones(3))
        with stream:
            stream.begin_capture()
            x += x * 2  # the product lives in the common pool, and is gone at once
            graph = stream.end_capture()
        with pytest.raises(RuntimeError, match="memory that was given back"):
            graph.launch()

    def test_the_host_brings_no_more_than_it_said(self, cupy):
        drawn = lambda: from_host(cupy, lambda: np.zeros(100))  # noqa: E731
        with pytest.raises(CaptureError, match="the host brings more than the 256 bytes"):
            cupy.graphs().capture(lambda: drawn(), [], 256, 1)

    def test_what_the_host_brings_is_brought_again(self, cupy):
        log = []

        def work():
            return from_host(cupy, lambda step: (log.append(step), np.full((1, 2, 2, 1), step))[1], 1) * 2

        replay = cupy.graphs().capture(work, [], 1024, 1)
        assert log == [1]
        assert replay(1, []).get().ravel().tolist() == [2] * 4 and log == [1]
        assert replay(7, []).get().ravel().tolist() == [14] * 4 and log == [1, 7]
