"""Just enough SVG to draw boxes, curves and words, with no library."""

from __future__ import annotations

import os
from html import escape
from typing import Any

from ...files import check_suffix, write_atomically

INK, QUIET = "#1f2937", "#6b7280"  # of words
FILL = ("#dbeafe", "#ffedd5", "#ede9fe")  # forward, backward, double backward
LINE = ("#2563eb", "#ea580c", "#7c3aed")


class Drawing:
    """Shapes, drawn in the order they were added. In a notebook it shows itself."""

    def __init__(self) -> None:
        self.width, self.height = 0.0, 0.0
        self._parts: list[str] = []

    def grow(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def box(
        self, x: float, y: float, w: float, h: float, fill: str, stroke: str = "none", tip: str = "", **more: Any
    ) -> None:
        """A rectangle; ``tip`` shows when the mouse rests on it."""
        title = f"<title>{escape(tip)}</title>" if tip else ""
        settings = _attributes(
            {"x": x, "y": y, "width": max(w, 0), "height": h, "fill": fill, "stroke": stroke, **more}
        )
        self._parts.append(f"<rect {settings}>{title}</rect>")
        self.grow(x + w, y + h)

    def text(
        self, x: float, y: float, words: str, size: float = 11, fill: str = INK, anchor: str = "start", **more: Any
    ) -> None:
        settings = _attributes({"x": x, "y": y, "font-size": size, "fill": fill, "text-anchor": anchor, **more})
        self._parts.append(f"<text {settings}>{escape(words)}</text>")
        self.grow(x + (_width(words, size) if anchor == "start" else 0), y + 4)

    def path(self, d: str, stroke: str, **more: Any) -> None:
        self._parts.append(f"<path {_attributes({'d': d, 'fill': 'none', 'stroke': stroke, **more})}/>")

    def __str__(self) -> str:
        w, h = round(self.width + 16), round(self.height + 16)
        markers = "".join(
            f'<marker id="arrow{i}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
            f'<path d="M0,0.5 L8,4 L0,7.5 z" fill="{colour}"/></marker>'
            for i, colour in enumerate(LINE)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
            f'font-family="Helvetica, Arial, sans-serif"><defs>{markers}</defs>'
            f'<rect width="{w}" height="{h}" fill="white"/>' + "\n".join(self._parts) + "</svg>\n"
        )

    def _repr_svg_(self) -> str:
        return str(self)

    def save(self, path: str | os.PathLike[str] | None) -> Drawing:
        """Write it to ``path`` when there is one; the drawing itself."""
        if path is not None:
            check_suffix(path, ".svg")
            write_atomically(path, str(self).encode())
        return self


def fitting(words: str, width: float, size: float) -> str:
    """``words``, cut to what ``width`` has room for."""
    if _width(words, size) <= width:
        return words
    kept = int(width / (0.56 * size)) - 1
    return words[:kept] + "…" if kept > 0 else ""


def _width(words: str, size: float) -> float:
    return 0.56 * size * len(words)


def _attributes(settings: dict[str, Any]) -> str:
    shown = {k.replace("_", "-"): f"{v:.1f}" if isinstance(v, float) else v for k, v in settings.items()}
    return " ".join(f'{name}="{escape(str(value))}"' for name, value in shown.items())
