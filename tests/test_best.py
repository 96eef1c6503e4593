"""The best generator of a run: measured without being touched, kept, and brought back by going back."""

import json
import math
import signal
import warnings

import numpy as np
import pytest
from commands import contents
from small_extractor import SmallExtractor

from minigan import InputError, backend, data, gan
from minigan.checkpoint import read, read_model
from minigan.metrics import frechet_distance
from minigan.metrics.pixels import as_bytes
from minigan.runs import Latents, Run
from minigan.runs.best import Best
from minigan.runs.journal import measured, read_journal
from minigan.runs.report import write_report

COUNT, Z_DIM, CLASSES = 40, 6, 3


def make_dataset(seed=1):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (COUNT, 1, 28, 28)).astype(np.uint8)
    return data.Dataset(pixels, rng.choice(CLASSES, COUNT, p=[0.7, 0.2, 0.1]), tuple("abc"), "noise")


def make_best(dataset, *, every=2, samples=20, conditional=False, seed=7):
    rng = np.random.default_rng(seed)
    settings = {"every": every, "samples": samples, "z_dim": Z_DIM, "conditional": conditional, "rng": rng}
    return Best(dataset, SmallExtractor(), **settings)


def make_run(out, name="gan", *, every=2, samples=20, ema=None, **settings):
    model, dataset = gan.MODELS[name], make_dataset()
    architecture = {"model": name, "channels": 1, "image_size": 28, "z_dim": Z_DIM, "width": 4}
    if model.conditional:
        architecture["classes"] = CLASSES
    networks = gan.build(architecture, np.random.default_rng(3))
    trainer = model.trainer(*networks, z_dim=Z_DIM, rng=np.random.default_rng(4), ema=ema)
    place = backend.get("numpy")
    loader = data.Loader(dataset, 4, backend=place, rng=np.random.default_rng(2), labels=model.conditional)
    best = make_best(dataset, every=every, samples=samples, conditional=model.conditional) if every else None
    return Run(
        out,
        trainer,
        loader,
        architecture,
        Latents(Z_DIM, np.random.default_rng(5), architecture.get("classes", 0)),
        best=best,
        quiet=True,
        **settings,
    )


def go(run, stop_after=None):
    with run:
        for record in run.steps():
            if record.step == stop_after:
                signal.raise_signal(signal.SIGTERM)
    return run


def lines(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def files(out):
    return {path.relative_to(out).as_posix(): content for path, content in contents(out).items()}


def assert_same(one, other):
    one, other = files(one), files(other)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_a_measure_that_is_never_taken_is_refused(tmp_path):
    with pytest.raises(InputError, match="the Frechet distance every 5 steps would never be measured in 4"):
        make_run(tmp_path / "out", every=5, steps=4)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "ema"), [("gan", None), ("cgan", 0.5), ("dcgan", None)])
def test_measuring_changes_nothing_of_the_training(tmp_path, name, ema):
    watched = go(make_run(tmp_path / "watched", name, ema=ema, steps=9))
    alone = go(make_run(tmp_path / "alone", name, ema=ema, steps=9, every=None))
    assert watched.trainer.facts() == alone.trainer.facts()
    for key, array in alone.trainer.arrays().items():
        np.testing.assert_array_equal(array, watched.trainer.arrays()[key])
    plain = [{k: v for k, v in line.items() if k != "frechet"} for line in lines(tmp_path / "watched")]
    assert plain == lines(tmp_path / "alone")
    same = {"model.safetensors", "training.gif", "interpolation.png", "samples/epoch-001.png"}
    assert all(files(tmp_path / "watched")[file] == files(tmp_path / "alone")[file] for file in same)
    assert not (tmp_path / "alone" / "best.safetensors").exists()


def test_the_kept_one_is_the_lowest_and_its_number_is_right(tmp_path):
    run = go(make_run(tmp_path, steps=15, every=3))
    found = {line["step"]: line["frechet"] for line in lines(tmp_path) if "frechet" in line}
    assert list(found) == [3, 6, 9, 12, 15]
    lowest = min(found, key=found.get)
    arrays, facts = read(tmp_path / "best.safetensors", "model")
    assert (facts["step"], facts["frechet_distance"]) == (lowest, found[lowest])
    # measured anew from the file alone
    generator, _ = gan.build(facts["architecture"], np.random.default_rng(0))
    generator.load_state_dict(arrays)
    extractor, images = SmallExtractor(), as_bytes(gan.generate(generator, run.best.z))
    distance = frechet_distance(extractor(run.loader.dataset.images).features, extractor(images).features)
    assert distance == pytest.approx(found[lowest], rel=1e-6)
    assert run.summary().endswith(
        f"\nlowest Frechet distance {found[lowest]:.4g} at step {lowest}: {tmp_path / 'best.safetensors'}"
    )


