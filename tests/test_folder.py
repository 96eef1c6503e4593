"""Whose a run's folder is: claimed at once, held while its process lives, never by two."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from commands import ENVIRONMENT, EXAMPLE, contents, write_digits

from minigan import InputError
from minigan.runs import claim_folder, folder, lock_folder

HOLD = "import sys, time; from minigan.runs import claim_folder; c = claim_folder(sys.argv[1]); print(flush=True)"


def hold(path):
    """A process that claims a folder, says so, and lives until it is killed."""
    command = [sys.executable, "-c", f"{HOLD}; time.sleep(60)", str(path)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


def end(process):
    process.kill()
    process.communicate()


def test_a_claim_leaves_what_is_in_the_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with claim_folder(str(tmp_path)) as path:
        assert path == tmp_path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("written", [False, True])
def test_a_block_that_fails_leaves_no_empty_folder_that_was_made_for_it(tmp_path, there, written):
    out = tmp_path / "out"
    if there:
        out.mkdir()
    with pytest.raises(RuntimeError), lock_folder(out) as path:
        if written:
            (path / "first.png").write_bytes(b"png")
        raise RuntimeError
    assert out.exists() == (there or written)


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, where):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"cannot write to the output folder .*file.* \(.+\): choose another --out"):
        claim_folder(tmp_path / where)
    assert contents(tmp_path) == {tmp_path / "file": b"mine"}


@pytest.mark.parametrize("out", [None, ""])
def test_the_current_folder_is_not_taken_for_want_of_a_name(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="the output folder has no name: give --out one"):
        claim_folder(out)


def test_another_process_is_kept_out_until_the_first_is_killed(tmp_path):
    process = hold(tmp_path)
    try:
        with pytest.raises(InputError, match="is in use by another run: wait for its end, or choose another"):
            claim_folder(tmp_path)
    finally:
        end(process)
    claim_folder(tmp_path).release()


def test_two_of_one_process_are_kept_apart(tmp_path):
    with claim_folder(tmp_path), pytest.raises(InputError, match="in use by another run"):
        claim_folder(tmp_path)
    claim_folder(tmp_path).release()


def test_who_names_nothing_takes_the_next_free_one(tmp_path):
    base = tmp_path / "out" / "gan"
    claims = [claim_folder(None, str(base)) for _ in range(3)]
    assert [claim.path.name for claim in claims] == ["gan", "gan-2", "gan-3"]
    (base / "metrics.jsonl").touch()
    for claim in claims:
        claim.release()
    assert claim_folder(None, str(base)).path.name == "gan-2"  # it was claimed, and never used


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_hold_what_its_parent_did(tmp_path):
    code = (
        "import os, sys, time; from minigan.runs import claim_folder; c = claim_folder(sys.argv[1])\n"
        "if os.fork() == 0: print('a child is here', flush=True)\ntime.sleep(30)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], env=ENVIRONMENT, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        process.stdout.readline()
        process.kill()
        process.wait()
        claim_folder(tmp_path).release()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


def test_where_folders_cannot_be_locked_a_file_in_them_is(tmp_path, monkeypatch):
    lock = folder._lock

    def nfs(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EBADF, "Bad file descriptor")
        lock(descriptor)

    monkeypatch.setattr(folder, "_lock", nfs)
    with claim_folder(tmp_path), pytest.raises(InputError, match="in use by another run"):
        claim_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    claim_folder(tmp_path).release()


def test_where_nothing_can_be_locked_that_is_said(tmp_path, monkeypatch):
    def never(descriptor):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder, "_lock", never)
    with pytest.warns(UserWarning, match="lies where nothing can be locked: see to it that no other run"):
        lock_folder(tmp_path).release()


def start(cwd, *argv):
    command = [sys.executable, str(EXAMPLE), "--data", str(cwd / "digits"), "--width", "2", "--batch-size", "8"]
    command += ["--threads", "1", "--quiet", *argv]
    return subprocess.Popen(
        command, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("argv", [[], ["--out", "here"]])
def test_two_trainings_at_once(tmp_path, argv):
    write_digits(tmp_path / "digits", count=48)
    both = [start(tmp_path, "--steps", "12", *argv) for _ in range(2)]
    ends = [(process.communicate(timeout=100), process.returncode) for process in both]
    if argv:
        assert sorted(code for _, code in ends) == [0, 2]
        (refused,) = [errors for (_, errors), code in ends if code == 2]
        assert refused.count("\n") == 1 and refused.startswith("error: here ")
        names = ["here"]
    else:
        assert [code for _, code in ends] == [0, 0]
        names = ["out/mnist-gan", "out/mnist-gan-2"]
    for name in names:
        assert len((tmp_path / name / "metrics.jsonl").read_text().splitlines()) == 12


def test_the_model_of_a_run_that_goes_on_is_its_newest_checkpoint(tmp_path):
    """The model's file is of where it ended before; what was measured as the best stays that."""
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    model, old, new = tmp_path / "model.safetensors", *(checkpoints / f"step-{n:08d}.safetensors" for n in (6, 9))
    for seconds, path in enumerate((old, model, new), start=1000):
        path.touch()
        os.utime(path, (seconds, seconds))
    assert folder.model_in(tmp_path) == new
    new.unlink()
    assert folder.model_in(tmp_path) == model
    model.rename(tmp_path / "best.safetensors")
    new.touch()
    assert folder.model_in(tmp_path) == tmp_path / "best.safetensors"
    (tmp_path / "best.safetensors").unlink()
    assert folder.model_in(tmp_path) == new and folder.model_in(checkpoints) == new
