"""What a picture can need: each task says how it is learned, which is by doing the damage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..data.degrade import Compose, Degradation, Downscale, Enlarge, GaussianNoise, Grey, Holes, OneOf, Rain, ShotNoise


@dataclass(frozen=True, kw_only=True)
class Task:
    """A kind of damage.

    degrade    does it, of every strength that the network is to know
    source_channels   of what is left: 1 without colour, 4 with a mask
    scale      how many times longer the result's sides are
    model      the network that is trained for it when none is named, with ``settings`` of its own
    crop       pixels a side of what it is trained on
    drawn      whether pictures of both kinds can be given instead of the damage being done
    """

    name: str
    summary: str
    degrade: Degradation
    source_channels: int = 3
    scale: int = 1
    model: str = "dncnn"
    settings: dict[str, Any] = field(default_factory=dict)
    crop: int = 48
    drawn: bool = False

    def architecture(self, model: str, scales: bool, width: int | None) -> dict[str, Any]:
        """What ``gan.build`` makes the networks of."""
        own = {"model": model, "channels": 3, "source_channels": self.source_channels}
        if scales:
            own["scale"] = self.scale
        if model == self.model:
            own |= self.settings
        return own | ({"width": width} if width else {})

    def damage(self, scales: bool) -> Degradation:
        """``degrade``; for a network that keeps the size, the small picture enlarged as any program would."""
        return self.degrade if scales or self.scale == 1 else Compose(self.degrade, Enlarge(self.scale))


# Nearly every way that rain can fall, and as much of it as can; by what is left out it is judged, see judge.py.
RAIN = OneOf(
    *(
        Rain(angles, densities, opacities=opacities)
        for angles in ((-80.0, 15.0), (25.0, 80.0))
        for densities, opacities in (
            ((0.2, 0.6), (0.3, 1.0)),  # a few bright streaks
            ((1.0, 12.0), (0.08, 0.8)),
            ((16.0, 20.0), (0.05, 0.4)),  # a curtain of faint ones
        )
    )
)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="denoise",
            summary="noise taken out, of whatever strength it is",
            degrade=OneOf(GaussianNoise(0, 50), GaussianNoise(0, 50), GaussianNoise(0, 50), ShotNoise(30, 1000)),
            model="drunet",
        ),
        Task(name="derain", summary="rain taken out", degrade=RAIN),
        Task(name="enlarge", summary="four times as large", degrade=Downscale(4), scale=4, model="srgan", crop=64),
        Task(
            name="inpaint",
            summary="holes and scratches filled, where a mask says that they are",
            degrade=Holes(),
            source_channels=4,
            model="context_encoder",
            crop=64,
        ),
        Task(
            name="colorize",
            summary="a black and white drawing coloured",
            degrade=Grey(),
            source_channels=1,
            model="pix2pix",
            crop=64,
            drawn=True,
        ),
    )
}
