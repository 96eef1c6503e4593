"""The two pictures that the benchmarks draw: bars with whiskers from quartile to quartile, and lines in log-log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from .harness import UNITS, Row, title

OWN, FIRST, OTHER = "#1f77b4", "#e08214", "#9a9a9a"  # minigan, the best PyTorch, the rest


def bars(path: str, rows: list[Row]) -> None:
    """A panel a row, a bar a contender: shorter is better. The number says how many times minigan's it is."""
    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    tallest = max(len(row["spread"]) for row in rows)
    figure = Figure(figsize=(4.4 * columns, (0.34 * tallest + 0.75) * lines), layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes, row in zip(panels, rows, strict=False):
        panel(axes, row)
    for axes in panels[len(rows) :]:
        axes.set_visible(False)
    figure.savefig(path, dpi=130)


def panel(axes: Any, row: Row) -> None:
    factor, unit = UNITS[row.get("measure", "seconds")]
    names = list(row["spread"])
    spread = [row["spread"][name] for name in names]
    own = row["spread"].get("minigan", spread[0])["median"]
    labels = [name if name == "minigan" else f"{name}  {s['median'] / own:.2f}x" for name, s in row["spread"].items()]
    widths = [s["median"] * factor for s in spread]
    whiskers = [[(s["median"] - s["q1"]) * factor for s in spread], [(s["q3"] - s["median"]) * factor for s in spread]]
    colours = [
        OWN if name.startswith("minigan") else FIRST if name == row.get("best_torch") else OTHER for name in names
    ]
    axes.barh(labels, widths, color=colours, height=0.7, xerr=whiskers, error_kw={"linewidth": 1, "alpha": 0.6})
    axes.invert_yaxis()
    axes.set_title(f"{title(row)} ({unit})", fontsize=9, loc="left")
    bare(axes)


def curves(path: str, panels: Iterable[tuple[str, str, list[float], dict[str, tuple[list[float], str]]]]) -> None:
    """Log-log panels (xlabel, ylabel, xs, {name: (ys, label)}), filled column by column in two lines."""
    drawn = list(panels)
    columns = -(-len(drawn) // 2)
    figure = Figure(figsize=(3.5 * columns, 6), layout="constrained")
    for axes, (xlabel, ylabel, xs, lines) in zip(figure.subplots(2, columns, squeeze=False).T.flat, drawn, strict=True):
        for name, (ys, label) in lines.items():
            axes.loglog(xs, ys, "o-", color=OWN if name == "minigan" else FIRST, markersize=3.5, label=label)
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        axes.minorticks_off()
        axes.set_xlabel(xlabel, fontsize=9)
        axes.set_ylabel(ylabel, fontsize=9)
        axes.legend(fontsize=7, frameon=False)
        axes.grid(alpha=0.25)
        bare(axes)
    figure.savefig(path, dpi=130)


def bare(axes: Any) -> None:
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
