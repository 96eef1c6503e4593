"""One op, explained: formula, derivation, textbook loops with their numbers, the check against differences, the code.

Nothing here is written down twice. The formulas are the docstrings, the code is the code, and all numbers come from
running it on the op's first gradcheck case: the textbook's on numbers that remember how they were made (``spelled``),
the derivation on the matrix of all dy[j]/dx[i], which central differences measure.
"""

from __future__ import annotations

import ast
import inspect
import re
from functools import cached_property
from pathlib import Path
from textwrap import dedent, indent, wrap
from typing import Any

import numpy as np

from .. import backend as backends
from .. import ops
from ..backend import ArrayBackend
from ..backend.cupy.backend import CupyBackend
from ..backend.numba.backend import LOOPS, NumbaBackend
from ..backend.numpy.backend import NumpyBackend
from ..errors import InputError
from ..gradcheck import BOUNDS, STEP, worst_mismatches
from ..tensor import Op, Tensor, grad
from .gradcheck_table import CASES, Case, op_classes
from .spelled import Spelled, spell, values
from .tracing import trace

BACKENDS: tuple[type[ArrayBackend], ...] = (ArrayBackend, NumpyBackend, NumbaBackend, CupyBackend)
LINE = 108  # characters
SHOWN = 6  # elements of a list of them

# Smaller pictures than gradcheck's, where every number can be followed by eye.
EXAMPLES = {
    "conv2d": Case("conv2d", ops.conv2d, (1, 1, 4, 4), (1, 1, 3, 3)),
    "conv_transpose2d": Case("conv_transpose2d", ops.conv_transpose2d, (1, 1, 2, 2), (1, 1, 3, 3)),
    "conv1d": Case("conv1d", ops.conv1d, (1, 1, 5), (1, 1, 3)),
    "batch_norm": Case("batch_norm", ops.batch_norm, (3, 2), (2,), (2,)),
}


def names() -> list[str]:
    """Every op that can be explained: all that gradcheck lists."""
    return sorted({case.op for case in CASES})


def explain(name: str) -> str:
    """The explanation of one op as text, in five parts.

    >>> explain("mul").splitlines()[6]
    '    y = a b;  da = g b, db = g a'
    """
    if name not in names():
        plain = name.lower().replace("_", "")  # a layer's or an Op's name, too
        others = {other.replace("_", ""): other for other in names()}
        close = [other for short, other in others.items() if plain and (plain in short or short in plain)]
        close = [others[plain]] if plain in others else close
        hint = f"did you mean {' or '.join(close)}?" if close else f"choose one of {', '.join(names())}"
        raise InputError(f"explain: unknown op {name!r}: {hint}")
    op = _Explained(name)
    parts = {
        "formula": op.formula(),
        "its vjp, derived": op.derivation(),
        "as textbook loops": op.loops(),
        "checked against differences": op.check(),
        "where it stands": op.places(),
    }
    chapters = []
    for number, (title, lines) in enumerate(parts.items(), start=1):
        heading = f"{number} {title}"
        chapters.append("\n".join([heading, "-" * len(heading), *lines]))
    return "\n\n".join([f"{name}\n{'=' * len(name)}", *chapters]) + "\n"


