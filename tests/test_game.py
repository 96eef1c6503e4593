"""The trainer plays any game: other players, other turns, other losses, through everything that a run goes through."""

import json
from pathlib import Path

import numpy as np
import other_games
import pytest
from test_capture import needs_cupy

from minigan import InputError, Tensor, gan, nn, optim
from minigan.gan.rules import Round, Turn

games = pytest.mark.parametrize("name", other_games.GAMES)


def make_trainer(name, place="numpy", dtype=np.float32, **settings):
    return gan.Trainer(other_games.GAMES[name](place, dtype), **settings)


def train(trainer, count, **settings):
    return [record.as_dict() for record in trainer.steps(other_games.batches(count, **settings))]


def assert_equal_states(one, two):
    a, b = one.arrays(), two.arrays()
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert repr(one.facts()) == repr(two.facts())


@games
def test_every_player_learns_and_tells_its_terms(name):
    trainer = make_trainer(name)
    before = trainer.arrays()
    *_, record = train(trainer, 3)
    cycle = {"d_a_loss", "d_b_loss", "g_loss", "cycle", "d_real", "d_fake", "returns", "spread"}
    losses = {"paired": {"d_loss", "g_loss", "l1"}, "cycle": cycle, "cycle_of_few": cycle | {"identity"}}[name]
    norms = {f"{turn.name}_grad" for turn in trainer.game.turns}
    assert losses | norms <= set(record) and all(np.isfinite(list(record.values())))
    for key, array in trainer.arrays().items():
        if key.endswith("weight"):
            assert not np.array_equal(array, before[key]), key


@games
def test_a_term_pulls_where_it_should(name):
    """With next to nothing else to learn, pictures come nearer to their target, or back to where they came from."""
    term = "l1" if name == "paired" else "cycle"
    game = other_games.GAMES[name](weight=100.0)
    makers = [p for key in game.results for p in game.networks[key].parameters()]
    trainer = gan.Trainer(game, {"g": optim.Adam(makers, lr=1e-2)})
    records = train(trainer, 60)
    assert np.mean([record[term] for record in records[-5:]]) < 0.7 * records[0][term]


@games
def test_it_is_resumed_bit_for_bit(name):
    whole, first, second = (make_trainer(name, ema=0.9) for _ in range(3))
    batches = list(other_games.batches(6))
    expected = [record.as_dict() for record in whole.steps(batches)]
    list(first.steps(batches[:3]))
    second.load(first.arrays(), json.loads(json.dumps(first.facts())))
    assert [record.as_dict() for record in second.steps(batches[3:])] == expected[3:]
    assert_equal_states(second, whole)


@pytest.mark.parametrize("name", ["paired", "cycle"])  # a full buffer is asked for parts in another order
def test_in_parts_it_is_the_whole_batch(name):
    whole, parts = (make_trainer(name, dtype=np.float64, accumulate=n) for n in (1, 2))
    for a, b in zip(train(whole, 3, dtype=np.float64), train(parts, 3, dtype=np.float64), strict=True):
        assert a.keys() == b.keys()
        for key in a.keys() - {"spread", "psnr", "returns"}:  # which depend on what is beside what
            assert b[key] == pytest.approx(a[key], rel=1e-9), key
    for key, array in parts.arrays().items():
        if key.startswith("fakes_"):  # each part puts its own where the last one put its
            continue
        np.testing.assert_allclose(array, whole.arrays()[key], rtol=1e-9, atol=1e-12, err_msg=key)


@games
def test_what_it_is_played_for_is_averaged(name):
    trainer = make_trainer(name, ema=0.2)
    results = trainer.game.results
    expected = {key: trainer.game.networks[key].state_dict() for key in results}
    for record in trainer.steps(other_games.batches(3)):
        for key in results:
            kept = trainer.averages[key].decay_at(record.step)
            for part, array in trainer.game.networks[key].state_dict().items():
                expected[key][part] = kept * expected[key][part] + (1 - kept) * array
    for key in results:
        for part, array in trainer.result(key).state_dict().items():
            np.testing.assert_allclose(array, expected[key][part], rtol=1e-5, atol=1e-6)


@games
class TestCaptured:
    pytestmark = needs_cupy

    def test_captured_is_eager(self, name):
        captured, eager = (make_trainer(name, "cupy", capture=capture, ema=0.9) for capture in (True, False))
        place = captured.game.backend
        batches = [tuple(map(place.asarray, batch)) for batch in other_games.batches(5)]
        own, expected = ([repr(r.as_dict()) for r in one.steps(batches)] for one in (captured, eager))
        assert own == expected and captured.capture_reason == ""
        assert_equal_states(captured, eager)


