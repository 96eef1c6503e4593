"""What goes wrong with pictures, as small functions to put together: noise, rain, holes, fewer pixels, no colour.

A degradation takes a picture, float32 (H, W, C) in [0, 1], and a generator, and returns what a camera, the weather or
an accident would have left of it. What it draws, it draws from that generator alone, afresh for each picture: the
strength too, so that whoever learns to undo it is not told how bad it is ("blind").

>>> worse = Compose(Downscale(2), GaussianNoise(5, 25))
>>> worse(np.full((8, 6, 3), 0.5, np.float32), np.random.default_rng(0)).shape
(4, 3, 3)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import InputError

Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in JPEG and in Pillow's "L"


class Compose:
    """One after the other: ``Compose(Rain(), GaussianNoise())`` is a noisy picture of the rain."""

    def __init__(self, *degradations: Degradation) -> None:
        self.degradations = degradations

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for degradation in self.degradations:
            picture = degradation(picture, rng)
        return picture

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.degradations))})"


class OneOf:
    """One of them, each as likely."""

    def __init__(self, *degradations: Degradation) -> None:
        self.degradations = degradations

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.degradations[rng.integers(len(self.degradations))](picture, rng)

    def __repr__(self) -> str:
        return f"OneOf({', '.join(map(repr, self.degradations))})"


@dataclass(frozen=True)
class GaussianNoise:
    """x + N(0, sigma^2) in every channel, sigma ~ U(low, high) in grey levels of 255."""

    low: float = 0.0
    high: float = 50.0

    def __post_init__(self) -> None:
        check_range("GaussianNoise: sigma", self.low, self.high)

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        sigma = np.float32(rng.uniform(self.low, self.high) / 255)
        return np.asarray(picture + sigma * rng.standard_normal(picture.shape, np.float32))


@dataclass(frozen=True)
class ShotNoise:
    """Poisson(x n) / n: what counting photons adds, in the dark less than in the light. n, the photons that make
    white, is drawn so that its logarithm is uniform."""

    low: float = 30.0
    high: float = 1000.0

    def __post_init__(self) -> None:
        check_range("ShotNoise: photons", self.low, self.high, least=1.0)

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        photons = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return np.asarray(rng.poisson(np.clip(picture, 0, 1) * photons) / photons, np.float32)


@dataclass(frozen=True)
class Rain:
    """Bright streaks, all falling nearly the same way: x + a (1 - m x) where a streak of opacity a is, m ~ U(0, 1):
    light that is added to the picture's, or stands before it.

    angles      of the fall, in degrees from straight down
    densities   streaks per 1,000 pixels
    lengths, widths   in pixels
    opacities   of the middle of a streak, each streak its own
    """

    angles: tuple[float, float] = (-50.0, 50.0)
    densities: tuple[float, float] = (1.0, 12.0)
    lengths: tuple[float, float] = (6.0, 36.0)
    widths: tuple[float, float] = (0.4, 1.3)
    opacities: tuple[float, float] = (0.08, 0.8)

    def __post_init__(self) -> None:
        for name in ("densities", "lengths", "widths", "opacities"):
            check_range(f"Rain: {name}", *getattr(self, name))
        check_range("Rain: angles", *self.angles, least=-90.0)

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = picture.shape[:2]
        fall, density = rng.uniform(*self.angles), rng.uniform(*self.densities)
        longest, width_of_all = rng.uniform(*self.lengths), rng.uniform(*self.widths)
        opacity = rng.uniform(*self.opacities)
        reach = int(longest) + 1  # streaks that begin outside come in
        count = rng.poisson(density * (height + reach) * (width + reach) / 1000)
        rows, columns = rng.uniform(-reach / 2, height + reach / 2, count), rng.uniform(-reach, width + reach, count)
        angles = np.deg2rad(fall + rng.normal(0, 2, count))
        lengths, opacities = longest * rng.uniform(0.6, 1, count), opacity * rng.uniform(0.5, 1, count)
        veil = np.zeros((height, width), np.float32)
        for row, column, angle, length, strength in zip(rows, columns, angles, lengths, opacities, strict=True):
            draw_streak(veil, row, column, angle, length, width_of_all, strength)
        veil = np.minimum(veil, 1)[:, :, None]
        return np.asarray(picture + veil * (1 - np.float32(rng.random()) * picture))


def draw_streak(
    veil: np.ndarray, row: float, column: float, angle: float, length: float, width: float, opacity: float
) -> None:
    """Lay a streak around a point onto the veil: Gaussian across, with soft ends."""
    height, full = veil.shape
    along = math.cos(angle), math.sin(angle)  # down, right
    reach = [abs(part) * length / 2 + 2 * width + 1 for part in along]
    top, bottom = max(0, int(row - reach[0])), min(height, int(row + reach[0]) + 2)
    left, right = max(0, int(column - reach[1])), min(full, int(column + reach[1]) + 2)
    if top >= bottom or left >= right:
        return
    down = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(row)
    over = np.arange(left, right, dtype=np.float32) - np.float32(column)
    ahead = np.abs(down * along[0] + over * along[1]) - length / 2
    across = down * along[1] - over * along[0]
    ends = np.clip(0.5 - ahead, 0, 1)
    veil[top:bottom, left:right] += opacity * ends * np.exp(-0.5 * (across / width) ** 2)


@dataclass(frozen=True)
class Holes:
    """Parts cut out. The result has one more channel, the mask: 1 where the picture is missing, and a guess lies there.

    ``kinds`` are any of "centre" (a square of 3/8 of each side), "blocks" (one to four rectangles anywhere) and
    "scratches" (crooked lines); one of them is drawn for each picture.
    """

    kinds: tuple[str, ...] = ("centre", "blocks", "scratches")

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in MASKS]
        if unknown or not self.kinds:
            raise InputError(f"Holes: kinds {self.kinds} must be some of {', '.join(MASKS)}")

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = picture.shape[:2]
        return cut_out(picture, MASKS[self.kinds[rng.integers(len(self.kinds))]](height, width, rng))


def cut_out(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture (H, W, C) with a guess where the mask (H, W) is 1, see ``fill_in``; the mask as its last channel."""
    missing = mask > 0
    return np.concatenate([fill_in(picture, ~missing), missing[:, :, None].astype(np.float32)], axis=2)