def test_an_averaged_generator_is_the_one_that_is_kept(tmp_path):
    run = go(make_run(tmp_path, ema=0.9, steps=2))
    _, state = read_model(tmp_path / "best.safetensors")
    assert all(np.array_equal(array, state[name]) for name, array in run.generator.state_dict().items())


def test_labels_are_asked_for_as_often_as_the_data_have_them():
    dataset = make_dataset()
    shares = np.bincount(make_best(dataset, samples=2000, conditional=True).labels, minlength=3) / 2000
    np.testing.assert_allclose(shares, np.bincount(dataset.labels, minlength=3) / COUNT, atol=0.04)


@pytest.mark.parametrize(("name", "ema"), [("gan", None), ("cgan", 0.5)])
def test_half_and_half_is_the_whole(tmp_path, name, ema):
    settings = {"ema": ema, "checkpoint_every": 3}
    go(make_run(tmp_path / "whole", name, steps=16, **settings))
    go(make_run(tmp_path / "halves", name, steps=16, **settings), stop_after=7)
    go(make_run(tmp_path / "halves", name, steps=16, resume=True, **settings))
    assert_same(tmp_path / "whole", tmp_path / "halves")


def test_a_kill_takes_back_a_best_that_came_after_the_checkpoint(tmp_path, monkeypatch):
    """Killed after a new best was written and before the next checkpoint, and then not trained that far again."""
    falling = iter([9.0, 8.0, 7.0, 6.0, 5.0] * 3)
    monkeypatch.setattr("minigan.runs.best.frechet_distance", lambda *_: next(falling))
    go(make_run(tmp_path / "whole", steps=5))
    falling = iter([9.0, 8.0, 7.0, 6.0, 5.0] * 3)
    out = tmp_path / "killed"
    go(make_run(out, steps=8))  # bests of the steps 2, 4, 6 and 8
    assert read(out / "best.safetensors", "model")[1]["step"] == 8
    newest = sorted((out / "checkpoints").iterdir())[-1]
    newest.unlink()  # the one of step 8: what is left is that of step 0
    run = make_run(out, steps=5, resume=True)
    assert not (out / "best.safetensors").exists() and run.best.step == 0
    falling = iter([9.0, 8.0, 7.0])
    go(run)
    for name in ("best.safetensors", "metrics.jsonl", "checkpoints/step-00000005.safetensors"):
        assert files(out)[name] == files(tmp_path / "whole")[name], name


def test_other_measurements_are_not_mixed(tmp_path):
    go(make_run(tmp_path, steps=4))
    for changed in ({"every": 4}, {"samples": 30}, {"every": None}):
        with pytest.raises(
            InputError, match="was run with different settings: metric was Frechet distance of 20 samples every"
        ):
            make_run(tmp_path, steps=8, resume=True, **changed)


def test_a_generator_that_is_not_finite_has_no_distance():
    best = make_best(make_dataset())
    generator, _ = gan.build({"model": "gan", "z_dim": Z_DIM, "width": 4}, np.random.default_rng(0))
    assert best.look(2, generator) and best.step == 2
    kept = best.distance
    for parameter in generator.parameters():
        parameter.data[:] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert not best.look(4, generator)
    assert math.isnan(best.last) and (best.step, best.distance) == (2, kept)


def test_too_few_samples():
    with pytest.raises(InputError, match="5 samples are too few for the covariance of 5 features: take at least 6"):
        make_best(make_dataset(), samples=5)


# ---- whoever reads the journal --------------------------------------------------------------------------------------


def test_the_readers_show_it(tmp_path):
    go(make_run(tmp_path, steps=10, every=4))
    history, _ = read_journal(tmp_path / "metrics.jsonl")
    steps, distances = measured(history)
    assert steps == [4, 8] and {len(values) for values in history.values()} == {10}
    write_report(tmp_path, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Fréchet distance" in page and f"lowest {min(distances):.4g} at step" in page
    assert "<th>metric<td>Frechet distance of 20 samples every 4 steps, small (0badcafe), 5 features" in page
    assert measured({"step": [1.0, 2.0]}) == ([], [])
