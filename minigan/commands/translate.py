"""minigan translate: a picture of one's own turned into another kind, such as a face into an emoji."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import minigan

from ..restoration.picture import Photo
from ..translation import PhotoTranslator, bundled, find
from ..translation.translator import TILE
from .arguments import THREADS, place_for
from .options import Needs, check
from .pictures import add_own_pictures, work_on


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "translate",
        help="turn pictures of your own into another kind: a face into an emoji",
        description="Turn pictures into another kind by a network that learned it without pairs: one that is bundled, "
        "or one of your own, which train --a --b makes. The pictures themselves are never changed. A network that "
        "learned from whole pictures looks at the square at the centre, or at --crop; no face or animal is searched "
        "for. One that learned from crops takes the whole picture.",
    )
    add_own_pictures(parser, TILE, "MODEL")
    parser.add_argument(
        "--model", required=True, metavar="MODEL", help=f"{', '.join(bundled())}, a file, or the folder of a run"
    )
    parser.add_argument("--to", choices=("a", "b"), help="which kind, with the folder of a run (default: b)")
    parser.add_argument(
        "--crop", type=int, nargs=3, metavar=("X", "Y", "SIZE"), help="the square to look at (default: at the centre)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check(args, THREADS)
    if args.threads:
        minigan.set_num_threads(args.threads)
    file, name = find(args.model, args.to)
    translator = PhotoTranslator.load(file, place_for(args), name, args.tile)
    check(args, (Needs("--crop", lambda _: translator.whole is not None, "with a network that takes pictures whole"),))

    def work(photo: Photo, target: Path, tell: Any) -> tuple[Photo, np.ndarray]:
        crop = None if args.crop is None else tuple(args.crop)
        return translator.photo(photo, crop, tell), translator.looked_at(photo, crop)

    what = name if file.stem.startswith("step-") else file.stem
    work_on(args, what, {file: "the model"}, work)
