"""The recipe of a run on the command line: --recipe names one, and each of its settings is an option."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import gan
from ..checkpoint import Checkpoints
from ..errors import InputError
from ..gan.recipes import Recipe
from .arguments import positive

DEFAULT, OLD = "self_conditioned", "dcgan2016"  # OLD: of runs from before there was a choice
SETTINGS = ("batch_size", "lr", "z_dim", "width", "clusters", "gamma", "r1_every", "noise", "ema")
NEW = ("clusters", "gamma", "r1_every", "ema")  # settings that OLD's runs did not have


def add_recipe(parser: argparse.ArgumentParser) -> None:
    def of_each(setting: str) -> str:
        return "default: " + ", ".join(f"{getattr(recipe, setting):g}" for recipe in gan.RECIPES.values())

    group = parser.add_argument_group("the recipe", f"Two defaults are those of {' and '.join(gan.RECIPES)}.")
    told = "; ".join(f"{name}: {recipe.summary}" for name, recipe in gan.RECIPES.items())
    group.add_argument("--recipe", choices=gan.RECIPES, help=f"{told} (default: {DEFAULT})")
    group.add_argument("--batch-size", type=int, help=f"images a step ({of_each('batch_size')})")
    group.add_argument("--lr", type=float, help=f"Adam's learning rate ({of_each('lr')})")
    group.add_argument("--beta1", type=float, help="Adam's first decay rate (default: 0, 0.5)")
    group.add_argument("--z-dim", type=positive, help=f"random numbers an image is made of ({of_each('z_dim')})")
    group.add_argument("--width", type=positive, help=f"channels next to the pixels ({of_each('width')})")
    group.add_argument("--clusters", type=positive, help=f"of alike pictures; 1: no clusters ({of_each('clusters')})")
    group.add_argument("--gamma", type=float, help=f"R1's weight, what D's steepness costs it ({of_each('gamma')})")
    group.add_argument("--r1-every", type=positive, metavar="K", help=f"R1 in each K-th step ({of_each('r1_every')})")
    group.add_argument("--noise", type=float, help=f"noise on what D sees, gone by step 2000 ({of_each('noise')})")
    group.add_argument("--ema", type=float, help=f"decay of the average of G to sample from ({of_each('ema')})")


def recipe_for(args: argparse.Namespace) -> Recipe:
    """What ``add_recipe``'s arguments ask for. A run that is resumed keeps its recipe.

    The settings are written back to ``args``, so that they are what a run remembers; those of runs from before there
    were recipes stay the same.
    """
    name = args.recipe or (begun_with(args.out or "out/mnist-gan") if args.resume else DEFAULT)
    recipe = gan.RECIPES[name]
    if args.clusters is not None and not recipe.clusters:
        raise InputError(f"--clusters {args.clusters} does nothing with --recipe {name}: leave out one of them")
    if args.r1_every is not None and not (recipe.gamma if args.gamma is None else args.gamma):
        raise InputError(f"--r1-every {args.r1_every} does nothing without R1: give it a weight with --gamma")
    betas = None if args.beta1 is None else (args.beta1, recipe.betas[1])
    given = {setting: getattr(args, setting) for setting in SETTINGS}
    recipe = recipe.with_(betas=betas, **given)
    if recipe.batch_size < 2:
        raise InputError(f"--batch-size {recipe.batch_size}: batch norm needs at least 2 images")
    args.recipe, args.beta1 = None if name == OLD else name, recipe.betas[0]
    for setting in SETTINGS:
        if name != OLD or setting not in NEW:
            setattr(args, setting, getattr(recipe, setting))
    return recipe


def begun_with(out: str) -> str:
    """The recipe of the run in this folder."""
    path, _, facts = Checkpoints(Path(out) / "checkpoints").newest()
    config = facts.get("config")
    if path is None or not isinstance(config, dict):
        return DEFAULT  # Run will say what is wrong with the folder
    name = config.get("recipe") or OLD
    return name if name in gan.RECIPES else DEFAULT
