"""A folder of pictures as a dataset: any format, mode and size that Pillow reads, decoded once."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import numpy as np

from ..errors import InputError
from .dataset import Dataset

if TYPE_CHECKING:
    from PIL import Image

DEPTHS = (8, 10, 12, 14, 16, 24, 31, 32)  # bits that a channel may have
CACHE_VERSION = 2  # raise it when the same files come to give other pixels
Skipped = list[tuple[str, str]]
Decoded = TypeVar("Decoded")


def ImageFolder(  # noqa: N802 - named for the thing it makes, as the field knows it
    path: str | PathLike[str], size: int, channels: int = 3, *, cache: str | PathLike[str] | bool | None = None
) -> Dataset:
    """Every picture under ``path`` as uint8 (N, channels, size, size), ordered by relative path.

    A picture is turned the way its EXIF data says, cropped to the centre square and resized; transparency becomes
    white and an animation its first frame. ``channels`` is 3 for colour or 1 for grey. When every picture lies in a
    subfolder, the immediate subfolders are the classes; with pictures loose at the top there are no labels. Hidden
    files are passed over, links to folders are not followed.

    A file that is no readable picture is left out, named in ``dataset.skipped`` and told of in a warning; so is a link
    to a folder. Grey pictures of more than 8 bits are scaled so that the brightest value that their common depth (10,
    12, 14, 16, 24, 31 or 32 bits) allows is white.

    The pixels are kept in ``cache`` (default: minigan under $XDG_CACHE_HOME or ~/.cache; False: nowhere) and read from
    there as long as no file changes.

    Raises InputError for a bad size or channels, a folder that is missing or cannot be read, and one without a readable
    picture.
    """
    folder = Path(path)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise InputError(f"size is {size!r}, expected a whole number of pixels from 1 up")
    if channels not in (1, 3):
        raise InputError(f"channels is {channels!r}, expected 3 (colour) or 1 (grey)")
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}, expected a folder of pictures: check the path")
    names, links = _files_under(folder)
    if not names:
        raise InputError(f"{folder} has no files, expected pictures: check the path")

    cache_file = _cache_file(cache, folder, names, size, channels)
    decoded = _load_cache(cache_file, names, size, channels)
    if decoded is None:
        passing: list[OSError] = []
        decoded = _decode_all(folder, names, size, channels, passing.append)
        if not passing:
            _save_cache(cache_file, *decoded)
    pixels, skipped = decoded
    failed = len(skipped)
    if failed < len(names):
        lost = {name.split("/")[0] for name, _ in skipped if "/" in name}
        kept = {name.split("/")[0] for name in {*names} - {name for name, _ in skipped}}
        skipped = [*skipped, *links, *((f"{name}/", "no readable picture in it") for name in sorted(lost - kept))]

    if skipped:
        first = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3]) + ("; ..." if len(skipped) > 3 else "")
        if not len(pixels):
            raise InputError(f"{folder} has no readable picture among its {len(names)} files ({first})")
        warnings.warn(f"{folder}: skipped {failed} of {len(names)} files ({first})", stacklevel=2)
    unreadable = {name for name, _ in skipped}
    labels, classes = _labels([name for name in names if name not in unreadable])
    # The pixels stay channels-last in memory, the way the loader wants them.
    return Dataset(pixels.transpose(0, 3, 1, 2), labels, classes, folder.resolve().name, tuple(skipped), str(folder))


def _files_under(folder: Path) -> tuple[list[str], Skipped]:
    """The relative paths of all files, sorted, with / between the parts; and the links to folders, not followed."""
    names, links = [], []

    def refuse(error: OSError) -> None:
        raise InputError(
            f"{error.filename} cannot be read ({error.strerror}), and with it a part of the pictures would be missing: "
            "make it readable, or move it out"
        )

    for where, subfolders, files in os.walk(folder, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        linked = [Path(where, name) for name in subfolders if Path(where, name).is_symlink()]
        links += [(path.relative_to(folder).as_posix(), "a link to a folder, which is not followed") for path in linked]
        paths = [Path(where, name) for name in files if not name.startswith(".")]
        names += [path.relative_to(folder).as_posix() for path in paths if path.is_file()]  # a pipe would block
    return sorted(names), sorted(links)


def files_of_kind(folder: Path, suffixes: Collection[str]) -> list[str]:
    """The relative paths of the files under a folder whose names end so, sorted. Links to folders are warned of, and
    files of the same medium in another format: a folder may hold its licence, but not half of its pictures unread."""
    names, links = _files_under(folder)
    found = [name for name in names if Path(name).suffix.lower() in suffixes]
    media = {_medium(f"name{suffix}") for suffix in suffixes} - {""}
    others = [name for name in names if Path(name).suffix.lower() not in suffixes and _medium(name) in media]
    for skipped, why in (
        ([name for name, _ in links], "links to folders are not followed"),
        (others, f"read are {', '.join(suffixes)}"),
    ):
        if skipped:
            told = ", ".join(skipped[:3]) + (f" and {len(skipped) - 3} more" if len(skipped) > 3 else "")
            warnings.warn(f"{folder}: skipped {told}: {why}", stacklevel=3)
    return found


def _medium(name: str) -> str:
    """image, audio, ..., or "" where the name does not tell."""
    return (mimetypes.guess_type(name)[0] or "").split("/")[0]


def _labels(names: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if any("/" not in name for name in names):
        return None, ()
    owners = [name.split("/")[0] for name in names]
    classes = tuple(sorted(set(owners)))
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[owner] for owner in owners], np.int64), classes


# ---- decoding --------------------------------------------------------------------------------------------------------


def _decode_all(
    folder: Path, names: list[str], size: int, channels: int, complain: Callable[[OSError], None]
) -> tuple[np.ndarray, Skipped]:
    """uint8 (N, size, size, channels) of the readable files, and the others with the reason. ``complain`` hears of what
    may pass, such as a disk's error.

    Of more than 8 bits a channel no file says how many are used, as the 12 of many cameras in 16: it is as many as the
    brightest of all these pictures needs, so that white is white, and equal pixels are equally bright in all of them.
    """
    depths: dict[str, int] = {}

    def decode(name: str) -> np.ndarray | str:
        # A damaged file can raise nearly anything from a decoder, and none of it is a reason to lose the others.
        try:
            return _decode(folder / name, size, channels, depths.get(name, 0), partial(depths.__setitem__, name))
        except Exception as error:
            if (
                isinstance(error, OSError) and error.errno is not None
            ):  # the disk's, not the picture's: may be gone soon
                complain(error)
            unidentified = type(error).__name__ == "UnidentifiedImageError"
            return "not a picture that Pillow can read" if unidentified else f"{type(error).__name__}: {error}"

    pixels = np.empty((len(names), size, size, channels), np.uint8)
    skipped: Skipped = []
    with ThreadPoolExecutor(8, "minigan-decode") as pool:  # Pillow decodes and resizes without holding the GIL
        for i, result in enumerate(pool.map(decode, names)):
            if isinstance(result, str):
                skipped.append((names[i], result))
            else:
                pixels[i - len(skipped)] = result
        deepest = max(depths.values(), default=0)
        again = [name for name, depth in depths.items() if depth < deepest]
        unreadable = {name for name, _ in skipped}
        places = {name: i for i, name in enumerate(name for name in names if name not in unreadable)}
        depths.update(dict.fromkeys(again, deepest))
        for name, result in zip(again, pool.map(decode, again), strict=True):
            if name in places and not isinstance(result, str):
                pixels[places[name]] = result
    return pixels[: len(names) - len(skipped)], skipped


def _decode(file: Path, size: int, channels: int, depth: int, tell: Callable[[int], None]) -> np.ndarray:
    """One picture as uint8 (size, size, channels). One of more than 8 bits is told the ``depth`` that it is taken to
    have, or with 0 tells it."""
    from PIL import Image

    with Image.open(file) as opened:
        picture = _upright(opened, depth, tell)
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.crop((left, top, left + side, top + side))
        picture = _plain(picture).convert("L" if channels == 1 else "RGB")
        picture = picture.resize((size, size), Image.Resampling.LANCZOS)
        return np.asarray(picture).reshape(size, size, channels)


def plain_pixels(
    file: Path | IO[bytes], channels: int, depth: int = 0, tell: Callable[[int], None] = lambda depth: None
) -> np.ndarray:
    """A picture in its own size as uint8 (H, W, channels), turned as its EXIF data says, on white. ``depth`` and
    ``tell`` as in ``_decode``."""
    from PIL import Image

    with Image.open(file) as opened:
        picture = _plain(_upright(opened, depth, tell)).convert("L" if channels == 1 else "RGB")
        return np.asarray(picture).reshape(picture.height, picture.width, channels)


def equally_bright(
    names: Iterable[str], decode: Callable[[str, int, Callable[[int], None]], Decoded]
) -> dict[str, Decoded]:
    """What ``decode(name, depth, tell)`` makes of each, see ``_decode``: once more of those that have, or have in part,
    less than the depth of the deepest, so that equal pixels are equally bright in all of them."""
    depths: dict[str, set[int]] = {}
    found = {name: decode(name, 0, depths.setdefault(name, set()).add) for name in names}
    deepest = max((depth for told in depths.values() for depth in told), default=0)
    for name, told in depths.items():
        if told - {deepest}:
            found[name] = decode(name, deepest, told.add)
    return found


def _upright(opened: Image.Image, depth: int, tell: Callable[[int], None]) -> Image.Image:
    """The picture as it is to be seen, of 8 bits a channel; see ``_decode``."""
    from PIL import Image, ImageOps

    if opened.mode.startswith("I"):
        values = _deep_values(opened)
        if not depth:
            depth = next(bits for bits in DEPTHS if int(values.max()) < 1 << bits)
            tell(depth)
        exif = opened.getexif()
        grey = Image.fromarray((values * (255 / ((1 << depth) - 1)) + 0.5).astype(np.uint8))
        grey.getexif().update(exif)
        opened = grey
    return ImageOps.exif_transpose(opened)


def _deep_values(picture: Image.Image) -> np.ndarray:
    """The pixels of a grey picture of 16 or 32 bits, which Pillow would clip at 255, as float64."""
    values = np.asarray(picture)
    if values.dtype == np.int32 and values.size and values.min() < 0:
        sample_format = getattr(picture, "tag_v2", {}).get(339, (1,))  # TIFF's: 1 unsigned, 2 signed
        if 2 in np.atleast_1d(sample_format):
            raise ValueError("negative pixels, whose black and white are anyone's guess")
        values = values.view(np.uint32)
    return values.astype(np.float64)


def _plain(picture: Image.Image) -> Image.Image:
    """The picture with 8 bits a channel and without transparency, in a mode that converts to L and RGB as it should."""
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("floating-point pixels, whose black and white are anyone's guess")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture)
    return picture


# ---- the cache -------------------------------------------------------------------------------------------------------


def _cache_file(
    cache: str | PathLike[str] | bool | None, folder: Path, names: list[str], size: int, channels: int
) -> Path | None:
    """Where the pixels of these very files belong, or None when they are not to be kept."""
    try:
        import PIL
    except ImportError:
        raise InputError("reading a folder of pictures needs Pillow: pip install pillow") from None

    if cache is False:
        return None
    if cache is None or cache is True:
        home = cache_home()
        if home is None:
            return None
        cache = home / "minigan"
    stats = [(name, os.stat(folder / name)) for name in names]
    # The change time catches what keeps size and mtime: an archive unpacked over another, permissions put right.
    files = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats]
    key = repr((CACHE_VERSION, PIL.__version__, os.fspath(folder.resolve()), size, channels, files))
    digest = hashlib.sha256(key.encode()).hexdigest()
    return Path(cache) / f"images-{digest[:32]}.npz"


def cache_home() -> Path | None:
    """$XDG_CACHE_HOME or ~/.cache; None where there is no home, or none that is an absolute path."""
    home = os.environ.get("HOME") or os.path.expanduser("~")
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    path = chosen if chosen.is_absolute() else Path(home, ".cache")
    return path if path.is_absolute() else None


def _load_cache(file: Path | None, names: list[str], size: int, channels: int) -> tuple[np.ndarray, Skipped] | None:
    """What ``_decode_all`` once returned, or None when it is not there or was damaged."""
    if file is None:
        return None
    try:
        with (
            file.open("rb") as opened,
            np.load(opened, allow_pickle=False) as stored,
        ):  # a zip, whose checksums tell damage
            pixels, skipped = stored["pixels"], stored["skipped"].tolist()
    except Exception:  # a damaged file can raise nearly anything; the cost of passing it over is decoding again
        return None
    if pixels.dtype != np.uint8 or pixels.shape != (len(names) - len(skipped), size, size, channels):
        return None
    return pixels, [(name, reason) for name, reason in skipped]


def _save_cache(file: Path | None, pixels: np.ndarray, skipped: Skipped) -> None:
    if file is None:
        return
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as out:
            temporary = Path(out.name)
            np.savez(out, pixels=pixels, skipped=np.array(skipped, np.str_).reshape(-1, 2))
        temporary.replace(file)  # so that a reader, or a second run, never sees half a file
    except OSError:
        pass  # no room or no right to write: the next run decodes again
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
