"""minigan sample: images from a trained generator, as one grid."""

from __future__ import annotations

import argparse

import numpy as np

from .. import gan, viz
from .arguments import LoadedGenerator, add_model_file, positive


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("sample", help="draw images from a trained generator, as one grid")
    add_model_file(parser, "samples.png")
    parser.add_argument("-n", type=positive, default=64, metavar="N", help="how many images (default: 64)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    loaded = LoadedGenerator(args.model, args.backend, args.out)
    z = np.random.default_rng(args.seed).standard_normal((args.n, loaded.z_dim))
    images = gan.generate(loaded.generator, z, loaded.labels(args.n, args.label))
    columns = loaded.classes if loaded.classes and args.label is None else None
    viz.save_png(args.out, viz.grid(images, columns))
    print(f"{args.n} images in {args.out}")
