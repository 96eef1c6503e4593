"""python -m minigan: sample from a model, walk through its latent space, check every gradient."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import numpy as np

from . import __version__, backend, gan, viz
from .checkpoint import read_model
from .errors import InputError
from .nn import Module


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status."""
    parser = argparse.ArgumentParser(prog="minigan", description=__doc__)
    parser.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_sample(commands)
    add_interpolate(commands)
    add_gradcheck(commands)
    args = parser.parse_args(argv)
    return user_errors(args.run, args)


def user_errors(run: Callable[..., int | None], *args: object) -> int:
    """Call ``run``; on bad input show one clear line instead of a traceback, and return 2."""
    try:
        return run(*args) or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
    return 2


# ---- commands ------------------------------------------------------------------------------------


def add_sample(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("sample", help="draw images from a trained generator, as one grid")
    _add_model_arguments(parser, "samples.png")
    parser.add_argument("-n", type=positive, default=64, metavar="N", help="how many images (default: 64)")
    parser.set_defaults(run=sample)


def sample(args: argparse.Namespace) -> None:
    generator, z_dim = load_generator(args.model, args.backend)
    z = np.random.default_rng(args.seed).standard_normal((args.n, z_dim))
    viz.save_png(args.out, viz.grid(gan.generate(generator, z)))
    print(f"{args.n} images in {args.out}")


def add_interpolate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("interpolate", help="walk between pairs of random latents, a row each")
    _add_model_arguments(parser, "interpolation.png")
    parser.add_argument("--rows", type=positive, default=8, help="number of walks (default: 8)")
    parser.add_argument("--steps", type=positive, default=10, help="images in a walk (default: 10)")
    parser.set_defaults(run=interpolate)


def interpolate(args: argparse.Namespace) -> None:
    generator, z_dim = load_generator(args.model, args.backend)
    z = np.random.default_rng(args.seed).standard_normal((2 * args.rows, z_dim))
    viz.save_png(args.out, viz.walks(generator, z, args.steps))
    print(f"{args.rows} walks of {args.steps} images in {args.out}")


def add_gradcheck(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("gradcheck", help="check every op's gradients against finite differences")
    parser.add_argument("--backend", default="numpy", help="reference, numpy (default) or cupy")
    parser.add_argument("--only", metavar="NAME", help="only the cases whose name contains NAME")
    parser.set_defaults(run=gradcheck)


def gradcheck(args: argparse.Namespace) -> int:
    from . import gradcheck_table

    return 0 if gradcheck_table.run(backend=args.backend, only=args.only) else 1


# ---- arguments -----------------------------------------------------------------------------------


def _add_model_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model.safetensors that a training wrote")
    parser.add_argument("--out", default=out, metavar="FILE", help=f"the picture to write (default: {out})")
    parser.add_argument("--seed", type=natural, default=0, help="of the random latents (default: 0)")
    parser.add_argument("--backend", default="numpy", help="reference, numpy (default) or cupy")


def load_generator(path: str, backend_name: str) -> tuple[Module, int]:
    """The generator of a model file, on a backend, and the length of its z."""
    place = backend.get(backend_name)
    architecture, state = read_model(path)
    generator, _ = gan.build(architecture, np.random.default_rng(0))
    generator.load_state_dict(state)
    return generator.to(place), architecture.get("z_dim", 100)


def natural(text: str) -> int:
    """A whole number of at least 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 0")
    return number


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return number
