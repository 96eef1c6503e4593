"""Texts: a line each, in a text file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..data.text import read_text
from ..files import write_atomically
from ..viz import Picture
from .medium import Medium

CHARACTER, LINE = 8, 14  # pixels of a cell


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
            pen.text((4 + column * (length + 1) * CHARACTER, 2 + row * LINE), text, fill=0)
        return np.asarray(canvas).view(Picture)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        write_atomically(path, "".join(f"{text}\n" for text in self.read(samples)).encode())
        return [path]
