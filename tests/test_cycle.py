"""The game without pairs: earlier fakes, what it tells, CycleGAN's networks, and the alarm for ignored sources."""

import itertools
import json
import math

import numpy as np
import other_games
import pytest
from test_capture import needs_cupy

from minigan import InputError, gan, nn, optim
from minigan.backend import get
from minigan.data import Loader, Unpaired
from minigan.gan.cycle import Exchange, distance_from_mean
from minigan.gan.fakes import FakeBuffer
from minigan.gan.health import YOUNG, Health
from minigan.tensor import Tensor

RNG = np.random.default_rng
SMALL = {"channels": 1, "width": 2, "d_width": 2, "blocks": 1, "layers": 1}


def trainer_of(place="numpy", dtype=np.float32, **settings):
    model = gan.UNPAIRED["cyclegan"]
    players = (network.to(place, dtype) for network in model.players(RNG(0), **SMALL))
    return model.trainer(*players, rng=RNG(1), **settings)


# ---- earlier fakes --------------------------------------------------------------------------------------------------


def numbered(*numbers, backend):
    return Tensor(backend.asarray(np.array(numbers, np.float32).reshape(-1, 1, 1, 1)))


def test_the_first_fakes_are_shown_and_kept(backend):
    buffer = FakeBuffer(4)
    for step, numbers in enumerate(((1, 2), (3, 4)), start=1):
        shown = buffer.show(numbered(*numbers, backend=backend), RNG(0), step)
        assert shown.numpy().ravel().tolist() == list(numbers) and shown.backend is backend
    assert buffer.state_dict()["kept"].ravel().tolist() == [1, 2, 3, 4]


def test_the_rounds_of_a_step_fill_it_one_after_the_other(backend):
    buffer = FakeBuffer(6)
    for step, numbers in ((1, (1, 2)), (1, (3, 4)), (2, (5, 6)), (2, (7, 8))):
        buffer.show(numbered(*numbers, backend=backend), RNG(0), step, rounds=2)
    kept = set(buffer.state_dict()["kept"].ravel())
    assert len(kept) == 6 and kept <= set(range(1, 9)) and len(kept & {1, 2, 3, 4, 5, 6}) >= 4


def test_an_accumulated_step_keeps_all_of_its_fakes():
    trainer = trainer_of(buffer=4, accumulate=2)
    trainer.step(tuple(RNG(seed).uniform(-1, 1, (4, 1, 8, 8)).astype(np.float32) for seed in (1, 2)))
    kept = trainer.game.fakes[0].state_dict()["kept"]
    assert all(one.any() for one in kept) and not np.array_equal(kept[:2], kept[2:])


