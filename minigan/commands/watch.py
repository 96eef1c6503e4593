"""minigan watch: a short run as moving pictures of its layers, gradients and decisions."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .. import backend, data, gan, nn, optim, viz
from ..data.mixtures import ring_of_gaussians
from ..errors import InputError
from ..restoration import TASKS
from ..runs import Looks, lock_folder
from ..runs.folder import refuse_inside
from ..tensor import Tensor
from . import train_unpaired
from .arguments import add_backend, natural, positive
from .options import Needs, check
from .trace import digits_trainer
from .train_pairs import looks_at, open_pairs, pairs_of

TOY = "toy"
SHOWN = 8  # images that a probe looks at
OPTIONS = (
    Needs("--width", lambda args: args.model != TOY, f"with {TOY}: choose another --model"),
    *(
        Needs(option, lambda args: args.model in gan.PAIRED, f"with this model: choose of {', '.join(gan.PAIRED)}")
        for option in ("--task", "--data")
    ),
    *(
        Needs(option, lambda args: args.model in gan.UNPAIRED, f"with this model: choose {', '.join(gan.UNPAIRED)}")
        for option in ("--a", "--b")
    ),
)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("watch", help="a short run as moving pictures of its layers and gradients")
    parser.add_argument("out", metavar="OUT", help="the folder to draw in")
    parser.add_argument(
        "--model", default="dcgan", help="a model of the zoo, on MNIST; toy, in the plane; or one of pictures of --data"
    )
    parser.add_argument("--task", choices=TASKS, help="of a model from picture to picture: what it learns")
    parser.add_argument("--data", metavar="DIR", help="and the good pictures that it learns it from")
    parser.add_argument("--a", metavar="DIR", help="of a model that learns without pairs: pictures of one kind")
    parser.add_argument("--b", metavar="DIR", help="and of the other; all are brought to 64 pixels a side")
    parser.add_argument("--steps", type=positive, help="of training (default: 200, toy: 2000)")
    parser.add_argument("--frames", type=positive, default=40, help="pictures on the way (default: 40)")
    parser.add_argument("--batch-size", type=positive, help="(default: 64, toy: 256, of pairs 8, of two kinds 4)")
    parser.add_argument("--width", type=positive, help="of the layer next to the pixels (default: 32)")
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default: 0)")
    add_backend(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check(args, OPTIONS)
    if args.batch_size == 1 and args.model in gan.MODELS:
        raise InputError("--batch-size 1: batch norm needs at least 2 images")
    if args.model not in {TOY, *gan.MODELS, *gan.PAIRED, *gan.UNPAIRED}:
        plain = [name for name, model in gan.MODELS.items() if model.medium == "pictures" and not model.conditional]
        known = ", ".join([*plain, *gan.PAIRED, *gan.UNPAIRED])
        raise InputError(f"unknown model {args.model!r}: choose {TOY} or one of {known}")
    if args.model in gan.PAIRED and None in (args.task, args.data):
        raise InputError(f"{args.model} turns pictures into pictures: say which way, --task, and name a folder, --data")
    if args.model in gan.UNPAIRED and None in (args.a, args.b):
        raise InputError(f"{args.model} learns from pictures of two kinds: name two folders, --a DIR --b DIR")
    if args.model in gan.MODELS and gan.MODELS[args.model].conditional:
        raise InputError(f"{args.model} is conditional: watch one without classes, such as dcgan")
    for pictures in (args.data, args.a, args.b):
        refuse_inside(args.out, pictures, "OUT")
    with lock_folder(args.out) as out:
        ways = {**dict.fromkeys(gan.PAIRED, watch_pairs), **dict.fromkeys(gan.UNPAIRED, watch_unpaired), TOY: watch_toy}
        written = ways.get(args.model, watch_digits)(args, out)
    print(f"{', '.join(written)} in {out}")


def watch_digits(args: argparse.Namespace, out: Path) -> list[str]:
    from ..study import watch

    steps, batch_size = args.steps or 200, args.batch_size or 64
    trainer, (real, *_) = digits_trainer(args.model, batch_size, args.width or 32, args.seed, args.backend)
    place = backend.get(args.backend)
    shuffle, looks = (np.random.default_rng(s) for s in np.random.SeedSequence([args.seed, 1]).spawn(2))
    loader = data.Loader(data.mnist("train"), batch_size, backend=place, rng=shuffle)
    walked = looks.standard_normal((6, trainer.game.z_dim))
    latents = looks.standard_normal((SHOWN, trainer.game.z_dim)).astype(np.float32)
    shown, z = Tensor(real[:SHOWN]), Tensor(place.asarray(latents))

    glimpses, layers, walks = [], [], []
    at = frame_steps(steps, args.frames)
    while True:
        if trainer.step_count in at:
            glimpses.append(watch.probe(trainer, shown, z))
            layers.append(watch.draw_layers(glimpses[-1]))
            walks.append(watch.draw_walks(trainer, walked))
        if trainer.step_count == steps:
            break
        if trainer.step_count % len(loader) == 0:
            batches = iter(loader)
        trainer.step(next(batches))
    viz.save_gif(out / "layers.gif", layers)
    viz.save_png(out / "layers.png", layers[-1])
    viz.save_gif(out / "walks.gif", walks)
    viz.save_png(out / "walks.png", walks[-1])
    viz.save_png(out / "gradient-norms.png", watch.draw_norms(glimpses))
    return ["layers.gif", "walks.gif", "gradient-norms.png"]


def watch_pairs(args: argparse.Namespace, out: Path) -> list[str]:
    """Source, result and truth of the same pictures, as the network learns."""
    steps, batch_size, place = args.steps or 200, args.batch_size or 8, backend.get(args.backend)
    model, task = gan.PAIRED[args.model], TASKS[args.task]
    init, noise, shuffle, looks = (np.random.default_rng(s) for s in np.random.SeedSequence(args.seed).spawn(4))
    pictures, _ = open_pairs(args.data, None, 64, task.source_channels)
    pairs = pairs_of(pictures, None, list(pictures), task, model, task.crop, args.data)
    networks = gan.build(task.architecture(args.model, model.scales, args.width), init)
    trainer = model.trainer(*(network.to(place) for network in networks), rng=noise)
    batches = data.Loader(pairs, batch_size, backend=place, rng=shuffle).forever()
    return watch_looks(
        trainer, islice(batches, steps), looks_at(pairs, looks), frame_steps(steps, args.frames), out, "pairs"
    )


def watch_unpaired(args: argparse.Namespace, out: Path) -> list[str]:
    """Pictures of both kinds, what they become and what comes back, as the translators learn."""
    steps, batch_size, place = args.steps or 200, args.batch_size or 4, backend.get(args.backend)
    model = gan.UNPAIRED[args.model]
    init, noise, shuffle, looks = (np.random.default_rng(s) for s in np.random.SeedSequence(args.seed).spawn(4))
    pictures = train_unpaired.open_unpaired(args.a, args.b, 64, None, 3)
    players = model.players(init, **pictures.settings, **({"width": args.width} if args.width else {}))
    trainer = model.trainer(*(network.to(place) for network in players), rng=noise)
    batches = data.Loader(pictures, batch_size, backend=place, rng=shuffle).forever()
    shown = train_unpaired.looks_at(pictures, looks)
    return watch_looks(trainer, islice(batches, steps), shown, frame_steps(steps, args.frames), out, "exchanges")


def watch_looks(
    trainer: gan.Trainer[Any], batches: Iterable[Any], shown: Looks, at: set[int], out: Path, name: str
) -> list[str]:
    drawn = [shown.grid(trainer)]
    for record in trainer.steps(batches):
        if record.step in at:
            drawn.append(shown.grid(trainer))
    viz.save_gif(out / f"{name}.gif", drawn)
    viz.save_png(out / f"{name}.png", drawn[-1])
    return [f"{name}.gif", f"{name}.png"]


def watch_toy(args: argparse.Namespace, out: Path) -> list[str]:
    from ..study import watch

    steps, batch_size = args.steps or 2000, args.batch_size or 256
    place, mixture = backend.get(args.backend), ring_of_gaussians(std=0.05)
    init, noise, points, looks = (np.random.default_rng(s) for s in np.random.SeedSequence(args.seed).spawn(4))
    trainer = toy_trainer(init, noise, place)
    real, z = mixture.sample(200, looks), looks.standard_normal((200, trainer.game.z_dim))
    beliefs: list[tuple[int, float, float]] = []
    pictures = [watch.draw_plane(trainer, mixture, real, z, beliefs)]
    at = frame_steps(steps, args.frames)
    for record in trainer.steps(mixture.batches(steps, batch_size, backend=place, rng=points)):
        beliefs.append((record.step, record.d_real, record.d_fake))
        if record.step in at:
            pictures.append(watch.draw_plane(trainer, mixture, real, z, beliefs))
    viz.save_gif(out / "toy.gif", pictures)
    viz.save_png(out / "toy.png", pictures[-1])
    return ["toy.gif", "toy.png"]


def toy_trainer(
    init: np.random.Generator, noise: np.random.Generator, place: backend.ArrayBackend
) -> gan.Trainer[gan.TwoPlayer]:
    """The smallest GAN there is to see: z (2) to a point of the plane."""

    def mlp(widths: list[int], slope: float) -> nn.Module:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs, rng=init), nn.LeakyReLU(slope)]
        return nn.Sequential(*layers[:-1]).to(place)

    generator, discriminator = mlp([2, 64, 64, 2], 0.0), mlp([2, 64, 64, 1], 0.2)
    players = {"d": discriminator, "g": generator}
    adams = {who: optim.Adam(player.parameters(), lr=1e-3, betas=(0.5, 0.999)) for who, player in players.items()}
    return gan.Trainer(gan.TwoPlayer(generator, discriminator, z_dim=2, rng=noise), adams)


def frame_steps(steps: int, frames: int) -> set[int]:
    """The steps at which to draw: denser at the beginning, where most happens; the first and the last among them.

    >>> sorted(frame_steps(100, 6))
    [0, 4, 16, 36, 64, 100]
    """
    return {round(steps * (i / max(frames - 1, 1)) ** 2) for i in range(frames)} | {steps}