def fill_in(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The picture (H, W, C) where it is ``known`` (H, W), elsewhere a smooth guess: the nearest known colours, found by
    making the picture smaller until there is no hole, and larger again (the "pull-push" of Gortler et al. 1996)."""
    height, width = known.shape
    if known.all():
        return picture
    if max(height, width) == 1:
        return np.full_like(picture, 0.5)  # nothing is known at all
    even = [(0, height % 2), (0, width % 2)]
    weight = np.pad(known.astype(np.float32), even)
    sums = np.pad(np.where(known[:, :, None], picture, 0), [*even, (0, 0)])
    fewer = tuple(side // 2 for side in weight.shape)
    weight = weight.reshape(fewer[0], 2, fewer[1], 2).sum((1, 3))
    sums = sums.reshape(fewer[0], 2, fewer[1], 2, -1).sum((1, 3))
    coarse = fill_in(sums / np.maximum(weight, 1)[:, :, None], weight > 0)
    guess = np.pad(coarse.repeat(2, 0).repeat(2, 1), [(1, 1), (1, 1), (0, 0)], mode="edge")
    guess = (guess[:-2] + 2 * guess[1:-1] + guess[2:]) / 4  # so that no squares show
    guess = (guess[:, :-2] + 2 * guess[:, 1:-1] + guess[:, 2:]) / 4
    return np.where(known[:, :, None], picture, guess[:height, :width]).astype(np.float32)


def centre_hole(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    h, w = round(height * 3 / 8), round(width * 3 / 8)
    top, left = (height - h) // 2, (width - w) // 2
    mask[top : top + h, left : left + w] = 1
    return mask


def block_holes(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    side = min(height, width, 64)  # in a large picture, holes of the size that a crop has
    for _ in range(rng.integers(1, 5)):
        h, w = rng.integers(max(1, side // 12), max(2, side * 3 // 8 + 1), 2)
        top, left = rng.integers(0, max(1, height - h + 1)), rng.integers(0, max(1, width - w + 1))
        mask[top : top + h, left : left + w] = 1
    return mask


def scratches(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(1, 6)):
        point = rng.uniform(0, 1, 2) * (height, width)
        angle, thickness = rng.uniform(0, 2 * math.pi), rng.integers(1, 4)
        for _ in range(int(rng.uniform(0.5, 1.5) * max(height, width))):
            angle += rng.normal(0, 0.12)
            point += math.cos(angle), math.sin(angle)
            row, column = int(point[0]), int(point[1])
            if 0 <= row < height and 0 <= column < width:
                mask[row : row + thickness, column : column + thickness] = 1
    return mask


MASKS = {"centre": centre_hole, "blocks": block_holes, "scratches": scratches}


@dataclass(frozen=True)
class Downscale:
    """Each side ``factor`` times shorter, by one of the ``kernels``, which is drawn for each picture."""

    factor: int = 4
    kernels: tuple[str, ...] = ("box", "bicubic", "lanczos")

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise InputError(f"Downscale: factor {self.factor} must be at least 1")
        unknown = [kernel for kernel in self.kernels if kernel not in KERNELS]
        if unknown or not self.kernels:
            raise InputError(f"Downscale: kernels {self.kernels} must be some of {', '.join(KERNELS)}")

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = picture.shape[:2]
        size = max(1, height // self.factor), max(1, width // self.factor)
        return resample(picture, size, self.kernels[rng.integers(len(self.kernels))])


@dataclass(frozen=True)
class Enlarge:
    """Each side ``factor`` times longer, without anything new in it: for a network that keeps the size."""

    factor: int = 4
    kernel: str = "bicubic"

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = picture.shape[:2]
        return resample(picture, (height * self.factor, width * self.factor), self.kernel)


@dataclass(frozen=True)
class Grey:
    """The colour gone: (H, W, 3) -> (H, W, 1), the luminance 0.299 R + 0.587 G + 0.114 B."""

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return luminance(picture)[:, :, None]


def luminance(picture: np.ndarray) -> np.ndarray:
    """(H, W, C) -> (H, W), for C = 1 or 3"""
    return picture[:, :, 0] if picture.shape[2] == 1 else picture[:, :, :3] @ LUMA


# ---- resampling --------------------------------------------------------------------------------------------------


def resample(picture: np.ndarray, size: tuple[int, int], kernel: str = "bicubic") -> np.ndarray:
    """The picture (H, W, C) with another ``size`` = (height, width): each pixel a weighted mean, the kernel widened
    where the picture becomes smaller, so that nothing is skipped. The weights are those of Pillow's ``resize``."""
    rows, columns = (resampling(old, new, kernel) for old, new in zip(picture.shape[:2], size, strict=True))
    return np.asarray(np.einsum("oh,hwc,pw->opc", rows, picture, columns, optimize=True), np.float32)


@lru_cache(maxsize=64)
def resampling(old: int, new: int, kernel: str) -> np.ndarray:
    """The weights (new, old) of a side."""
    function, support = KERNELS[kernel]
    scale = max(old / new, 1.0)
    centres = (np.arange(new) + 0.5) * (old / new)
    distance = (np.arange(old) + 0.5 - centres[:, None]) / scale
    weights = np.where(np.abs(distance) <= support, function(distance), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    weights.flags.writeable = False
    return weights.astype(np.float32)


def cubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys 1981"""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "box": (lambda x: ((x > -0.5) & (x <= 0.5)).astype(float), 0.5),
    "bicubic": (cubic, 2.0),
    "lanczos": (lambda x: np.sinc(x) * np.sinc(x / 3), 3.0),
}


def check_range(name: str, low: float, high: float, least: float = 0.0) -> None:
    if not least <= low <= high < math.inf:
        raise InputError(f"{name} from {low} to {high}: expected a range of numbers from {least:g} up")
