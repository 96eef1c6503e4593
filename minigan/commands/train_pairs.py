"""minigan train, for the models from picture to picture: cleaning, enlarging, repairing, colouring."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import minigan

from .. import data, gan
from ..checkpoint import read_generator
from ..data.paired import split
from ..errors import InputError
from ..gan.models.paired import LEAST, PairedModel
from ..nn import Module
from ..restoration import TASKS, Task
from ..runs import Pairs
from ..runs.folder import model_of
from .arguments import LENGTH, THREADS, place_for
from .options import Needs, check, set_defaults
from .training import carry_out, changes, length

PAIRS = (
    Needs(
        "--size",
        lambda args: any(source is not None and Path(source).is_file() for source in (args.data, args.source)),
        "with a folder, whose pictures keep their size: name a sheet of pictures, or use --crop",
    ),
    Needs("--source", lambda args: TASKS[args.task].drawn, "where the damage is done to --data: leave --source out"),
    *(
        Needs(option, lambda args: not args.no_adversary, "beside --no-adversary: leave out one of them")
        for option in ("--objective", "--penalty", "--n-critic", "--label-smoothing", "--d-lr")
    ),
)
SHOWN = 6  # pairs in a picture of the progress


def run(args: argparse.Namespace, game: tuple[Needs, ...], penalties: tuple[gan.Penalty, ...]) -> None:
    if args.task is None:
        raise InputError(f"--model {args.model} turns pictures into pictures: say which way, --task {'|'.join(TASKS)}")
    if args.data == "mnist":
        raise InputError(f"--task {args.task} learns from pictures of yours: name a folder of good ones, --data DIR")
    check(args, LENGTH, THREADS, PAIRS, game)
    set_defaults(args, batch_size=16, hold_out=8, penalty_every=1)
    if args.threads:
        minigan.set_num_threads(args.threads)
    model, task, place = gan.PAIRED[args.model], TASKS[args.task], place_for(args)
    init, noise, shuffle, looks = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(4))

    pictures, sources = open_pairs(args.data, args.source, args.size or 64, task.source_channels)
    learned, held = split(list(pictures), args.hold_out) if args.hold_out else (list(pictures), list(pictures))
    crop = args.crop or task.crop
    if crop < LEAST and not args.no_adversary:
        raise InputError(f"--crop {crop}: the adversary judges no less than {LEAST} pixels a side; or --no-adversary")
    pairs = pairs_of(pictures, sources, learned, task, model, crop, args.data)
    loader = data.Loader(pairs, args.batch_size, backend=place, rng=shuffle)

    architecture = {"task": task.name, **task.architecture(args.model, model.scales, args.width)}
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    if args.start_from:
        start_from(generator, args.start_from, architecture)
    steps = length(args, loader)
    asked = changes(args, model.objective, ("l1_weight", "n_critic"), steps)
    if penalties:
        asked["penalties"] = penalties
    trainer = model.trainer(generator, None if args.no_adversary else discriminator, rng=noise, **asked)

    shown = pairs_of(pictures, sources, held or learned, task, model, crop, args.data)
    base = f"out/{args.model}-{task.name}"
    carry_out(args, trainer, loader, architecture, looks_at(shown, looks), steps, base=base)


def looks_at(pairs: data.Paired, rng: np.random.Generator) -> Pairs:
    """Some crops, evenly spread over the pictures."""
    numbers = np.linspace(0, len(pairs) - 1, SHOWN).round().astype(int)
    return Pairs(*pairs.draw(numbers, rng, np.dtype(np.float32)))


def open_pairs(
    path: str, source: str | None, tile: int, source_channels: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray] | None]:
    """The pictures of --data by name, and those of --source, which must have the same names."""
    pictures = data.read_pictures(path, tile)
    if source is None:
        return pictures, None
    sources = data.read_pictures(source, tile, source_channels)
    if missing := sorted(pictures.keys() ^ sources.keys()):
        where = source if missing[0] in pictures else path
        raise InputError(f"{where} has no {missing[0]}: --data and --source need the same pictures, by name")
    return pictures, sources


def pairs_of(
    pictures: dict[str, np.ndarray],
    sources: dict[str, np.ndarray] | None,
    names: list[str],
    task: Task,
    model: PairedModel,
    crop: int,
    root: str,
) -> data.Paired:
    """The pictures of these names, as the model wants them."""
    if crop % task.scale:
        raise InputError(f"--crop {crop} is no multiple of {task.scale}, by which {task.name} enlarges")
    return data.Paired(
        {name: pictures[name] for name in names},
        task.damage(model.scales) if sources is None else None,
        sources=None if sources is None else {name: sources[name] for name in names},
        crop=crop,
        name=root,
        root=root if Path(root).is_dir() else None,
    )


def start_from(generator: Module, file: str, architecture: dict[str, Any]) -> None:
    """Give the network the weights of another run, which must be of the same network."""
    path = model_of(Path(file))
    own, state = read_generator(path)
    if differing := sorted(n for n in {*own, *architecture} - {"task"} if own.get(n) != architecture.get(n)):
        name = differing[0]
        raise InputError(f"--start-from {file}: its {name} is {own.get(name)}, here {architecture.get(name)}")
    generator.load_state_dict({key: array.astype(np.float32) for key, array in state.items()})
