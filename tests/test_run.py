"""A run's folder: what is in it, when, and what is never overwritten."""

import json
import signal

import numpy as np
import pytest
from commands import contents
from PIL import Image
from playing import trainer_of

from minigan import InputError, backend, data, gan, nn
from minigan.checkpoint import read_model
from minigan.media import Pictures
from minigan.runs import Latents, Run
from minigan.runs import run as runs

Z_DIM = 3
ARCHITECTURE = {"model": "dcgan", "z_dim": Z_DIM}


def make_loader(count=4):
    """``count`` batches of two pictures."""
    pixels = np.random.default_rng(0).integers(0, 256, (2 * count, 1, 4, 4)).astype(np.uint8)
    place = backend.get("numpy")
    return data.Loader(data.Dataset(pixels), 2, backend=place, rng=np.random.default_rng(1), prefetch=0)


def make_trainer(**settings):
    rng = np.random.default_rng(0)
    generator = nn.Sequential(nn.Linear(Z_DIM, 16, rng=rng), nn.Reshape(1, 4, 4), nn.Tanh())
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(16, 1, rng=rng))
    return trainer_of(generator, discriminator, z_dim=Z_DIM, rng=rng, **settings)


def make_run(out, trainer=None, loader=None, **settings):
    settings = {"quiet": True, "looks": Latents(Z_DIM, np.random.default_rng(5)), **settings}
    return Run(out, trainer or make_trainer(), loader or make_loader(), ARCHITECTURE, **settings)


def go(run):
    with run:
        return list(run.steps())


def read_metrics(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def assert_complete(out, epochs, steps):
    files = {"curves.png", "interpolation.png", "metrics.jsonl", "model.safetensors", "training.gif"}
    assert {path.name for path in out.iterdir()} == {*files, "samples", "frames", "checkpoints"}
    assert sorted(path.name for path in (out / "samples").iterdir()) == [
        f"epoch-{n:03d}.png" for n in range(epochs + 1)
    ]
    assert (out / "checkpoints" / f"step-{steps:08d}.safetensors").exists()
    for path in [*out.glob("*.png"), *out.glob("samples/*"), *out.glob("frames/*"), *out.glob("*.gif")]:
        with Image.open(path) as image:
            image.load()
    assert [record["step"] for record in read_metrics(out)] == list(range(1, steps + 1))


def test_everything_is_written(tmp_path):
    out, trainer = tmp_path / "some" / "where", make_trainer()
    records = go(make_run(out, trainer, epochs=2))
    assert_complete(out, epochs=2, steps=8)
    assert read_metrics(out) == [{**record.as_dict(), "precision": "float32"} for record in records]
    architecture, state = read_model(out / "model.safetensors")
    assert architecture == ARCHITECTURE
    assert all(np.array_equal(array, state[name]) for name, array in trainer.game.generator.state_dict().items())
    # 64 images of one z, the generator's first ones in epoch 0 and its last in the last
    with Image.open(out / "samples" / "epoch-000.png") as first, Image.open(out / "samples" / "epoch-002.png") as last:
        assert first.size == last.size == (8 * 6 + 2, 8 * 6 + 2)
        z = np.random.default_rng(5).standard_normal((64, Z_DIM))
        networks = make_trainer().game.generator, trainer.game.generator
        pictures = [runs.viz.grid(gan.generate(network, z)) for network in networks]
        np.testing.assert_array_equal(np.asarray(first), pictures[0])
        np.testing.assert_array_equal(np.asarray(last), pictures[1])


@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (3, 1), (4, 1), (6, 2)])
def test_steps_end_a_run_within_or_after_epochs(tmp_path, steps, epochs):
    go(make_run(tmp_path, steps=steps, epochs=50))
    assert_complete(tmp_path, epochs=epochs, steps=steps)


def test_metrics_are_on_the_disk_as_they_come(tmp_path):
    with make_run(tmp_path) as run:
        for record in run.steps():
            assert len(read_metrics(tmp_path)) == record.step


