"""A chapter of docs/learn as a Jupyter notebook: its Python blocks are cells, what they print is left to them."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

CHAPTERS = Path(__file__).resolve().parents[2] / "docs" / "learn"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```(?:text|py)\n.*?^```\n)?", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+\.(png|gif|svg))\)")
KINDS = {"png": "image/png", "gif": "image/gif", "svg": "image/svg+xml"}


def notebook(chapter: Path) -> str:
    """The notebook's JSON. Pictures go along in it."""
    text = chapter.read_text(encoding="utf-8")
    cells: list[dict[str, Any]] = []
    if re.search(r"img/", text):
        cells.append(_code("import os\n\nos.makedirs('img', exist_ok=True)  # where this chapter saves its pictures"))
    at = 0
    for block in BLOCK.finditer(text):
        _prose(cells, text[at : block.start()], chapter.parent)
        cells.append(_code(block["code"].rstrip()))
        at = block.end()
    _prose(cells, text[at:], chapter.parent)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def _prose(cells: list[dict[str, Any]], text: str, folder: Path) -> None:
    if not text.strip():
        return
    attached: dict[str, Any] = {}

    def attach(match: re.Match[str]) -> str:
        path = folder / match[2]
        if not path.is_file():
            return match[0]
        attached[path.name] = {KINDS[match[3]]: base64.b64encode(path.read_bytes()).decode()}
        return f"![{match[1]}](attachment:{path.name})"

    cell: dict[str, Any] = {"cell_type": "markdown", "metadata": {}, "source": PICTURE.sub(attach, text.strip())}
    if attached:
        cell["attachments"] = attached
    cells.append(cell)
