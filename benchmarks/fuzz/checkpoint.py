"""Checkpoints and model files: mutated bytes, and facts and headers made up with a digest that fits."""

from __future__ import annotations

import contextlib
import io
import json
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minigan import backend, checkpoint, data, gan
from minigan.errors import InputError
from minigan.gan.health import Health
from minigan.runs import Latents, Run
from minigan.runs.journal import Journal

ARCHITECTURE = {"model": "gan", "width": 2, "z_dim": 2}


def make_run(out: Path, resume: bool) -> Run:
    images = np.random.default_rng(0).integers(0, 256, (8, 1, 28, 28)).astype(np.uint8)
    networks = gan.build(ARCHITECTURE, np.random.default_rng(1))
    trainer = gan.MODELS["gan"].trainer(*networks, z_dim=2, rng=np.random.default_rng(2))
    rng = np.random.default_rng(3)
    loader = data.Loader(data.Dataset(images), 2, backend=backend.get("numpy"), rng=rng, prefetch=0)
    return Run(
        out, trainer, loader, ARCHITECTURE, Latents(2, np.random.default_rng(4)), steps=3, quiet=True, resume=resume
    )


def with_facts(path: Path, facts: Any) -> bytes:
    """The file at ``path`` with other facts and the digest that belongs to them: damage that no digest tells."""
    arrays, _ = checkpoint.read(path, "checkpoint")
    target = path.with_name("changed")
    checkpoint.save(target, "checkpoint", arrays, facts)
    content = target.read_bytes()
    target.unlink()
    return content


def altered(value: Any, rng: random.Random, other: Callable[[], Any]) -> Any:
    """The JSON value with one part of it replaced, removed or added."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        changed = dict(value)
        kind = rng.random()
        if kind < 0.15:
            del changed[key]
        elif kind < 0.25:
            changed[str(other())] = other()
        else:
            changed[key] = altered(value[key], rng, other)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], altered(value[at], rng, other), *value[at + 1 :]]
    return other()


def json_values() -> Iterator[Any]:
    from hypothesis import strategies as st

    from .harness import drawn

    numbers = st.one_of(st.integers(-(2**130), 2**130), st.floats(), st.integers(-3, 3))
    leaves = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5))
    return drawn(st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v)), 1)


def inputs(newest: Path, rng: random.Random) -> Iterator[bytes]:
    from .harness import mutated

    whole = newest.read_bytes()
    facts = checkpoint.read(newest, "checkpoint")[1]
    values = json_values()
    length = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + length])
    changed = mutated([whole, whole[: 8 + length]], rng)
    while True:
        yield next(changed)
        yield with_facts(newest, altered(facts, rng, lambda: next(values)))
        text = json.dumps(altered(header, rng, lambda: next(values))).encode()
        yield struct.pack("<Q", len(text)) + text + whole[8 + length :]
        deep = json.dumps({"__metadata__": {"minigan": "[" * rng.randrange(10, 5000)}}).encode()
        yield struct.pack("<Q", len(deep)) + deep


def target():
    folder = tempfile.TemporaryDirectory()
    out = Path(folder.name) / "out"
    with make_run(out, resume=False) as run:
        for _ in run.steps():
            pass
    newest = out / "checkpoints" / "step-00000003.safetensors"
    good = newest.read_bytes()
    metrics = (out / "metrics.jsonl").read_bytes()
    for other in (out / "checkpoints").glob("step-*"):
        if other != newest:
            other.unlink()
    made = inputs(newest, random.Random(0))

    def source() -> Iterator[bytes]:
        while True:
            newest.write_bytes(good)  # the inputs are made of the good one
            yield next(made)

    run = make_run(out, resume=True)

    def read(content: bytes) -> None:
        newest.write_bytes(content)
        (out / "metrics.jsonl").write_bytes(metrics)
        checkpoint.read(newest, "checkpoint")
        run.keeper.journal = Journal(out / "metrics.jsonl", Health(run.trainer.game))
        before = run.trainer.arrays()
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                run.keeper.resume()
            except InputError:  # refused: all or nothing of it was loaded
                after = run.trainer.arrays()
                assert all(np.array_equal(array, after[name]) for name, array in before.items())
                raise

    return read, source(), folder