def test_half_of_what_is_shown_is_older_and_nothing_is_lost(backend):
    buffer, rng, shown = FakeBuffer(10), RNG(0), []
    for step in range(1, 101):
        fakes = numbered(2 * step, 2 * step + 1, backend=backend)
        shown += [(step, int(value)) for value in buffer.show(fakes, rng, step).numpy().ravel()]
    older = [step - value // 2 for step, value in shown if step > 5]
    assert 0.4 < np.mean([age > 0 for age in older]) < 0.6 and max(older) > 10
    values = [value for _, value in shown]
    assert len(set(buffer.state_dict()["kept"].ravel())) == 10
    assert {int(v) for v in buffer.state_dict()["kept"].ravel()} | set(values) == set(range(2, 202))


def test_without_a_buffer_the_fakes_themselves_are_shown():
    fakes = Tensor(np.ones((2, 1, 1, 1)), requires_grad=True)
    shown = FakeBuffer(0).show(fakes, RNG(0), 1)
    assert shown.data is fakes.data and not shown.requires_grad and FakeBuffer(0).state_dict() == {}


@pytest.mark.parametrize("size", [-1, 1.5, True])
def test_a_buffer_of_no_size(size):
    with pytest.raises(InputError, match="must be a whole number of at least 0"):
        FakeBuffer(size)


def test_the_contents_of_another_buffer_are_refused():
    trainer, other = trainer_of(buffer=4), trainer_of(buffer=5)
    for one in (trainer, other):
        next(one.steps(other_games.batches(1)))
    before = trainer.arrays()
    with pytest.raises(InputError, match=r"fakes \(5, 1, 8, 8\), this buffer keeps 4"):
        trainer.load(other.arrays(), other.facts())
    assert all(np.array_equal(array, before[name]) for name, array in trainer.arrays().items())


# ---- the game -------------------------------------------------------------------------------------------------------


def test_what_returns_is_told():
    """All of it for translators that change nothing; nothing, and an alarm, for those that ignore their source."""

    class Same(nn.Module):
        def __init__(self):
            self.nothing = nn.Parameter(np.zeros((1, 1, 1, 1), np.float32))

        def forward(self, x):
            return x + self.nothing * 0

    class Ignorant(nn.Module):
        """The planted fault: another picture each time, which has nothing to do with what it is given."""

        def __init__(self, seed):
            self.own, self.drawn = nn.Parameter(RNG(seed).uniform(-1, 1, (1, 1, 8, 8)).astype(np.float32)), RNG(seed)

        def forward(self, x):
            return x * 0 + self.own + Tensor(self.drawn.uniform(-0.5, 0.5, x.shape).astype(np.float32))

    def alarms(*translators):
        judges = (other_games.judge(1, RNG(0)) for _ in range(2))
        game = gan.Cycle(*translators, *judges, rng=RNG(1))
        *_, record = gan.Trainer(game).steps(other_games.batches(20))
        health = Health(game)
        found = [health.look({**record.as_dict(), "step": step}) for step in range(1, YOUNG + 1)]
        return record.returns, {alarm.kind: alarm.step for alarms in found for alarm in alarms}

    returns, found = alarms(Same(), Same())
    assert returns == 1 and "ignores_source" not in found
    returns, found = alarms(Ignorant(0), Ignorant(1))
    assert returns < 0.05 and found["ignores_source"] == YOUNG
    returns, found = alarms(Same(), Ignorant(1))  # one is enough
    assert returns < 0.05 and "ignores_source" in found


def test_what_has_learned_to_come_back_returns():
    game, rng = other_games.cycle(weight=30.0), RNG(0)
    makers = [p for key in game.results for p in game.networks[key].parameters()]
    level, upright = np.meshgrid(*[np.linspace(-1, 1, 8, dtype=np.float32)] * 2)

    def batches():
        """Slopes that rise to the right, and slopes that rise downward, of several heights."""
        while True:
            a, b = rng.uniform(0.2, 0.9, (2, 4, 1, 1, 1)).astype(np.float32)
            yield a * level, b * upright

    *_, record = gan.Trainer(game, {"g": optim.Adam(makers, lr=1e-2)}).steps(itertools.islice(batches(), 100))
    assert record.returns > 0.2


def test_one_picture_is_measured_against_its_mean_colour():
    (record,) = trainer_of().steps(other_games.batches(1, size=1))
    assert math.isfinite(record.returns) and math.isnan(record.spread)


@pytest.mark.parametrize("worse", "ab")
def test_the_worse_way_is_told_and_both_detectives_are(worse):
    game = trainer_of().game
    (a, b), share = (Tensor(x) for x in next(iter(other_games.batches(1)))), {"a": 0.5, "b": 0.5, worse: 0.25}
    round = Exchange(a, b, a * share["a"], b * share["b"])
    game.measure(round)
    assert round.told["spread"].item() == pytest.approx(0.25)
    game.tell_what_returns(round, *(distance_from_mean(x) * (1 - share[name]) for name, x in (("a", a), ("b", b))))
    assert round.told["returns"].item() == pytest.approx(0.25)
    game.step = 1
    game.a_loss(round), game.b_loss(round)
    mean = (game.a(a).numpy().mean() + game.b(b).numpy().mean()) / 2
    assert round.told["d_real"].item() == pytest.approx(mean, rel=1e-5)


def test_both_detectives_together_are_ahead():
    game = trainer_of().game
    assert game.lead({"d_real": 0.9, "d_fake": 0.2}) == pytest.approx(0.7)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"cycle_weight": 0}, "cycle_weight = 0 must be above 0"),
        ({"identity_weight": -1}, "identity_weight = -1 must be at least 0"),
        ({"identity_weight": math.nan}, "identity_weight = nan"),
        ({"objective": gan.RelativisticAverage()}, "judges a fake beside the real picture"),
    ],
)
def test_settings_that_are_none(settings, message):
    with pytest.raises(InputError, match=message):
        trainer_of(**settings)


