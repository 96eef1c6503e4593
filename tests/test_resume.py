"""Going on is exact: N steps, a break, and N steps leave the same folder, byte for byte, as 2 N steps at once."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import small_models
from commands import contents, write_digits

from minigan import InputError, cli, data, gan, optim
from minigan import backend as backends
from minigan.media import medium_of
from minigan.runs import Latents, Run
from minigan.runs.report import write_report

CLASSES = 3


def make_loader(model, batch_size=4, seed=1, count=26, place="numpy"):
    """``count`` pictures of noise with labels; the last two of an epoch are left over."""
    rng = np.random.default_rng(seed)
    if model.medium != "pictures":
        items, labels = small_models.items(model.name, count, rng), rng.integers(0, CLASSES, count)
        examples = data.Arrays(items, labels, tuple("abc"), name="noise")
        place = backends.get(place)
        return data.Loader(examples, batch_size, backend=place, rng=np.random.default_rng(2), labels=model.conditional)
    pixels = rng.integers(0, 256, (count, 1, 28, 28)).astype(np.uint8)
    dataset = data.Dataset(pixels, rng.integers(0, CLASSES, count), tuple("abc"), "noise")
    place = backends.get(place)
    return data.Loader(dataset, batch_size, backend=place, rng=np.random.default_rng(2), labels=model.conditional)


def make_run(out, name, *, width=4, loader=None, changes=None, place="numpy", **settings):
    model = gan.MODELS[name]
    architecture = small_models.architecture(name, width=width, classes=CLASSES)
    networks = [network.to(place) for network in gan.build(architecture, np.random.default_rng(3))]
    trainer = model.trainer(*networks, z_dim=6, rng=np.random.default_rng(4), **(changes or {}))
    settings = {
        "quiet": True,
        "config": {"width": width},
        "looks": Latents(6, np.random.default_rng(5), architecture.get("classes", 0), medium_of(architecture)),
        **settings,
    }
    return Run(out, trainer, loader or make_loader(model, place=place), architecture, **settings)


def go(run, stop_after=None):
    with run:
        for record in run.steps():
            if record.step == stop_after:
                signal.raise_signal(signal.SIGTERM)


def files(folder):
    return {path.relative_to(folder).as_posix(): content for path, content in contents(folder).items()}


def assert_same(one, other):
    one, other = files(one), files(other)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


# Everything that a state can hold: averages, lazy penalties, streams of noise, schedules, parts of a batch, clipping.
SETTINGS = {
    "dcgan": {
        "ema": 0.9,
        "penalties": (gan.R1(every=3),),
        "augment": (gan.InstanceNoise(0.1, 6), gan.DiffAugment("color,translation,cutout")),
        "schedule": optim.LinearDecay(start=2, end=12),
    },
    "wgan_gp": {"n_critic": 2, "clip_grad_norm": 1.0},
    "cgan": {"ema": 0.5, "accumulate": 2, "objective": gan.RelativisticAverage()},
}


@pytest.mark.parametrize("name", gan.MODELS)
def test_half_and_half_is_the_whole(tmp_path, name, capsys):
    settings = {"changes": SETTINGS.get(name), "width": 2 if name == "sngan" else 4, "checkpoint_every": 2}
    go(make_run(tmp_path / "whole", name, steps=6, **settings))
    go(make_run(tmp_path / "halves", name, steps=3, **settings))
    go(make_run(tmp_path / "halves", name, steps=6, resume=True, **settings))
    assert_same(tmp_path / "whole", tmp_path / "halves")
    assert capsys.readouterr().err == ""


def test_every_backend_goes_on_exactly(tmp_path, backend):
    settings = {"changes": {"ema": 0.9}, "place": backend.name, "width": 2}
    go(make_run(tmp_path / "whole", "dcgan", steps=4, **settings))
    go(make_run(tmp_path / "halves", "dcgan", steps=2, **settings))
    go(make_run(tmp_path / "halves", "dcgan", steps=4, resume=True, **settings))
    for name in ("metrics.jsonl", "checkpoints/step-00000004.safetensors", "model.safetensors", "training.gif"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "halves" / name).read_bytes(), name


def test_a_signal_in_the_middle_of_an_epoch_changes_nothing(tmp_path):
    settings = {"epochs": 3, "changes": {"ema": 0.9, "schedule": optim.LinearDecay(start=0, end=19)}}
    go(make_run(tmp_path / "whole", "gan", **settings))
    go(make_run(tmp_path / "broken", "gan", **settings), stop_after=2)
    go(make_run(tmp_path / "broken", "gan", resume=True, **settings), stop_after=9)
    go(make_run(tmp_path / "broken", "gan", resume=True, **settings))
    assert_same(tmp_path / "whole", tmp_path / "broken")


def test_what_a_kill_left_behind_is_cleared_away(tmp_path):
    go(make_run(tmp_path / "whole", "gan", steps=18))
    out = tmp_path / "killed"
    go(make_run(out, "gan", steps=18))
    # As if it had been killed while it wrote the last checkpoint: more lines, pictures and halves of files than states.
    newest = sorted((out / "checkpoints").iterdir())[-1]
    half = newest.read_bytes()[:1000]
    newest.unlink()
    (out / "checkpoints" / f".{newest.name}.4711.tmp").write_bytes(half)
    (out / "frames" / ".step-00000099.png.4711.tmp").touch()
    with (out / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"step": 19, "d_lo')
    go(make_run(out, "gan", steps=18, resume=True))
    assert_same(tmp_path / "whole", out)


def spoil(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("lose", [Path.unlink, spoil])
@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_without_a_whole_checkpoint_nothing_is_touched(tmp_path, lose, name):
    go(make_run(tmp_path, "gan", steps=3))
    for path in (tmp_path / "checkpoints").iterdir():
        lose(path)
    before = files(tmp_path)
    with pytest.raises(InputError, match=r"no whole checkpoint to go on from: put one back into .*, or start a new"):
        make_run(tmp_path, name, steps=2, resume=True)
    assert files(tmp_path) == before


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), PermissionError(13, "Permission denied")])
def test_what_cannot_be_read_now_is_not_passed_over_for_an_older_state(tmp_path, monkeypatch, error):
    go(make_run(tmp_path, "gan", steps=12))
    newest, before = sorted((tmp_path / "checkpoints").iterdir())[-1], files(tmp_path)
    read_bytes = Path.read_bytes

    def fail(path):
        if path == newest:
            raise error
        return read_bytes(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", fail)
        with pytest.raises(InputError, match=rf"{newest.name}: cannot be read \({error.strerror}\); the file itself"):
            make_run(tmp_path, "gan", steps=12, resume=True)
    assert files(tmp_path) == before
    go(make_run(tmp_path, "gan", steps=12, resume=True))


def test_a_link_that_leads_nowhere_is_not_passed_over(tmp_path):
    go(make_run(tmp_path, "gan", steps=12))
    newest = sorted((tmp_path / "checkpoints").iterdir())[-1]
    newest.rename(tmp_path / "elsewhere")
    newest.symlink_to(newest)
    with pytest.raises(InputError, match=f"{newest.name}: "):
        make_run(tmp_path, "gan", steps=12, resume=True)


def test_fewer_steps_than_there_are_is_refused(tmp_path):
    go(make_run(tmp_path, "gan", steps=3))
    before = files(tmp_path)
    with pytest.raises(InputError, match=r"has come to step 3 already, and is to end at 2: ask for more --steps"):
        make_run(tmp_path, "gan", steps=2, resume=True)
    assert files(tmp_path) == before


def test_files_of_somebody_elses_are_left_alone(tmp_path):
    run = make_run(tmp_path, "gan", steps=8, checkpoint_every=1)
    foreign = ["frames/step-last.png", "frames/step-00000001-copy.png", "frames/notes.txt", "frames/.mine.tmp",
               "checkpoints/step-00000001-kept.safetensors", "checkpoints/step-best.safetensors"]  # fmt: skip
    for name in foreign:
        (tmp_path / name).write_bytes(b"mine")
    go(run)
    go(make_run(tmp_path, "gan", steps=70, resume=True))
    write_report(tmp_path, tmp_path / "report.html")
    assert all((tmp_path / name).read_bytes() == b"mine" for name in foreign)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, capsys, damage):
    go(make_run(tmp_path / "whole", "gan", steps=12))
    out = tmp_path / "damaged"
    go(make_run(out, "gan", steps=12))
    newest = sorted((out / "checkpoints").iterdir())[-1]
    content = bytearray(newest.read_bytes())
    content[-100] ^= 1
    damaged = {"truncated": content[:-1], "flipped": content, "empty": b"", "foreign": b"\x89PNG\r\n\x1a\n" * 9}[damage]
    newest.write_bytes(damaged)
    go(make_run(out, "gan", steps=12, resume=True))
    assert_same(tmp_path / "whole", out)
    told = capsys.readouterr().err
    assert told.startswith(f"warning: {newest}: ") and told.endswith("; trying the one before\n")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"width": 8}, "width was 4, now 8"),
        ({"name": "dcgan"}, "model was gan, now dcgan"),
        ({"config": {"width": 4, "seed": 1}}, "seed was None, now 1"),
        ({"batch_size": 8}, "batch_size 4, but this loader has 8"),
        ({"seed": 9}, "data was 26 images with checksum [0-9a-f]{8}, now 26 images with"),
        ({"count": 30}, "data was 26 images with checksum [0-9a-f]{8}, now 30 images with"),
        ({"changes": {"ema": 0.5}}, "the state does not fit"),
    ],
)
def test_other_settings_are_named_and_nothing_is_touched(tmp_path, changed, difference):
    go(make_run(tmp_path, "gan", steps=2))
    before = files(tmp_path)
    name = changed.pop("name", "gan")
    if loader := {key: changed.pop(key) for key in ("batch_size", "seed", "count") if key in changed}:
        changed["loader"] = make_loader(gan.MODELS[name], **loader)
    with pytest.raises(InputError, match=difference):
        make_run(tmp_path, name, resume=True, steps=4, **changed)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "content"),
    [(2, "{"), (2, "[]"), (2, "7"), (2, '{"step": 3}'), (2, '{"step": 2, "d_loss": []}'), (1, ""), (2, "[" * 5000)],
)
def test_a_damaged_journal_is_told_of(tmp_path, line, content):
    go(make_run(tmp_path, "gan", steps=3))
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    lines[line - 1] = content
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=f"metrics.jsonl: line {line} is not the record of step {line}: restore"):
        make_run(tmp_path, "gan", steps=4, resume=True)


def test_a_journal_with_lines_missing_is_told_of(tmp_path):
    go(make_run(tmp_path, "gan", steps=3))
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(InputError, match=r"metrics\.jsonl has 0 lines, the checkpoint is at step 3: restore the file"):
        make_run(tmp_path, "gan", steps=4, resume=True)


def test_another_version_is_warned_of(tmp_path, monkeypatch, capsys):
    go(make_run(tmp_path, "gan", steps=2))
    monkeypatch.setattr(np, "__version__", "99.9")
    make_run(tmp_path, "gan", steps=4, resume=True)
    told = capsys.readouterr().err
    assert "step-00000002.safetensors was written by" in told and "'numpy': '99.9'" in told
    assert told.endswith("what follows may differ in the last bits\n")


def test_a_refused_state_leaves_the_trainer_as_it_was(tmp_path):
    trainer = make_run(tmp_path, "gan").trainer
    before = trainer.arrays()
    arrays, facts = trainer.arrays(), trainer.facts()
    arrays = {name: array + 1 for name, array in arrays.items()}
    for wrong in ({**facts, "streams": {}}, {**facts, "last": {}}, {"step": 3}, {**facts, "step": None}):
        with pytest.raises((InputError, KeyError, TypeError)):
            trainer.load(arrays, wrong)
        assert all(np.array_equal(array, before[name]) for name, array in trainer.arrays().items())
    del arrays["d_optimizer/step"]
    with pytest.raises(InputError, match="the state does not fit this"):
        trainer.load(arrays, facts)
    with pytest.raises(InputError, match="the state has ema, which this trainer has not"):
        trainer.load({**trainer.arrays(), "ema/0.weight": np.zeros(1)}, facts)  # of one that keeps an average
    assert all(np.array_equal(array, before[name]) for name, array in trainer.arrays().items())


def test_no_step_is_missing_or_written_twice(tmp_path):
    go(make_run(tmp_path, "gan", epochs=9), stop_after=5)
    go(make_run(tmp_path, "gan", epochs=9, resume=True), stop_after=10)
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 11))


def test_a_schedule_that_ends_with_the_training_fixes_its_length(tmp_path, capsys):
    digits = write_digits(tmp_path / "digits", count=16)
    command = ["train", "--data", str(digits), "--width", "2", "--batch-size", "8", "--out", str(tmp_path / "out")]
    fading = [*command, "--quiet", "--decay-from", "1"]
    assert cli.main([*fading, "--steps", "2"]) == 0
    assert cli.main([*fading, "--steps", "4", "--resume"]) == 2
    assert "was run with different settings: steps was 2, now 4." in capsys.readouterr().err
    assert cli.main([*fading, "--epochs", "1", "--resume"]) == 0  # which is 2 steps as well
