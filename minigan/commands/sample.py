"""minigan sample: images from a trained generator as one grid, or whatever else it makes."""

from __future__ import annotations

import argparse

import numpy as np

from .. import gan
from .arguments import LoadedGenerator, add_model_file, positive


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "sample", help="draw from a trained generator: images as one grid, or what else it makes"
    )
    add_model_file(parser, "samples")
    parser.add_argument("-n", type=positive, default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument("--frames", type=positive, help="of each clip, of a recurrent model (default: as learned)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    loaded = LoadedGenerator(args.model, args.backend)
    out = loaded.target(args.out, args.stem)
    z = np.random.default_rng(args.seed).standard_normal((args.n, loaded.z_dim_for(args.frames)))
    samples = gan.generate(loaded.generator, z, loaded.labels(args.n, args.label))
    columns = loaded.classes if loaded.classes and args.label is None else None
    written = loaded.medium.save(out, samples, columns)
    print(f"{args.n} {loaded.medium.noun} in {', '.join(map(str, written))}")
