"""Pictures of a run: what every layer holds and hears, how loud its gradient is, what D makes of walks through z;
and, in the plane, D's landscape with the arrows along which it pushes G's samples.

A probe works on copies of the networks, so that a watched training is, bit for bit, the same as another.
"""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import viz
from ..data.mixtures import Mixture
from ..gan import generate
from ..gan.game import TwoPlayer
from ..gan.trainer import Trainer
from ..nn import Module
from ..tensor import Tensor, grad, no_grad
from ..viz import smooth
from .tracing import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILES = 16  # channels shown of a layer
PLAYERS = {"G": "tab:blue", "D": "tab:orange"}


@dataclass(frozen=True)
class Layer:
    """A layer with a weight, and what a probe found there: for the first sample its activation, and the gradient of its
    player's loss with respect to that and to the weight. ``norm`` is the Euclidean norm of the weight's gradient."""

    name: str
    weight: np.ndarray
    activation: np.ndarray
    gradient: np.ndarray
    norm: float


@dataclass(frozen=True)
class Glimpse:
    """Everything that one probe saw."""

    step: int
    layers: tuple[Layer, ...]
    d_real: float
    d_fake: float


class _Listener(Trace):
    """A trace that keeps the weight of each layer that has one, and what it put out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.heard: list[tuple[str, Tensor, Tensor]] = []

    def call(self, module: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        path = self._path(module)
        output = super().call(module, inputs, settings)
        held = vars(module)  # where a spectrally normalised layer has its weight under another name
        weight = held["parametrizations"].weight.original if "parametrizations" in held else held.get("weight")
        if isinstance(weight, Tensor) and weight.ndim > 1:
            self.heard.append((path, weight, output))
        return output


def probe(trainer: Trainer[TwoPlayer], real: Tensor, z: Tensor, *given: Any) -> Glimpse:
    """What every layer of G does on ``z``, and every layer of D on the fakes, at this moment of the run."""
    generator, discriminator = copy.deepcopy((trainer.game.generator, trainer.game.discriminator))
    modules = {"G": generator, "D": discriminator}
    objective = trainer.game.objective
    listener = _Listener(modules)
    with listener:
        fake = generator(z, *given)
        fake_logits = discriminator(fake, *given)
    real_logits = discriminator(real, *given)
    g_loss = objective.g_loss(fake_logits, real_logits, *given)
    d_loss = objective.d_loss(real_logits, fake_logits, *given)
    layers = []
    for player, loss in (("G", g_loss), ("D", d_loss)):
        own = [h for h in listener.heard if h[0].startswith(player)]
        wanted = [t for _, weight, output in own for t in (weight, output)]
        found = grad(loss, wanted, retain_graph=True)
        for (name, weight, output), of_weight, of_output in zip(own, found[::2], found[1::2], strict=True):
            host = [np.array(t.numpy()) for t in (weight, output, of_output, of_weight)]
            layers.append(Layer(name, host[0], host[1][0], host[2][0], float(np.linalg.norm(host[3]))))
    with no_grad():
        beliefs = [float(objective.belief(logits).numpy().mean()) for logits in (real_logits, fake_logits)]
    return Glimpse(trainer.step_count, tuple(layers), *beliefs)


# ---- the layers ----------------------------------------------------------------------------------


def draw_layers(glimpse: Glimpse) -> np.ndarray:
    """A column for each layer, from z to D's verdict: its weight, its activation, the gradient that comes back."""
    count = len(glimpse.layers)
    figure = _figure(1.55 * count + 0.5, 5.6)
    panels = figure.subplots(3, count, squeeze=False)
    for column, layer in enumerate(glimpse.layers):
        rows = (("weights", layer.weight), ("activations", layer.activation), ("gradients", layer.gradient))
        for row, (what, array) in enumerate(rows):
            axes = panels[row][column]
            picture = mosaic(array)
            largest = float(np.abs(picture[np.isfinite(picture)]).max(initial=0.0)) or 1.0
            axes.imshow(picture, cmap=("RdBu_r", "PuOr_r", "PiYG_r")[row], vmin=-largest, vmax=largest)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color(PLAYERS[layer.name[0]])
            axes.set_xlabel(f"size {np.sqrt(np.mean(array**2)):.2g}", fontsize=7.5, labelpad=2)
            if column == 0:
                axes.set_ylabel(what, fontsize=10)
        panels[0][column].set_title(
            layer.name, fontsize=10 if len(layer.name) < 10 else 8, color=PLAYERS[layer.name[0]]
        )
    figure.suptitle(
        f"step {glimpse.step}: z goes in on the left, D's verdict comes out on the right, gradients come back",
        fontsize=10,
    )
    return _pixels(figure)