# ---- CycleGAN's networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "resize"), [((8, 8), False), ((9, 14), True), ((3, 5), False), ((3, 5), True)])
def test_a_picture_of_any_size(side, resize, backend):
    ab, _ = gan.build({"model": "cyclegan", **SMALL, "halvings": 2, "resize": resize}, RNG(0))
    x = backend.asarray(RNG(1).uniform(-1, 1, (2, 1, *side)).astype(np.float32))
    y = ab.to(backend)(Tensor(x))
    assert y.shape == (2, 1, *side) and np.abs(y.numpy()).max() <= 1


def test_each_player_is_another_network():
    players = gan.UNPAIRED["cyclegan"].players(RNG(0), **SMALL)
    assert len({network.state_dict()[key].tobytes() for network in players for key in ["network.0.weight"]}) == 4


@pytest.mark.parametrize("settings", [{"width": 0}, {"blocks": 0}, {"channels": 2}, {"halvings": -1}])
def test_networks_that_are_none(settings):
    with pytest.raises(InputError, match=f"{next(iter(settings))} *=? *-?\\d"):
        gan.build({"model": "cyclegan", **settings}, RNG(0))


def test_a_run_is_resumed_bit_for_bit_on_drawn_pictures():
    pictures = [RNG(n).integers(0, 256, (12 + n, 14, 1), np.uint8) for n in range(4)]

    def batches():
        unpaired = Unpaired(pictures[:2], pictures[2:], crop=8)
        return Loader(unpaired, 2, backend=get("numpy"), rng=RNG(3)).forever()

    settings = {"buffer": 3, "identity_weight": 1.0, "ema": 0.9}
    whole, first, second = (trainer_of(**settings) for _ in range(3))
    expected = [record.as_dict() for record in whole.steps(itertools.islice(batches(), 8))]
    list(first.steps(itertools.islice(batches(), 4)))
    second.load(first.arrays(), json.loads(json.dumps(first.facts())))
    assert [r.as_dict() for r in second.steps(itertools.islice(batches(), 4, 8))] == expected[4:]
    ours, theirs = second.arrays(), whole.arrays()
    assert ours.keys() == theirs.keys() and {"fakes_a/kept", "fakes_b/kept", "ema.ab/network.0.weight"} <= ours.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


class TestCaptured:
    pytestmark = needs_cupy

    def test_captured_is_eager_and_resumes(self):
        """Also when the buffers are loaded under a captured step, which goes on writing into them."""
        captured, eager = (trainer_of("cupy", capture=capture, buffer=6) for capture in (True, False))
        place = captured.game.backend
        batches = [tuple(map(place.asarray, batch)) for batch in other_games.batches(8)]
        own, expected = ([r.as_dict() for r in one.steps(batches[:6])] for one in (captured, eager))
        assert repr(own) == repr(expected) and captured.capture_reason == ""
        state = captured.arrays(), captured.facts()
        after = [r.as_dict() for r in captured.steps(batches[6:])]
        captured.load(*state)
        assert repr([r.as_dict() for r in captured.steps(batches[6:])]) == repr(after)
        assert repr([r.as_dict() for r in eager.steps(batches[6:])]) == repr(after)
