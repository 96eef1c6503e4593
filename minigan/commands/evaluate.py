"""minigan evaluate: how good are the samples? Every metric in one table, with baselines beside them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import minigan

from .. import data, viz
from ..files import write_atomically
from ..metrics.evaluation import Evaluator
from ..metrics.pixels import as_bytes
from .arguments import add_backend, add_extractor, extractor_for, natural, positive
from .sources import open_samples
from .train import is_idx_folder, open_images


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure how good the samples are: all metrics, beside baselines",
        description="Measure samples against real images. docs/quality.md says what each number means.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a model.safetensors or a checkpoint, the folder of a training, one of PNGs, or an npz file of samples",
    )
    parser.add_argument(
        "--data", default="mnist", metavar="DATA", help="mnist (default), a folder of IDX files, or one of pictures"
    )
    parser.add_argument("--test", metavar="DATA", help="held-out images (default: the test split of --data, if any)")
    parser.add_argument("--size", type=positive, help="pixels a side that pictures are cut to (default: 64)")
    parser.add_argument("--channels", type=int, choices=(1, 3), default=3, help="of pictures (default: 3)")
    parser.add_argument("--class", dest="only", metavar="NAME", help="against the images of this class alone")
    parser.add_argument("-n", type=positive, default=10_000, metavar="N", help="how many samples (default: 10000)")
    add_extractor(parser)
    parser.add_argument("--no-baselines", action="store_true", help="the samples alone, which is faster")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    parser.add_argument("--neighbours", metavar="FILE", help="draw the samples nearest to training images beside them")
    parser.add_argument("--seed", type=natural, default=0, help="of latents, subsets and baselines (default: 0)")
    add_backend(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    if args.threads:
        minigan.set_num_threads(args.threads)
    drawn, measured = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(2))
    train, test = open_data(args)
    extractor = extractor_for(train, args.extractor)
    extractor(train.images[:1])  # a misfit is told of before any work
    with tqdm(bar_format="{desc} [{elapsed}]", disable=args.quiet or None, leave=False) as bar:
        bar.set_description_str("samples")
        samples = open_samples(args.source, args.n, train, rng=drawn, backend_name=args.backend)
        evaluator = Evaluator(train, test, extractor, rng=measured, tell=bar.set_description_str)
        wanted = samples.wanted if train.classes == extractor.classes else None
        found = evaluator.evaluate(samples.images, wanted, not args.no_baselines)
        if args.neighbours:
            bar.set_description_str("neighbours")
            viz.save_png(args.neighbours, draw_neighbours(evaluator, samples.images))
    print(f"{len(samples.images):,} samples of {samples.origin}\n{found}")
    if args.json:
        facts = {"source": args.source, "samples_of": samples.origin, "seed": args.seed, **found.as_dict()}
        write_atomically(args.json, (json.dumps(facts, indent=1) + "\n").encode())
    if args.neighbours:
        print(f"\n{args.neighbours}: samples, each with the training images nearest to it; the likest first")


def open_data(args: argparse.Namespace) -> tuple[data.Dataset, data.Dataset | None]:
    """The training images, and held-out ones where there are any."""
    train = open_images(args.data, args.size, args.channels)
    held_out = args.test or (args.data if has_test_split(args.data) else None)
    test = None
    if held_out is not None:
        split = "test" if has_test_split(held_out) else "train"
        test = open_images(held_out, args.size, args.channels, split)
    if args.only is not None:
        train = train.of_class(args.only)
        test = test if test is None else test.of_class(args.only)
    return train, test


def has_test_split(source: str) -> bool:
    return source == "mnist" or (is_idx_folder(source) and any(Path(source).glob("*t[1e]*-images*")))


def draw_neighbours(evaluator: Evaluator, images: np.ndarray) -> viz.Picture:
    """A row for each sample: itself, then the training images nearest to it."""
    closest, nearest = evaluator.neighbours(images)
    shown = as_bytes(images[closest])
    rows = np.concatenate([shown[:, None], evaluator.train.images[nearest]], axis=1)
    pixels = rows.reshape(-1, *shown.shape[1:]).astype(np.float32)
    return viz.grid(pixels / 127.5 - 1, columns=rows.shape[1])
