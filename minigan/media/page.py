"""A file as a part of an HTML page that needs no other: pictures are shown, sounds play, texts are read."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

TYPES = {
    ".png": "image/png", ".gif": "image/gif", ".wav": "audio/wav", ".mid": "audio/midi", ".txt": "text/plain",
}  # fmt: skip


PLAYED = (".wav", ".gif", ".txt", ".png")  # what a browser has the most of, first


def best_for_a_page(paths: Sequence[Path]) -> Path:
    """Of the files that a medium has written, the one to be shown or heard in a browser."""
    return min(paths, key=lambda path: PLAYED.index(path.suffix) if path.suffix in PLAYED else len(PLAYED))


def as_html(path: Path) -> str:
    """An element that shows or plays the file, or offers it to be kept where a browser cannot play it."""
    if path.suffix == ".txt":
        return f"<pre>{html.escape(path.read_text('utf-8'))}</pre>"
    kind, name = TYPES[path.suffix], html.escape(path.name)
    data = f"data:{kind};base64," + base64.b64encode(path.read_bytes()).decode()
    if kind.startswith("image/"):
        return f'<img src="{data}" alt="{name}">'
    if kind == "audio/wav":
        return f'<audio controls src="{data}" aria-label="{name}"></audio>'
    return f'<a download="{name}" href="{data}">{name}</a>'
