"""What an example of training asks on its command line, as ``minigan train`` does, and hands on to its Run."""

from __future__ import annotations

import argparse
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

import minigan

from .. import backend
from ..backend import ArrayBackend
from ..data import Dataset
from ..gan import TwoPlayer
from ..gan.recipes import Recipe
from ..gan.trainer import Trainer
from .arguments import (
    LENGTH,
    METRIC,
    SYNC,
    THREADS,
    add_backend,
    add_metric,
    add_sync,
    add_tf32,
    best_of,
    fixed_by,
    natural,
    place_for,
    positive,
)
from .memory import tell_memory
from .options import check, dry_run
from .recipes import add_recipe, recipe_for


def add_usual(parser: argparse.ArgumentParser) -> None:
    """What every example is told alike: where to compute, the seed, a dry run, silence. See ``place_of``."""
    add_backend(parser)
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default: 0)")
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--dry-run", action="store_true", help="a few steps of something small, to see that all works")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def place_of(args: argparse.Namespace) -> ArrayBackend:
    """Where those options want to compute, with as many threads."""
    check(args, THREADS)
    if args.threads:
        minigan.set_num_threads(args.threads)
    return backend.get(args.backend)


def add_out(parser: argparse.ArgumentParser, base: str) -> None:
    """Of an example that keeps no run: see ``out_folder``."""
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"where to write (default: {base}, -2, -3, ...)")


def out_folder(out: Path | None, base: str) -> Path:
    """``out``; without it base, base-2, ..., the first in which there is nothing. It is there when this returns, so
    that a place that cannot be written to is told before any work.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for _ in range(2):
    ...         made = out_folder(None, f"{folder}/avatars")
    ...         print(made.name, (made / "model.safetensors").write_text("weights"))
    avatars 7
    avatars-2 7
    """
    paths = (Path(f"{base}-{number}" if number > 1 else base) for number in count(1))
    path = out or next(path for path in paths if not path.exists() or (path.is_dir() and not any(path.iterdir())))
    path.mkdir(parents=True, exist_ok=True)
    return path


def options(doc: str | None, base: str) -> argparse.ArgumentParser:
    """``base`` is the folder that a run gets where none is named."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual(parser)
    add_tf32(parser)
    parser.add_argument("--epochs", type=positive, help="passes over the data (default: 5)")
    parser.add_argument("--steps", type=positive, help="stop after so many steps instead")
    add_recipe(parser)
    parser.add_argument("--data", metavar="DIR", help="a folder of IDX files (default: the bundled MNIST)")
    parser.add_argument("--out", metavar="DIR", help=f"where to write (default: {base}, -2, -3, ...)")
    add_sync(parser)
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, exactly")
    parser.add_argument("--checkpoint-every", type=positive, metavar="STEPS", help="also within epochs")
    add_metric(parser)
    return parser


def begin(args: argparse.Namespace) -> tuple[Recipe, ArrayBackend]:
    """Check the options; what they say of the game, and where to compute."""
    if args.dry_run:
        dry_run(args, width=8, steps=2, epochs=None)
    check(args, LENGTH, THREADS, METRIC, SYNC)
    recipe = recipe_for(args)
    if args.threads:
        minigan.set_num_threads(args.threads)
    return recipe, place_for(args)


def kept(
    args: argparse.Namespace, trainer: Trainer[TwoPlayer], recipe: Recipe, images: Dataset, rng: np.random.Generator
) -> dict[str, Any]:
    """The settings of a Run that the options name. Tells what memory it will take."""
    trainer.sync_batch_norm = not args.no_sync_batch_norm
    quiet = args.quiet or not trainer.communicator.is_first
    tell_memory(trainer, recipe.batch_size // trainer.communicator.size, labels=bool(recipe.clusters), quiet=quiet)
    return {
        "epochs": args.epochs,
        "steps": args.steps,
        "config": fixed_by(args),
        "resume": args.resume,
        "checkpoint_every": args.checkpoint_every,
        "quiet": args.quiet,
        "best": best_of(args, images, recipe.z_dim, conditional=False, rng=rng),
    }
