"""minigan models: what can be trained by name."""

from __future__ import annotations

import argparse

from ..gan import EDITORS, MODELS, PAIRED, UNPAIRED


def add(commands: argparse._SubParsersAction) -> None:
    commands.add_parser("models", help="list the models that can be trained by name").set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    width = max(map(len, (*MODELS, *PAIRED, *UNPAIRED, *EDITORS)))
    for model in MODELS.values():
        kind = "  (conditional)" if model.conditional else ""
        print(f"{model.name:{width}} {model.summary}{kind}\n{'':{width}} {model.paper}")
    for option, models in (("--task", PAIRED), ("--a --b", UNPAIRED), ("--table", EDITORS)):
        for translator in models.values():
            print(f"{translator.name:{width}} {translator.summary}  (train {option})\n{'':{width}} {translator.paper}")
