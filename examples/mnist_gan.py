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

from minigan import data, gan
from minigan.cli import user_errors
from minigan.commands.example import begin, kept, options
from minigan.runs import Latents, Run

BASE = "out/mnist-gan"


def train(args: argparse.Namespace) -> None:
    recipe, place = begin(args)

    # Independent streams: drawing more samples to look at, say, never changes the run.
    init, noise, shuffle, looks, measured = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(5))

    digits = data.mnist("train", root=args.data)
    shown = data.clustered(digits, recipe.clusters) if recipe.clusters else digits
    loader = data.Loader(shown, recipe.batch_size, backend=place, rng=shuffle, labels=bool(recipe.clusters))

    architecture = recipe.architecture(shown)
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    trainer = recipe.trainer(generator, discriminator, rng=noise)

    settings = kept(args, trainer, recipe, digits, measured)
    with Run(args.out, trainer, loader, architecture, Latents(recipe.z_dim, looks), base=BASE, **settings) as run:
        for batch in run.batches():  # epoch after epoch, until the last step or Ctrl-C
            record = trainer.step(batch)  # D learns to tell real from fake, G what would have fooled it: gan/game.py
            run.note(record)  # metrics, alarms, pictures; between steps, checkpoints
    print(run.summary())


if __name__ == "__main__":
    sys.exit(user_errors(train, options(__doc__, BASE).parse_args()))
