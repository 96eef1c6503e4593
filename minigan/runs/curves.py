"""curves.png: the losses and beliefs of a training, with its alarms, by matplotlib."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence

import numpy as np

from ..files import check_suffix, write_atomically
from ..gan.health import Alarm
from .journal import measured


def save_curves(
    path: str | os.PathLike[str], history: Mapping[str, Sequence[float]], alarms: Sequence[Alarm] = ()
) -> None:
    """Draw the losses, D(x) and D(G(z)) around the 0.5 that a perfect forger would force on D, and Frechet distances.

    ``history`` has equally long lists under "step", "d_loss", "g_loss", "d_real", "d_fake", and "frechet" if that was
    measured. Each alarm becomes a mark.
    """
    from matplotlib.figure import Figure

    check_suffix(path, ".png")
    steps, distances = measured(history)
    panels = 3 if steps else 2
    figure = Figure(figsize=(5 * panels, 3.6), layout="constrained")
    losses, beliefs, *others = figure.subplots(1, panels)
    for axes in others:
        axes.plot(steps, distances, "o-", color="tab:green", markersize=3)
        axes.set(title="Fréchet distance", xlabel="step", ylim=(0, None))
        axes.grid(alpha=0.3)
    for axes, names in ((losses, ("d_loss", "g_loss")), (beliefs, ("d_real", "d_fake"))):
        labels = {"d_loss": "discriminator", "g_loss": "generator", "d_real": "D(x)", "d_fake": "D(G(z))"}
        for name, colour in zip(names, ("tab:blue", "tab:orange"), strict=True):
            axes.plot(history["step"], history[name], color=colour, alpha=0.2, linewidth=0.8)
            axes.plot(history["step"], smooth(history[name]), color=colour, label=labels[name])
        for alarm in alarms:
            axes.axvline(alarm.step, color="tab:red", linewidth=1, alpha=0.7)
            place = {"xy": (alarm.step, 0.02), "xycoords": ("data", "axes fraction")}
            axes.annotate(alarm.kind, **place, rotation=90, fontsize=7, color="tab:red", ha="right", va="bottom")
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    losses.set_title("losses")
    losses.legend(loc="upper right")  # "best" would search all points, and warn of taking long
    beliefs.set_title("what D believes of real and of generated images")
    if are_probabilities(history):
        beliefs.axhline(0.5, color="grey", linestyle="--", linewidth=1, label="cannot tell")
        beliefs.set_ylim(0, 1)
    beliefs.legend(loc="upper right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    write_atomically(path, buffer.getvalue())


def are_probabilities(history: Mapping[str, Sequence[float]]) -> bool:
    """Whether D's outputs lie between 0 and 1; those of a critic are scores of any size."""
    return not any(value < 0 or value > 1 for name in ("d_real", "d_fake") for value in history[name])


def smooth(values: Sequence[float], share: float = 0.02) -> np.ndarray:
    """The mean over a window of ``share`` of the whole (at least one value), centred, shorter at the ends.

    NaNs, such as G's loss before its first step, do not count; where there is nothing else the mean is NaN.
    """
    half = int(len(values) * share / 2)
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    count = counts[high] - counts[low]
    return np.where(count, sums[high] - sums[low], np.nan) / np.maximum(count, 1)
