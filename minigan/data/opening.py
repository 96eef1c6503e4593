"""A data set by what a user calls it: a name, or a folder of one kind or another."""

from __future__ import annotations

from .dataset import Dataset
from .idx import is_idx_folder, mnist
from .image_folder import ImageFolder


def open_images(source: str, size: int | None, channels: int, split: str = "train") -> Dataset:
    """MNIST by name, a folder that holds IDX files, or a folder of pictures, which has no splits."""
    if source == "mnist":
        return mnist(split)
    if is_idx_folder(source):
        return mnist(split, root=source)
    return ImageFolder(source, size or 64, channels)
