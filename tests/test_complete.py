"""Nothing is half done: whatever the package offers stands in every place where it must."""

import inspect
import re
from pathlib import Path

import pytest

from minigan import backend, gan, nn, ops
from minigan.gan import objectives, penalties
from minigan.ops.flops import RULES
from minigan.study.gradcheck_table import op_classes

ROOT = Path(__file__).parents[1]

NO_LAYERS = {"Module", "Parameter"}
# Ops that compute one number for each of their outputs, which is what an op without a rule of its own is taken for.
ONE_EACH = {
    "Abs", "Add", "Div", "ELU", "Exp", "Gate", "Keep", "LeakyReLU", "Log", "Mul", "Neg", "Pow", "Power", "Sigmoid",
    "Softplus", "Spread", "Sqrt", "Sub", "Tanh",
}  # fmt: skip
# Ops that draw, or that PyTorch does not have: nothing to be compared with.
NO_CALLS = {"dropout", "gumbel_softmax", "minibatch_std", "straight_through"}
# The first GAN's networks have maxout, which PyTorch lacks, and dropout, which draws from another generator there.
NO_LOCKSTEP = {"gan"}


def text(*patterns):
    return "\n".join(path.read_text() for pattern in patterns for path in sorted(ROOT.glob(pattern)))


def names(word, source):
    return re.search(rf"\b{word}\b", source) is not None


def missing_ops():
    tests = text("tests/test_[!c]*.py", "tests/test_con*.py")
    table, calls = text("minigan/study/gradcheck_table.py"), text("benchmarks/fuzz/kinds.py")
    for name in ops.__all__:
        if not names(name, tests):
            yield f"op {name}: a test of its values"
        if not names(name, table):
            yield f"op {name}: a row in study/gradcheck_table.py"
        stem = re.sub(r"(_transpose)?[12]d$", "{", name) if name.startswith("conv") else rf"{name}\b"  # f"conv{...}d"
        if name not in NO_CALLS and not re.search(rf"\b{stem}", calls):
            yield f"op {name}: a kind of random call in benchmarks/fuzz/kinds.py"
    for kind in op_classes():
        if kind.__name__ not in RULES and kind.__name__ not in ONE_EACH:
            yield f"op {kind.__name__}: a rule in ops/flops.py"


def missing_layers():
    tests, twins = text("tests/test_*.py", "tests/lockstep/*.py"), text("minigan/interop/*.py")
    for name in nn.__all__:
        if inspect.isclass(getattr(nn, name)) and name not in NO_LAYERS:
            if not names(name, tests):
                yield f"layer {name}: a test"
            if not names(name, twins):
                yield f"layer {name}: a twin in interop/"


def own(module, base):
    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == module.__name__]
    return [kind for kind in kinds if issubclass(kind, base) and kind is not base and kind.__name__[0] != "_"]


def missing_losses():
    lockstep = text("tests/lockstep/*.py")
    wrappers = {"AuxiliaryClassifier"}  # takes another objective, so no single word of the command line names it
    for module, base, listed, what in (
        (objectives, gan.Objective, objectives.OBJECTIVES, "objective"),
        (penalties, gan.Penalty, penalties.PENALTIES, "penalty"),
    ):
        tests = text(f"tests/test_{what.replace('penalty', 'penaltie')}s.py")
        for kind in own(module, base):
            name = kind.__name__
            if name not in gan.__all__:
                yield f"{what} {name}: exported in gan/__init__.py"
            word = next((word for word, one in listed.items() if one is kind), "")
            if not word and name not in wrappers:
                yield f"{what} {name}: a name in {what.replace('penalty', 'penaltie').upper()}S"
            if not names(name, tests) and not (word and names(word, tests)):
                yield f"{what} {name}: its closed form in a test"
            if not names(name, lockstep):
                yield f"{what} {name}: a game in tests/lockstep"
            if not re.search(r"\d{4}|ibid\.", inspect.getdoc(kind) or ""):
                yield f"{what} {name}: its paper in the docstring"


def missing_models():
    lockstep, zoo, pages = text("tests/lockstep/*.py"), text("benchmarks/zoo.py"), text("docs/*.md")
    for name, model in gan.MODELS.items():
        if f'"{name}"' not in lockstep and name not in NO_LOCKSTEP:
            yield f"model {name}: a game in tests/lockstep"
        if model.medium == "pictures" and f'"{name}"' not in zoo:
            yield f"model {name}: a row in benchmarks/zoo.py"
        if not names(name, text("docs/zoo.md") if model.medium == "pictures" else pages):
            yield f"model {name}: a row in docs/zoo.md, or where its medium is measured"
        if not re.search(r"\d{4}", model.paper):
            yield f"model {name}: its paper"


def missing_backends():
    for name in backend.NAMES:
        for place in ("tests/conftest.py", "minigan/commands/doctor.py", "README.md"):
            if not names(name, text(place)) and (name, place) != ("reference", "minigan/commands/doctor.py"):
                yield f"backend {name}: {place}"


CHECKS = {
    "ops": missing_ops, "layers": missing_layers, "losses": missing_losses, "models": missing_models,
    "backends": missing_backends,
}  # fmt: skip


@pytest.mark.parametrize("kind", CHECKS)
def test_nothing_is_half_done(kind):
    assert list(CHECKS[kind]()) == []


def test_what_is_half_done_is_named(monkeypatch):
    class Half(nn.Module):
        pass

    monkeypatch.setattr(ops, "__all__", [*ops.__all__, "halved"])
    monkeypatch.setattr(nn, "__all__", [*nn.__all__, "Half" + "way"])
    monkeypatch.setattr(nn, "Half" + "way", Half, raising=False)
    monkeypatch.setattr(backend, "NAMES", (*backend.NAMES, "half" + "done"))
    assert len(list(missing_ops())) == 2  # here it is named, in the table and the random calls it is not
    assert len(list(missing_layers())) == 2 and len(list(missing_backends())) == 3
