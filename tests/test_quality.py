"""benchmarks/quality.py: the statistics against closed forms, and runs that are kept, judged and compared."""

import json

import numpy as np
import pytest

from benchmarks import quality
from minigan.errors import InputError

pytest.importorskip("scipy", reason="the equivalence test needs scipy")
from benchmarks.equivalence import compare, pass_rate


def test_the_interval_is_welchs():
    # n = m = 2 and equal variances: error 1, two degrees of freedom, t(0.95) = 2.91999
    found = compare(np.array([4.0, 4.0 + np.sqrt(2)]), np.array([0.0, np.sqrt(2)]))
    assert found.difference == pytest.approx(4) and found.margin == pytest.approx(1)
    assert (found.low, found.high) == pytest.approx((4 - 2.919986, 4 + 2.919986), rel=1e-5)
    # with two degrees of freedom P(T > t) = (1 - t / sqrt(t^2 + 2)) / 2
    assert found.differ_p == pytest.approx(1 - 4 / np.sqrt(18)) and found.equal_p > 0.5


@pytest.mark.parametrize(
    ("count", "shift", "verdict"), [(40, 0.0, "equal"), (5, 0.5, "undecided"), (40, 3.0, "different")]
)
def test_verdicts(count, shift, verdict):
    runs = np.linspace(-1.5, 1.5, count)
    found = compare(runs + shift, runs)
    assert found.verdict == verdict
    inside = -found.margin < found.low and found.high < found.margin
    assert inside == (found.equal_p < 0.05)  # the two ways to read the test agree


def test_the_permutation_test_counts_relabellings():
    # Of the 20 ways to choose 3 of 6 different numbers, 2 are as extreme as the most extreme one.
    found = compare(np.array([10.0, 11.0, 13.0]), np.array([0.0, 1.0, 2.5]))
    assert found.permutation_p == pytest.approx(0.1, abs=0.02)


def test_power_grows_with_runs_and_false_passes_stay_rare():
    few, many = pass_rate(5, 5), pass_rate(40, 40)
    assert few < 0.2 and many > 0.95
    assert pass_rate(40, 40, shift=1.0) < 0.12


@pytest.mark.parametrize("runs", [[1.0], [2.0, 2.0]])
def test_what_cannot_be_compared(runs):
    with pytest.raises(InputError, match=r"compare: "):
        compare(np.array(runs), np.array(runs))


def small(engine, model="dcgan", seed=0, steps=2):
    return quality.Run(model=model, width=2, batch=4, steps=steps, engine=engine, seed=seed)


@pytest.mark.parametrize("model", quality.WORKLOADS)
@pytest.mark.parametrize("engine", quality.NAMES)
def test_every_engine_trains(model, engine, monkeypatch):
    if engine == "torch":
        pytest.importorskip("torch")
    monkeypatch.setattr(quality, "SAMPLES", 500)
    images = quality.train(small(engine, model, steps=5))
    assert images.shape == (500, 1, 28, 28) and images.dtype == np.uint8 and images.std() > 0


def test_a_seed_decides_a_run_and_the_control_is_another_game(monkeypatch):
    monkeypatch.setattr(quality, "SAMPLES", 10)
    one, again, other = (quality.train(small("minigan", seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any() and (one != quality.train(small("control"))).any()


def test_a_run_that_is_there_is_not_repeated(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(quality, "train", lambda run: trained.append(run) or np.zeros((3, 1, 28, 28), np.uint8))
    for _ in range(2):
        assert "dcgan-width2-batch4-steps2-minigan-seed0: 0 s" in quality._one((small("minigan"), tmp_path, None))
    assert trained == [small("minigan")]


def test_tables(tmp_path):
    rng = np.random.default_rng(0)
    for engine, mean in (("torch", 5.0), ("minigan", 5.0), ("control", 9.0)):
        for seed in range(6):
            scores = {name: mean + rng.standard_normal() for name in quality.METRICS}
            facts = {"model": "dcgan", "width": 32, "batch": 64, "steps": 10, "engine": engine, "seed": seed}
            path = tmp_path / f"{engine}-seed{seed}.json"
            path.write_text(json.dumps({**facts, "extractor": "one", "seconds": 1.0, **scores}))
    made = quality.tables(quality.load(tmp_path))
    assert made["quality"].count("\n") == 4 and made["every_run"].count("\n") == 19
    control = [line for line in made["equivalence"].splitlines() if "control" in line and "Frechet" in line]
    assert len(control) == 1 and "**different**" in control[0]
    short = [line.split(" | ")[-1] for line in made["verdicts"].splitlines()[2:]]
    assert len(short) == 2 and short[1] == "**different** |"
    (tmp_path / "torch-seed0.json").write_text(json.dumps({**facts, "extractor": "another", "seed": 9}))
    with pytest.raises(InputError, match="different extractors"):
        quality.tables(quality.load(tmp_path))
