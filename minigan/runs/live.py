"""A run in a notebook: a progress bar, the curves and the newest grid, drawn anew in their place. IPython is enough."""

from __future__ import annotations

import base64
import html
import sys
import time
from typing import Any

from .charts import colours
from .report import charts

SECONDS = 1.0  # between two drawings
STYLE = (
    colours(".minigan-live ")
    + """
.minigan-live { font: 14px/1.4 system-ui, sans-serif; max-width: 62rem }
.minigan-live progress { width: 100% } .minigan-live img { image-rendering: pixelated; max-height: 22rem }
.minigan-live .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem }
.minigan-live figure { margin: .5rem 0 } .minigan-live figcaption { display: flex; flex-wrap: wrap; gap: 0 1rem }
.minigan-live .key { color: var(--line) }
.minigan-live svg text { font-size: 11px; fill: currentColor } .minigan-live .grid { stroke: #8884 }
.minigan-live .level, .minigan-live .mark { stroke: #888; stroke-dasharray: 2 3 }
"""
)


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel: IPython's shell in a terminal is none."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return getattr(found, "kernel", None) is not None


class Live:
    """What a ``Run`` tells its progress bar, shown as HTML. Takes the place of tqdm's bar, whose methods these are."""

    def __init__(self, run: Any) -> None:
        from IPython.display import HTML, display

        self.run, self.word, self.postfix, self.lines = run, "", "", ""
        self.make = HTML
        self.drawn = time.monotonic()
        self.handle: Any = display(HTML(self.page()), display_id=True)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.draw()

    def set_description(self, text: str) -> None:
        self.word = text

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        self.postfix = text

    def update(self) -> None:
        if time.monotonic() - self.drawn > SECONDS:
            self.draw()

    def write(self, text: str, file: Any = None) -> None:
        self.lines += f"{text}\n"

    def draw(self) -> None:
        self.handle.update(self.make(self.page()))
        self.drawn = time.monotonic()

    def page(self) -> str:
        """The whole of it: nothing in it refers to anything else."""
        run, step = self.run, self.run.trainer.step_count
        told = html.escape(f"{self.word}  step {step:,} of {run.total:,}  {self.postfix}")
        history, frames = run.journal.history, run.frames()
        curves = charts(history, run.journal.alarms) if history.get("step") else ""
        picture = ""
        if frames:
            content = base64.b64encode(list(frames.values())[-1].read_bytes()).decode()
            picture = f'<img alt="samples at step {max(frames)}" src="data:image/png;base64,{content}">'
        lines = f"<pre>{html.escape(self.lines)}</pre>" if self.lines else ""
        return (
            f'<div class="minigan-live"><style>{STYLE}</style><progress max="{run.total}" value="{step}"></progress>'
            f"<div>{told}</div>{lines}{picture}{curves}</div>"
        )
