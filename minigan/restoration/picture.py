"""A person's picture: read whatever it is, and written so that nothing but its pixels has changed."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import write_atomically

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
QUALITY: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
LARGEST = {"JPEG": 65500, "WEBP": 16383}  # pixels a side that the format can hold
ORIENTATION = 0x0112  # the EXIF tag that says which way is up
# TIFF's own tags, those below XMP's, say how the pixels lie in the file, which is the writer's business; but for these:
# names, texts, maker, orientation, resolution, page, software, date, artist, computer
XMP, PROFILE = 700, 34675
CAMERA, SIDES = 0x8769, (0xA002, 0xA003)  # the tags of the camera's own, and there how many pixels wide and high
TELLING = (269, 270, 271, 272, ORIENTATION, 282, 283, 285, 296, 297, 305, 306, 315, 316)
UPRIGHT = {  # its value: how to turn the stored pixels (H, W, ...) upright; and back
    2: (lambda a: a[:, ::-1], lambda a: a[:, ::-1]),
    3: (lambda a: a[::-1, ::-1], lambda a: a[::-1, ::-1]),
    4: (lambda a: a[::-1], lambda a: a[::-1]),
    5: (lambda a: a.swapaxes(0, 1), lambda a: a.swapaxes(0, 1)),
    6: (lambda a: np.rot90(a, -1), lambda a: np.rot90(a, 1)),
    7: (lambda a: a[::-1, ::-1].swapaxes(0, 1), lambda a: a[::-1, ::-1].swapaxes(0, 1)),
    8: (lambda a: np.rot90(a, 1), lambda a: np.rot90(a, -1)),
}


@dataclass
class Photo:
    """``pixels`` are uint8 (H, W, 3), upright; ``alpha`` is (H, W) or None. ``grey`` says that the file had no colour,
    ``orientation`` how its pixels lay, ``kept`` what is written with them again, and ``lost`` what cannot be."""

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    orientation: int = 1
    kept: dict[str, Any] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def on_white(self) -> np.ndarray:
        """The pixels, white behind what is transparent: as the networks have seen pictures in training."""
        if self.alpha is None:
            return self.pixels
        share = self.alpha[:, :, None] / np.float32(255)
        return np.rint(self.pixels * share + 255 * (1 - share)).astype(np.uint8)


def read_photo(path: Path) -> Photo:
    """Any picture that Pillow reads. Raises InputError, naming the file, for anything else."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large is what tiles are for
            with Image.open(path) as opened:
                opened.load()
                return _photo(opened)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; name a picture") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: name the pictures in it, {path}/*") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: is no picture that Pillow can read") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything from a decoder
        raise InputError(f"{path}: is damaged, or of a kind that cannot be read ({error})") from None


def _photo(opened: Any) -> Photo:
    lost = []
    if getattr(opened, "n_frames", 1) > 1:
        lost.append(f"{opened.n_frames - 1} of its {opened.n_frames} frames")
    profile, exif = opened.info.get("icc_profile"), opened.getexif()
    orientation = exif.get(ORIENTATION, 1)
    orientation = orientation if orientation in UPRIGHT else 1
    for tag in [tag for tag in exif if tag == PROFILE or (tag < XMP and tag not in TELLING)]:
        del exif[tag]
    for tag in SIDES:  # of a picture that is enlarged, they would be wrong
        exif.get_ifd(CAMERA).pop(tag, None)
    kept: dict[str, Any] = {"exif": exif.tobytes()} if len(exif) else {}
    mode, picture = opened.mode, opened
    if mode.startswith("I") or mode == "F":
        deep = np.asarray(picture, np.float64)
        if mode == "F" or deep.max(initial=0) > 65535 or deep.min(initial=0) < 0:
            raise InputError("pixels without a known black and white: save it with 8 or 16 bits a channel")
        lost.append("the lower 8 of its 16 bits")
        pixels, alpha, grey = np.rint(deep / 257).astype(np.uint8)[:, :, None], None, True
    else:
        grey = mode in ("1", "L", "LA", "La")
        if picture.has_transparency_data:
            both = np.asarray(picture.convert("RGBA"))
            pixels, alpha = both[:, :, :3], both[:, :, 3]
        else:
            pixels, alpha = np.asarray(picture.convert("RGB")), None
        if mode in ("CMYK", "LAB", "YCbCr", "HSV") and profile:
            lost.append(f"its {mode} profile: it is RGB now")
            profile = None
    if profile:
        kept["icc_profile"] = profile
    if "dpi" in opened.info:
        kept["dpi"] = opened.info["dpi"]
    turn = UPRIGHT.get(orientation, (lambda a: a, lambda a: a))[0]
    pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return Photo(
        np.ascontiguousarray(turn(pixels)), None if alpha is None else turn(alpha), grey, orientation, kept, lost
    )


def check_fits(path: Path, height: int, width: int) -> None:
    """Raises InputError where the format of the file's name holds no picture of this size."""
    kind = FORMATS[path.suffix.lower()]
    if max(height, width) > (most := LARGEST.get(kind, 2**31)):
        raise InputError(
            f"a {kind} file holds at most {most} pixels a side, and {path} would be {width}x{height}: name a .png or "
            ".tif with --out"
        )


def write_photo(path: Path, photo: Photo) -> list[str]:
    """Write it in the format of the file's name, the old file whole until the new one is; what could not be kept."""
    from PIL import Image

    check_fits(path, *photo.pixels.shape[:2])
    kind, lost, kept = FORMATS[path.suffix.lower()], list(photo.lost), dict(photo.kept)
    back = UPRIGHT.get(photo.orientation, (lambda a: a, lambda a: a))[1]
    pixels, alpha = back(photo.pixels), None if photo.alpha is None else back(photo.alpha)
    if photo.grey:
        pixels = np.rint(pixels.mean(axis=2, keepdims=True)).astype(np.uint8)
    if alpha is not None and kind == "JPEG":
        lost.append("its transparency: a JPEG file has none")
        alpha = None
    if alpha is not None:
        pixels = np.concatenate([pixels, alpha[:, :, None]], axis=2)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[2]]
    if kind == "WEBP" and mode in ("L", "LA"):
        pixels = np.concatenate([pixels[:, :, :1]] * 3 + [pixels[:, :, 1:]], axis=2)
        if "icc_profile" in kept:
            lost.append("its grey profile: a WebP file has colours")
            del kept["icc_profile"]
    picture = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if mode == "L" else pixels))
    quality = QUALITY.get(kind, {})
    if kind == "WEBP":
        kept.pop("dpi", None)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **quality, **kept)
    write_atomically(path, buffer.getvalue())
    return lost
