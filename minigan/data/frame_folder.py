"""A folder of clips: GIFs, and folders of frames."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..sizes import size as whole
from .drawn import Drawn
from .image_folder import _plain, _upright, equally_bright, files_of_kind
from .paired import PICTURES

if TYPE_CHECKING:
    from PIL import Image


class FrameFolder(Drawn):
    """Clips of any length below ``path``, of which a batch shows windows of ``frames`` frames, drawn at random.

    Each animated GIF, WebP or PNG is a clip, frame after frame however long each is shown. Each folder that holds still
    pictures is one too, by their names: 10.png comes after 9.png. Hidden files are passed over; grey frames of more
    than 8 bits are scaled as ``ImageFolder`` does it. An epoch has as many windows as fit into the clips side by side.
    A batch is one array (N, frames, channels, height, width) in [-1, 1].

    size       None: clips keep their pixels, and all must have as many; a number: each frame is cut to its centre
               square and resized to so many a side
    channels   3 for colour, 1 for grey

    Raises InputError, which names the clip, for one with fewer frames than asked for, for clips of several sizes where
    no ``size`` is given, and for files that cannot be read.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, frames: int = 16, size: int | None = None, channels: int = 3
    ) -> None:
        self.frames, self.size = whole("frames", frames), None if size is None else whole("size", size)
        if channels not in (1, 3):
            raise InputError(f"channels is {channels!r}, expected 3 (colour) or 1 (grey)")
        folder = Path(path)
        self.name, self.root, self.channels = folder.resolve().name, str(folder), channels
        self.clips = read_clips(folder, channels, self.size)
        for name, clip in self.clips.items():
            if len(clip) < self.frames:
                what, them = ("still pictures", "them") if (folder / name).is_dir() else ("frames", "it")
                raise InputError(
                    f"{folder / name} has {len(clip)} {what}, fewer than the {self.frames} frames of a clip: take "
                    f"{them} out, or ask for fewer (--frames)"
                )
        first, *others = self.clips
        for name in others:
            if self.clips[name].shape[1:] != self.clips[first].shape[1:]:
                raise InputError(
                    f"{folder / name} is {pixels(self.clips[name])} pixels, {folder / first} is "
                    f"{pixels(self.clips[first])} pixels: give the size that all are to be brought to (--size)"
                )
        owners = [[name] * (len(clip) // self.frames) for name, clip in self.clips.items()]
        self.owner = [name for names in owners for name in names]

    @property
    def settings(self) -> dict[str, Any]:
        height, width = self.clips[self.owner[0]].shape[1:3]
        return {
            "image_size": height if height == width else [height, width],
            "channels": self.channels,
            "frames": self.frames,
        }

    def __len__(self) -> int:
        """Windows in an epoch."""
        return len(self.owner)

    def draw(self, chosen: np.ndarray, rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[np.ndarray]:
        windows = []
        for number in chosen:
            clip = self.clips[self.owner[number]]
            start = rng.integers(0, len(clip) - self.frames + 1)
            windows.append(clip[start : start + self.frames])
        return (np.divide(np.stack(windows).transpose(0, 1, 4, 2, 3), 127.5, dtype=dtype) - dtype.type(1),)

    def stills(self) -> np.ndarray:
        """Of each window, the mean frame of its clip."""
        means = {name: np.rint(clip.mean(axis=0)).astype(np.uint8) for name, clip in self.clips.items()}
        found: np.ndarray = np.stack([means[name] for name in self.owner]).transpose(0, 3, 1, 2)
        return found

    def fingerprint(self) -> str:
        found = zlib.crc32(repr((self.frames, [clip.shape for clip in self.clips.values()])).encode())
        for clip in self.clips.values():
            found = zlib.crc32(np.ascontiguousarray(clip).data, found)
        return f"{found:08x}"

    def __repr__(self) -> str:
        height, width = self.clips[self.owner[0]].shape[1:3]
        return f"FrameFolder({self.name!r}, {len(self.clips)} clips, {self.frames} frames at a time, {width}x{height})"


def read_clips(folder: Path, channels: int, size: int | None) -> dict[str, np.ndarray]:
    """Clips by name, uint8 (T, H, W, channels)."""
    from PIL import Image, ImageSequence

    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}, expected a folder of GIFs or of folders of frames: check the path")
    clips: dict[str, np.ndarray] = {}
    stills: dict[str, list[np.ndarray]] = {}  # by folder

    def decode(name: str, depth: int, tell: Callable[[int], None]) -> list[np.ndarray]:
        try:
            with Image.open(folder / name) as opened:
                return [prepared(frame, channels, size, depth, tell) for frame in ImageSequence.Iterator(opened)]
        except Exception as error:  # a damaged file can raise nearly anything from a decoder
            raise InputError(f"{folder / name} is no picture that can be read ({error}): take it out") from None

    names = files_of_kind(folder, PICTURES)
    for name, found in equally_bright(sorted(names, key=by_number), decode).items():
        if len(found) > 1:
            clips[name] = np.stack(found)
        else:
            stills.setdefault(Path(name).parent.as_posix(), []).extend(found)
    for name, frames in stills.items():
        for number, frame in enumerate(frames):
            if frame.shape != frames[0].shape:
                raise InputError(
                    f"{folder / name}: frame {number + 1} is {pixels(frame[None])} pixels, the first is "
                    f"{pixels(frames[0][None])}: give the size that all are to be brought to (--size)"
                )
        clips[name] = np.stack(frames)
    if not clips:
        raise InputError(f"{folder} holds no clip: put GIFs into it, or folders of frames ({', '.join(PICTURES)})")
    return clips


def prepared(
    frame: Image.Image, channels: int, size: int | None, depth: int, tell: Callable[[int], None]
) -> np.ndarray:
    """uint8 (H, W, channels), cut to the centre square and resized where a size is given."""
    from PIL import ImageOps

    picture = _plain(_upright(frame, depth, tell)).convert("L" if channels == 1 else "RGB")
    if size is not None and picture.size != (size, size):
        picture = ImageOps.fit(picture, (size, size))
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def pixels(clip: np.ndarray) -> str:
    return f"{clip.shape[2]}x{clip.shape[1]}"


def by_number(name: str) -> list[tuple[bool, int, str]]:
    """A key by which frame-10 comes after frame-9.

    >>> sorted(["a/10.png", "a/9.png", "a/b.png", "1²3.png"], key=by_number)
    ['1²3.png', 'a/9.png', 'a/10.png', 'a/b.png']
    """
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