class _Explained:
    """An op, its example and what running that shows. Inputs are called x, w, b as far as the op does not name them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.case = EXAMPLES.get(name) or next(case for case in CASES if case.op == name)
        candidates = (getattr(ops, name, None), getattr(Tensor, name, None), self.case.f.func)
        self.function = next((f for f in candidates if inspect.isfunction(f) and f.__name__ == name), None)
        reference = backends.get("reference")
        # Two decimals, so that they can be followed by hand.
        self.inputs = [np.round(np.asarray(t.numpy(), float), 2) for t in self.case.make_inputs(reference)]
        self.labels = self._labels()
        with trace() as t:
            self.y = np.array(self._run(*self.inputs).numpy())
        kinds = {kind.__name__: kind for kind in op_classes()}
        self.kinds = [kinds[op] for op in dict.fromkeys(e.op for e in t.events)]
        rng = np.random.default_rng(1)
        self.g = np.round(rng.standard_normal(self.y.shape), 2)
        leaves = [self._tensor(array, requires_grad=True) for array in self.inputs]
        found = grad(self.case.f(*leaves), leaves, self._tensor(self.g), allow_unused=True)
        self.gradients = [
            np.zeros(a.shape) if d is None else np.array(d.numpy()) for a, d in zip(self.inputs, found, strict=True)
        ]

    def _labels(self) -> list[str]:
        """What the inputs are called: as in the code of the example, but shorter."""
        function = self.case.f.func
        found = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        short = {"weight": "w", "bias": "b", "g": "x"}  # g is the gradient that arrives
        labels = [short.get(name, name) for name in found][: len(self.inputs)]
        return labels if len(labels) == len(self.inputs) else [f"x{i}" for i in range(len(self.inputs))]

    def _tensor(self, array: np.ndarray, **settings: Any) -> Tensor:
        return Tensor(backends.get("reference").asarray(np.array(array)), **settings)

    def _run(self, *arrays: np.ndarray) -> Tensor:
        return self.case.f(*map(self._tensor, arrays))

    @cached_property
    def own(self) -> list[type[Op]]:
        """The Op classes that are this op's own, and not others that it is composed of."""
        code = "" if self.function is None else inspect.getsource(self.function)
        named = {self.name.replace("_", ""), *(name.lower() for name in re.findall(r"apply\((?:p\.)?(\w+)", code))}
        return [kind for kind in self.kinds if kind.__name__.lower() in named]

    # ---- the five parts --------------------------------------------------------------------------

    def formula(self) -> list[str]:
        lines = []
        if self.function is not None and self.function.__doc__:
            lines += [*inspect.getdoc(self.function).splitlines(), ""]  # type: ignore[union-attr]
        if not self.own:
            lines += ["It has no Op of its own, but is composed of these, whose gradients then come for free:", ""]
        for kind in self.own or self.kinds:
            lines += [f"{kind.__name__} ({_file(kind)})", *indent(inspect.getdoc(kind) or "", "    ").splitlines()]
        return lines

    def derivation(self) -> list[str]:
        lines = [
            "Let L = sum_j g[j] y[j]: g is the gradient that arrives, one number for each of y. By the chain rule",
            "    dL/dx[i] = sum_j g[j] dy[j]/dx[i]        for each input x, so the vjp is g times the matrix dy/dx.",
        ]
        for number, label in enumerate(self.labels):
            matrix = self._slopes(number, self.inputs)
            factors = np.random.default_rng(3).uniform(-1.5, 1.5, self.inputs[number].shape)
            elsewhere = [a * factors if i == number else a for i, a in enumerate(self.inputs)]
            with np.errstate(all="ignore"):
                linear = np.allclose(matrix, self._slopes(number, elsewhere), atol=1e-6)
            sentence = f"dy/d{label} is {matrix.shape[0]} x {matrix.shape[1]} here. {_structure(matrix, label, linear)}"
            lines += wrap(sentence, LINE, subsequent_indent="    ")
            if linear:
                direction = np.round(np.random.default_rng(2).standard_normal(self.inputs[number].shape), 2)
                left = float(self.g.reshape(-1) @ (matrix @ direction.reshape(-1)))
                right = float((self.gradients[number] * direction).sum())
                lines.append(
                    f"    <g, dy> = {left:.6f} and <d{label}, step> = {right:.6f} for a random step in {label}."
                )
        for kind in self.own:
            hence = (inspect.getdoc(kind) or "").splitlines()[0]
            lines += [f"Hence {kind.__name__}: {hence}", "", f"In code, {_place(kind.vjp)}:", *_source(kind.vjp)]
            for helper in re.findall(r"self\.(_\w+)\(", inspect.getsource(kind.vjp)):
                lines += ["", *_source(getattr(kind, helper))]
        if not self.own:
            lines += ["", "Each op of the composition multiplies by its own matrix, the last one first."]
        return lines

    def loops(self) -> list[str]:
        lines = []
        for kernel in self._kernels():
            method = getattr(ArrayBackend, kernel)
            lines += [f"The reference kernel, {_place(method)}:", *_source(method), ""]
        for kernel in self._kernels(("forward", "vjp")):
            for loop in LOOPS.get(kernel, ()):
                lines += [f"A loop of {kernel} in the numba backend, {_place(loop)}:", *_source(loop), ""]
        example = self._example()
        lines += [f"Run on {example}:", ""]
        for label, array in zip(self.labels, self.inputs, strict=True):
            lines += _array(label, array)
        lines += [*_array("y", self.y), *_array("g", self.g)]
        for label, array in zip(self.labels, self.gradients, strict=True):
            lines += _array(f"d{label}", array)
        try:
            return lines + ["", "Term by term:", *self._spelled_out()]
        except (TypeError, AttributeError):
            return lines + ["", "Its kernel is a series or a look-up, which is not spelled out."]

    def check(self) -> list[str]:
        lines = [f"(L(x + h) - L(x - h)) / 2h with h = {STEP:g}, beside what the vjp says:", ""]
        for number, (label, claimed) in enumerate(zip(self.labels, self.gradients, strict=True)):
            measured = (self.g.reshape(-1) @ self._slopes(number, self.inputs)).reshape(claimed.shape)
            for at in list(np.ndindex(claimed.shape))[:SHOWN]:
                place = f"d{label}[{','.join(map(str, at))}]" if at else f"d{label}"
                lines.append(f"{place:>16}  vjp {claimed[at]:14.9f}   differences {measured[at]:14.9f}")
            if claimed.size > SHOWN:
                lines.append(f"{'...':>16}  and {claimed.size - SHOWN} more")
        for mismatch in worst_mismatches(self.case.f, *map(self._tensor, self.inputs), order=2):
            verdict = "right" if mismatch.error <= BOUNDS[mismatch.order] else "WRONG"
            lines.append(
                f"order {mismatch.order}, along a random g: worst relative error {mismatch.error:.1e} "
                f"(allowed {BOUNDS[mismatch.order]:g}): {verdict}"
            )
        return lines

    def places(self) -> list[str]:
        lines = []
        if self.function is not None:
            lines.append(f"{self.name:28} {_place(self.function)}")
        for kind in self.own or self.kinds:
            lines.append(f"{kind.__name__ + '.forward':28} {_place(kind.forward)}")
            lines.append(f"{kind.__name__ + '.vjp':28} {_place(kind.vjp)}")
        kernels = self._kernels(("forward", "vjp"), self.own or self.kinds)
        for kernel in kernels:
            for place in BACKENDS:
                lines.append(f"{f'kernel {kernel}':28} {place.name:10} {_place(getattr(place, kernel))}")
        return lines if kernels else [*lines, "No kernel: the same array code runs on every backend."]

    # ---- what they need --------------------------------------------------------------------------

    def _slopes(self, number: int, inputs: list[np.ndarray]) -> np.ndarray:
        """dy[j]/dx[i] for input ``number``, by central differences: (outputs, inputs)"""
        columns = []
        for at in np.ndindex(inputs[number].shape):
            sides = []
            for step in (STEP, -STEP):
                moved = [np.array(a) for a in inputs]
                moved[number][at] += step
                sides.append(np.asarray(self._run(*moved).numpy()).reshape(-1))
            columns.append((sides[0] - sides[1]) / (2 * STEP))
        return np.stack(columns, axis=1)

    def _spelled_out(self) -> list[str]:
        """An element of y, and one of each gradient, as the sum that the kernels made of it."""
        leaves = [self._tensor(spell(a, label)) for a, label in zip(self.inputs, self.labels, strict=True)]
        for leaf in leaves:
            leaf.requires_grad = True
        y = self.case.f(*leaves)
        found = grad(y, leaves, self._tensor(spell(self.g, "g")), allow_unused=True)
        lines = []
        labels = ["y", *(f"d{label}" for label in self.labels)]
        for label, t, plain in zip(labels, (y, *found), (self.y, *self.gradients), strict=True):
            if t is None:
                continue
            array = np.asarray(t.numpy())
            np.testing.assert_allclose(values(array), plain, rtol=1e-9, atol=1e-9)
            at = tuple(n // 2 for n in array.shape)
            number = array[at]
            place = f"{label}[{','.join(map(str, at))}]" if at else label
            if isinstance(number, Spelled):
                lines += [_cut(f"{place} = {number.names}"), _cut(f"{'':{len(place)}} = {number.numbers}")]
            lines.append(f"{'' if isinstance(number, Spelled) else place:{len(place)}} = {float(number):.6g}")
        return lines

    def _kernels(self, methods: tuple[str, ...] = ("forward",), kinds: list[type[Op]] | None = None) -> list[str]:
        """The methods of the backend that the Op classes name in their code."""
        found = []
        for kind in self.own if kinds is None else kinds:
            code = "".join(inspect.getsource(getattr(kind, method)) for method in methods)
            if "vjp" in methods:
                code = inspect.getsource(kind)
            found += re.findall(r"\bbackend\.(\w+)\(", code)
        plumbing = ("asarray", "empty", "channels_last", "to_numpy")
        return [k for k in dict.fromkeys(found) if k not in plumbing and callable(getattr(ArrayBackend, k, None))]

    def _example(self) -> str:
        """The expression that is run: a lambda's own source, or the call."""
        function, options = self.case.f.func, self.case.f.keywords
        if function.__name__ == "<lambda>":
            tree = ast.parse(inspect.getsource(function).strip().rstrip(","))
            return next(ast.unparse(node.body) for node in ast.walk(tree) if isinstance(node, ast.Lambda))
        settings = [f"{key}={' '.join(str(value).split())}" for key, value in options.items()]
        return f"{self.name}({', '.join([*self.labels, *settings])})"


def _structure(matrix: np.ndarray, label: str, linear: bool) -> str:
    """What the matrix looks like, in words."""
    present = np.abs(matrix) > 1e-9
    outputs, inputs = matrix.shape
    diagonal = outputs == inputs and not present[~np.eye(outputs, dtype=bool)].any()
    if not present.any():
        words = "It is zero."
    elif diagonal:
        words = f"It is diagonal: y[i] depends on {label}[i] alone, and d{label}[i] = g[i] dy[i]/d{label}[i]."
    elif present.all():
        words = f"Every y depends on every {label}."
    else:
        reach, read = present.sum(0), present.sum(1)
        words = f"Each y reads {_range(read)} of {label}, each {label} reaches {_range(reach)} of y."
    if linear:
        words += f" It is the same at another {label}: y is linear in {label}, and the vjp is the adjoint map."
    return words


def _range(counts: np.ndarray) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _array(label: str, array: np.ndarray) -> list[str]:
    text = np.array2string(array, precision=3, suppress_small=True, threshold=40, edgeitems=2, separator=" ")
    return [f"{label} =", *indent(text, "    ").splitlines()] if "\n" in text else [f"{label} = {text}"]


def _cut(text: str) -> str:
    """At most three lines of it."""
    lines = wrap(text, LINE, subsequent_indent="      ", drop_whitespace=True)
    return "\n".join(lines[:3]) + (" ..." if len(lines) > 3 else "")


def _source(thing: Any) -> list[str]:
    thing = getattr(thing, "py_func", thing)  # what Numba has compiled
    return indent(dedent(inspect.getsource(thing)).rstrip(), "    ").splitlines()


def _file(thing: Any) -> str:
    path = Path(inspect.getsourcefile(inspect.unwrap(thing)) or "")
    return path.relative_to(Path(__file__).parents[2]).as_posix()


def _place(thing: Any) -> str:
    """file:line"""
    thing = getattr(thing, "py_func", thing)
    return f"{_file(thing)}:{inspect.getsourcelines(inspect.unwrap(thing))[1]}"
