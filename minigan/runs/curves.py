"""curves.png: the losses and beliefs of a run, with its alarms, by matplotlib."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence

from ..files import check_suffix, write_atomically
from ..gan.health import Alarm
from ..viz import smooth
from .journal import measured

BELIEFS = ("d_real", "d_fake")
ALONE = {  # what is measured, each on a scale of its own
    "psnr": "peak signal-to-noise ratio, dB",
    "returns": "what returns of a picture",
    "changed": "share of pixels that an edit changes",
    "motion": "motion of generated clips",
}
NO_LOSSES = ("step", *BELIEFS, "penalty", "spread", "frechet", *ALONE)
LABELS = {"d_loss": "discriminator", "g_loss": "generator", "d_real": "D(x)", "d_fake": "D(G(z))"}


def save_curves(
    path: str | os.PathLike[str], history: Mapping[str, Sequence[float]], alarms: Sequence[Alarm] = ()
) -> None:
    """Draw the losses, D(x) and D(G(z)) around the 0.5 that a perfect forger would force on D, and what was measured.

    ``history`` has equally long lists under "step" and the names of a record's values, and "frechet" if that was
    measured. What it has not is not drawn. Each alarm becomes a mark.
    """
    from matplotlib.figure import Figure

    check_suffix(path, ".png")
    steps, distances = measured(history)
    every = {
        "losses": losses_in(history),
        "what D believes of real and of generated images": BELIEFS,
        **{title: (name,) for name, title in ALONE.items()},
    }
    drawn = {title: known for title, names in every.items() if (known := [name for name in names if name in history])}
    panels = len(drawn) + bool(steps)
    figure = Figure(figsize=(5 * panels, 3.6), layout="constrained")
    places = figure.subplots(1, panels, squeeze=False)[0]
    if steps:
        axes = places[-1]
        axes.plot(steps, distances, "o-", color="tab:green", markersize=3)
        axes.set(title="Fréchet distance", xlabel="step", ylim=(0, None))
        axes.grid(alpha=0.3)
    for axes, (title, names) in zip(places, drawn.items(), strict=False):
        for number, name in enumerate(names):
            colour = f"C{number}"  # matplotlib's own, however many
            axes.plot(history["step"], history[name], color=colour, alpha=0.2, linewidth=0.8)
            axes.plot(history["step"], smooth(history[name]), color=colour, label=LABELS.get(name, name))
        for alarm in alarms:
            axes.axvline(alarm.step, color="tab:red", linewidth=1, alpha=0.7)
            place = {"xy": (alarm.step, 0.02), "xycoords": ("data", "axes fraction")}
            axes.annotate(alarm.kind, **place, rotation=90, fontsize=7, color="tab:red", ha="right", va="bottom")
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
        if names[0] in BELIEFS and are_probabilities(history):
            axes.axhline(0.5, color="grey", linestyle="--", linewidth=1, label="cannot tell")
            axes.set_ylim(0, 1)
        if names[0] not in ALONE:
            axes.legend(loc="upper right")  # "best" would search all points, and warn of taking long
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    write_atomically(path, buffer.getvalue())


def are_probabilities(history: Mapping[str, Sequence[float]]) -> bool:
    """Whether D's outputs lie between 0 and 1; those of a critic are scores of any size."""
    return not any(value < 0 or value > 1 for name in ("d_real", "d_fake") for value in history.get(name, ()))


def losses_in(history: Mapping[str, Sequence[float]]) -> list[str]:
    """What is drawn as a loss: each player's, and terms beside it.

    >>> losses_in({"step": [1], "d_loss": [1.4], "g_loss": [0.7], "d_grad": [0.1], "l1": [3.0], "penalty": [0.0]})
    ['d_loss', 'g_loss', 'l1']
    """
    return [
        name
        for name, values in history.items()
        if name.endswith("_loss") or not (name in NO_LOSSES or name.endswith("_grad") or not any(values))
    ]
