"""minigan import: a generator that was trained by PyTorch's DCGAN example."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from .. import gan
from ..checkpoint import save_model
from ..errors import InputError
from ..files import check_suffix


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("import", help="read a generator of PyTorch's DCGAN example")
    parser.add_argument("file", metavar="FILE", help="its state dict (.safetensors)")
    parser.add_argument("--out", default="model.safetensors", metavar="FILE", help="the model to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from ..export.pytorch import from_pytorch

    check_suffix(args.out, ".safetensors")
    if Path(args.out).exists():
        raise InputError(f"--out {args.out} is there already: choose another name")
    architecture, state = from_pytorch(Path(args.file))
    generator, _ = gan.build(architecture, np.random.default_rng(0))
    generator.load_state_dict(state)
    save_model(args.out, generator, architecture)
    settings = ", ".join(f"{name} {value}" for name, value in architecture.items())
    print(f"{args.out}: {settings}\ndraw from it: python -m minigan sample {args.out}")
