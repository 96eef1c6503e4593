"""A network as one page that needs no server: the explorer's own, with the weights and the kernels in it."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from ..errors import InputError
from ..export import Program, Subject, trace
from .server import PAGE, describe

MODELS = {"latent": "offline", "picture": "pictures"}  # the functions of the page's scripts that answer for a server


def to_html(subject: Subject) -> bytes:
    """The page. Raises InputError for a network that makes no pictures, and for an op that has no kernel there."""
    if subject.kind not in MODELS:
        editor = ", and are told nothing else: explore it instead" if subject.kind == "editor" else ""
        raise InputError(
            f"{subject.name}: --html is for networks that draw pictures of noise or of other pictures{editor}"
        )
    about = describe(subject)
    if about["plays"]:
        raise InputError(f"{subject.name}: --html is for networks that draw pictures; explore it instead")
    rng = np.random.default_rng(0)
    more = int(subject.any_size())
    program = trace(subject.network, subject.inputs(2, rng), subject.inputs(3, rng, more))
    steps, weights = pack(program)
    names = ["kernels.js", *(["pictures.js"] if subject.kind == "picture" else []), "script.js"]
    *kernels, script = ((PAGE / name).read_text(encoding="utf-8") for name in names)
    for node in program.nodes:
        if f" {node.op}: " not in kernels[0]:
            raise InputError(f"{node.op} has no kernel: add it to minigan/explore/page/kernels.js")
    style, page = ((PAGE / name).read_text(encoding="utf-8") for name in ("style.css", "index.html"))
    facts = json.dumps({**about, "server": False})
    stored = "document.getElementById('weights').textContent"
    begin = f"window.OFFLINE = {MODELS[subject.kind]}({facts}, {json.dumps(steps)}, {stored});"
    # The steps are ours and the facts are numbers, but a model's name is not: nothing of it may end the script.
    begin = begin.replace("</", "<\\/")
    scripts = "\n".join(f"<script>{code}</script>" for code in (*kernels, begin, script))
    body = f'<script type="text/plain" id="weights">{weights}</script>\n{scripts}'
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
