"""A run as one HTML page that opens from the disk: curves, alarms, sample grids through time, configuration."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..checkpoint import Checkpoints
from ..errors import InputError
from ..files import numbered, write_atomically
from ..gan import EDITORS, PAIRED, UNPAIRED
from ..gan.health import WINDOW, Alarm
from ..media.page import TYPES, as_html
from .charts import Line, chart, colours, style
from .curves import are_probabilities, losses_in
from .journal import measured, read_journal

TEMPLATE = Path(__file__)  # beside it: the page, its style and its script
SHOWN = {  # what the frames are of, where it is not latents
    **dict.fromkeys(PAIRED, "pictures (source, result and truth side by side)"),
    **dict.fromkeys(UNPAIRED, "pictures (each beside what it becomes and what comes back, of both kinds)"),
    **dict.fromkeys(EDITORS, "pictures (each as it is, then with every value of every attribute)"),
}
STRIP = 6  # pictures in a row, from the first to the last


def write_report(out: Path, target: Path) -> None:
    """Write the page about the run in the folder ``out`` to ``target``."""
    journal = out / "metrics.jsonl"
    if not journal.is_file():
        raise InputError(f"{out} holds no run: name the --out of one")
    history, alarms = read_journal(journal)
    if not history.get("step"):
        raise InputError(f"{journal} has no line yet: wait for the first step")
    _, _, facts = Checkpoints(out / "checkpoints").newest()
    write_atomically(target, page(out, history, alarms, facts).encode())


def page(out: Path, history: Mapping[str, Sequence[float]], alarms: Sequence[Alarm], facts: dict[str, Any]) -> str:
    config = facts.get("config", {})
    steps = int(history["step"][-1])
    model = config.get("model", "training")
    title = f"{model} · {out.resolve().name}"
    body = [
        header(model, out, steps, alarms),
        section("Curves", charts(history, alarms), "Lines are means, bands the range of what they are the means of."),
        section("Alarms", alarm_list(alarms)) if alarms else "",
        samples(out, model),
        figures(history),
        section("Configuration", table(shown(config))),
        section("Environment", table(facts.get("versions", {}) | known(facts, "precision"))),
    ]
    look, script, template = (TEMPLATE.with_suffix(suffix).read_text("utf-8") for suffix in (".css", ".js", ".html"))
    return template.format(title=html.escape(title), style=colours() + look, body="\n".join(body), script=script)


# ---- parts ---------------------------------------------------------------------------------------


NAMES = {"d_loss": "discriminator", "g_loss": "generator", "d_grad": "discriminator", "g_grad": "generator"}


def header(model: str, out: Path, steps: int, alarms: Sequence[Alarm]) -> str:
    kinds = {alarm.kind for alarm in alarms if alarm.is_bad}
    state = f'<b class="bad">{len(kinds)} kind{"s" * (len(kinds) != 1)} of alarm</b>' if kinds else "no alarms"
    return (
        f"<header><p class=over>Training report</p><h1>{html.escape(str(model))}</h1>"
        f"<p class=sub>{html.escape(out.resolve().name)} &ensp;·&ensp; {steps:,} steps &ensp;·&ensp; {state}</p>"
        "</header>"
    )


def section(title: str, content: str, note: str = "") -> str:
    note = f"<p class=note>{note}</p>" if note else ""
    return f"<section><h2>{title}</h2>{note}{content}</section>"


def charts(history: Mapping[str, Sequence[float]], alarms: Sequence[Alarm]) -> str:
    probabilities = are_probabilities(history)
    belief = "What D believes" if probabilities else "How D scores"
    drawn: list[tuple[str, list[tuple[str, str]], dict[str, Any]]] = [
        ("Losses", [(name, NAMES.get(name, name)) for name in losses_in(history)], {}),
        (belief, [("d_real", "D(x), of real"), ("d_fake", "D(G(z)), of generated")],
         {"limits": (0, 1), "level": 0.5} if probabilities else {}),
        ("Gradient norms", [(n, NAMES.get(n, n)) for n in history if n.endswith("_grad")], {}),
        ("Peak signal-to-noise ratio", [("psnr", "dB, of the batch")], {}),
        ("What returns of a picture", [("returns", "1: all of it, 0: nothing")], {"level": 0}),
        ("Pixels that an edit changes", [("changed", "as a share of all")], {"least": 0}),
        ("Motion of generated clips", [("motion", "as a share of real ones'")], {"least": 0, "level": 1}),
        ("Spread of generated images", [("spread", "as a share of real images'")], {"least": 0, "level": 1}),
    ]  # fmt: skip
    marks = [(alarm.step, alarm.kind) for alarm in alarms]
    panels = []
    for title, names, settings in drawn:
        lines = [Line(label, history[name], style(i)) for i, (name, label) in enumerate(names) if name in history]
        if lines:
            panels.append(chart(title, history["step"], lines, marks, **settings))
    steps, distances = measured(history)
    if len(steps) > 1:
        lowest = min(distances)
        line = Line(f"lowest {digits(lowest)} at step {steps[distances.index(lowest)]:,.0f}", distances, "c1")
        panels.append(chart("Fréchet distance", steps, [line], least=0, level=lowest))
    return f"<div class=charts>{''.join(panels)}</div>"


def alarm_list(alarms: Sequence[Alarm]) -> str:
    rows = "".join(
        f"<tr><td class=num>{number}<td class=num>{alarm.step:,}"
        f"<td class=kind>{html.escape(alarm.kind.replace('_', ' '))}"
        f"<td>{html.escape(alarm.text[:1].upper() + alarm.text[1:])}."
        for number, alarm in enumerate(alarms, start=1)
    )
    head = "<th class=num>mark<th class=num>step<th>kind<th>what was seen"
    return f"<table class=alarms><thead><tr>{head}</thead>{rows}</table>"


def samples(out: Path, model: str) -> str:
    """The frames under a slider, some of them in a row, and the walks through the latent space."""
    frames = numbered(out / "frames", "step-", ".png")
    content = ""
    if frames:
        images = [(step, embedded(path)) for step, path in frames.items()]
        step, last = images[-1]
        everyone = "".join(f'<img src="{image}" data-step="{step:,}" alt="" hidden>' for step, image in images[:-1])
        content += (
            f'<figure class=player>{everyone}<img src="{last}" data-step="{step:,}" alt="samples at step {step}">'
            f"<figcaption><input type=range min=0 max={len(images) - 1} value={len(images) - 1} "
            f'aria-label="step"><output>step {step:,}</output></figcaption></figure>'
        )
        chosen = sorted({round(i * (len(images) - 1) / (STRIP - 1)) for i in range(STRIP)})
        row = "".join(
            f'<figure><img src="{images[i][1]}" alt="samples at step {images[i][0]}"><figcaption>step {images[i][0]:,}'
            "</figcaption></figure>"
            for i in chosen
        )
        content += f"<div class=strip>{row}</div>"
    walks = out / "interpolation.png"
    if walks.is_file():
        content += (
            f'<figure class=walks><img src="{embedded(walks)}" alt="walks through the latent space">'
            "<figcaption>Walks through the latent space, a row each.</figcaption></figure>"
        )
    for path in sorted(out.glob("final*")):
        if path.suffix in TYPES:
            content += f"<figure>{as_html(path)}<figcaption>{html.escape(path.name)}</figcaption></figure>"
    note = f"The same {SHOWN.get(model, 'latents')} through time. Move the slider, or use the arrow keys."
    return section("Samples", content, note if frames else "") if content else ""


def figures(history: Mapping[str, Sequence[float]]) -> str:
    """Each value at the first step, and its mean over the last ones with its range there."""
    names = {
        "d_loss": "discriminator's loss", "g_loss": "generator's loss", "d_real": "D(x)", "d_fake": "D(G(z))",
        "penalty": "penalty", "d_grad": "discriminator's gradient norm", "g_grad": "generator's gradient norm",
        "spread": "spread",
    }  # fmt: skip
    count = min(WINDOW, len(history["step"]))
    rows = ""
    for name, values in history.items():
        if name in ("step", "frechet") or not any(values):
            continue
        known = [value for value in values if math.isfinite(value)]
        last = [value for value in values[-count:] if math.isfinite(value)]
        cells = [known[0] if known else math.nan, *((sum(last) / len(last), min(last), max(last)) if last else ())]
        shown = "".join(f"<td class=num>{digits(value)}" for value in cells)
        rows += f"<tr><td>{names.get(name, html.escape(name))}{shown}"
    head = (
        f"<th>value<th class=num>first<th class=num>mean of the last {count}<th class=num>lowest<th class=num>highest"
    )
    return section("Figures", f"<table><thead><tr>{head}</thead>{rows}</table>")


def table(values: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><th>{html.escape(str(k))}<td>{html.escape(str(v))}" for k, v in values.items())
    return f"<table class=facts>{rows}</table>" if rows else "<p class=note>Not known: there is no checkpoint.</p>"


def known(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What checkpoints of former versions do not tell is left out."""
    return {name: facts[name]} if facts.get(name) else {}


def shown(config: Mapping[str, Any]) -> dict[str, Any]:
    """What was set; what was left at the model's own is not listed."""
    return {name.replace("_", " "): value for name, value in config.items() if value not in (None, [], False)}


def digits(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "&ndash;"


def embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
