"""A PyTorch module as the lines of Python that make it, without minigan."""

from __future__ import annotations

import inspect
import re
from typing import Any

HEAD = "import torch\nimport torch.nn.functional as F\nfrom safetensors.torch import load_file\n"
NORMED = "torch.nn.utils.parametrizations.spectral_norm"


def loader(twin: Any, path: str, call: str) -> str:
    """A program that builds ``twin`` (of ``to_torch``), loads the file ``path`` and evaluates ``call``."""
    from . import networks

    used = {type(below).__name__ for below in twin.modules()}
    own = [kind for name, kind in vars(networks).items() if name in used and kind.__module__ == networks.__name__]
    if "mirrored" in "".join(inspect.getsource(kind) for kind in own):
        own.insert(0, networks.mirrored)
    classes = "".join(f"\n\n{inspect.getsource(kind)}" for kind in ([networks.Network, *own] if own else []))
    imports = "from torch import Tensor, nn\nfrom torch.nn import *\n"
    if own:
        imports = "from typing import Any\n\n" + HEAD + imports
    else:
        imports = "import torch\nfrom safetensors.torch import load_file\nfrom torch.nn import *\n"
    gap = "\n\n" if own else "\n"
    return f"{imports}{classes}{gap}network = {spell(twin)}\nnetwork.load_state_dict(load_file({path!r}))\n{call}\n"


def spell(twin: Any, indent: str = "") -> str:
    """The expression that makes a module of the same structure."""
    deeper = indent + "    "
    if hasattr(twin, "parametrizations"):
        norm = twin.parametrizations["weight"][0]
        plain = f"{type(twin).__name__.removeprefix('Parametrized')}({twin.extra_repr()})"
        rows = getattr(norm, "dim", 0)
        settings = f"n_power_iterations={norm.n_power_iterations}, eps={norm.eps}, dim={rows}"
        return f"{NORMED}({plain}, {settings})"
    children = dict(twin.named_children())
    if type(twin).__module__.startswith("torch."):
        if not children:
            return f"{type(twin).__name__}({_plain(twin.extra_repr())})"
        parts = [f"{deeper}{spell(child, deeper)},\n" for child in children.values()]
        if type(twin).__name__ == "ModuleList":
            return f"ModuleList([\n{''.join(parts)}{indent}])"
        return f"{type(twin).__name__}(\n{''.join(parts)}{indent})"
    lines = [f"{name}={spell(child, deeper)}" for name, child in children.items()]
    for name, parameter in twin.named_parameters(recurse=False):
        lines.append(f"{name}=Parameter(torch.zeros({tuple(parameter.shape)}))")
    for name, buffer in twin.named_buffers(recurse=False):
        lines.append(f"{name}=torch.zeros({tuple(buffer.shape)}, dtype={buffer.dtype})")
    known = ("training", "rng")  # without a generator, PyTorch's draws
    lines += [f"{k}={v!r}" for k, v in vars(twin).items() if not k.startswith("_") and k not in known]
    return f"{type(twin).__name__}(\n{''.join(f'{deeper}{line},{chr(10)}' for line in lines)}{indent})"


def _plain(shown: str) -> str:
    """What PyTorch shows of a layer, as arguments: its enlargement is shown as floats, its ELU and GELU as they are."""
    return re.sub(r"num_parameters=(\d+)", r"\1", shown)
