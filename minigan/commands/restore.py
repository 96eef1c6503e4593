"""minigan restore: a picture of one's own cleaned, enlarged, repaired or coloured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import minigan

from ..errors import InputError
from ..restoration import TASKS
from ..restoration.picture import Photo, check_fits, read_photo
from ..restoration.restore import TILE, Restorer, weights
from ..runs.folder import model_of
from .arguments import THREADS, place_for
from .options import Needs, check
from .pictures import add_own_pictures, work_on

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
    add_own_pictures(parser, TILE, "TASK")
    parser.add_argument("--task", choices=TASKS, help="what to do (default: what --model was trained for)")
    parser.add_argument(
        "--sharp", action="store_true", help="the network trained with an adversary, where one is bundled"
    )
    parser.add_argument("--model", metavar="MODEL", help="one of your own: what train --task wrote")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), help="how much to enlarge (default: 4)")
    parser.add_argument("--mask", metavar="FILE", help="a picture, white where something is missing (--task inpaint)")
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
    read = {file: "the model"} | ({} if args.mask is None else {Path(args.mask): "the mask"})
    white = None if args.mask is None else read_mask(args.mask)

    def work(photo: Photo, target: Path, tell: Any) -> tuple[Photo, np.ndarray]:
        height, width = photo.pixels.shape[:2]
        times = args.scale or restorer.task.scale
        check_fits(target, height * times, width * times)  # told before the work
        mask = None if white is None else of_size(white, photo, args.mask)
        before = photo.on_white()
        if mask is not None:
            before = np.where(mask[:, :, None], np.uint8(127), before)
        return restorer.photo(photo, mask, args.scale, tell), before

    work_on(args, args.task, read, work)


def shipped(task: str, sharp: bool) -> Path:
    """The network that is bundled."""
    file = weights(task, sharp)
    if not file.is_file():
        own = f"minigan train --task {task} trains one, for --model"
        raise InputError(f"--task {task}{' --sharp' if sharp else ''}: no such network is bundled; {own}")
    return file


def read_mask(file: str) -> np.ndarray:
    """(H, W), True where the mask is white."""
    missing = read_photo(Path(file)).pixels.mean(axis=2) > 127
    if not missing.any():
        raise InputError(f"--mask {file} is black: paint white what is missing")
    if missing.all():
        raise InputError(f"--mask {file} is white all over: there is nothing left to go by")
    return missing


def of_size(mask: np.ndarray, photo: Photo, file: str) -> np.ndarray:
    if mask.shape != photo.pixels.shape[:2]:
        (height, width), (own_height, own_width) = photo.pixels.shape[:2], mask.shape
        raise InputError(
            f"--mask {file} has {own_width}x{own_height} pixels, the picture {width}x{height}: paint one of its size"
        )
    return mask
