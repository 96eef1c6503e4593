"""A run's folder: whose it is, and that nobody else works in it at the same time.

The lock is the operating system's own (``flock``), so it is gone with the process that held it, however that ended; the
folder itself is locked, so nothing is left behind. Where folders cannot be locked (NFS, Windows) a file ``.lock`` in it
is, and stays there, empty. Where that cannot be locked either a warning says that nobody watches.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
import weakref
from contextlib import suppress
from pathlib import Path

from .. import checkpoint
from ..checkpoint import BEST
from ..errors import InputError

TAKEN = ("model.safetensors", BEST, "ab.safetensors")  # from the folder of a run, the first that is there

BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # what an operating system says of a held lock


class Claim:
    """A folder that is this process's until ``release``, the end of a ``with`` block, or the end of the process.

    A block that fails before there is anything in a folder that was ``made`` for it leaves none behind.
    """

    def __init__(self, path: Path, descriptor: int | None, made: bool = False) -> None:
        self.path, self.made = path, made
        self._close = weakref.finalize(self, _close, descriptor)
        if descriptor is not None:
            _held.add(descriptor)

    def release(self) -> None:
        self._close()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, error: object, *_: object) -> None:
        self.release()
        if error is not None and self.made:
            with suppress(OSError):  # there is something in it
                self.path.rmdir()


def claim_folder(
    out: str | os.PathLike[str] | None,
    base: str = "",
    *,
    resume: bool | None = None,
    inputs: str | os.PathLike[str] | None = None,
) -> Claim:
    """``out`` as an existing, writable folder that nobody else works in, and that holds a run if and only if it is to
    be resumed. Without ``out``: base, base-2, base-3, ..., the first that is free; to resume, ``base``.

    ``resume`` is None for a run that cannot be resumed. ``inputs`` is the folder of pictures that the run learns from,
    if it does: it must not write into that one.

    Raises InputError, and leaves the folder as it was, where that is not so.
    """
    if not os.fspath(base if out is None else out):
        raise InputError("the output folder has no name: give --out one")
    refuse_inside(base if out is None else out, inputs)
    if out is not None or resume:
        return _claim(Path(base if out is None else out), resume)
    number = 1
    while True:
        path = Path(base if number == 1 else f"{base}-{number}")
        if not holds_run(path):
            try:
                return _claim(path, resume)
            except (HeldError, TakenError):  # since the look at it
                pass
        number += 1


def _claim(path: Path, resume: bool | None) -> Claim:
    _check(path, resume)
    claim = lock_folder(path)
    try:
        _check(path, resume)  # again: another process may have come and gone between the look and the lock
    except InputError:
        claim.release()
        raise
    return claim


def _check(path: Path, resume: bool | None) -> None:
    if resume and not holds_run(path):
        raise InputError(f"{path} holds no run to resume: check --out, or leave out --resume to start one there")
    if not resume and holds_run(path):
        go_on = "" if resume is None else "add --resume to go on with it, or "
        raise TakenError(f"{path} already holds a run: {go_on}choose another --out")


def refuse_inside(out: str | os.PathLike[str], inputs: str | os.PathLike[str] | None, option: str = "--out") -> None:
    """Raise InputError where what is written to ``out`` would be read as a picture of ``inputs`` the next time."""
    if inputs is not None and Path(out).resolve().is_relative_to(Path(inputs).resolve()):
        raise InputError(
            f"{option} {out} lies in the folder of pictures {inputs}, which would be other data tomorrow: choose a "
            "place outside of it"
        )


def holds_run(path: Path) -> bool:
    return (path / "metrics.jsonl").exists() or any(path.glob("checkpoints/step-*"))


def lock_folder(path: str | os.PathLike[str]) -> Claim:
    """``path`` as an existing, writable folder, locked. Raises InputError where that cannot be."""
    path = Path(path)
    made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot write to the output folder {path} ({error.strerror}): choose another --out") from None
    for name, flags in (("", os.O_RDONLY), (".lock", os.O_RDWR | os.O_CREAT)):
        try:
            descriptor = os.open(path / name, flags)
        except OSError:  # Windows opens no folders
            continue
        try:
            _lock(descriptor)
            return Claim(path, descriptor, made)
        except OSError as error:
            os.close(descriptor)
            if error.errno in BUSY:
                raise HeldError(f"{path} is in use by another run: wait for its end, or choose another --out") from None
    warnings.warn(f"{path} lies where nothing can be locked: see to it that no other run uses it", stacklevel=3)
    return Claim(path, None, made)


class HeldError(InputError):
    """Another process, or another run of this one, works in the folder."""


class TakenError(InputError):
    """The folder holds a run already."""


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_held: set[int] = set()


def _close(descriptor: int | None) -> None:
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


def _after_fork() -> None:
    """A child does not hold its parent's folders: it may live on when the parent is killed."""
    for descriptor in list(_held):
        _close(descriptor)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def model_of(source: Path) -> Path:
    """A model's file, or the one in the folder of a run."""
    found = model_in(source) if source.is_dir() else source
    if found is None:
        raise InputError(f"{source}: there is no such file, and no model in this folder; give the folder of a run")
    return found


def is_own(name: str) -> bool:
    """Whether a file of this name is there, or a folder with a model in it: it goes before what is bundled."""
    return Path(name).is_file() or model_in(Path(name)) is not None


def model_in(folder: Path) -> Path | None:
    """The model of a run's folder, or the newest checkpoint of one under way; None in any other folder."""
    return checkpoint.model_in(folder, TAKEN)
