"""Module: a function with parameters, buffers and submodules, found by assigning them to attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from ..backend import Array, ArrayBackend, backend_of, get
from ..errors import InputError
from ..table import Table
from ..tensor import Tensor, tracer

Self = TypeVar("Self", bound="Module")
RowT = TypeVar("RowT", bound="Row")


class Parameter(Tensor):
    """A leaf that an optimizer updates. Its version goes up with each update, its name is its path in the model."""

    __slots__ = ()

    def __init__(self, data: Any) -> None:
        super().__init__(data, requires_grad=True)

    def assign(self, array: Any) -> None:
        """Copy ``array`` (host or backend), of the parameter's shape, or one number into the parameter, in place."""
        array = self.backend.asarray(array.data if isinstance(array, Tensor) else array, self.dtype)
        if array.ndim and array.shape != self.shape:
            raise InputError(f"{self.name or 'a parameter'} is {self.shape}, and an array of {array.shape} is not")
        self.data[...] = array
        self.bump()


class Module:
    """Base of all layers and networks. Subclasses assign parameters and modules in ``__init__`` and define ``forward``.

    Whatever attribute holds a Parameter or a Module is part of the model; several at once are held by a ModuleList or a
    ModuleDict, and a plain list or dict of them is a TypeError. ``state_dict`` names everything by its path,
    "net.0.weight", as PyTorch does, so weights travel both ways.
    """

    training = True
    buffer_names: tuple[str, ...] = ()  # attributes that hold arrays of the state which are not trained
    settings: tuple[str, ...] = ()  # what the layer was made with: "by_place" or "by_keyword=", as its repr shows them
    by_sample = False  # whether forward does nothing across samples, beyond what the modules below do; see together
    takes_arrays = False  # whether forward takes NumPy arrays of fractions; whole numbers may be labels anywhere

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def __call__(self, *inputs: Any, **settings: Any) -> Tensor:
        if inputs and isinstance(inputs[0], np.ndarray) and not self.takes_arrays and inputs[0].dtype.kind == "f":
            raise TypeError(f"{type(self).__name__} got a NumPy array: make it a Tensor, as in minigan.Tensor(array)")
        watcher = tracer()
        y: Tensor = self.forward(*inputs, **settings) if watcher is None else watcher.call(self, inputs, settings)
        return y

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse_plain(self, name, value)
        object.__setattr__(self, name, value)
        if isinstance(value, Parameter):
            value.name = name
        elif isinstance(value, Module):  # assembled bottom up, so the last parent knows the whole path
            for path, parameter in value.named_parameters():
                parameter.name = f"{name}.{path}"

    # -- walking

    def children(self) -> dict[str, Module]:
        """The modules directly below this one, by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Module)}

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module under the name ``prefix`` and all below it, parents first; a shared one at each of its places."""
        for name, value in vars(self).items():
            if isinstance(value, CONTAINERS):  # it may have been filled since it was assigned
                _refuse_plain(self, name, value)
        yield prefix, self
        for name, module in self.children().items():
            yield from module.named_modules(_join(prefix, name))

    def modules(self) -> Iterator[Module]:
        """This module and every module below it, each once."""
        return iter({id(module): module for _, module in self.named_modules()}.values())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Each parameter once, under the first of its names, also where several layers share it."""
        seen: set[Parameter] = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and value not in seen:
                    seen.add(value)
                    yield _join(prefix, name), value

    def parameters(self) -> list[Parameter]:
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """Each buffer once, as parameters are."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name in module.buffer_names if id(module) not in seen else ():
                yield _join(prefix, name), getattr(module, name)
            seen.add(id(module))

    # -- modes and places

    def train(self: Self, mode: bool = True) -> Self:
        """Training mode (batch statistics, dropout on) for this module and all below; False for evaluation."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def to(self: Self, backend: str | ArrayBackend | None = None, dtype: Any = None) -> Self:
        """Move parameters and buffers to a backend, and floating-point ones to ``dtype``, in place."""
        if dtype is not None and np.dtype(dtype).kind != "f":
            raise InputError(
                f"{type(self).__name__}.to: dtype {np.dtype(dtype)} is none that can be trained: give float32"
            )
        for parameter in self.parameters():
            parameter.data = _moved(parameter.data, backend, dtype)
            parameter.grad = None
            parameter.bump()
        for module in self.modules():
            for name in module.buffer_names:
                setattr(module, name, _moved(getattr(module, name), backend, dtype))
        return self

    @property
    def backend(self) -> ArrayBackend:
        """Where the parameters live (NumPy when there are none)."""
        first = next(self.named_parameters(), None)
        return get("numpy") if first is None else first[1].backend

    @property
    def dtype(self) -> np.dtype:
        """The parameters' dtype (float32 when there are none)."""
        first = next(self.named_parameters(), None)
        return np.dtype(np.float32) if first is None else first[1].dtype

    # -- state

    def state_dict(self) -> dict[str, np.ndarray]:
        """Every parameter and buffer by name, as copies on the host in PyTorch's shapes."""
        arrays = {name: parameter.data for name, parameter in self.named_parameters()} | dict(self.named_buffers())
        return {name: np.array(backend_of(array).to_numpy(array), order="C") for name, array in arrays.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy ``state`` into the parameters and buffers. Refuses, unchanged, unless names and shapes all agree."""
        arrays: dict[str, Any] = dict(self.named_parameters()) | dict(self.named_buffers())
        state = {name: np.asarray(array) for name, array in state.items()}
        problems = [f"missing {name}" for name in arrays if name not in state]
        problems += [f"unexpected {name}" for name in state if name not in arrays]
        for name in arrays.keys() & state.keys():
            if state[name].shape != arrays[name].shape:
                problems.append(f"{name} is {state[name].shape}, the model's is {arrays[name].shape}")
            elif state[name].dtype.kind not in "biuf":
                problems.append(f"{name} is {state[name].dtype}, not numbers")
        if problems:
            shown = "; ".join(sorted(problems)[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
            raise InputError(f"the state does not fit this {type(self).__name__}: {shown}")
        for name, target in arrays.items():
            if isinstance(target, Parameter):
                target.assign(state[name])
            else:
                target[...] = backend_of(target).asarray(state[name], target.dtype)

    # -- display

    def arguments(self) -> dict[str, Any]:
        """What ``settings`` names, by name; a bias as whether there is one."""
        found = {setting: getattr(self, setting) for setting in (s.rstrip("=") for s in type(self).settings)}
        return found | ({"bias": found["bias"] is not None} if "bias" in found else {})

    def extra_repr(self) -> str:
        shown = [repr(value) if isinstance(value, str) else str(value) for value in self.arguments().values()]
        settings = zip(type(self).settings, shown, strict=True)
        return ", ".join(f"{name}{value}" if name.endswith("=") else value for name, value in settings)

    def __repr__(self) -> str:
        if not self.children():
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [f"  ({name}): " + repr(m).replace("\n", "\n  ") for name, m in self.children().items()]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])

    def _repr_html_(self) -> str:
        """What a notebook shows: the layers and their parameters. ``nn.summary`` adds what needs an input."""
        leaves = [(name, module) for name, module in self.named_modules() if not module.children()]
        rows = [(name, repr(m), f"{sum(p.size for p in m.parameters()):,}") for name, m in leaves]
        total = f"{type(self).__name__}: {sum(p.size for p in self.parameters()):,} parameters"
        return Table(("layer", "kind", "parameters"), rows, total)._repr_html_()


@contextmanager
def mode(module: Module, training: bool) -> Iterator[None]:
    """Within this context ``module`` and all below are in training mode, or in evaluation mode with ``training=False``;
    afterwards each of them is again in its own, also those that were put into another one by one.

    >>> from minigan import nn
    >>> frozen = nn.Sequential(nn.BatchNorm2d(3).eval(), nn.BatchNorm2d(3))
    >>> with mode(frozen, training=False):
    ...     print([layer.training for layer in frozen.modules()])
    [False, False, False]
    >>> [layer.training for layer in frozen.modules()]
    [True, False, True]
    """
    before = [(below, below.training) for below in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for below, training in before:
            below.training = training


# ---- modules that hold others --------------------------------------------------------------------


class Row(Module):
    """Modules in a row, named by their number.

    Raises TypeError for anything that is no Module: it would have no place here.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name.isdecimal():
            _check_module(self, name, value)
        super().__setattr__(name, value)

    def append(self: RowT, module: Module) -> RowT:
        setattr(self, str(len(self)), module)
        return self

    def extend(self: RowT, modules: Iterable[Module]) -> RowT:
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self.children())

    def __iter__(self) -> Iterator[Module]:
        return iter(self.children().values())

    def __getitem__(self, number: int | slice) -> Module:
        """One of them, or with a slice a row of some, which are shared, numbered anew."""
        found = list(self)[number]
        if isinstance(found, Module):
            return found
        return Sequential(*found) if isinstance(self, Sequential) else ModuleList(found)


