"""A data set by what a user calls it: a name, a sheet of pictures, or a folder of one kind or another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .dataset import Dataset
from .idx import is_idx_folder, mnist
from .image_folder import ImageFolder
from .paired import read_pictures


def open_images(source: str, size: int | None, channels: int, split: str = "train") -> Dataset:
    """MNIST by name, a folder that holds IDX files, or one of pictures, or a sheet of them, which have no splits."""
    if source == "mnist":
        return mnist(split)
    if is_idx_folder(source):
        return mnist(split, root=source)
    if Path(source).is_file():
        cut = np.stack(list(read_pictures(source, size or 64, channels).values()))
        return Dataset(cut.transpose(0, 3, 1, 2), None, (), Path(source).stem, (), source)
    return ImageFolder(source, size or 64, channels)
