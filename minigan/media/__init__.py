"""What a generator makes, as a person meets it: pictures to look at, texts to read, tunes and voices to hear.

A model names its medium (``Model.medium``); whoever shows or writes samples asks that for it. Another medium is a
``Medium`` in a file of its own, listed here.
"""

from __future__ import annotations

from typing import Any

from ..gan import MODELS
from .clips import Clips
from .medium import Medium
from .music import Music
from .page import as_html, best_for_a_page
from .pictures import Pictures
from .sounds import Spectrograms, Waves
from .text import Text

MEDIA: dict[str, type[Medium]] = {
    "pictures": Pictures,
    "clips": Clips,
    "spectrograms": Spectrograms,
    "waves": Waves,
    "text": Text,
    "music": Music,
}

__all__ = [
    "MEDIA",
    "Clips",
    "Medium",
    "Music",
    "Pictures",
    "Spectrograms",
    "Text",
    "Waves",
    "as_html",
    "best_for_a_page",
    "medium_of",
]


def medium_of(architecture: dict[str, Any]) -> Medium:
    """That of a generator with this architecture, as a model file has it."""
    return MEDIA[MODELS[architecture["model"]].medium](architecture)
