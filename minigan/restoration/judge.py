"""How good a network is at its task, beside what one would use instead: on pictures that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..data.degrade import Degradation, Downscale, GaussianNoise, Holes, Rain, resample
from ..errors import InputError
from ..metrics import patch_distance, psnr, ssim
from ..table import Table
from .restore import Restorer, to_bytes

JUDGED: dict[str, dict[str, Degradation]] = {  # what the tasks are judged at
    "denoise": {f"sigma {sigma}": GaussianNoise(sigma, sigma) for sigma in (25, 15, 50)},
    # Beyond the angles and the densities that are trained on: see tasks.py.
    "derain": {
        "little rain": Rain((18, 22), (0.8, 0.8), (16, 24), (0.6, 0.8), (0.88, 0.88)),
        "much rain": Rain((18, 22), (14, 14), (16, 24), (0.6, 0.8), (0.17, 0.17)),
    },
    "enlarge": {"4 times": Downscale(4, ("bicubic",))},
    "inpaint": {"hole 24x24 in 64x64": Holes(("centre",))},
}
CHANGED = 8  # grey levels by which a pixel's colour differs from the drawing's, to count as coloured
# A byte is known to half a grey level, so that no error is less; or one picture without any made a mean infinite.
ROUNDING = 1 / math.sqrt(12)
MOST = 20 * math.log10(255 / ROUNDING)  # dB


@dataclass(frozen=True)
class Case:
    """A picture to be judged by: what is given, uint8 (h, w, 3), the truth (H, W, 3) and, of some, where it counts."""

    given: np.ndarray
    truth: np.ndarray
    where: np.ndarray | None = None  # (H, W), True


Method = Callable[[Case], np.ndarray]
Row = dict[str, float]


def cases(task: str, damage: Degradation | None, pictures: Mapping[str, np.ndarray], seed: int) -> Iterator[Case]:
    """The damaged pictures; a stream of random numbers for each, so that one more changes none of the others."""
    for number, picture in enumerate(pictures.values()):
        rng = np.random.default_rng([seed, number])
        if task == "inpaint":
            for crop in crops(picture, 64):
                left = damage(crop / np.float32(255), rng)  # type: ignore[misc]
                yield Case(to_bytes(left[:, :, :3]), crop, left[:, :, 3] > 0)
            continue
        height, width = (side // 4 * 4 for side in picture.shape[:2])
        truth = picture[:height, :width]
        yield Case(to_bytes(damage(truth / np.float32(255), rng)), truth)  # type: ignore[misc]


def drawings(pictures: Mapping[str, np.ndarray], sources: Mapping[str, np.ndarray]) -> Iterator[Case]:
    """Drawings beside what they look like in colour."""
    for name, truth in pictures.items():
        given = np.broadcast_to(sources[name], truth.shape)
        differs = np.abs(truth.astype(int) - given).max(axis=2) > CHANGED
        if differs.any():
            yield Case(given, truth, differs)


def crops(picture: np.ndarray, side: int, rows: int = 3) -> Iterator[np.ndarray]:
    """``rows`` x ``rows`` squares, evenly spread; the picture itself where it is no larger."""
    height, width = (max(1, old - side + 1) for old in picture.shape[:2])
    tops, lefts = (sorted({round(i * (free - 1) / (rows - 1)) for i in range(rows)}) for free in (height, width))
    for top in tops:
        for left in lefts:
            yield picture[top : top + side, left : left + side]


def by_network(restorer: Restorer) -> Method:
    inpaints = restorer.task.source_channels == 4
    return lambda case: restorer.pixels(np.ascontiguousarray(case.given), case.where if inpaints else None)


def score(task: str, found: list[Case], method: Method) -> Row:
    """The means over the cases. Holes and drawings are judged only where something was to be done."""
    made = [method(case) for case in found]
    if task == "colorize":
        errors = [
            np.abs(picture.astype(float) - case.truth)[case.where].mean()
            for picture, case in zip(made, found, strict=True)
        ]
        return {"L1": float(np.mean(errors))}
    if task == "inpaint":
        inside = [
            math.sqrt(((picture.astype(float) - case.truth)[case.where] ** 2).mean())
            for picture, case in zip(made, found, strict=True)
        ]
        return {
            "PSNR in the hole": float(np.mean([20 * math.log10(255 / max(error, ROUNDING)) for error in inside])),
            "patch distance": patch_distance(*zip(*map(hole, made, found), strict=True)),
        }
    pairs = [(picture, case.truth) for picture, case in zip(made, found, strict=True)]
    return {
        "PSNR": float(np.mean([min(psnr(*pair), MOST) for pair in pairs])),
        "SSIM": float(np.mean([ssim(*pair) for pair in pairs])),
        "patch distance": patch_distance(*zip(*pairs, strict=True)),
    }


def hole(picture: np.ndarray, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """The hole alone, and what belongs there."""
    assert case.where is not None
    rows, columns = np.flatnonzero(case.where.any(axis=1)), np.flatnonzero(case.where.any(axis=0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return picture[part], case.truth[part]


# ---- what one would use instead ----------------------------------------------------------------------------------


def baselines(task: str, found: list[Case]) -> dict[str, Method]:
    """By name. Those of scikit-image and OpenCV need the extra "restore"; BM3D is one where it is installed."""
    if task == "enlarge":
        return {kernel: enlarged_by(kernel) for kernel in ("bicubic", "lanczos")}
    if task == "colorize":
        colour = np.median(np.concatenate([case.truth[case.where] for case in found]), axis=0)

        def constant(case: Case) -> np.ndarray:
            assert case.where is not None
            return np.where(case.where[:, :, None], np.rint(colour), case.truth).astype(np.uint8)

        return {"as it is": lambda case: case.given, "best constant colour": constant}
    try:
        import cv2
        from scipy import ndimage
        from skimage import restoration
    except ImportError as error:
        raise InputError(
            f'the baselines of {task} need {error.name}: pip install "minigan[restore]", or use --no-baselines'
        ) from None

    try:
        import bm3d  # not in the extra: its licence is for research only
    except ImportError:
        bm3d = None

    def scaled(function: Callable[[np.ndarray], np.ndarray]) -> Method:
        return lambda case: to_bytes(function(case.given / np.float32(255)))

    def nonlocal_means(picture: np.ndarray) -> np.ndarray:
        sigma = noise_of(picture)
        return restoration.denoise_nl_means(
            picture, patch_size=5, patch_distance=6, h=0.6 * sigma, sigma=sigma, channel_axis=2
        )

    median: Method = lambda case: ndimage.median_filter(case.given, (3, 3, 1))  # noqa: E731
    if task == "denoise":
        return {
            "as it is": lambda case: case.given,
            "median 3x3": median,
            "Gaussian, sigma 1": lambda case: ndimage.gaussian_filter(case.given, (1, 1, 0)),
            "total variation, weight 0.1": scaled(lambda p: restoration.denoise_tv_chambolle(p, 0.1, channel_axis=2)),
            "non-local means": scaled(nonlocal_means),
            **({"BM3D": scaled(lambda p: bm3d.bm3d_rgb(p, noise_of(p)))} if bm3d else {}),
        }
    if task == "derain":
        return {
            "as it is": lambda case: case.given,
            "median 3x3": median,
            "opening 3x3": lambda case: ndimage.grey_opening(case.given, (3, 3, 1)),
        }

    def telea(case: Case) -> np.ndarray:
        assert case.where is not None
        return cv2.inpaint(np.ascontiguousarray(case.given), case.where.astype(np.uint8), 3, cv2.INPAINT_TELEA)

    return {"Telea, radius 3": telea, "the guess it starts from": lambda case: case.given}


def noise_of(picture: np.ndarray) -> float:
    """The strength of the noise in a picture (H, W, C), by Immerkaer 1996."""
    second = picture[2:] - 2 * picture[1:-1] + picture[:-2]
    second = second[:, 2:] - 2 * second[:, 1:-1] + second[:, :-2]
    return math.sqrt(math.pi / 2) / 6 * float(np.abs(second).mean())


def enlarged_by(kernel: str) -> Method:
    return lambda case: to_bytes(resample(case.given / np.float32(255), case.truth.shape[:2], kernel))


def table(rows: Mapping[str, Row]) -> Table:
    names = list(next(iter(rows.values())))
    shown = [
        (method, *(f"{row[name]:.3f}" if name == "SSIM" else f"{row[name]:.2f}" for name in names))
        for method, row in rows.items()
    ]
    return Table(("", *names), shown, names=1)
