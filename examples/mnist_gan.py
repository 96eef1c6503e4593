"""A GAN learns to draw digits.

A generator, the forger, turns 100 random numbers into a picture; a discriminator, the detective, is shown real digits
and forged ones and learns to tell them apart; the forger learns from what would have fooled it. Both are told which of
some fifty clusters of alike pictures they are looking at; k-means finds these, nobody has to label anything. Everything
that comes of it is written to a folder: sample grids, an animation, curves, and the model.

    python examples/mnist_gan.py                     # 5 epochs
    python examples/mnist_gan.py --steps 200         # a quick look
    python examples/mnist_gan.py --recipe dcgan2016  # the plain DCGAN of 2016
    python examples/mnist_gan.py --metric-every 500  # and keep the best model by Frechet distance
    python examples/mnist_gan.py --data DIR          # any other IDX set: Fashion-MNIST, EMNIST, ...
    python examples/mnist_gan.py --backend cupy      # on an NVIDIA GPU
"""

import argparse
import sys

import numpy as np

import minigan
from minigan import data, gan
from minigan.cli import user_errors
from minigan.commands.arguments import (
    LENGTH,
    METRIC,
    THREADS,
    add_metric,
    add_tf32,
    best_of,
    fixed_by,
    natural,
    place_for,
    positive,
)
from minigan.commands.memory import tell_memory
from minigan.commands.options import check, dry_run
from minigan.commands.recipes import add_recipe, recipe_for
from minigan.runs import Latents, Run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="numpy", help="where to compute: numpy (default), numba, cupy, reference")
    add_tf32(parser)
    parser.add_argument("--epochs", type=positive, help="passes over the data (default: 5)")
    parser.add_argument("--steps", type=positive, help="stop after so many steps instead")
    add_recipe(parser)
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default: 0)")
    parser.add_argument("--data", metavar="DIR", help="a folder of IDX files (default: the MNIST that comes along)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/mnist-gan, -2, -3, ...)")
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    parser.add_argument("--resume", action="store_true", help="go on with the training in --out, exactly")
    parser.add_argument("--checkpoint-every", type=positive, metavar="STEPS", help="also within epochs")
    add_metric(parser)
    parser.add_argument("--dry-run", action="store_true", help="two steps of a small model, to see that all works")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return user_errors(train, parser.parse_args())


def train(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, width=8, steps=2, epochs=None)
    check(args, LENGTH, THREADS, METRIC)
    recipe = recipe_for(args)
    if args.threads:
        minigan.set_num_threads(args.threads)
    place = place_for(args)

    # Independent streams: drawing more samples to look at, say, never changes the training.
    init, noise, shuffle, looks, measured = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(5))

    digits = data.mnist("train", root=args.data)
    shown = data.clustered(digits, recipe.clusters) if recipe.clusters else digits
    loader = data.Loader(shown, recipe.batch_size, backend=place, rng=shuffle, labels=bool(recipe.clusters))

    architecture = recipe.architecture(shown)
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    trainer = recipe.trainer(generator, discriminator, rng=noise)
    tell_memory(trainer, recipe.batch_size, labels=bool(recipe.clusters), quiet=args.quiet)

    with Run(
        args.out,
        trainer,
        loader,
        architecture,
        Latents(recipe.z_dim, looks),
        base="out/mnist-gan",
        epochs=args.epochs,
        steps=args.steps,
        config=fixed_by(args),
        resume=args.resume,
        checkpoint_every=args.checkpoint_every,
        quiet=args.quiet,
        best=best_of(args, digits, recipe.z_dim, conditional=False, rng=measured),
    ) as run:
        for _ in run.steps():
            pass  # a record of the step's losses and beliefs, for whoever wants to do more with it
    print(run.summary())


if __name__ == "__main__":
    sys.exit(main())