def test_a_batch_that_is_not_parted_as_the_game_wants_is_a_plain_error():
    with pytest.raises(TypeError, match="source"):
        list(make_trainer("paired").steps([np.zeros((2, 1, 8, 8), np.float32)]))


class Reconstruction(gan.Game):
    """Whose only player is told of by ``terms``."""

    results = ("net",)

    def __init__(self, terms):
        self.terms, self.rng = terms, np.random.default_rng(0)
        self.networks = {"net": nn.Linear(2, 2, rng=self.rng)}

    @property
    def turns(self):
        return (Turn("net", (self.networks["net"],), lambda round: self.terms((round.fake - round.real) ** 2)),)

    def play(self, x):
        return Round(x, self.networks["net"](x))


def test_a_game_of_ones_own_is_told_of_by_its_terms():
    trainer = gan.Trainer(Reconstruction(lambda error: {"net_loss": error.mean()}))
    records = list(trainer.steps([np.ones((3, 2), np.float32)] * 2))
    assert list(records[0].values) == ["net_loss", "net_grad"] and records[1].net_loss < records[0].net_loss


@pytest.mark.parametrize("terms", [lambda error: {"mse": error.mean()}, lambda error: error.mean()])
def test_a_loss_without_the_turns_name_is_refused(terms):
    """The record would have a net_loss of NaN for good, which ends a run."""
    with pytest.raises(InputError, match="turn 'net': its loss must be Terms with a net_loss, not "):
        gan.Trainer(Reconstruction(terms)).step(np.ones((3, 2), np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_bytes_are_no_real_images(dtype):
    game = gan.TwoPlayer(nn.Linear(3, 2), nn.Linear(2, 1), z_dim=3, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match=f"the real images are {np.dtype(dtype)}, expected floating-point ones"):
        gan.Trainer(game).step(np.ones((4, 2), dtype))


# ---- what is checked when a trainer is made -------------------------------------------------------------------------


def test_a_trainer_of_networks_says_that_it_wants_a_game():
    with pytest.raises(InputError, match="a Linear is no game: give one, TwoPlayer"):
        gan.Trainer(nn.Linear(1, 1))


def test_an_optimizer_for_no_turn_is_refused():
    game = other_games.cycle()
    with pytest.raises(InputError, match="optimizers for d: this game's turns are d_a, d_b, g"):
        gan.Trainer(game, {"d": optim.Adam(game.networks["a"].parameters())})


def test_an_optimizer_of_another_player_is_refused():
    game = other_games.paired()
    with pytest.raises(InputError, match="the optimizer for 'd' has 4 parameters of other networks"):
        gan.Trainer(game, {"d": optim.Adam(game.generator.parameters())})


# ---- what the README shows ------------------------------------------------------------------------------------------


def test_the_heart_that_the_readme_shows_is_the_games_own():
    root = Path(__file__).parents[1]
    block = next(b for b in (root / "README.md").read_text().split("```python\n")[1:] if "def d_loss" in b)
    shown = block.split("```")[0].rstrip().splitlines()
    own = (root / "minigan/gan/game.py").read_text().splitlines()
    shown, own = ([line.strip() for line in lines if line.strip()] for lines in (shown, own))
    start = own.index(shown[0])
    assert own[start : start + len(shown)] == shown and len(shown) > 10


def test_the_game_is_read_at_one_sitting():
    assert len((Path(gan.__file__).parent / "game.py").read_text().splitlines()) <= 150


@pytest.mark.parametrize(("within", "expected"), [(1.0, 1.0), (0.0, 0.0)])
def test_a_collapse_within_each_label_is_seen(backend, rng, within, expected):
    """Images differ from label to label as they should; among those of one label they do, or are all the same."""
    networks = (network.to(backend) for network in gan.build({"model": "cgan", "classes": 3, "width": 4}, rng))
    game = gan.TwoPlayer(*networks, z_dim=100, rng=rng)
    labels, place = np.arange(24) % 3, game.backend
    of_label = rng.standard_normal((3, 1, 28, 28))[labels]
    real, fake = (of_label + rng.standard_normal(of_label.shape) * size for size in (1.0, within))

    def spread(labels):
        round = Round(Tensor(place.asarray(real)), Tensor(place.asarray(fake)), (place.asarray(labels),))
        game.measure(round)
        return float(place.to_numpy(round.told["spread"].data))

    assert spread(labels) == pytest.approx(expected, abs=0.05)
    assert spread(np.arange(24)) > 0.5  # no two are of one label: over all of them