class Sequential(Row):
    """Modules applied one after the other, named by their number.

    A BatchNorm directly followed by a ReLU, or by a LeakyReLU of a slope from 0 to 1, runs as one kernel: the same
    numbers in fewer passes over memory.

    Raises TypeError for anything that is no Module.
    """

    def __init__(self, *modules: Module) -> None:
        self.extend(modules)

    def forward(self, x: Tensor) -> Tensor:
        modules = list(self.children().values())
        while modules:
            module = modules.pop(0)
            slope = _fused_slope(module, modules[0]) if modules else None
            if slope is None:
                x = module(x)
            else:
                x = module(x, negative_slope=slope)
                modules.pop(0)
        return x


class ModuleList(Row):
    """Modules in a row, part of the model under their number; what is done with them is up to ``forward`` of whoever
    holds them.

    >>> from minigan import nn
    >>> layers = ModuleList([nn.Linear(2, 3), nn.ReLU()])
    >>> layers.append(nn.Linear(3, 1))
    ModuleList(
      (0): Linear(2, 3, bias=True)
      (1): ReLU()
      (2): Linear(3, 1, bias=True)
    )
    >>> [name for name, _ in layers.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def __setitem__(self, number: int, module: Module) -> None:
        setattr(self, str(range(len(self))[number]), module)


class ModuleDict(Module):
    """Modules by name, part of the model under it.

    >>> from minigan import nn
    >>> heads = ModuleDict({"real": nn.Linear(2, 1)})
    >>> heads["label"] = nn.Linear(2, 10)
    >>> list(heads), len(heads.parameters())
    (['real', 'label'], 4)
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or not name or "." in name or hasattr(type(self), name):
            raise InputError(
                f"ModuleDict: {name!r} cannot be a module's name: it must be a word that is none of its own"
            )
        _check_module(self, name, module)
        setattr(self, name, module)

    def __getitem__(self, name: str) -> Module:
        return self.children()[name]

    def __delitem__(self, name: str) -> None:
        del self.children()[name]  # a KeyError where there is none
        delattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self.children()

    def __len__(self) -> int:
        return len(self.children())

    def __iter__(self) -> Iterator[str]:
        return iter(self.children())

    def keys(self) -> list[str]:
        return list(self.children())

    def values(self) -> list[Module]:
        return list(self.children().values())

    def items(self) -> list[tuple[str, Module]]:
        return list(self.children().items())


