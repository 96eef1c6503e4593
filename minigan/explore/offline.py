"""A generator as one page that needs no server: the explorer's own, with the weights and the kernels in it."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from ..errors import InputError
from ..export import Program, Subject, trace
from .server import PAGE, describe


def to_html(subject: Subject) -> bytes:
    """The page. Raises InputError for a network that draws nothing of noise, and for an op that has no kernel there."""
    if subject.kind != "latent":
        raise InputError(f"{subject.name}: --html is for networks that draw pictures of noise")
    about = describe(subject)
    if about["plays"]:
        raise InputError(f"{subject.name}: --html is for networks that draw pictures; explore it instead")
    rng = np.random.default_rng(0)
    program = trace(subject.network, subject.inputs(2, rng), subject.inputs(3, rng))
    facts = json.dumps({**about, "server": False})
    steps, weights = pack(program)
    kernels, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("kernels.js", "script.js"))
    for node in program.nodes:
        if f" {node.op}: " not in kernels:
            raise InputError(f"{node.op} has no kernel: add it to minigan/explore/page/kernels.js")
    style, page = ((PAGE / name).read_text(encoding="utf-8") for name in ("style.css", "index.html"))
    begin = f"window.OFFLINE = offline({facts}, {json.dumps(steps)}, document.getElementById('weights').textContent);"
    # The steps are ours and the facts are numbers, but a model's name is not: nothing of it may end the script.
    begin = begin.replace("</", "<\\/")
    body = (
        f'<script type="text/plain" id="weights">{weights}</script>\n'
        f"<script>{kernels}</script>\n<script>{begin}</script>\n<script>{script}</script>"
    )
    page = page.replace('<link rel="stylesheet" href="style.css">', f"<style>{style}</style>")
    return page.replace('<script src="script.js"></script>', body).encode()


def pack(program: Program) -> tuple[dict[str, Any], str]:
    """The steps as JSON has them, and all constants one after the other as base64."""
    constants: dict[str, Any] = {}
    content = bytearray()
    for name, array in program.constants.items():
        constants[name] = {"shape": array.shape, "at": len(content)}
        content += np.ascontiguousarray(array, "<f4").tobytes()
    nodes = [
        {"op": node.op, "inputs": node.inputs, "output": node.output, "settings": node.settings}
        for node in program.nodes
    ]
    steps = {"constants": constants, "nodes": nodes, "output": program.output}
    return steps, base64.b64encode(bytes(content)).decode()
