"""minigan edit: one thing changed in a picture of one's own, the rest as it is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import minigan

from .. import viz
from ..data.attributes import Number, asked
from ..errors import InputError
from ..export import find
from ..restoration.picture import Photo, read_photo
from ..translation.editor import PhotoEditor, bundled
from .arguments import THREADS, place_for
from .options import check
from .pictures import add_own_pictures, targets_of, work_on


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "edit",
        help="change one thing in pictures of your own",
        description="Change an attribute in pictures with a network that is bundled, or one of your own, which train "
        "--model attribute makes. The pictures themselves are never changed. Do not show an edited picture of a real "
        "person as a true one.",
    )
    add_own_pictures(parser, None, "edit")
    parser.add_argument(
        "--model", metavar="MODEL", required=True, help=f"{', '.join(bundled())}, a file, or the folder of a run"
    )
    parser.add_argument("--set", metavar="NAME=VALUE,...", help="what is to change, as hair_color=white,glasses=yes")
    parser.add_argument(
        "--sweep",
        nargs="+",
        metavar=("NAME", "FROM TO COUNT"),
        help="a strip of all values of NAME, or of COUNT numbers",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check(args, THREADS)
    if (args.set is None) == (args.sweep is None):
        raise InputError("what is to change? either --set NAME=VALUE, or --sweep NAME")
    if args.sweep is not None and args.compare:
        raise InputError("--compare does nothing beside --sweep, whose strip begins with the picture: leave it out")
    if args.threads:
        minigan.set_num_threads(args.threads)
    file = find(args.model)
    editor = PhotoEditor.load(file, place_for(args))
    if args.sweep is not None:
        sweep(args, editor, file)
        return
    wanted = wanted_by(args.set, editor)

    def work(photo: Photo, target: Path, tell: Any) -> tuple[Photo, np.ndarray]:
        return editor.photo(photo, wanted), photo.on_white()

    work_on(args, "edit", {file: "the model"}, work)


def sweep(args: argparse.Namespace, editor: PhotoEditor, file: Path) -> None:
    """A strip for each picture."""
    ways = swept(args.sweep, editor)
    targets = targets_of(args, "sweep", {file: "the model"}, ".png")
    photos = [read_photo(Path(name)) for name in args.pictures]
    for photo, target in zip(photos, targets, strict=True):
        pixels = photo.on_white()
        target.parent.mkdir(parents=True, exist_ok=True)
        viz.save_png(target, strip([pixels, *(editor(pixels, wanted) for wanted in ways)]))
        print(f"{target}: the picture, then {', '.join('='.join(*way.items()) for way in ways)}")


def wanted_by(text: str, editor: PhotoEditor) -> dict[str, str]:
    """ "hair_color=white,glasses=yes" as names and values, each known to the model."""
    wanted: dict[str, str] = {}
    for one in text.split(","):
        name, equals, value = (part.strip() for part in one.partition("="))
        if not equals or not name or not value:
            raise InputError(f"--set {text}: write NAME=VALUE, of {editor.known()}")
        if name in wanted:
            raise InputError(f"--set {text}: sets {name} twice")
        wanted[name] = value
    asked(editor.attributes, wanted)  # which says what is wrong with one
    return wanted


def swept(words: list[str], editor: PhotoEditor) -> list[dict[str, str]]:
    """Each step of a sweep."""
    name, *numbers = words
    by_name = {attribute.name: attribute for attribute in editor.attributes}
    if name not in by_name:
        raise InputError(f"--sweep {name}: this model knows {editor.known()}")
    attribute = by_name[name]
    if not isinstance(attribute, Number):
        if numbers:
            raise InputError(f"--sweep {' '.join(words)}: {name} is no number, so give its name alone")
        return [{name: value} for value in attribute.values]
    try:
        first, last, count = (float(numbers[0]), float(numbers[1]), int(numbers[2])) if numbers else (
            attribute.low, attribute.high, 6)  # fmt: skip
        if len(numbers) not in (0, 3) or count < 2:
            raise ValueError
    except (ValueError, IndexError):
        raise InputError(f"--sweep {' '.join(words)}: write --sweep {name} FROM TO COUNT, COUNT at least 2") from None
    ways = [{name: f"{value:g}"} for value in np.linspace(first, last, count)]
    for way in ways:
        asked(editor.attributes, way)
    return ways


def strip(pictures: list[np.ndarray]) -> np.ndarray:
    """Side by side, white between."""
    gap = np.full((len(pictures[0]), 4, 3), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)
