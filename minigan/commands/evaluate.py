"""minigan evaluate: how good are the samples? Every metric in one table, with baselines beside them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import minigan

from .. import data, viz
from ..errors import InputError
from ..files import check_suffix, write_atomically
from ..metrics.evaluation import Evaluator
from ..metrics.pixels import as_bytes
from ..metrics.shared import Shared
from ..parallel import world
from ..restoration import TASKS
from ..runs.folder import refuse_inside
from . import evaluate_task
from .arguments import PICTURES, add_extractor, add_pictures, extractor_for, natural, of_class, positive
from .options import Needs, check
from .sources import is_generator, open_samples

OF_PICTURES = tuple(
    Needs(option, lambda args: args.task is not None, "without --task: add that")
    for option in ("--drawings", "--hold-out")
)
OF_SAMPLES = tuple(
    Needs(option, lambda args: args.task is None, "with --task, which judges restored pictures")
    for option in ("--test", "--channels", "--extractor", "--neighbours", "-n")
)
DRAWN = (
    Needs(
        "--backend",
        lambda args: is_generator(args.source),
        "with samples that are there already: give a model as SOURCE",
        default="numpy",
    ),
)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure how good the samples are: all metrics, beside baselines",
        description="Measure samples against real images. docs/metrics.md says what each number means.",
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="a model.safetensors or a checkpoint, the folder of a run, one of PNGs, or an npz file of samples",
    )
    parser.add_argument(
        "--data",
        default="mnist",
        metavar="DATA",
        help="mnist (default), a folder of IDX files or pictures, or a sheet of these",
    )
    parser.add_argument("--test", metavar="DATA", help="held-out images (default: the test split of --data, if any)")
    add_pictures(parser)
    parser.add_argument("--class", dest="only", metavar="CLASS", help="against this class alone, by name or index")
    parser.add_argument("-n", type=positive, metavar="N", help="how many samples (default: 10000)")
    add_extractor(parser)
    parser.add_argument("--no-baselines", action="store_true", help="the samples alone, which is faster")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    parser.add_argument("--neighbours", metavar="FILE", help="draw the samples nearest to training images beside them")
    parser.add_argument("--seed", type=natural, default=0, help="of latents, subsets and baselines (default: 0)")
    parser.add_argument("--backend", help="where a model draws: numpy (default), cupy or reference")
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument(
        "--task", choices=TASKS, help="of a model from picture to picture (default SOURCE: the shipped)"
    )
    parser.add_argument("--drawings", metavar="PATH", help="with --task colorize: the drawings of what --data shows")
    parser.add_argument(
        "--hold-out", type=natural, metavar="K", help="with --task: judge by each K-th picture (8; 0: all)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    check(args, OF_PICTURES, OF_SAMPLES)
    check_targets(args)
    if args.task:
        if world().size > 1:
            raise InputError(f"--task: {world().size} processes would all do the same here: start it without mpiexec")
        evaluate_task.run(args)
        return
    if args.source is None:
        raise InputError("name a SOURCE: a model, the folder of a run or one of PNGs, or an npz file of samples")
    if args.n is None:
        args.n = 10_000
    check(args, PICTURES, DRAWN)
    if args.threads:
        minigan.set_num_threads(args.threads)
    drawn, measured = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(2))
    train, test = open_data(args)
    pictures = Path(args.source).is_dir() and not is_generator(args.source)
    for option, target in targets(args).items():
        for folder in (train.root, None if test is None else test.root, args.source if pictures else None):
            refuse_inside(target, folder, option)
    extractor, ranks = Shared(extractor_for(train, args.extractor), world()), world()
    extractor(train.images[:1])  # a misfit is told of before any work
    quiet = args.quiet or not ranks.is_first or None
    with tqdm(bar_format="{desc} [{elapsed}]", disable=quiet, leave=False) as bar:
        bar.set_description_str("samples")
        samples = open_samples(args.source, args.n, train, rng=drawn, backend_name=args.backend)
        evaluator = Evaluator(train, test, extractor, rng=measured, tell=bar.set_description_str)
        wanted = samples.wanted if train.classes == extractor.classes else None
        found = evaluator.evaluate(samples.images, wanted, not args.no_baselines)
        if args.neighbours and ranks.is_first:
            bar.set_description_str("neighbours")
            viz.save_png(args.neighbours, draw_neighbours(evaluator, samples.images))
    print(f"{len(samples.images):,} samples of {samples.origin}\n{found}")
    if args.json and ranks.is_first:
        facts = {"source": args.source, "samples_of": samples.origin, "seed": args.seed, **found.as_dict()}
        write_atomically(args.json, (json.dumps(facts, indent=1) + "\n").encode())
    if args.neighbours:
        print(f"\n{args.neighbours}: samples, each with the training images nearest to it; the likest first")


def targets(args: argparse.Namespace) -> dict[str, str]:
    """What is to be written, by option."""
    asked = {"--json": args.json, "--neighbours": args.neighbours}
    return {option: name for option, name in asked.items() if name is not None}


def check_targets(args: argparse.Namespace) -> None:
    """That no file is written over the source, or over another one, or as something that its name is not."""
    taken = {} if args.source is None else {Path(args.source).resolve(): "the SOURCE"}
    for option, name in targets(args).items():
        path = Path(name).resolve()
        if path in taken:
            raise InputError(f"{option} {name} would overwrite {taken[path]}: choose another name")
        if not path.parent.is_dir():  # told now, not after all the work
            raise InputError(f"{option} {name}: there is no folder {Path(name).parent}: make it first")
        taken[path] = f"{option}'s file"
    if args.json is not None:
        check_suffix(args.json, ".json")
    if args.neighbours is not None:
        check_suffix(args.neighbours, ".png")


def open_data(args: argparse.Namespace) -> tuple[data.Dataset, data.Dataset | None]:
    """The training images, and held-out ones where there are any."""
    train = data.open_images(args.data, args.size, args.channels)
    held_out = args.test or (args.data if has_test_split(args.data) else None)
    test = None
    if held_out is not None:
        split = "test" if has_test_split(held_out) else "train"
        test = data.open_images(held_out, args.size, args.channels, split)
    return of_class(train, args.only), None if test is None else of_class(test, args.only)


def has_test_split(source: str) -> bool:
    return source == "mnist" or "test" in data.idx_splits(source)


def draw_neighbours(evaluator: Evaluator, images: np.ndarray) -> viz.Picture:
    """A row for each sample: itself, then the training images nearest to it."""
    closest, nearest = evaluator.neighbours(images)
    shown = as_bytes(images[closest])
    rows = np.concatenate([shown[:, None], evaluator.train.images[nearest]], axis=1)
    pixels = rows.reshape(-1, *shown.shape[1:]).astype(np.float32)
    return viz.grid(pixels / 127.5 - 1, columns=rows.shape[1])
