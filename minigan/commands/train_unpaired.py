"""minigan train, for the models that learn from pictures of two kinds: cats into dogs, photos into paintings."""

from __future__ import annotations

import argparse

import numpy as np

import minigan

from .. import data, gan
from ..data.unpaired import square
from ..errors import InputError
from ..gan.models.paired import LEAST
from ..runs import Exchanges
from ..runs.folder import refuse_inside
from .arguments import LENGTH, THREADS, place_for
from .options import Needs, check, set_defaults
from .training import carry_out, changes, length

TWO_KINDS = (
    Needs("--size", lambda args: args.crop is None, "beside --crop, which takes pictures as they are"),
    *(
        Needs(option, lambda args: False, "with a model that learns without pairs")
        for option in ("--penalty", "--penalty-every", "--gamma", "--n-critic")
    ),
)
SHOWN = 6  # pictures of each kind in a picture of the progress


def run(args: argparse.Namespace) -> None:
    if None in (args.a, args.b):
        raise InputError(f"--model {args.model} learns from pictures of two kinds: name two folders, --a DIR --b DIR")
    if args.data != "mnist":
        raise InputError(f"--data {args.data}: {args.model} learns from pictures of two kinds: --a DIR --b DIR instead")
    check(args, LENGTH, THREADS, TWO_KINDS)
    set_defaults(args, batch_size=8, channels=3)
    if args.crop is None:
        set_defaults(args, size=64)
    if (side := args.crop or args.size) < LEAST:
        option = "--size" if args.crop is None else "--crop"
        raise InputError(f"{option} {side}: the detectives judge no less than {LEAST} pixels a side")
    if args.threads:
        minigan.set_num_threads(args.threads)
    model, place = gan.UNPAIRED[args.model], place_for(args)
    init, noise, shuffle, looks = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(4))

    pictures = open_unpaired(args.a, args.b, args.size, args.crop, args.channels)
    if args.out is not None:
        refuse_inside(args.out, args.b)
    loader = data.Loader(pictures, args.batch_size, backend=place, rng=shuffle)
    settings = {**pictures.settings, **({"width": args.width} if args.width else {})}
    players = (network.to(place) for network in model.players(init, **settings))
    steps = length(args, loader)
    asked = changes(args, model.objective, ("cycle_weight", "identity_weight", "buffer"), steps)
    trainer = model.trainer(*players, rng=noise, **asked)
    architecture = {"model": args.model, **settings, **({"whole": args.size} if args.crop is None else {})}
    carry_out(args, trainer, loader, architecture, looks_at(pictures, looks), steps, base=f"out/{args.model}")


def open_unpaired(a: str, b: str, size: int | None, crop: int | None, channels: int) -> data.Unpaired:
    """The pictures of both: whole ones of ``size`` pixels a side, or crops."""
    kinds = [data.read_pictures(path, size or 64, channels) for path in (a, b)]
    if crop is None:
        assert size is not None
        kinds = [{name: square(picture, size) for name, picture in kind.items()} for kind in kinds]
    return data.Unpaired(*kinds, crop=crop or size or 64, name=f"{a} and {b}", root=a)


def looks_at(pictures: data.Unpaired, rng: np.random.Generator) -> Exchanges:
    """Some crops of kind a, evenly spread over the pictures, and some of kind b."""
    numbers = np.linspace(0, len(pictures) - 1, SHOWN).round().astype(int)
    return Exchanges(*pictures.draw(numbers, rng, np.dtype(np.float32)))
