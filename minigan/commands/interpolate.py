"""minigan interpolate: walks between pairs of random latents, a row each."""

from __future__ import annotations

import argparse

import numpy as np

from .. import viz
from .arguments import LoadedGenerator, add_model_file, positive


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("interpolate", help="walk between pairs of random latents, a row each")
    add_model_file(parser, "interpolation")
    parser.add_argument("--rows", type=positive, default=8, help="number of walks (default: 8)")
    parser.add_argument("--steps", type=positive, default=10, help="samples in a walk (default: 10)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    loaded = LoadedGenerator(args.model, args.backend)
    out = loaded.target(args.out, args.stem)
    z = np.random.default_rng(args.seed).standard_normal((2 * args.rows, loaded.z_dim))
    walks = viz.walk_samples(loaded.generator, z, args.steps, loaded.labels(args.rows, args.label))
    written = loaded.medium.save(out, walks, args.steps)
    print(f"{args.rows} walks of {args.steps} {loaded.medium.noun} in {', '.join(map(str, written))}")
