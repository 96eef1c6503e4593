"""minigan train --model attribute: from pictures with a table of attributes to an editor of pictures."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import minigan

from .. import data, gan
from ..data.attributes import open_attributes
from ..errors import InputError
from ..runs import Edits, Run
from .arguments import LENGTH, THREADS, fixed_by, place_for
from .options import Needs, check, set_defaults

WEIGHTS = ("judge_weight", "back_weight", "change_weight")
SHOWN = 6  # pictures of the data in a picture of the progress


def run(args: argparse.Namespace, game: tuple[Needs, ...], changes: Callable[..., dict[str, Any]]) -> None:
    """``changes`` tells what the command line asks for other than the model's own settings."""
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
    steps = args.steps or args.epochs * len(loader)
    asked = changes(args, steps) | {name: value for name in WEIGHTS if (value := getattr(args, name)) is not None}
    trainer = model.trainer(generator, discriminator, attributes=pictures.attributes, rng=noise, **asked)
    with Run(
        args.out,
        trainer,
        loader,
        architecture,
        Edits(pictures, SHOWN),
        base=f"out/{args.model}",
        epochs=args.epochs,
        steps=args.steps,
        config=fixed_by(args) | ({"steps": steps} if args.decay_from is not None else {}),
        resume=args.resume,
        checkpoint_every=args.checkpoint_every,
        quiet=args.quiet,
    ) as folder:
        for _ in folder.steps():
            pass
    print(folder.summary())
