"""minigan evaluate --task: how good a restored picture is, beside what one would use instead."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import minigan

from ..checkpoint import read_generator
from ..data.paired import split
from ..errors import InputError
from ..files import write_atomically
from ..restoration import TASKS
from ..restoration.judge import JUDGED, baselines, by_network, cases, drawings, score, table
from ..restoration.restore import TILE, Restorer, weights
from ..runs.folder import model_of, refuse_inside
from .train_pairs import open_pairs


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from .. import backend

    if args.threads:
        minigan.set_num_threads(args.threads)
    if args.data == "mnist":
        raise InputError(f"--task {args.task} is judged on pictures of yours: name a folder of good ones, --data DIR")
    if args.only is not None:
        raise InputError(f"--class {args.only}: --task judges by all that --data shows: leave it out")
    for folder in (args.data, args.drawings):
        if args.json is not None:
            refuse_inside(args.json, folder, "--json")
    task, place = TASKS[args.task], backend.get(args.backend or "numpy")
    files = networks_of(args)
    networks = {name: Restorer.load(file, place, args.task, TILE) for name, file in files.items()}
    if task.drawn and args.drawings is None:
        raise InputError(f"--task {task.name} begins with drawings of what --data shows: name them, --drawings DIR")
    if args.drawings is not None and not task.drawn:
        raise InputError(f"--drawings {args.drawings} does nothing with --task {task.name}: leave it out")
    pictures, sources = open_pairs(args.data, args.drawings, args.size or 64, task.source_channels)
    every = 8 if args.hold_out is None else args.hold_out
    held = split(list(pictures), every)[1] if every else list(pictures)
    if not held:
        raise InputError(f"{args.data}: no picture is left to judge by, of {len(pictures)} each {every}-th: --hold-out")
    chosen = {name: pictures[name] for name in held}
    report: dict[str, dict[str, dict[str, float]]] = {}
    for damage in JUDGED.get(task.name, {"drawings": None}):
        if sources is None:
            found = list(cases(task.name, JUDGED[task.name][damage], chosen, args.seed))
        else:
            found = list(drawings(chosen, sources))
        methods = {} if args.no_baselines else baselines(task.name, found)
        methods |= {name: by_network(network) for name, network in networks.items()}
        rows = {}
        for name in tqdm(methods, desc=damage, disable=args.quiet or sys.stderr is None or None, leave=False):
            rows[name] = score(task.name, found, methods[name])
        report[damage] = rows
        print(f"{task.name}, {damage}: {len(chosen)} pictures of {args.data}, seed {args.seed}\n\n{table(rows)}\n")
    if args.json:
        write_atomically(args.json, (json.dumps({"task": task.name, "tables": report}, indent=1) + "\n").encode())


def networks_of(args: argparse.Namespace) -> dict[str, Path]:
    """The network named, or those that are bundled."""
    if args.source:
        path = model_of(Path(args.source))
        architecture, _ = read_generator(path)
        return {f"minigan, {architecture.get('model')}": path}
    shipped = {"minigan": weights(args.task), "minigan, --sharp": weights(args.task, sharp=True)}
    return {name: path for name, path in shipped.items() if path.is_file()}