def test_metrics_are_json_where_a_loss_is_not_known_yet(tmp_path):
    go(make_run(tmp_path, make_trainer(n_critic=3)))

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line, parse_constant=refuse)["g_loss"] for line in lines]
    assert losses[:2] == [None, None] and losses[2] > 0


@pytest.mark.parametrize("steps", [1, 7, 8, 9, 17, 30])
def test_the_animation_has_a_bounded_number_of_frames(tmp_path, monkeypatch, steps):
    monkeypatch.setattr(runs, "FRAMES", 10)
    run = make_run(tmp_path, steps=steps)
    go(run)
    frames = sorted((tmp_path / "frames").iterdir())
    assert min(-(-steps // runs.OFTENEST) + 1, 5) <= len(frames) <= 10
    assert frames[0].name == "step-00000000.png"
    with Image.open(frames[-1]) as last, Image.open(tmp_path / "training.gif") as animation:
        np.testing.assert_array_equal(np.asarray(last), run.grid())
        assert animation.n_frames == len(frames)


def test_looking_does_not_change_the_training(tmp_path):
    watched, alone = make_trainer(), make_trainer()
    go(make_run(tmp_path, watched))
    list(alone.steps(make_loader()))
    for name, array in watched.game.generator.state_dict().items():
        np.testing.assert_array_equal(array, alone.game.generator.state_dict()[name])


def test_progress_is_shown_unless_quiet(tmp_path, capfd):
    go(make_run(tmp_path / "quiet"))
    assert capfd.readouterr().err == ""
    go(make_run(tmp_path / "loud", quiet=False))
    shown = capfd.readouterr().err
    assert "4/4" in shown and "d_loss" in shown and "D(G(z))" in shown and "images/s" in shown


def test_what_is_made_is_called_what_it_is(tmp_path, capfd):
    class Tunes(Pictures):
        noun = "tunes"

    run = make_run(tmp_path, quiet=False, looks=Latents(Z_DIM, np.random.default_rng(5), medium=Tunes({})))
    go(run)
    assert run.keeper.config["data"].startswith(f"{len(run.loader.dataset)} tunes with checksum")
    shown = capfd.readouterr().err
    assert "tunes/s" in shown and "images" not in shown


# ---- ends ahead of time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("step", "epochs"), [(1, 0), (6, 1)])
def test_a_signal_ends_after_the_step_and_writes_everything(tmp_path, capsys, number, step, epochs):
    before = signal.getsignal(number)
    seen = []
    with make_run(tmp_path, epochs=100) as run:
        for record in run.steps():
            seen.append(record.step)
            if record.step == step:
                signal.raise_signal(number)
    assert seen == list(range(1, step + 1))
    assert_complete(tmp_path, epochs=epochs, steps=step)
    assert f"{number.name}: finishing this step and writing everything" in capsys.readouterr().err
    assert signal.getsignal(number) is before


def test_ctrl_c_twice_stops_at_once(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    seen = []
    with pytest.raises(KeyboardInterrupt), make_run(tmp_path) as run:
        for record in run.steps():
            seen.append(record.step)
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
    assert seen == [1]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_is_passed_on(tmp_path):
    with pytest.raises(ZeroDivisionError), make_run(tmp_path) as run:
        for record in run.steps():
            1 // (2 - record.step)
    assert len(read_metrics(tmp_path)) == 2


@pytest.mark.parametrize("loop", [lambda trainer, batch: trainer.step(batch), lambda trainer, batch: None])
def test_a_loop_that_takes_no_step_or_notes_none_is_refused(tmp_path, loop):
    trainer = make_trainer()
    with pytest.raises(InputError, match="note it"), make_run(tmp_path, trainer) as run:
        for batch in run.batches():
            loop(trainer, batch)


def test_a_run_without_a_step_writes_no_model(tmp_path):
    with make_run(tmp_path):
        pass
    assert not (tmp_path / "model.safetensors").exists()


# ---- the folder -----------------------------------------------------------------------------------------------------


def test_a_folder_with_a_training_is_not_taken_again(tmp_path):
    go(make_run(tmp_path))
    before = contents(tmp_path)
    with pytest.raises(InputError, match="already holds a run: add --resume to go on with it, or"):
        make_run(tmp_path)
    assert contents(tmp_path) == before


def test_a_folder_that_is_worked_in_is_refused(tmp_path):
    with make_run(tmp_path / "out") as run:
        for record in run.steps():
            if record.step == 3:
                before = contents(tmp_path)
                for settings in ({}, {"resume": True}):
                    with pytest.raises(InputError, match=r"already holds a run|in use by another run"):
                        make_run(tmp_path / "out", **settings)
                assert contents(tmp_path) == before
    go(make_run(tmp_path / "out", resume=True))


def test_a_run_without_a_name_takes_the_next_free_one(tmp_path):
    base = str(tmp_path / "gan")
    runs = [make_run(None, base=base) for _ in range(3)]
    assert [run.out.name for run in runs] == ["gan", "gan-2", "gan-3"]
    go(runs[1])
    for run in runs:
        run.claim.release()
    assert make_run(None, base=base).out.name == "gan"
    assert make_run(base + "-2", resume=True).out.name == "gan-2"


def test_a_run_that_is_refused_lets_go_of_its_folder(tmp_path):
    go(make_run(tmp_path, config={"lr": 1}))
    with pytest.raises(InputError, match="run with different settings") as kept:
        make_run(tmp_path, resume=True)
    go(make_run(tmp_path, resume=True, config={"lr": 1}))
    assert kept is not None  # the first one's frames were alive until now


@pytest.mark.parametrize("out", ["pets", "pets/cats", "pets/new/one", "link/cats"])
def test_a_folder_of_pictures_is_not_written_into(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (4, 4), 60 * number).save(tmp_path / "pets" / name / f"{number}.png")
    (tmp_path / "link").symlink_to("pets")
    pets = data.ImageFolder("pets", 4, 1, cache=False)
    before = contents(tmp_path)
    for images in (pets, pets.of_class("dogs")):
        loader = data.Loader(images, 2, backend=backend.get("numpy"), rng=np.random.default_rng(1))
        with pytest.raises(InputError, match=f"--out {out} lies in the folder of pictures pets, which would be other"):
            make_run(out, loader=loader)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "a run of 0 steps does nothing"),
        ({"epochs": 0}, "a run of 0 steps does nothing"),
        ({"checkpoint_every": 0}, "checkpoint_every = 0 steps must be at least 1"),
    ],
)
def test_a_run_that_does_nothing_is_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        make_run(tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


# ---- going on -------------------------------------------------------------------------------------------------------


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tmp_path):
    go(make_run(tmp_path / "straight", epochs=3))
    with make_run(tmp_path / "resumed", epochs=3) as run:
        for record in run.steps():
            if record.step == 6:  # in the middle of an epoch
                signal.raise_signal(signal.SIGINT)
    go(make_run(tmp_path / "resumed", epochs=3, resume=True))
    for name in ("metrics.jsonl", "model.safetensors", "training.gif", "interpolation.png", "samples/epoch-003.png"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"lr": 2}}, "was run with different settings: lr was 1, now 2"),
        ({"config": {}}, "lr was 1, now None"),
        ({"config": {"lr": 1}, "loader": make_loader(5)}, "was run with different settings: data was .*, now "),
    ],
)
def test_going_on_with_other_settings_is_refused(tmp_path, changes, message):
    go(make_run(tmp_path, config={"lr": 1}))
    before = contents(tmp_path)
    with pytest.raises(InputError, match=message):
        make_run(tmp_path, resume=True, **changes)
    assert contents(tmp_path) == before


def test_there_must_be_something_to_go_on_with(tmp_path):
    with pytest.raises(InputError, match="holds no run to resume"):
        make_run(tmp_path / "new", resume=True)
    assert contents(tmp_path) == {}
