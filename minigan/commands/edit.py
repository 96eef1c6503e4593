"""minigan edit: one thing changed in a picture of one's own, the rest as it is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import minigan

from .. import backend, gan, viz
from ..checkpoint import read_generator
from ..data.attributes import Attribute, Number, asked, attributes_from, centre, square
from ..data.degrade import resample
from ..errors import InputError
from ..nn import Module
from ..restoration.picture import read_photo, write_photo
from ..restoration.restore import to_bytes
from ..runs.folder import model_of
from .arguments import THREADS, add_backend, positive
from .options import check
from .restore import check_targets, compare_name, side_by_side, target_of


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "edit",
        help="change one thing in pictures of your own",
        description="Change an attribute in pictures with a network that train --model attribute made. The pictures "
        "themselves are never changed. Do not show an edited picture of a real person as a true one.",
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="any that Pillow reads, of any size")
    parser.add_argument("--model", metavar="MODEL", required=True, help="what train --model attribute wrote")
    parser.add_argument("--set", metavar="NAME=VALUE,...", help="what is to change, as hair_color=white,glasses=yes")
    parser.add_argument(
        "--sweep",
        nargs="+",
        metavar=("NAME", "FROM TO COUNT"),
        help="a strip of all values of NAME, or of COUNT numbers",
    )
    parser.add_argument(
        "--out", metavar="PATH", help="the file to write, or a folder for several (default: beside each, NAME-edit)"
    )
    parser.add_argument("--compare", action="store_true", help="write before and after side by side, too")
    add_backend(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.set_defaults(run=run, mask=None)


@dataclass(frozen=True)
class Editor:
    """A network from a file, and what it knows to change."""

    network: Module
    attributes: tuple[Attribute, ...]
    size: int

    @classmethod
    def load(cls, path: Path, backend_name: str = "numpy") -> Editor:
        """Raises InputError for a file of another kind."""
        architecture, state = read_generator(path)
        if architecture.get("model") not in gan.EDITORS:
            raise InputError(f"{path}: is a {architecture.get('model')} and edits no picture: give one of train --model attribute")
        try:
            network, _ = gan.build(architecture, np.random.default_rng(0))
            network.load_state_dict({name: array.astype(np.float32) for name, array in state.items()})
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        size = architecture["image_size"]
        attributes = attributes_from(architecture["attributes"])
        return cls(network.to(backend.get(backend_name)), attributes, size if isinstance(size, int) else size[0])

    def __call__(self, pixels: np.ndarray, wanted: Mapping[str, str]) -> np.ndarray:
        """uint8 (H, W, 3) -> the same with the wanted values; everything else is as it was.

        The network works on the centre square at the size that it has learned from. What it changes there is enlarged
        and added to the picture, whose detail stays.
        """
        where = centre(pixels.shape[:2])
        small = square(pixels, self.size)
        source = small.transpose(2, 0, 1)[None] / np.float32(127.5) - 1
        made = gan.edit(self.network, source, asked(self.attributes, wanted)[None])
        change = ((made - source)[0].transpose(1, 2, 0)) / 2
        part = pixels[where] / np.float32(255)
        if part.shape != change.shape:
            change = resample(change, part.shape[:2])
        result = pixels.copy()
        result[where] = to_bytes(part + change)
        return result

    def known(self) -> str:
        return "; ".join(map(str, self.attributes))


def run(args: argparse.Namespace) -> None:
    check(args, THREADS)
    if (args.set is None) == (args.sweep is None):
        raise InputError("what is to change? either --set NAME=VALUE, or --sweep NAME")
    if args.sweep is not None and args.compare:
        raise InputError("--compare does nothing beside --sweep, whose strip begins with the picture: leave it out")
    if args.threads:
        minigan.set_num_threads(args.threads)
    file = model_of(Path(args.model))
    editor = Editor.load(file, args.backend)
    ways = [wanted_by(args.set, editor)] if args.sweep is None else swept(args.sweep, editor)
    word = "edit" if args.sweep is None else "sweep"
    targets = [target_of(args, Path(name), word, ".png" if args.sweep else None) for name in args.pictures]
    check_targets(args, targets, file)
    photos = [read_photo(Path(name)) for name in args.pictures]
    for photo, target in zip(photos, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        made = [editor(photo.pixels, wanted) for wanted in ways]
        if args.sweep:
            viz.save_png(target, strip([photo.pixels, *made]))
            print(f"{target}: the picture, then {', '.join('='.join(*way.items()) for way in ways)}")
            continue
        edited = replace(photo, pixels=made[0], grey=False)
        lost = write_photo(target, edited)
        share = (made[0] != photo.pixels).any(axis=2).mean()
        print(f"{target}: {args.set}, {100 * share:.0f} % of the pixels changed")
        if args.compare:
            viz.save_png(compare_name(target), side_by_side(photo, edited, None))
            print(f"{compare_name(target)}: before and after")
        for what in lost:
            print(f"note: {target} does not keep {what}")


def wanted_by(text: str, editor: Editor) -> dict[str, str]:
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


def swept(words: list[str], editor: Editor) -> list[dict[str, str]]:
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
