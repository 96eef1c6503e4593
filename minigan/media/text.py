"""Texts: a line each, in a text file."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..data.text import read_text
from ..files import write_atomically
from ..viz import Picture
from .medium import Medium

CHARACTER, LINE = 8, 14  # pixels of a cell
SIZE = 12  # of the font


class Text(Medium):
    """Probabilities (N, characters, length) of the architecture's ``alphabet``; the likeliest is what is written."""

    noun, suffix = "texts", ".txt"

    def read(self, samples: np.ndarray) -> list[str]:
        return read_text(samples, self.architecture["alphabet"])

    def picture(self, samples: np.ndarray, columns: int | None = None) -> Picture:
        """Black on white, in as many columns as there is room for side by side."""
        from PIL import Image, ImageDraw

        texts, length = self.read(samples), samples.shape[2]
        columns = min(columns or math.isqrt(len(texts) - 1) + 1, max(1, 128 // length))
        rows = -(-len(texts) // columns)
        canvas = Image.new("L", (columns * (length + 1) * CHARACTER, rows * LINE + 4), 255)
        pen = ImageDraw.Draw(canvas)
        for number, text in enumerate(texts):
            row, column = divmod(number, columns)
            pen.text((4 + column * (length + 1) * CHARACTER, row * LINE), text, fill=0, font=font())
        return np.asarray(canvas).view(Picture)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        write_atomically(path, "".join(f"{text}\n" for text in self.read(samples)).encode())
        return [path]


@cache
def font() -> Any:
    """DejaVu Sans Mono, which comes with matplotlib: Greek, Cyrillic and more, where Pillow's own has Latin alone."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSansMono.ttf"), SIZE)
