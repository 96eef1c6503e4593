"""The example as a person runs it: a process of its own, and a folder full of pictures afterwards."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import ENVIRONMENT, EXAMPLE, python, write_digits
from PIL import Image

from minigan.checkpoint import Checkpoints, read_model

SMALL = ["--quiet", "--width", "4", "--z-dim", "8", "--batch-size", "8", "--data", "digits"]


def read_metrics(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def assert_complete(out, model="self_conditioned"):
    """Every file is there and can be opened by what it is for."""
    for name in ("curves.png", "interpolation.png", "samples/epoch-000.png"):
        with Image.open(out / name) as image:
            image.load()
            assert image.format == "PNG"
    with Image.open(out / "training.gif") as image:
        assert image.format == "GIF"
        image.seek(image.n_frames - 1)
    architecture, state = read_model(out / "model.safetensors")
    assert architecture["model"] == model
    assert all(np.isfinite(array).all() for array in state.values())
    steps = [record["step"] for record in read_metrics(out)]
    assert steps == list(range(1, len(steps) + 1)) and steps


def run_example(cwd, *argv):
    done = python(EXAMPLE, *argv, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Error" not in done.stderr
    return done


def test_dry_run_on_the_mnist_that_comes_along(tmp_path):
    done = run_example(tmp_path, "--dry-run")
    out = tmp_path / "out" / "mnist-gan"
    assert_complete(out)
    assert len(read_metrics(out)) == 2
    assert "2 steps; samples and model in out/mnist-gan" in done.stdout
    assert "2/2" in done.stderr  # the progress bar

    # The model file is all that sampling needs.
    (out / "model.safetensors").rename(tmp_path / "alone")
    for command, size in (("sample", (242, 242)), ("interpolate", (302, 242))):
        done = python("-m", "minigan", command, "alone", "--out", f"{command}.png", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with Image.open(tmp_path / f"{command}.png") as image:
            assert image.size == size


def test_other_digits_and_a_number_of_steps(tmp_path):
    write_digits(tmp_path / "digits", count=48)
    run_example(tmp_path, *SMALL, "--steps", "7", "--out", "here")
    assert_complete(tmp_path / "here")
    assert len(read_metrics(tmp_path / "here")) == 7
    # 48 images are 6 steps of 8: the seventh is the second epoch's first
    assert sorted(path.name for path in (tmp_path / "here" / "samples").iterdir())[-1] == "epoch-002.png"


@pytest.mark.parametrize("shape", [(20, 20), (28, 32)])
def test_images_of_another_size_or_not_square(tmp_path, shape):
    write_digits(tmp_path / "digits", count=48, height=shape[0], width=shape[1])
    run_example(tmp_path, *SMALL, "--steps", "2", "--out", "here")
    assert_complete(tmp_path / "here")


def test_the_plain_dcgan_is_one_flag_away(tmp_path):
    write_digits(tmp_path / "digits", count=48)
    run_example(tmp_path, *SMALL, "--recipe", "dcgan2016", "--steps", "2", "--out", "here")
    assert_complete(tmp_path / "here", model="dcgan")


def test_a_run_from_before_there_were_recipes_goes_on(tmp_path):
    """Its checkpoints name none, and no setting that came with them."""
    write_digits(tmp_path / "digits", count=48)
    plain = [*SMALL, "--recipe", "dcgan2016", "--out"]
    run_example(tmp_path, *plain, "whole", "--steps", "4")
    run_example(tmp_path, *plain, "halves", "--steps", "2")
    _, _, facts = Checkpoints(tmp_path / "halves" / "checkpoints").newest()
    left = {"batch_size", "beta1", "lr", "noise", "seed", "width", "z_dim"}
    named = {name for name, value in facts["config"].items() if value is not None}
    assert left < named and not named & {"recipe", "clusters", "gamma", "r1_every", "ema"}
    run_example(tmp_path, *SMALL, "--out", "halves", "--steps", "4", "--resume")
    for file in ("metrics.jsonl", "model.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "halves" / file).read_bytes()


def test_a_resumed_run_keeps_its_recipe(tmp_path):
    write_digits(tmp_path / "digits", count=320)
    settings = [*SMALL, "--clusters", "2", "--gamma", "0.5", "--r1-every", "2", "--out"]
    run_example(tmp_path, *settings, "whole", "--steps", "5")
    run_example(tmp_path, *settings, "halves", "--steps", "3")
    run_example(tmp_path, *settings, "halves", "--steps", "5", "--resume")
    assert (
        read_model(tmp_path / "whole" / "model.safetensors")[0]["clusters"]
        == read_model(tmp_path / "halves" / "model.safetensors")[0]["clusters"]
    )
    for file in ("metrics.jsonl", "model.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "halves" / file).read_bytes()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--recipe", "dcgan2016", "--clusters", "3"], "--clusters 3 does nothing with --recipe dcgan2016"),
        (["--recipe", "dcgan2016", "--r1-every", "3"], "--r1-every 3 does nothing without R1"),
        (["--gamma", "0", "--r1-every", "3"], "--r1-every 3 does nothing without R1"),
        (["--recipe", "best"], "invalid choice: 'best'"),
    ],
)
def test_what_does_nothing_is_refused(tmp_path, argv, message):
    write_digits(tmp_path / "digits", count=48)
    done = python(EXAMPLE, *SMALL, "--steps", "1", *argv, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path, number):
    write_digits(tmp_path / "digits")
    command = [sys.executable, EXAMPLE, *SMALL, "--epochs", "100000", "--out", "here"]
    with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            metrics = tmp_path / "here" / "metrics.jsonl"
            deadline = time.monotonic() + 60
            while not (metrics.exists() and metrics.read_text().count("\n") >= 3):
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline, "no third step within a minute"
                time.sleep(0.02)
            process.send_signal(number)
            _, shown = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in shown
    assert_complete(tmp_path / "here")


def test_the_seed_decides_everything_and_threads_nothing(tmp_path):
    write_digits(tmp_path / "digits")
    settings = {
        "one": ["--seed", "3", "--threads", "1"],
        "again": ["--seed", "3", "--threads", "3"],
        "other": ["--seed", "4", "--threads", "1"],
    }
    for name, argv in settings.items():
        # Wide enough that a second thread is given something to do
        run_example(tmp_path, *SMALL, "--width", "32", "--batch-size", "16", "--steps", "3", "--out", name, *argv)
    for file in ("metrics.jsonl", "model.safetensors", "samples/epoch-001.png", "training.gif"):
        one, again, other = ((tmp_path / name / file).read_bytes() for name in settings)
        assert one == again, f"{file} differs between two runs of one seed"
        assert one != other, f"{file} does not depend on the seed"
