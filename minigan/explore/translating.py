"""A picture through a network that takes one: part by part where that fits together, whole where it does not."""

from __future__ import annotations

import numpy as np

from .. import gan
from ..data.degrade import Compose
from ..errors import InputError
from ..export import Subject
from ..restoration import TASKS, Task
from ..restoration.restore import TILE, Restorer, to_bytes


class PictureTranslator:
    """``translator(pixels)`` is uint8 (H, W, C), of uint8 (H, W, takes); ``about`` is what a page must know of it.

    A network of a task is used as ``minigan restore`` uses it. One that sees all of a picture at once, as one with
    instance norm does, is given it whole.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        given = subject.inputs(1, np.random.default_rng(0))["picture"]
        made = subject(given)[0]
        model, trained = gan.PAIRED.get(subject.name), TASKS.get(subject.architecture.get("task", ""))
        grown = made.shape[1] // given.shape[2]
        channels = given.shape[1]
        self.restorer = None
        self.takes = 1 if model is None and channels == 1 else 3  # channels of the pixels that it is called with
        if model is not None:
            own = Task(name=subject.name, summary="", degrade=Compose(), source_channels=channels, scale=grown)
            self.restorer = Restorer(trained or own, model, subject.network)
        times = grown if self.restorer is None else self.restorer.task.scale
        self.about = {
            "channels": channels,
            "mask": channels == made.shape[0] + 1,
            "scale": times,
            "enlarge": times // grown,  # what is to be done before the network, which keeps the size
            "whole": subject.architecture.get("whole"),  # the side of the squares that it learned from, if it did
            "multiple": subject.step,  # what the network mirrors a picture's sides up to
            "tiles": None if model is None else {"tile": TILE, "reach": model.reach, "step": model.step},
        }

    def __call__(self, pixels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """``mask`` (H, W) is True where the picture is missing, for a network that fills holes."""
        if self.about["mask"]:
            check_mask(mask, pixels)
        if self.restorer is not None:
            return self.restorer.pixels(pixels, mask if self.about["mask"] else None)
        made = self.subject(pixels.transpose(2, 0, 1)[None] / np.float32(127.5) - 1)[0]
        return to_bytes((made.transpose(1, 2, 0) + 1) / 2)


def check_mask(mask: np.ndarray | None, pixels: np.ndarray) -> None:
    if mask is None or not mask.any():
        raise InputError("say what is missing: paint over it, or open a mask")
    if mask.shape != pixels.shape[:2]:
        sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in (mask, pixels)]
        raise InputError(f"the mask has {sizes[0]} pixels, the picture {sizes[1]}: open one of its size")
    if mask.all():
        raise InputError("all of the picture is painted over: there is nothing left to go by")