def mosaic(array: np.ndarray) -> np.ndarray:
    """The first channels (or filters) of a layer side by side, with NaN between them; of a matrix, a corner.

    >>> mosaic(np.ones((4, 3, 3))).shape, mosaic(np.ones(100)).shape, mosaic(np.ones((500, 30))).shape
    ((7, 7), (10, 10), (30, 30))
    """
    if array.ndim == 1 or (array.ndim == 2 and min(array.shape) < 8):  # a vector, or a few, as a square
        array = array.reshape(-1)
        side = math.isqrt(max(array.size - 1, 0)) + 1
        square = np.full(side * side, np.nan)
        square[: array.size] = array
        return square.reshape(side, side)
    if array.ndim == 2:
        side = min(*array.shape, 64)
        return array[:side, :side].astype(float)
    tiles = array.reshape(-1, *array.shape[-2:])[:TILES]
    columns = math.isqrt(len(tiles) - 1) + 1
    rows = -(-len(tiles) // columns)
    height, width = tiles.shape[1:]
    canvas = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        canvas[row * (height + 1) :, column * (width + 1) :][:height, :width] = tile
    return canvas


def draw_norms(glimpses: Sequence[Glimpse]) -> np.ndarray:
    """The norm of each weight's gradient through time, G's layers and D's."""
    figure = _figure(10, 3.6)
    names = [layer.name for layer in glimpses[0].layers]
    steps = [glimpse.step for glimpse in glimpses]
    for axes, player in zip(figure.subplots(1, 2, sharey=True), PLAYERS, strict=True):
        own = [i for i, name in enumerate(names) if name.startswith(player)]
        for rank, i in enumerate(own):
            shade = 0.35 + 0.65 * (rank + 1) / len(own)  # the layer next to the pixels is the palest in D
            norms = [max(glimpse.layers[i].norm, 1e-12) for glimpse in glimpses]
            axes.plot(steps, norms, color=PLAYERS[player], alpha=shade, label=names[i], linewidth=1.6)
        axes.set(yscale="log", xlabel="step", title=f"{player}: norm of each weight's gradient")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right", fontsize=8)
    return _pixels(figure)


def draw_walks(trainer: Trainer[TwoPlayer], z: np.ndarray, steps: int = 12) -> np.ndarray:
    """A row for each pair of latents: the walk between them, and what D believes of every image on the way."""
    rows = len(z) // 2
    figure = _figure(9, 1.75 * rows + 0.5)
    panels = figure.subplots(2 * rows, 1, squeeze=False, gridspec_kw={"height_ratios": [1.0, 0.8] * rows})[:, 0]
    discriminator = copy.deepcopy(trainer.game.discriminator).eval()
    for row in range(rows):
        images = generate(trainer.game.generator, viz.interpolate(z[2 * row], z[2 * row + 1], steps))
        with no_grad():
            logits = discriminator(Tensor(discriminator.backend.asarray(images.astype(discriminator.dtype))))
            belief = trainer.game.objective.belief(logits).numpy().reshape(-1)
        strip, curve = panels[2 * row], panels[2 * row + 1]
        strip.imshow(viz.grid(images, columns=steps, padding=1), cmap="gray", vmin=0, vmax=255)
        strip.set(xticks=[], yticks=[])
        ticks = np.arange(steps) + 0.5
        curve.fill_between(ticks, 0, belief, color="tab:orange", alpha=0.25)
        curve.plot(ticks, belief, "o-", color="tab:orange", markersize=3)
        curve.set(xlim=(0, steps), xticks=[])
        curve.tick_params(labelsize=7)
        curve.set_ylabel("D(G(z))", fontsize=8)
        if belief.min() >= 0 and belief.max() <= 1:
            curve.set_ylim(0, 1)
            curve.axhline(0.5, color="grey", linestyle="--", linewidth=0.8)
    figure.suptitle(f"step {trainer.step_count}: walks from one z to another, and D's decision on the way", fontsize=10)
    return _pixels(figure)


# ---- the plane -----------------------------------------------------------------------------------


def draw_plane(
    trainer: Trainer[TwoPlayer],
    mixture: Mixture,
    real: np.ndarray,
    z: np.ndarray,
    beliefs: Sequence[tuple[int, float, float]],
) -> np.ndarray:
    """D's belief as a landscape, real and generated points on it, and where D's slope pushes the latter."""
    reach = float(np.abs(mixture.centres).max()) * 1.7
    ticks = np.linspace(-reach, reach, 61)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    with no_grad():
        height = trainer.game.objective.belief(_score(trainer.game.discriminator, points)).numpy().reshape(61, 61)
    fake = generate(trainer.game.generator, z, batch_size=len(z))
    placed = Tensor(trainer.game.discriminator.backend.asarray(fake.astype(np.float32)), requires_grad=True)
    logits = trainer.game.discriminator(placed)
    (slope,) = grad(trainer.game.objective.g_loss(logits, None), [placed])
    push = -np.array(slope.numpy()) * len(z)

    figure = _figure(10, 4.6)
    plane, curve = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.15, 1]})
    levels = np.linspace(0, 1, 21) if height.min() >= 0 and height.max() <= 1 else 21
    colours = plane.contourf(ticks, ticks, height, levels=levels, cmap="RdYlBu", alpha=0.85)
    figure.colorbar(colours, ax=plane, label="D: real above, forged below", shrink=0.85)
    plane.scatter(*real.T, s=5, color="black", alpha=0.5, label="real")
    plane.scatter(*fake.T, s=9, color="white", edgecolors="black", linewidths=0.5, label="G(z)")
    some = slice(0, 60)
    length = np.linalg.norm(push[some], axis=1, keepdims=True)
    arrows = push[some] / np.maximum(length, 1e-12) * np.minimum(length, 1.0) * reach * 0.22
    plane.quiver(*fake[some].T, *arrows.T, angles="xy", scale_units="xy", scale=1, width=0.004, color="#7c3aed")
    plane.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    plane.set_title(f"step {trainer.step_count}: arrows show where G is pushed", fontsize=10)
    plane.legend(loc="upper right", fontsize=8)
    _belief_curve(curve, beliefs)
    return _pixels(figure)


def _belief_curve(axes: Axes, beliefs: Sequence[tuple[int, float, float]]) -> None:
    steps, of_real, of_fake = zip(*beliefs, strict=True) if beliefs else ((0,), (math.nan,), (math.nan,))
    axes.plot(steps, smooth(of_real), color="tab:blue", label="D(x)")
    axes.plot(steps, smooth(of_fake), color="tab:orange", label="D(G(z))")
    axes.axhline(0.5, color="grey", linestyle="--", linewidth=1)
    axes.set(xlabel="step", ylim=(0, 1), title="what D believes")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", fontsize=8)


def _score(discriminator: Module, points: np.ndarray) -> Tensor:
    return discriminator(Tensor(discriminator.backend.asarray(points.astype(np.float32))))


# ---- matplotlib ----------------------------------------------------------------------------------


def _figure(width: float, height: float) -> Figure:
    """A figure of so many inches, without the global state of pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _pixels(figure: Figure) -> np.ndarray:
    """The figure as a picture, (height, width, 3)"""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB"))
