"""The machine fails: a full disk, lost folders, signals, no memory. The last checkpoint loads, a line tells why."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import ENVIRONMENT, EXAMPLE, python, write_digits

from minigan import InputError, backend, cli, data, gan
from minigan.checkpoint import Checkpoints, read
from minigan.cli import user_errors
from minigan.runs import Latents, Run

NARROW = ("--width", "2", "--batch-size", "8", "--threads", "1")


@pytest.fixture
def digits(tmp_path):
    return write_digits(tmp_path / "digits", count=48)


def make_run(out, digits, steps=12, loader=data.Loader, **settings):
    architecture = {"model": "dcgan", "width": 6, "z_dim": 4}  # a checkpoint is larger than a picture
    place = backend.get("numpy")
    images = data.mnist("train", root=digits)
    return Run(
        out,
        gan.MODELS["dcgan"].trainer(
            *gan.build(architecture, np.random.default_rng(0)), z_dim=4, rng=np.random.default_rng(1)
        ),
        loader(images, 8, backend=place, rng=np.random.default_rng(2)),
        architecture,
        looks=Latents(4, np.random.default_rng(3)),
        **{"steps": steps, "quiet": True, "checkpoint_every": 2, **settings},
    )


def go(run):
    with run:
        for _ in run.steps():
            pass


def assert_goes_on(out, digits, steps=12):
    """The newest checkpoint is whole, and what follows is what an undisturbed training has."""
    path, _, facts = Checkpoints(out / "checkpoints").newest()
    assert path is not None and facts["trainer"]["step"] < steps
    go(make_run(out, digits, steps, resume=True))
    peace = out.parent / "peace"
    go(make_run(peace, digits, steps))
    for name in ("metrics.jsonl", "model.safetensors", "training.gif", f"checkpoints/step-{steps:08d}.safetensors"):
        assert (out / name).read_bytes() == (peace / name).read_bytes(), name


SAFE = "the state of step {} is safe: when the cause is gone, --resume goes on from there\n"


def assert_told(process, step, error):
    """Two lines: where the run is safe, and what went wrong."""
    safe, told = process.stderr.splitlines(keepends=True)
    assert safe == SAFE.format(step) and error in told
    assert process.returncode == 2


# ---- the disk -------------------------------------------------------------------------------------------------------


def limit_file_size(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_during_a_checkpoint(tmp_path, digits):
    """No file may grow beyond some size: small ones are still written, a checkpoint is cut short."""
    out = tmp_path / "out"
    go(make_run(out, digits, steps=4))
    newest = max((out / "checkpoints").iterdir())
    limit = newest.stat().st_size - 1000
    process = train_api(out, digits, preexec_fn=limit_file_size(limit))
    assert_told(process, 4, "step-00000006.safetensors: File too large")
    assert max((out / "checkpoints").iterdir()) == newest and not list(out.rglob("*.tmp"))
    assert read(newest, "checkpoint")[1]["trainer"]["step"] == 4
    assert_goes_on(out, digits)


def test_a_full_disk_during_a_line_of_metrics(tmp_path, digits):
    out = tmp_path / "out"
    go(make_run(out, digits, steps=4))
    metrics = out / "metrics.jsonl"
    process = train_api(out, digits, preexec_fn=limit_file_size(metrics.stat().st_size + 200), checkpoint_every="None")
    assert_told(process, 4, f"error: {metrics}: File too large")
    assert_goes_on(out, digits)


def train_api(out, digits, checkpoint_every=2, **options):
    """Resume in a process of its own."""
    code = (
        "import sys; sys.path.insert(0, 'tests'); import test_faults as t\n"
        f"run = t.make_run({str(out)!r}, {str(digits)!r}, resume=True, checkpoint_every={checkpoint_every})\n"
        "sys.exit(t.user_errors(t.go, run))"
    )
    return python("-c", code, cwd=EXAMPLE.parent.parent, **options)


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full(tiny_disk, tmp_path, digits):
    out = tiny_disk / "out"
    go(make_run(out, digits, steps=4))
    filler = tiny_disk / "filler"
    free = shutil.disk_usage(tiny_disk).free
    filler.write_bytes(bytes(free - 8192))
    process = train_api(out, digits)
    assert_told(process, 4, "No space left on device")
    filler.unlink()
    shutil.copytree(out, tmp_path / "out")  # the rest is larger than this disk
    assert_goes_on(tmp_path / "out", digits)


def test_a_path_below_a_file_cannot_be_written(tmp_path, digits):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write to the output folder .*file/out \(Not a directory\): choose"):
        make_run(tmp_path / "file" / "out", digits)


def test_a_folder_that_vanishes_while_training(tmp_path, digits, capsys):
    def run():
        with make_run(tmp_path / "out", digits) as run:
            for record in run.steps():
                if record.step == 3:
                    shutil.rmtree(tmp_path / "out" / "checkpoints")

    assert user_errors(run) == 2
    assert "No such file or directory" in capsys.readouterr().err


# ---- the data -------------------------------------------------------------------------------------------------------


def test_data_that_vanish_are_missed_only_when_resumed(tmp_path, digits, capsys):
    out = tmp_path / "out"
    with make_run(out, digits) as run:
        for record in run.steps():
            if record.step == 1:
                digits.rename(tmp_path / "elsewhere")
            if record.step == 5:
                run.stopped = "SIGTERM"
    command = ["train", "--data", str(digits), "--out", str(out), "--resume", "--quiet"]
    assert cli.main(command) == 2
    assert capsys.readouterr().err == f"error: {digits} does not exist, expected a folder of pictures: check the path\n"
    assert_goes_on(out, tmp_path / "elsewhere")


class DyingLoader(data.Loader):
    error: BaseException = MemoryError()

    def _host_batch(self, order, number):
        if self.epoch == 1 and number == 3:
            raise self.error
        return super()._host_batch(order, number)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "error: out of memory: use a smaller batch size, width or number of images\n"),
        (OSError(5, "Input/output error", "some/file"), "error: some/file: Input/output error\n"),
    ],
)
def test_a_loader_thread_that_dies(tmp_path, digits, capsys, monkeypatch, error, message):
    monkeypatch.setattr(DyingLoader, "error", error)
    assert user_errors(go, make_run(tmp_path / "out", digits, loader=DyingLoader)) == 2
    assert capsys.readouterr().err == SAFE.format(8) + message
    assert_goes_on(tmp_path / "out", digits)


# ---- memory ---------------------------------------------------------------------------------------------------------


def test_out_of_memory_in_the_middle_of_a_step(tmp_path, digits, capsys):
    run = make_run(tmp_path / "out", digits)
    learn = run.trainer.learn

    def exhausted(turn, rounds):
        if run.trainer.step_count == 7 and turn.name == "g":  # D has learned already, G has not
            raise MemoryError
        return learn(turn, rounds)

    run.trainer.learn = exhausted
    assert user_errors(go, run) == 2
    told = "error: out of memory: use a smaller batch size, width or number of images\n"
    assert capsys.readouterr().err == SAFE.format(6) + told
    assert_goes_on(tmp_path / "out", digits)


def test_more_than_the_machine_has(tmp_path, digits, capsys):
    width = str(10**7)
    command = ["train", "--data", str(digits), "--width", width, "--batch-size", "8", "--out", str(tmp_path / "out")]
    assert cli.main([*command, "--quiet"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: model self_conditioned: the settings {") and told.endswith(
        "need more memory than there is\n"
    )


# ---- signals --------------------------------------------------------------------------------------------------------


def start(out, digits, *more, **options):
    command = [sys.executable, str(EXAMPLE), "--data", str(digits), "--out", str(out), *NARROW, "--quiet", *more]
    process = subprocess.Popen(command, **{"env": ENVIRONMENT, **options}, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not ((out / "metrics.jsonl").exists() and (out / "metrics.jsonl").stat().st_size > 1000):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_writes_everything_and_ends_with_0(tmp_path, digits, number):
    process = start(tmp_path / "out", digits, "--epochs", "10000", stdout=subprocess.PIPE)
    process.send_signal(number)
    told, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"{number.name}: finishing this step and writing everything" in errors and "Traceback" not in errors
    steps = len((tmp_path / "out" / "metrics.jsonl").read_text().splitlines())
    assert told.startswith(f"{steps} steps; samples and model in ")
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert read(tmp_path / "out" / "checkpoints" / f"step-{steps:08d}.safetensors", "checkpoint")


def test_two_signals_stop_at_once(tmp_path, digits):
    """Wherever the program is: if a file has just been opened, Python closes it, and warns that nobody else did."""
    settings = {"env": {**ENVIRONMENT, "PYTHONWARNINGS": "error,ignore::ResourceWarning"}, "stdout": subprocess.PIPE}
    process = start(tmp_path / "out", digits, "--epochs", "10000", "--checkpoint-every", "3", **settings)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 130) and "Traceback" not in errors
    assert Checkpoints(tmp_path / "out" / "checkpoints").newest()[0] is not None


@pytest.mark.parametrize("closed", ["stdout", "pipe"])
def test_nobody_listens(tmp_path, digits, closed):
    """stdout is closed from the start, or its reader goes away."""
    out = tmp_path / "out"
    if closed == "pipe":
        process = start(out, digits, "--steps", "40", stdout=subprocess.PIPE)
        process.stdout.close()
        process.stdout = None
    else:
        process = start(out, digits, "--steps", "40", preexec_fn=lambda: os.close(1))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (2 if closed == "pipe" else 0)
    assert errors == ""
    assert (out / "model.safetensors").exists()
