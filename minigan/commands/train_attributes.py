"""minigan train --model attribute: from pictures with a table of attributes to an editor of pictures."""

from __future__ import annotations

import argparse

import numpy as np

import minigan

from .. import data, gan
from ..data.attributes import open_attributes
from ..errors import InputError
from ..gan.models.attribute import WEIGHTS
from ..runs import Edits
from .arguments import LENGTH, THREADS, place_for
from .options import Needs, check, set_defaults
from .training import carry_out, changes, length

SHOWN = 6  # pictures of the data in a picture of the progress


def run(args: argparse.Namespace, game: tuple[Needs, ...], penalties: tuple[gan.Penalty, ...]) -> None:
    if args.data == "mnist" or args.table is None:
        raise InputError(
            f"--model {args.model} learns from pictures and what is to be seen in each: name a folder or a sheet of "
            "them, --data PATH, and --table FILE"
        )
    check(args, LENGTH, THREADS, game)
    model, place = gan.EDITORS[args.model], place_for(args)
    set_defaults(args, batch_size=model.batch_size, size=64)
    if args.threads:
        minigan.set_num_threads(args.threads)
    init, noise, shuffle = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(3))

    names = None if args.attributes is None else [name.strip() for name in args.attributes.split(",")]
    pictures = open_attributes(args.data, args.table, size=args.size, names=names)
    loader = data.Loader(pictures, args.batch_size, backend=place, rng=shuffle)
    architecture = {"model": args.model, **pictures.settings}
    if args.width:
        architecture["width"] = args.width
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    steps = length(args, loader)
    asked = changes(args, model.objective, (*WEIGHTS, "n_critic"), steps) | {"penalties": penalties}
    if args.diffaugment is not None:
        asked["augment"] = [gan.DiffAugment(args.diffaugment)]
    trainer = model.trainer(generator, discriminator, attributes=pictures.attributes, rng=noise, **asked)
    carry_out(args, trainer, loader, architecture, Edits(pictures, SHOWN), steps, base=f"out/{args.model}")
