"""Configurations: architectures for ``gan.build``, model files that carry them, lines of a journal, command lines."""

from __future__ import annotations

import contextlib
import io
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minigan import checkpoint, cli, gan
from minigan.commands.arguments import LoadedGenerator
from minigan.errors import InputError
from minigan.gan.health import Health
from minigan.runs.journal import Journal, read_journal

from .checkpoint import altered, json_values
from .harness import mutated

ARCHITECTURE = {"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 2, "width": 2}
LINE = b'{"step": 1, "d_loss": 1.5, "g_loss": null, "d_real": 0.5, "d_fake": 0.4, "penalty": 0.0, "d_grad": 1.0, "g_grad": null, "spread": 0.5}\n'  # noqa: E501
COMMAND = ["train", "--data", "nowhere", "--steps", "1", "--out", "out", "--model", "dcgan", "--seed", "1"]
WORDS = ["--width", "--batch-size", "--size", "--betas", "-1", "0", "1e400", "nan", "", "--resume", "--help", "--ema",
         "--class", "mnist", "--penalty", "r1", "--n-critic", "9" * 30, "\0", "--threads", "report"]  # fmt: skip


def inputs(rng: random.Random) -> Iterator[tuple[str, Any]]:
    values = json_values()
    lines = mutated([LINE, LINE + LINE.replace(b"1,", b"2,", 1)], rng)
    while True:
        model = rng.choice(list(gan.MODELS))
        classes = {"classes": 3} if gan.MODELS[model].conditional else {}
        architecture = altered({**ARCHITECTURE, **classes, "model": model}, rng, lambda: next(values))
        if isinstance(architecture, dict):
            yield "build", architecture
        yield "file", architecture
        yield "journal", next(lines)
        command = list(COMMAND)
        for _ in range(rng.randrange(1, 4)):
            command[rng.randrange(len(command))] = rng.choice([*WORDS, str(next(values))])
        yield "command", command


def target():
    folder = tempfile.TemporaryDirectory()
    place = Path(folder.name)
    state = gan.build(ARCHITECTURE, np.random.default_rng(0))[0].state_dict()

    def read(given: tuple[str, Any]) -> None:
        kind, value = given
        if kind == "build":
            gan.build(value, np.random.default_rng(0))
        elif kind == "file":
            checkpoint.save(place / "model", "model", state, {"architecture": value})
            LoadedGenerator(str(place / "model"), "numpy")
        elif kind == "journal":
            (place / "metrics.jsonl").write_bytes(value)
            for read_it in (read_journal, lambda path: Journal(path, Health(gan.NonSaturating())).go_back(1)):
                with contextlib.suppress(InputError):
                    read_it(place / "metrics.jsonl")
        else:
            told = io.StringIO()
            with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()), contextlib.chdir(place):
                try:
                    code = cli.main(value)
                except SystemExit as leaving:
                    code = leaving.code
            assert code in (0, 2), code
            assert code == 0 or "error: " in told.getvalue()

    return read, inputs(random.Random(0)), folder
