"""What every kind of ``minigan train`` does alike: how long a run is, what the options change in it, the run itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .. import gan
from ..data import Loader
from ..errors import InputError
from ..gan.trainer import Trainer
from ..optim import LinearDecay
from ..runs import Looks, Run
from ..runs.best import Best
from .arguments import fixed_by, objective

OF_TRAINER = ("g_lr", "d_lr", "clip_grad_norm", "ema", "accumulate")


def part_of_batch(args: argparse.Namespace) -> int:
    """How many are worked on at once. Raises InputError where --accumulate does not divide the batch."""
    size, rest = divmod(args.batch_size, args.accumulate)
    if rest:
        raise InputError(f"--batch-size {args.batch_size} cannot be worked on in --accumulate {args.accumulate} parts")
    return int(size)


def length(args: argparse.Namespace, loader: Loader) -> int:
    """The steps that are asked for. Raises InputError for what would never come in so many, or in none."""
    part_of_batch(args)
    steps = int(args.steps or args.epochs * len(loader))
    if args.n_critic is not None and args.n_critic > steps:
        raise InputError(
            f"--n-critic {args.n_critic}: G would never learn in {steps} steps: give fewer, or more --steps"
        )
    if args.checkpoint_every is not None and args.checkpoint_every > steps:
        raise InputError(f"--checkpoint-every {args.checkpoint_every} does nothing in {steps} steps: leave it out")
    if args.decay_from is not None and args.decay_from >= steps:
        raise InputError(f"--decay-from {args.decay_from} is not before the end, at step {steps}: give an earlier one")
    return steps


def changes(args: argparse.Namespace, own: gan.Objective, names: Sequence[str], steps: int) -> dict[str, Any]:
    """What the command line asks for other than a model's own settings: the options called ``names`` as they are, those
    of any trainer, the objective, and rates that fall towards the end."""
    asked: dict[str, Any] = {"sync_batch_norm": not args.no_sync_batch_norm}
    asked |= {name: getattr(args, name) for name in (*names, *OF_TRAINER) if getattr(args, name) is not None}
    if args.betas:
        asked["betas"] = tuple(args.betas)
    if args.objective or args.label_smoothing is not None:
        asked["objective"] = objective(args, own)
    if args.decay_from is not None:
        asked["schedule"] = LinearDecay(start=args.decay_from, end=steps + 1)
    return asked


def carry_out(
    args: argparse.Namespace,
    trainer: Trainer[Any],
    loader: Loader,
    architecture: dict[str, Any],
    looks: Looks,
    steps: int,
    *,
    base: str,
    best: Best | None = None,
) -> None:
    """The run, to its end, and what there is to say of it."""
    # What reaches its end with the run does so elsewhere in one of another length, which is then no continuation.
    fades = args.decay_from is not None or args.instance_noise is not None
    with Run(
        args.out,
        trainer,
        loader,
        architecture,
        looks,
        base=base,
        epochs=args.epochs,
        steps=args.steps,
        config=fixed_by(args) | ({"steps": steps} if fades else {}),
        resume=args.resume,
        checkpoint_every=args.checkpoint_every,
        quiet=args.quiet,
        best=best,
    ) as run:
        for _ in run.steps():
            pass
    print(run.summary())
