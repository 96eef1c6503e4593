"""What the commands have in common that make pictures of a person's own: where results go, and what is told of them."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import viz
from ..errors import InputError
from ..restoration.picture import FORMATS, Photo, read_photo, write_photo
from .arguments import add_backend, add_tf32, positive

Work = Callable[
    [Photo, Path, Any], tuple[Photo, np.ndarray]
]  # photo, where its result goes, tell -> result, what is shown before it


def add_own_pictures(parser: argparse.ArgumentParser, tile: int | None, what: str) -> None:
    """``what`` stands in the names of results. No ``tile``: whatever is done is done to the picture as a whole."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="any that Pillow reads, of any size")
    parser.add_argument(
        "--out", metavar="PATH", help=f"the file to write, or a folder/ (default: beside each, NAME-{what})"
    )
    parser.add_argument("--compare", action="store_true", help="write before and after side by side, too")
    if tile is not None:
        parser.add_argument(
            "--tile", type=positive, default=tile, help=f"pixels a side worked on at once (default: {tile})"
        )
    add_backend(parser)
    add_tf32(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def work_on(args: argparse.Namespace, what: str, read: Mapping[Path, str], work: Work) -> None:
    """Do it to each picture and write the results. Pictures are never changed, and no result is lost."""
    targets = targets_of(args, what, read)
    for picture in args.pictures:
        if not Path(picture).is_file():
            read_photo(Path(picture))  # which says what is wrong with it, before any work
    failed = []
    for picture, target in zip(args.pictures, targets, strict=True):
        try:
            one(args, Path(picture), target, work)
        except InputError as error:
            if len(targets) == 1:
                raise
            failed.append(picture)  # no reason to leave the others undone
            if sys.stderr is not None:
                print(f"error: {error}", file=sys.stderr)
    if failed:
        raise InputError(f"{len(failed)} of {len(targets)} pictures could not be done: {', '.join(failed)}")


def one(args: argparse.Namespace, path: Path, target: Path, work: Work) -> None:
    from tqdm import tqdm

    def tell(parts: list) -> tqdm:
        few = args.quiet or sys.stderr is None or len(parts) < 4
        return tqdm(parts, desc=path.name, unit="tile", disable=few, leave=False, dynamic_ncols=True)

    start, photo = time.perf_counter(), read_photo(path)
    try:
        made, before = work(photo, target, tell)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    lost = write_photo(target, made)
    seconds = time.perf_counter() - start
    height, width = made.pixels.shape[:2]
    print(f"{target}: {width}x{height} pixels, {seconds:.1f} s{memory()}")
    if args.compare:
        beside = compare_name(target)
        viz.save_png(beside, side_by_side(before, made.on_white()))
        print(f"{beside}: before and after")
    for lacking in lost:
        print(f"note: {target} does not keep {lacking}", file=sys.stderr)


def targets_of(args: argparse.Namespace, what: str, read: Mapping[Path, str], suffix: str | None = None) -> list[Path]:
    """Where the result of each picture goes: not over a picture or what else is ``read``, such as the model, not over
    one of the others, and where no --out says so, not over a file that is there."""
    taken: dict[Path, str] = {}
    for name in args.pictures:
        if Path(name).resolve() in taken:
            raise InputError(f"{name} is named twice: name each PICTURE once")
        taken[Path(name).resolve()] = "a PICTURE"
    taken |= {path.resolve(): role for path, role in read.items()}
    targets = []
    for name in args.pictures:
        targets.append(target_of(args, Path(name), what, suffix, taken))
        for path in written(args, targets[-1]):
            if path.resolve() in taken:
                raise InputError(f"{path} would overwrite {taken[path.resolve()]}: name another --out")
            taken[path.resolve()] = "another result"
    return targets


def target_of(args: argparse.Namespace, path: Path, what: str, suffix: str | None, taken: Mapping[Path, str]) -> Path:
    """The file that --out names, or else a free name that says what was done; it has the picture's suffix."""
    folder = path.parent
    if args.out is not None:
        folder = Path(args.out)
        if not (len(args.pictures) > 1 or folder.is_dir() or args.out.endswith(("/", os.sep))):
            if folder.suffix.lower() not in FORMATS:
                raise InputError(
                    f"--out {folder}: name a file of one of the formats {', '.join(FORMATS)}, or an existing folder"
                )
            return folder
        if folder.is_file():
            raise InputError(f"--out {folder} is a file: for {len(args.pictures)} pictures name a folder")
    suffix = suffix or (path.suffix if path.suffix.lower() in FORMATS else ".png")
    for number in itertools.count(1):
        target = folder / f"{path.stem}-{what}{f'-{number}' if number > 1 else ''}{suffix}"
        files = written(args, target)
        if not any(file.resolve() in taken or (args.out is None and file.exists()) for file in files):
            break
    return target


def written(args: argparse.Namespace, target: Path) -> tuple[Path, ...]:
    """The files that a result is made of."""
    return (target, compare_name(target)) if args.compare else (target,)


def compare_name(target: Path) -> Path:
    return target.with_name(f"{target.stem}-compare.png")


def side_by_side(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Before and after, at the size of the result."""
    if before.shape != after.shape:
        rows, columns = (
            np.arange(new) * old // new for new, old in zip(after.shape[:2], before.shape[:2], strict=True)
        )
        before = before[rows][:, columns]
    gap = np.full((len(after), 4, 3), 255, np.uint8)
    return np.concatenate([before, gap, after], axis=1)


def memory() -> str:
    """How much the process has needed at most, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return ""
    unit = 1 if sys.platform == "darwin" else 1024
    return f", {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6:.0f} MB of memory at most"
