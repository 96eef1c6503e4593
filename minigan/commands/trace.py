"""minigan trace: one real training step of a model, op by op: a table, a drawing of the tape, a flame chart."""

from __future__ import annotations

import argparse

import numpy as np

from .. import backend, data, gan
from ..backend import Array
from ..errors import InputError
from ..files import write_atomically
from ..gan.trainer import Trainer
from ..runs import lock_folder
from ..study.tracing import Trace, trace
from .arguments import add_backend, natural, positive

DRAWING = [name for name, model in gan.MODELS.items() if model.medium == "pictures"]


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("trace", help="one training step, op by op: times, FLOPs, gradients, the tape drawn")
    parser.add_argument("--model", default="dcgan", help=f"one of {', '.join(DRAWING)} (default: dcgan)")
    parser.add_argument("--step", choices=("d", "g"), default="d", help="whose update (default: d)")
    parser.add_argument("--batch-size", type=positive, default=64, help="images (default: 64)")
    parser.add_argument("--width", type=positive, help="of the layer next to the pixels")
    parser.add_argument("--sort", default="order", help="the table: order (default), time, flops, bytes or gradient")
    parser.add_argument("--limit", type=positive, metavar="N", help="show the table's first N rows only")
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default: 0)")
    parser.add_argument("--out", default="out/trace", metavar="DIR", help="where to draw (default: out/trace)")
    add_backend(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if args.batch_size < 2:
        raise InputError(f"--batch-size {args.batch_size}: batch norm needs at least 2 images")
    with lock_folder(args.out) as out:
        trainer, batch = digits_trainer(args.model, args.batch_size, args.width, args.seed, args.backend)
        t = trace_step(trainer, args.step, *batch)
        table = t.table(args.sort, args.limit)
        name = f"{args.model}-{args.step}"
        write_atomically(out / f"{name}.txt", f"{t.table()}\n".encode())
        t.graph(out / f"{name}-graph.svg")
        t.flame(out / f"{name}-flame.svg")
    print(table)
    print(f"the tape in {out / f'{name}-graph.svg'}, where time and memory went in {out / f'{name}-flame.svg'}")


def trace_step(trainer: Trainer[gan.TwoPlayer], step: str, *batch: Array) -> Trace:
    """The D update (on fakes made before) or the G update (with the making of its fakes) of a trainer, traced."""
    trainer.step(batch)  # the first one wakes the threads and fills the caches
    game = trainer.game
    turn = next(turn for turn in game.turns if turn.name == step)
    rounds = [] if turn.records_play else trainer.play(*batch, recorded=False)
    with trace(G=game.networks["generator"], D=game.networks["discriminator"]) as t:
        trainer.learn(turn, rounds or trainer.play(*batch))
    return t


def digits_trainer(
    name: str, batch_size: int, width: int | None, seed: int, backend_name: str
) -> tuple[Trainer[gan.TwoPlayer], tuple]:
    """A model of the zoo that is to learn MNIST's digits, as ``minigan train`` makes it; and a first batch."""
    if name not in gan.MODELS:
        raise InputError(f"unknown model {name!r}: choose one of {', '.join(DRAWING)}")
    place, model = backend.get(backend_name), gan.MODELS[name]
    if model.medium != "pictures":
        raise InputError(
            f"{name} makes no pictures, and is to learn MNIST's digits here: choose one that draws, as dcgan"
        )
    init, noise, shuffle = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    images = data.mnist("train")
    if batch_size > len(images):
        raise InputError(f"--batch-size {batch_size} is more than the {len(images)} images of MNIST that are bundled")
    architecture = {"model": name, "image_size": 28, "channels": 1, "z_dim": model.z_dim}
    architecture |= {"width": width} if width else {}
    architecture |= {"classes": len(images.classes)} if model.conditional else {}
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    trainer = model.trainer(generator, discriminator, z_dim=model.z_dim, rng=noise, n_critic=1)
    batch = next(iter(data.Loader(images, batch_size, backend=place, rng=shuffle, labels=model.conditional)))
    return trainer, batch if isinstance(batch, tuple) else (batch,)
