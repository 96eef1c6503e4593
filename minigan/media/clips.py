"""Clips: an animation in which all of them play, and strips of their frames beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import viz
from .medium import Medium

SHOWN = 6  # frames of a clip in a picture of many
STRIPS = 16  # clips in the picture of all frames
SECONDS = 0.1  # a frame
SIDE = 64  # pixels that a clip is enlarged to in an animation, where it is smaller


class Clips(Medium):
    """Clips (N, T, C, H, W) in [-1, 1]"""

    noun, suffix = "clips", ".gif"

    def picture(self, samples: np.ndarray, columns: int | None = None) -> viz.Picture:
        """Of each clip ``SHOWN`` frames, evenly spaced, from left to right."""
        times = np.unique(np.linspace(0, samples.shape[1] - 1, SHOWN).round().astype(int))
        return viz.grid(strips(samples[:, times]), columns)

    def one(self, sample: np.ndarray) -> viz.Picture:
        """All frames from left to right."""
        return viz.grid(strips(sample[None]), padding=0)

    def save(self, path: Path, samples: np.ndarray, columns: int | None = None) -> list[Path]:
        """The animation as ``path``; beside it a .png that has all frames of the first clips, a row each."""
        path, strip = path.with_suffix(self.suffix), path.with_suffix(".png")
        viz.save_gif(path, self.frames(samples, columns), seconds=SECONDS * samples.shape[1], rest=False)
        viz.save_png(strip, viz.grid(samples[:STRIPS].reshape(-1, *samples.shape[2:]), samples.shape[1]))
        return [path, strip]

    def frames(self, samples: np.ndarray, columns: int | None = None) -> list[viz.Picture]:
        """A picture of all clips at each time."""
        factor = max(1, SIDE // min(samples.shape[3:]))
        enlarged = samples.repeat(factor, 3).repeat(factor, 4)
        return [viz.grid(enlarged[:, time], columns) for time in range(samples.shape[1])]


def strips(clips: np.ndarray) -> np.ndarray:
    """(N, T, C, H, W) -> (N, C, H, T W), frame beside frame"""
    count, frames, channels, height, width = clips.shape
    return clips.transpose(0, 2, 3, 1, 4).reshape(count, channels, height, frames * width)
