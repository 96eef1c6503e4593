"""minigan restore: a picture of one's own cleaned, enlarged, repaired or coloured."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import minigan

from .. import viz
from ..errors import InputError
from ..restoration import TASKS
from ..restoration.picture import FORMATS, Photo, read_photo, write_photo
from ..restoration.restore import TILE, Restorer, weights
from ..runs.folder import model_of
from .arguments import THREADS, add_backend, add_tf32, place_for, positive
from .options import Needs, check

OPTIONS = (
    Needs("--sharp", lambda args: args.model is None, "beside --model, which says what to use"),
    Needs("--scale", lambda args: args.task == "enlarge", "with this task: choose --task enlarge"),
    Needs("--mask", lambda args: args.task == "inpaint", "with this task: choose --task inpaint"),
)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "restore",
        help="clean, enlarge, repair or colour pictures of your own",
        description="Put pictures right with a network that is bundled. The pictures themselves are never changed. "
        + "; ".join(f"{task.name}: {task.summary}" for task in TASKS.values()),
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="any that Pillow reads, of any size")
    parser.add_argument("--task", choices=TASKS, help="what to do (default: what --model was trained for)")
    parser.add_argument(
        "--sharp", action="store_true", help="the network trained with an adversary, where one is bundled"
    )
    parser.add_argument("--model", metavar="MODEL", help="one of your own: what train --task wrote")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), help="how much to enlarge (default: 4)")
    parser.add_argument("--mask", metavar="FILE", help="a picture, white where something is missing (--task inpaint)")
    parser.add_argument(
        "--out", metavar="PATH", help="the file to write, or a folder for several (default: beside each, NAME-TASK)"
    )
    parser.add_argument("--compare", action="store_true", help="write before and after side by side, too")
    parser.add_argument(
        "--tile", type=positive, default=TILE, help=f"pixels a side worked on at once (default: {TILE})"
    )
    add_backend(parser)
    add_tf32(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if args.task is None and args.model is None:
        raise InputError(f"what is to be done? --task {'|'.join(TASKS)}")
    check(args, OPTIONS[:1], THREADS)
    if args.threads:
        minigan.set_num_threads(args.threads)
    file = model_of(Path(args.model)) if args.model else shipped(args.task, args.sharp)
    restorer = Restorer.load(file, place_for(args), args.task, args.tile)
    args.task = restorer.task.name
    check(args, OPTIONS[1:])
    if args.task == "inpaint" and args.mask is None:
        raise InputError("--task inpaint: say what is missing, --mask MASK.png, a picture that is white there")
    targets = [target_of(args, Path(name), args.task) for name in args.pictures]
    check_targets(args, targets, file)
    for picture in args.pictures:
        if not Path(picture).is_file():
            read_photo(Path(picture))  # which says what is wrong with it, before any work
    for picture, target in zip(args.pictures, targets, strict=True):
        restore(args, restorer, Path(picture), target)


def shipped(task: str, sharp: bool) -> Path:
    """The network that is bundled."""
    file = weights(task, sharp)
    if not file.is_file():
        own = f"minigan train --task {task} trains one, for --model"
        raise InputError(f"--task {task}{' --sharp' if sharp else ''}: no such network is bundled; {own}")
    return file


def restore(args: argparse.Namespace, restorer: Restorer, path: Path, target: Path) -> None:
    from tqdm import tqdm

    def tell(parts: list) -> tqdm:
        few = args.quiet or sys.stderr is None or len(parts) < 4
        return tqdm(parts, desc=path.name, unit="tile", disable=few, leave=False, dynamic_ncols=True)

    start = time.perf_counter()
    photo = read_photo(path)
    mask = None if args.mask is None else read_mask(Path(args.mask), path, photo)
    restored = restorer.photo(photo, mask, args.scale, tell)
    target.parent.mkdir(parents=True, exist_ok=True)
    lost = write_photo(target, restored)
    seconds = time.perf_counter() - start
    height, width = restored.pixels.shape[:2]
    print(f"{target}: {width}x{height} pixels, {seconds:.1f} s{memory()}")
    if args.compare:
        beside = compare_name(target)
        viz.save_png(beside, side_by_side(photo, restored, mask))
        print(f"{beside}: before and after")
    for what in lost:
        print(f"note: {target} does not keep {what}", file=sys.stderr)


def target_of(args: argparse.Namespace, path: Path, word: str, suffix: str | None = None) -> Path:
    """Where the result of a picture goes: beside it, by a name that says what was done."""
    suffix = suffix or (path.suffix if path.suffix.lower() in FORMATS else ".png")
    name = f"{path.stem}-{word}{suffix}"
    if args.out is None:
        target, number = path.with_name(name), 2
        while target.exists():  # nothing that is there already is lost
            target, number = path.with_name(f"{path.stem}-{word}-{number}{suffix}"), number + 1
        return target
    out = Path(args.out)
    if len(args.pictures) > 1 or out.is_dir():
        if out.is_file():
            raise InputError(f"--out {out} is a file: for {len(args.pictures)} pictures name a folder")
        return out / name
    if out.suffix.lower() not in FORMATS:
        raise InputError(f"--out {out}: name a file of one of the formats {', '.join(FORMATS)}, or an existing folder")
    return out


def check_targets(args: argparse.Namespace, targets: list[Path], model: Path) -> None:
    """That nothing is written over what is read, or twice."""
    taken = {Path(name).resolve(): "a PICTURE" for name in args.pictures} | {model.resolve(): "the model"}
    if args.mask is not None:
        taken[Path(args.mask).resolve()] = "the mask"
    for target in targets:
        for path in (target, compare_name(target)) if args.compare else (target,):
            if path.resolve() in taken:
                raise InputError(f"{path} would overwrite {taken[path.resolve()]}: name another --out")
            taken[path.resolve()] = "another result"


def compare_name(target: Path) -> Path:
    return target.with_name(f"{target.stem}-compare.png")


def read_mask(path: Path, of: Path, photo: Photo) -> np.ndarray:
    """(H, W), True where the mask is white."""
    mask = read_photo(path)
    if mask.pixels.shape != photo.pixels.shape:
        (height, width), (own_height, own_width) = photo.pixels.shape[:2], mask.pixels.shape[:2]
        raise InputError(
            f"--mask {path} has {own_width}x{own_height} pixels, {of} has {width}x{height}: paint one of its size"
        )
    missing = mask.pixels.mean(axis=2) > 127
    if not missing.any():
        raise InputError(f"--mask {path} is black: paint white what is missing")
    if missing.all():
        raise InputError(f"--mask {path} is white all over: there is nothing left to go by")
    return missing


def side_by_side(photo: Photo, restored: Photo, mask: np.ndarray | None) -> np.ndarray:
    """Before and after, upright, at the size of the result."""
    before, after = photo.pixels, restored.pixels
    if mask is not None:
        before = np.where(mask[:, :, None], np.uint8(127), before)
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
