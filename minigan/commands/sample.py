"""minigan sample: images from a trained generator as one grid, or whatever else it makes; or very many, in shards."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import gan
from ..errors import InputError
from ..files import remove_temporaries, write_atomically
from ..metrics.pixels import as_bytes
from ..parallel import world
from ..runs.folder import Claim, lock_folder
from .arguments import LoadedGenerator, add_model_file, positive
from .options import Needs, check

SHARD = 1000  # samples in a file
MOST = 100_000  # in one picture, which nobody looks at as a whole
SHARDS = (Needs("--out", lambda args: args.into is None, "beside --into: leave out one of them"),)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "sample", help="draw from a trained generator: images as one grid, or what else it makes"
    )
    add_model_file(parser, "samples")
    parser.add_argument("-n", type=positive, default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument("--frames", type=positive, help="of each clip, of a recurrent model (default: as learned)")
    parser.add_argument(
        "--into", metavar="DIR", help=f"the samples themselves, {SHARD:,} to an npz file; goes on where it was stopped"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check(args, SHARDS)
    loaded = LoadedGenerator(args.model, args.backend)
    if args.into is not None:
        draw_shards(loaded, args)
        return
    if world().size > 1:
        raise InputError(f"one grid is not drawn by {world().size} processes: name a folder, --into DIR")
    if args.n > MOST and loaded.medium.suffix == ".png":
        raise InputError(f"-n {args.n}: one picture shows at most {MOST:,} samples: draw them into files, --into DIR")
    out = loaded.target(args.out, args.stem)
    z = np.random.default_rng(args.seed).standard_normal((args.n, loaded.z_dim_for(args.frames)))
    samples = gan.generate(loaded.generator, z, loaded.labels(args.n, args.label))
    columns = loaded.classes if loaded.classes and args.label is None else None
    written = loaded.medium.save(out, samples, columns)
    print(f"{args.n} {loaded.medium.noun} in {', '.join(map(str, written))}")


def draw_shards(loaded: LoadedGenerator, args: argparse.Namespace) -> None:
    """samples-00000.npz, ...: each has latents of its own stream, so it is the same whoever draws it, and when.

    "images" is uint8 (n, C, H, W), or float (n, ...) of other things; "labels" (n,) those of a conditional model.
    The processes that were started together have every so-many-th file each.
    """
    from tqdm import tqdm

    ranks, folder, counts = world(), Path(args.into), shards(args.n)
    labels = loaded.labels(args.n, args.label)
    claim: list[Claim] = []
    ranks.on_first(lambda: claim.append(begin(folder, loaded, args)))
    missing = ranks.on_first(lambda: [k for k in range(len(counts)) if not shard(folder, k).exists()])
    for k in tqdm(ranks.own(missing), unit="file", disable=None if ranks.is_first else True, leave=False):
        z = np.random.default_rng([args.seed, k]).standard_normal((counts[k], loaded.z_dim_for(args.frames)))
        told: dict[str, Any] = {} if labels is None else {"labels": labels[k * SHARD :][: counts[k]]}
        samples = gan.generate(loaded.generator, z, told.get("labels"))
        if loaded.medium.suffix == ".png":
            samples = as_bytes(samples)
        content = io.BytesIO()
        np.savez(content, images=samples, **told)
        write_atomically(shard(folder, k), content.getvalue())
    ranks.barrier()
    for held in claim:
        held.release()
    done = f", {len(counts) - len(missing)} of which were there" if len(missing) < len(counts) else ""
    print(f"{args.n:,} {loaded.medium.noun} in {folder}, in {len(counts):,} files{done}")


def begin(folder: Path, loaded: LoadedGenerator, args: argparse.Namespace) -> Claim:
    """The folder, which holds nothing, or what was begun with the same model and settings."""
    claim = lock_folder(folder)
    facts = {"model": hashlib.blake2b(loaded.path.read_bytes(), digest_size=8).hexdigest()}
    facts |= {"seed": args.seed, "class": args.label, "frames": args.frames, "n": args.n}
    path = folder / "samples.json"
    try:
        before = dict(json.loads(path.read_text())) if path.exists() else facts
    except (TypeError, ValueError):
        raise InputError(f"{path} is damaged: choose another folder") from None
    if not path.exists() and shard(folder, 0).exists():
        raise InputError(f"--into {folder} holds samples of somebody else: choose another folder")
    for name, value in facts.items():
        if before.get(name) != value:
            raise InputError(
                f"--into {folder} was begun with {name} {before.get(name)}, now it is {value}: choose another folder"
            )
    remove_temporaries(folder)
    write_atomically(path, json.dumps(facts).encode())
    return claim


def shards(count: int) -> list[int]:
    """
    >>> shards(2500)
    [1000, 1000, 500]
    """
    return [min(SHARD, count - start) for start in range(0, count, SHARD)]


def shard(folder: Path, number: int) -> Path:
    return folder / f"samples-{number:05d}.npz"
