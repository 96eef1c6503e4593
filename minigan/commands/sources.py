"""Where the samples come from that are to be measured: a generator, a folder of pictures, or an array."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import data, gan
from ..errors import InputError
from ..parallel import world
from ..runs.folder import model_in
from .arguments import LoadedGenerator


@dataclass(frozen=True)
class Samples:
    images: np.ndarray  # (N, C, H, W), uint8 or in [-1, 1]
    wanted: np.ndarray | None  # (N,) the classes that were asked for
    origin: str  # what they are, in words


def open_samples(
    source: str, count: int, dataset: data.Dataset, *, rng: np.random.Generator, backend_name: str
) -> Samples:
    """``count`` samples from SOURCE, or all that there are.

    A safetensors file is a generator that draws them; a folder is that of a run, or holds pictures; an npz file
    holds an array. A conditional generator is asked for each class as often as ``dataset`` has it.
    """
    path = Path(source)
    if path.is_dir():
        model = model_in(path)
        if model is None and any(path.glob("samples-*.npz")):
            return from_shards(path, count, dataset, rng)
        if model is None:
            return from_pictures(path, count, dataset, rng)
        path = model
    if path.suffix == ".npz":
        return from_array(path, count, dataset, rng)
    return from_generator(path, count, dataset, rng, backend_name)


def is_generator(source: str) -> bool:
    """Whether SOURCE draws its samples, and is not a place where they lie."""
    path = Path(source)
    return model_in(path) is not None if path.is_dir() else path.suffix != ".npz"


def from_generator(
    path: Path, count: int, dataset: data.Dataset, rng: np.random.Generator, backend_name: str
) -> Samples:
    """Drawn in evaluation mode."""
    loaded = LoadedGenerator(path, backend_name)
    if loaded.medium.suffix != ".png":
        raise InputError(f"{path}: its {loaded.medium.noun} are no pictures, which is what these metrics measure")
    z = rng.standard_normal((count, loaded.z_dim))
    labels = None
    if loaded.classes:
        if dataset.labels is None or dataset.labels.max() >= loaded.classes:
            known = "no labels" if dataset.labels is None else f"{len(dataset.classes)} classes"
            raise InputError(
                f"{path}: this model draws {loaded.classes} classes, {dataset.name} has {known}: "
                "name the --data that it was trained on"
            )
        labels = rng.choice(dataset.labels, count)
    ranks = world()  # those that were started together draw a part each
    images = gan.generate(loaded.generator, ranks.own(z), None if labels is None else ranks.own(labels))
    return Samples(ranks.gather_uneven(images), labels, f"{path}, batch norm in evaluation mode")


def from_pictures(folder: Path, count: int, dataset: data.Dataset, rng: np.random.Generator) -> Samples:
    """The pictures below a folder, which must have the data's size: to resize them would change what is measured."""
    from PIL import Image, UnidentifiedImageError

    channels, height, width = dataset.image_shape
    for path in sorted(folder.rglob("*.png")):
        try:
            with Image.open(path) as picture:
                size = picture.size
        except UnidentifiedImageError:
            continue  # ImageFolder tells of it
        if size != (width, height):
            raise InputError(
                f"{path} is {size[0]}x{size[1]} pixels, the images of {dataset.name} are {width}x{height}: "
                "give single samples, not grids, in the data's size"
            )
    found = data.ImageFolder(folder, height, channels, cache=False)
    chosen = rng.permutation(len(found))[:count]
    return Samples(found.images[chosen], None, f"{len(found)} pictures in {folder}")


def from_shards(folder: Path, count: int, dataset: data.Dataset, rng: np.random.Generator) -> Samples:
    """The npz files that ``minigan sample --into`` wrote."""
    every = [
        from_array(path, 2**62, dataset, np.random.default_rng(0)) for path in sorted(folder.glob("samples-*.npz"))
    ]
    images = np.concatenate([one.images for one in every])
    wanted = [one.wanted for one in every if one.wanted is not None]
    labels = np.concatenate(wanted) if len(wanted) == len(every) else None
    chosen = rng.permutation(len(images))[:count]
    return Samples(images[chosen], None if labels is None else labels[chosen], f"{len(images)} images of {folder}")


def from_array(path: Path, count: int, dataset: data.Dataset, rng: np.random.Generator) -> Samples:
    """The array under "images" or "arr_0", or the only one there is: (N, C, H, W), (N, H, W, C) or (N, H, W); uint8, or
    floating-point in [-1, 1]. Integers (N,) under "labels" are the classes that were asked for."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give a model, a folder, or an npz file of samples")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); the file itself may be whole") from None
    except (ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise InputError(f"{path}: not a readable npz file ({error}); write one with numpy.savez") from None
    named = [name for name in ("images", "arr_0") if name in arrays]
    others = [name for name in arrays if name != "labels"]
    if not named and len(others) != 1:
        raise InputError(f'{path} holds {", ".join(arrays) or "nothing"}: name the array of samples "images"')
    name = named[0] if named else others[0]
    images = channels_first(arrays[name], dataset, f"{path}: {name}")
    labels = arrays.get("labels")
    if labels is not None and (labels.shape != (len(images),) or labels.dtype.kind not in "iu"):
        raise InputError(
            f"{path}: labels are {labels.dtype} {labels.shape}, expected an integer for each of {len(images)} images"
        )
    if images.dtype.kind == "f" and images.size and 0 <= images.min() <= images.max() <= 1:
        raise InputError(f"{path}: {name} runs from 0 to 1, expected [-1, 1] in floating point: save 2 * {name} - 1")
    chosen = rng.permutation(len(images))[:count]
    return Samples(images[chosen], None if labels is None else labels[chosen], f"{len(images)} images of {path}")


def channels_first(images: np.ndarray, dataset: data.Dataset, name: str) -> np.ndarray:
    """The images as (N, C, H, W), told by the data's shape."""
    channels, height, width = dataset.image_shape
    shape = images.shape[1:]
    if shape == (channels, height, width):
        return images
    if shape == (height, width, channels):
        return images.transpose(0, 3, 1, 2)
    if shape == (height, width) and channels == 1:
        return images[:, None]
    raise InputError(
        f"{name} is {images.shape}, expected (N, {channels}, {height}, {width}) or (N, {height}, {width}, {channels}) "
        f"as the images of {dataset.name}"
    )