CONTAINERS = (list, tuple, set, frozenset, dict)


def _refuse_plain(owner: Module, name: str, value: Any) -> None:
    """Raise TypeError where ``value`` is a plain container of modules or parameters: none of them would be found."""
    for found in _inside(value):
        if isinstance(found, Module | Parameter):
            better = "nn.ModuleDict" if isinstance(value, dict) else "nn.ModuleList"
            if isinstance(found, Parameter):
                better = "an attribute for each"
            raise TypeError(
                f"{type(owner).__name__}.{name} is a plain {type(value).__name__} with a {type(found).__name__} in it, "
                f"which would not be part of the model: use {better}"
            )


def _inside(value: Any) -> Iterator[Any]:
    """What a container holds, at any depth; nothing where it is none."""
    if isinstance(value, CONTAINERS):
        for item in value.values() if isinstance(value, dict) else value:
            yield item
            yield from _inside(item)


def _check_module(owner: Module, name: str, value: Any) -> None:
    if isinstance(value, Module):
        return
    if isinstance(value, type) and issubclass(value, Module):
        found, fix = f"the class {value.__name__}", f"make one of it, {value.__name__}(...)"
    elif isinstance(value, CONTAINERS):
        found, fix = f"a {type(value).__name__}", "hand over its modules one by one, as in Sequential(*modules)"
    elif callable(value):
        found, fix = f"the function {getattr(value, '__name__', value)}", "use the layer for it, such as nn.ReLU()"
    else:
        found, fix = repr(value), "hand over modules only"
    raise TypeError(f"{type(owner).__name__}: number {name} is {found}, no Module: {fix}")


def _fused_slope(norm: Module, activation: Module) -> float | None:
    """The slope of an ``activation`` that the batch norm before it can apply as well; None where it cannot.

    Both must be the very classes that say so: a class derived from them may do something else.
    """
    if not (vars(type(norm)).get("fuses_activation") and vars(type(activation)).get("is_fusable")):
        return None
    slope = activation.negative_slope  # type: ignore[attr-defined]
    return slope if 0 <= slope <= 1 else None


def _moved(array: Array, backend: str | ArrayBackend | None, dtype: Any) -> Array:
    here = backend_of(array)
    there = here if backend is None else get(backend) if isinstance(backend, str) else backend
    if array.dtype.kind != "f":
        dtype = None
    return there.channels_last(there.asarray(array if there is here else here.to_numpy(array), dtype))


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
