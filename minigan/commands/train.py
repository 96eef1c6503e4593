"""minigan train: any model of the zoo on any pictures."""

from __future__ import annotations

import argparse
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import minigan

from .. import data, gan
from ..checkpoint import Checkpoints
from ..errors import InputError
from ..gan.models import Model
from ..gan.models.attribute import WEIGHTS
from ..media import medium_of
from ..restoration import TASKS
from ..runs import Latents
from . import train_attributes, train_pairs, train_unpaired
from .arguments import (
    LENGTH,
    METRIC,
    PICTURES,
    SYNC,
    THREADS,
    add_backend,
    add_metric,
    add_pictures,
    add_sync,
    add_tf32,
    best_of,
    natural,
    of_class,
    place_for,
    positive,
)
from .memory import tell_memory
from .options import Needs, check, set_defaults
from .training import carry_out, changes, length, part_of_batch

# All there are, whichever is listed where; a ChainMap begins with its last.
ALL: Mapping[str, Any] = ChainMap[str, Any](gan.EDITORS, gan.UNPAIRED, gan.PAIRED, gan.MODELS)
DEFAULT, OLD = "self_conditioned", "dcgan"  # OLD: the default of runs from before


def paired(args: argparse.Namespace) -> bool:
    """Whether the model makes pictures of pictures, and not of noise."""
    return args.model in gan.PAIRED


def makes_pictures(args: argparse.Namespace) -> bool:
    return args.model not in gan.MODELS or gan.MODELS[args.model].medium == "pictures"


def unpaired(args: argparse.Namespace) -> bool:
    """Whether the model learns from pictures of two kinds."""
    return args.model in gan.UNPAIRED


def edits(args: argparse.Namespace) -> bool:
    """Whether the model changes one thing in a picture."""
    return args.model in gan.EDITORS


def opens(name: str, args: argparse.Namespace) -> bool:
    """Whether the model's data are opened with this option."""
    if args.model not in gan.MODELS or gan.MODELS[args.model].open_data is None:
        return name in ("size", "channels")
    return name in gan.MODELS[args.model].data_options


