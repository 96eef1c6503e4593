"""A table that shows itself: aligned columns in a terminal, HTML in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


class Table:
    """``headers`` and ``rows`` of text; columns of numbers stand to the right, but for the first ``names``.

    >>> Table(("layer", "parameters"), [("conv", "1,024"), ("norm", "64")], footer="1,088 in all")
    layer  parameters
    conv        1,024
    norm           64
    1,088 in all
    """

    def __init__(self, headers: Sequence[str], rows: Sequence[Sequence[str]], footer: str = "", names: int = 0) -> None:
        self.headers, self.rows, self.footer, self.names = headers, rows, footer, names

    def __repr__(self) -> str:
        lines = [self.headers, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headers))]
        right = [i >= self.names and self._is_numeric(i) for i in range(len(self.headers))]
        text = [
            "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(line, widths, right, strict=True))
            for line in lines
        ]
        return "\n".join(line.rstrip() for line in [*text, *([self.footer] if self.footer else [])])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in self.headers)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell).replace(' ', '&nbsp;')}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{escape(self.footer)}</p>"

    def _is_numeric(self, column: int) -> bool:
        cells = [row[column].replace(",", "") for row in self.rows]
        return bool(cells) and all(cell in ("", "view", "nan", "inf") or _is_number(cell) for cell in cells)


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip(" MGk%"))
    except ValueError:
        return False
    return True


def dims(shape: tuple[int, ...]) -> str:
    """(2, 3) -> "2x3"; a scalar is "()"."""
    return "x".join(map(str, shape)) or "()"
