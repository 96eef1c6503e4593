"""What the commands have in common that make pictures of a person's own: where results go, and what is told of them."""

from __future__ import annotations

import argparse
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
]  # photo, its path, tell -> result, what is shown before it


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
    targets = [target_of(args, Path(name), what) for name in args.pictures]
    check_targets(args, targets, read)
    for picture in args.pictures:
        if not Path(picture).is_file():
            read_photo(Path(picture))  # which says what is wrong with it, before any work
    for picture, target in zip(args.pictures, targets, strict=True):
        one(args, Path(picture), target, work)


def one(args: argparse.Namespace, path: Path, target: Path, work: Work) -> None:
    from tqdm import tqdm

    def tell(parts: list) -> tqdm:
        few = args.quiet or sys.stderr is None or len(parts) < 4
        return tqdm(parts, desc=path.name, unit="tile", disable=few, leave=False, dynamic_ncols=True)

    start, photo = time.perf_counter(), read_photo(path)
    try:
        made, before = work(photo, path, tell)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    lost = write_photo(target, made)
    seconds = time.perf_counter() - start
    height, width = made.pixels.shape[:2]
    print(f"{target}: {width}x{height} pixels, {seconds:.1f} s{memory()}")
    if args.compare:
        beside = compare_name(target)
        viz.save_png(beside, side_by_side(before, made.pixels))
        print(f"{beside}: before and after")
    for lacking in lost:
        print(f"note: {target} does not keep {lacking}", file=sys.stderr)


def target_of(args: argparse.Namespace, path: Path, what: str, suffix: str | None = None) -> Path:
    """Where the result of a picture goes; ``what`` was done to it is in its name, which has the picture's suffix."""
    suffix = suffix or (path.suffix if path.suffix.lower() in FORMATS else ".png")
    name = f"{path.stem}-{what}{suffix}"
    if args.out is None:
        target, number = path.with_name(name), 2
        while target.exists():  # nothing that is there already is lost
            target, number = path.with_name(f"{path.stem}-{what}-{number}{suffix}"), number + 1
        return target
    out = Path(args.out)
    if len(args.pictures) > 1 or out.is_dir() or args.out.endswith(("/", os.sep)):
        if out.is_file():
            raise InputError(f"--out {out} is a file: for {len(args.pictures)} pictures name a folder")
        return out / name
    if out.suffix.lower() not in FORMATS:
        raise InputError(f"--out {out}: name a file of one of the formats {', '.join(FORMATS)}, or an existing folder")
    return out


def check_targets(args: argparse.Namespace, targets: list[Path], read: Mapping[Path, str]) -> None:
    """That nothing is written over what is ``read``, such as the model, or twice."""
    taken = {Path(name).resolve(): "a PICTURE" for name in args.pictures}
    taken |= {path.resolve(): what for path, what in read.items()}
    for target in targets:
        for path in (target, compare_name(target)) if args.compare else (target,):
            if path.resolve() in taken:
                raise InputError(f"{path} would overwrite {taken[path.resolve()]}: name another --out")
            taken[path.resolve()] = "another result"


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