FROM_NOISE = tuple(
    Needs(option, lambda args: args.model in gan.MODELS, "with a model that makes pictures of pictures")
    for option in ("--z-dim", "--metric-every", "--clip-weights", "--instance-noise", "--clusters")
)
FROM_PICTURES = (
    *(
        Needs(option, paired, f"with a model that does not restore pictures: choose of {', '.join(gan.PAIRED)}")
        for option in ("--task", "--source", "--hold-out", "--l1-weight", "--no-adversary", "--start-from")
    ),
    *(
        Needs(option, unpaired, f"with a model that does not learn from two kinds: choose {', '.join(gan.UNPAIRED)}")
        for option in ("--a", "--b", "--cycle-weight", "--identity-weight", "--buffer")
    ),
    *(
        Needs(option, edits, f"with a model that edits no pictures: choose {', '.join(gan.EDITORS)}")
        for option in ("--table", "--attributes", *(f"--{name.replace('_', '-')}" for name in WEIGHTS))
    ),
    Needs("--crop", lambda args: paired(args) or unpaired(args), "with a model that learns from no crops"),
    Needs("--channels", lambda args: not paired(args) and not edits(args), "with a model that keeps the channels"),
    Needs(
        "--diffaugment",
        lambda args: args.model in gan.MODELS or edits(args),
        "with a model that makes pictures of pictures",
    ),
)
OF_PICTURES = tuple(
    Needs(option, makes_pictures, "with a model that makes other things than pictures")
    for option in ("--metric-every", "--diffaugment")
)
DATA = tuple(
    Needs(f"--{name}", partial(opens, name), f"with a model that makes {other}")
    for name, other in (
        ("size", "other things than pictures"),
        ("channels", "other things than pictures"),
        ("frames", "no clips: choose of mocogan, vgan"),
        ("digits", "no clips: choose of mocogan, vgan"),
    )
)
GAME = (
    Needs("--penalty-every", lambda args: bool(penalties(args)), "without --penalty: add that"),
    Needs(
        "--gamma",
        lambda args: any(isinstance(penalty, gan.R1) for penalty in penalties(args)),
        "without R1 or R2: add --penalty r1",
    ),
    Needs(
        "--clusters",
        lambda args: not edits(args) and bool(gan.MODELS[args.model].clusters),
        "with a model that is told no clusters: choose --model self_conditioned",
    ),
    Needs(
        "--betas",
        lambda args: paired(args) or edits(args) or gan.MODELS[args.model].optimizer == "adam",
        "with a model that is not trained by Adam: choose another --model",
    ),
)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model of the zoo on MNIST or on your pictures",
        description="Train a model of the zoo. What is not given is as in the model's paper (minigan models).",
    )
    parser.add_argument("--model", help=f"one of {', '.join(ALL)} (default: {DEFAULT})")
    parser.add_argument(
        "--data",
        default="mnist",
        metavar="SOURCE",
        help="mnist (default), a folder of IDX files, pictures, clips, sounds or MIDI files, a sheet of pictures of "
        "--size each, or a text",
    )
    add_pictures(parser)
    parser.add_argument("--frames", type=positive, help="of a clip, for a model that makes such (default: 16)")
    parser.add_argument("--digits", type=positive, help="that move in a clip of MNIST's digits (default: 1)")
    parser.add_argument("--class", dest="only", metavar="CLASS", help="train on this class alone, by name or index")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/MODEL, -2, -3, ...)")
    add_backend(parser)
    add_tf32(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads (default: all cores)")
    add_sync(parser)
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default: 0)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, exactly")
    parser.add_argument("--checkpoint-every", type=positive, metavar="STEPS", help="also within epochs")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")

    length = parser.add_argument_group("how long")
    length.add_argument(
        "--epochs", type=positive, help="passes over the data (default: 5, or as many steps as the model says)"
    )
    length.add_argument("--steps", type=positive, help="stop after so many steps instead")
    length.add_argument("--batch-size", type=int, help="images a step (default: the model's, or pairs 16, two kinds 8)")
    length.add_argument("--accumulate", type=positive, default=1, help="work on a batch in so many parts (default: 1)")

    add_metric(parser.add_argument_group("how good the samples are (minigan evaluate)"))

    game = parser.add_argument_group("the game")
    game.add_argument("--objective", choices=gan.OBJECTIVES, help="instead of the model's own")
    game.add_argument(
        "--penalty", choices=gan.PENALTIES, action="append", help="instead of the model's own; repeatable"
    )
    game.add_argument("--penalty-every", type=positive, metavar="K", help="apply the penalties in each K-th step only")
    game.add_argument("--gamma", type=float, help="the weight of R1 and R2")
    game.add_argument("--clusters", type=positive, help="of alike pictures that both players are told; 1: none")
    game.add_argument("--n-critic", type=positive, help="update G in every n-th step only")
    game.add_argument("--clip-weights", type=float, help="clip D's parameters to this size after each update")
    game.add_argument("--label-smoothing", type=float, help="of non_saturating and minimax, one-sided")
    game.add_argument("--instance-noise", type=float, metavar="STD", help="noise on what D sees, fading out")
    game.add_argument("--diffaugment", metavar="POLICY", help='any of "color,translation,cutout"')

    networks = parser.add_argument_group("networks and optimizers")
    networks.add_argument("--z-dim", type=positive, help="random numbers an image is made of")
    networks.add_argument("--width", type=positive, help="of the layer next to the pixels")
    networks.add_argument("--g-lr", type=float, help="generator's learning rate")
    networks.add_argument("--d-lr", type=float, help="discriminator's learning rate")
    networks.add_argument("--betas", type=float, nargs=2, help="Adam's decay rates")
    networks.add_argument("--decay-from", type=natural, metavar="STEP", help="from there, rates fall linearly to 0")
    networks.add_argument("--clip-grad-norm", type=float, help="largest norm of each network's gradient")
    networks.add_argument("--ema", type=float, metavar="DECAY", help="sample from an average of the generator")

    pairs = parser.add_argument_group(f"from picture to picture: {', '.join(gan.PAIRED)}")
    pairs.add_argument("--task", choices=TASKS, help="what to learn; --data is a folder of good pictures of any size")
    pairs.add_argument("--source", metavar="PATH", help="the pictures to start from, instead of damage done to --data")
    pairs.add_argument("--crop", type=positive, help="pixels a side that it is trained on (default: the task's)")
    pairs.add_argument("--hold-out", type=natural, metavar="K", help="not trained on: each K-th picture (default: 8)")
    pairs.add_argument("--l1-weight", type=float, help="of the distance to the truth (default: 100)")
    pairs.add_argument("--no-adversary", action="store_true", help="learn from that distance alone")
    pairs.add_argument("--start-from", metavar="MODEL", help="a model file whose weights to start from")
    kinds = parser.add_argument_group(f"from pictures of two kinds: {', '.join(gan.UNPAIRED)}")
    kinds.add_argument("--a", metavar="PATH", help="pictures of one kind: a folder, or a sheet of --size pixels each")
    kinds.add_argument("--b", metavar="PATH", help="and of the other; --size or --crop says how they are cut")
    kinds.add_argument("--cycle-weight", type=float, help="of what is to come back (default: 10)")
    kinds.add_argument("--identity-weight", type=float, help="of what is to stay as it is (default: 0)")
    kinds.add_argument("--buffer", type=natural, help="earlier fakes that D is shown, too (default: 50)")

    edit = parser.add_argument_group(f"to change one thing: {', '.join(gan.EDITORS)} (see minigan edit)")
    edit.add_argument("--table", metavar="FILE", help="what is to be seen in the pictures of --data (.csv, .tsv)")
    edit.add_argument("--attributes", metavar="NAMES", help="columns of it to learn, with commas (default: all it can)")
    edit.add_argument("--judge-weight", type=float, help="of being seen as asked for (default: the model's)")
    edit.add_argument("--back-weight", type=float, help="of an edit that can be taken back (default: the model's)")
    edit.add_argument("--change-weight", type=float, help="of what each changed pixel costs (default: the model's)")
    edit.add_argument("--coarse-weight", type=float, help="of what a change of 4x4 pixels' mean costs (default: 0)")
    edit.add_argument("--doubt-weight", type=float, help="of D's seeing through an edited picture (default: 0)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if args.model is None:
        args.model = begun_with(args.out) if args.resume else DEFAULT
    if args.model not in ALL:
        raise InputError(f"unknown model {args.model!r}: choose one of {', '.join(ALL)}")
    check(args, FROM_NOISE, FROM_PICTURES, OF_PICTURES, DATA, SYNC)
    if args.model not in gan.MODELS:
        if args.only is not None:
            raise InputError(f"--class {args.only}: {args.model} learns from pictures of any kind: leave it out")
        if unpaired(args):
            train_unpaired.run(args)
        else:
            (train_pairs if paired(args) else train_attributes).run(args, GAME, penalties(args))
        return
    model = gan.MODELS[args.model]
    if args.steps is None and args.epochs is None:
        args.steps = model.steps
    check(args, LENGTH, THREADS, PICTURES if model.open_data is None else (), METRIC, GAME)
    every = 1 if args.penalty or not model.penalties else model.penalties[0].every
    set_defaults(args, batch_size=model.batch_size, penalty_every=every)
    if part_of_batch(args) < 2:
        parts = f" in --accumulate {args.accumulate} parts" if args.accumulate > 1 else ""
        raise InputError(f"--batch-size {args.batch_size}{parts}: batch norm needs at least 2 images")
    if args.only is not None and not makes_pictures(args):
        raise InputError(f"--class {args.only}: {args.model} learns from all that --data holds: leave it out")
    if args.only is not None and model.conditional:
        raise InputError(f"--class {args.only}: {args.model} learns to tell classes apart, and would see but one")
    if args.threads:
        minigan.set_num_threads(args.threads)
    place = place_for(args)
    init, noise, shuffle, looks, measured = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(5))

    examples, told = learned_from(args, model)
    conditional = model.conditional and not (model.labels_optional and examples.labels is None)
    if conditional and examples.labels is None:
        raise InputError(f"{args.model} needs labels, and {args.data} has none: it wants a folder for each class")
    has_labels = conditional or bool(model.clusters)
    loader = data.Loader(told, args.batch_size, backend=place, rng=shuffle, labels=has_labels)

    z_dim = (args.z_dim or model.z_dim) + model.z_per_frame * examples.settings.get("frames", 0)
    architecture = {"model": args.model, **examples.settings, "z_dim": z_dim}
    if args.width:
        architecture["width"] = args.width
    if conditional:
        architecture["classes"] = len(examples.classes)
    if model.clusters:
        architecture["clusters"] = told.class_counts()
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    steps = length(args, loader)
    trainer = model.trainer(generator, discriminator, z_dim=z_dim, rng=noise, **asked(args, steps, architecture))
    ranks = trainer.communicator
    tell_memory(trainer, args.batch_size // ranks.size, has_labels, args.quiet or not ranks.is_first)

    carry_out(
        args,
        trainer,
        loader,
        architecture,
        Latents(z_dim, looks, architecture.get("classes", 0), medium_of(architecture)),
        steps,
        base=f"out/{args.model}",
        best=best_of(args, examples, z_dim, model.conditional, measured),
    )


def learned_from(args: argparse.Namespace, model: Model) -> tuple[Any, Any]:
    """What --data holds, and the same in clusters where the model is told such."""
    if model.open_data is not None:
        given = {name: getattr(args, name) for name in model.data_options if getattr(args, name) is not None}
        examples: Any = model.open_data(args.data, **given)
    else:
        examples = of_class(data.open_images(args.data, args.size, args.channels), args.only)
    return examples, data.clustered(examples, args.clusters or model.clusters) if model.clusters else examples


def asked(args: argparse.Namespace, steps: int, architecture: dict[str, Any]) -> dict[str, Any]:
    """What the command line asks for other than the model's own settings, and what these are for its pictures."""
    found = changes(args, gan.MODELS[args.model].objective, ("n_critic", "clip_weights"), steps)
    augment: list[Any] = []
    if args.instance_noise is not None:
        augment.append(gan.InstanceNoise(args.instance_noise, steps))
    if args.diffaugment is not None:
        augment.append(gan.DiffAugment(args.diffaugment))
    own = gan.MODELS[args.model].penalties_for(architecture.get("image_size", 1))
    return found | {"penalties": penalties(args, own)} | ({"augment": augment} if augment else {})


def penalties(args: argparse.Namespace, own: tuple[gan.Penalty, ...] | None = None) -> tuple[gan.Penalty, ...]:
    """Those of the command line or the model's ``own``, as strong and as often as was asked for."""
    if args.penalty and len(set(args.penalty)) < len(args.penalty):
        raise InputError(f"--penalty {' --penalty '.join(args.penalty)}: names one twice")
    named = tuple(gan.PENALTIES[name]() for name in args.penalty or ())
    found = named or (getattr(ALL[args.model], "penalties", ()) if own is None else own)
    if args.penalty_every is not None:
        found = tuple(replace(penalty, every=args.penalty_every) for penalty in found)
    if args.gamma is not None:
        found = tuple(replace(p, gamma=args.gamma) if isinstance(p, gan.R1) else p for p in found)
    return found


def begun_with(out: str | None) -> str:
    """The model of the run that is resumed."""
    folders = [Path(out)] if out is not None else [Path(f"out/{name}") for name in (DEFAULT, OLD)]
    folder = next((path for path in folders if path.exists()), folders[0])
    _, _, facts = Checkpoints(folder / "checkpoints").newest()
    config = facts.get("config")
    return str(config.get("model", DEFAULT)) if isinstance(config, dict) else DEFAULT
