"""A training as one HTML page that opens from the disk: curves, alarms, sample grids through time, configuration."""

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
from ..gan.health import WINDOW, Alarm
from .charts import Line, chart
from .curves import are_probabilities, losses_in
from .journal import measured, read_journal

STRIP = 6  # pictures in a row, from the first to the last


def write_report(out: Path, target: Path) -> None:
    """Write the page about the training in the folder ``out`` to ``target``."""
    journal = out / "metrics.jsonl"
    if not journal.is_file():
        raise InputError(f"{out} holds no training: name the --out of one")
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
        samples(out),
        figures(history),
        section("Configuration", table(shown(config))),
        section("Environment", table(facts.get("versions", {}) | known(facts, "precision"))),
    ]
    return PAGE.format(title=html.escape(title), style=STYLE, body="\n".join(body), script=SCRIPT)


# ---- parts ---------------------------------------------------------------------------------------


NAMES = {"d_loss": "discriminator", "g_loss": "generator", "d_grad": "discriminator", "g_grad": "generator"}


def header(model: str, out: Path, steps: int, alarms: Sequence[Alarm]) -> str:
    kinds = {alarm.kind for alarm in alarms} - {"equilibrium"}
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
        ("Spread of generated images", [("spread", "as a share of real images'")], {"least": 0, "level": 1}),
    ]  # fmt: skip
    marks = [(alarm.step, alarm.kind) for alarm in alarms]
    panels = []
    for title, names, settings in drawn:
        lines = [Line(label, history[name], f"c{i}") for i, (name, label) in enumerate(names) if name in history]
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


def samples(out: Path) -> str:
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
    note = "The same latents through time. Move the slider, or use the arrow keys."
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


# ---- the page ------------------------------------------------------------------------------------

PAGE = """<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style>
<main>{body}</main>
<script>{script}</script></html>
"""

STYLE = """
:root { color-scheme: light dark; --paper: #fcfbf8; --ink: #1d1d1f; --soft: #6d6a63; --rule: #e2ded4;
  --c0: #20578f; --c1: #c46a1b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #16171a; --ink: #e6e3dc; --soft: #99958b; --rule: #33343a;
  --c0: #7db1e6; --c1: #eba55c; --bad: #ff8a80; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", Georgia, serif; }
main { max-width: 1000px; margin: 0 auto; padding: 72px 32px 96px }
h1 { font-weight: 400; font-size: 46px; line-height: 1.1; margin: 4px 0 10px; letter-spacing: -0.01em }
h2 { font-weight: 400; font-size: 23px; margin: 0 0 4px }
section { margin-top: 60px; padding-top: 20px; border-top: 1px solid var(--rule) }
.over, .sub, .note, th, figcaption, svg text { font-family: "Helvetica Neue", Helvetica, Arial, sans-serif }
.over { margin: 0; font-size: 12px; letter-spacing: .14em; text-transform: uppercase; color: var(--soft) }
.sub { margin: 0; font-size: 15px; color: var(--soft) }
.note { margin: 0 0 18px; font-size: 13.5px; color: var(--soft) }
.bad { color: var(--bad); font-weight: 500 }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 30px 36px }
.chart { margin: 0 } .chart figcaption { display: flex; gap: 16px; align-items: baseline; margin-bottom: 6px;
  font-size: 12.5px; color: var(--soft) }
.chart figcaption b { font: 400 17px/1.3 "Iowan Old Style", Palatino, Georgia, serif; color: var(--ink); flex: 1 }
.key::before { content: ""; display: inline-block; width: 14px; height: 0; border-top: 2px solid currentColor;
  margin-right: 6px; vertical-align: middle }
.key.c0::before { border-color: var(--c0) } .key.c1::before { border-color: var(--c1) }
svg { display: block; width: 100%; height: auto; overflow: visible }
svg text { font-size: 11px; fill: var(--soft); font-variant-numeric: tabular-nums }
.grid { stroke: var(--rule); stroke-width: 1 } .level { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3 }
.mean { fill: none; stroke-width: 1.6; stroke-linejoin: round } .band { opacity: .16 }
.mean.c0 { stroke: var(--c0) } .mean.c1 { stroke: var(--c1) } .band.c0 { fill: var(--c0) } .band.c1 { fill: var(--c1) }
.mark { stroke: var(--bad); stroke-width: 1 } svg .flag { fill: var(--bad); font-size: 10px }
table { border-collapse: collapse; font-size: 15px } td, th { padding: 6px 24px 6px 0; text-align: left;
  vertical-align: baseline; border-bottom: 1px solid var(--rule) }
th { font-weight: 400; font-size: 12.5px; color: var(--soft) }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.kind { color: var(--bad); white-space: nowrap } .facts th { width: 180px } 
.facts, .alarms { width: 100%; margin-top: 14px }
.player { margin: 0; max-width: 500px } .player img { width: 100%; image-rendering: pixelated; display: block }
.player [hidden] { display: none } .player figcaption { display: flex; gap: 16px; align-items: center;
  margin-top: 10px }
figcaption { font-size: 12.5px; color: var(--soft) } output { min-width: 96px; text-align: right;
  font-variant-numeric: tabular-nums } input[type=range] { flex: 1; accent-color: var(--c0) }
.strip { display: grid; grid-template-columns: repeat(6, 1fr); gap: 14px; margin: 30px 0 } .strip figure { margin: 0 }
.strip img { width: 100%; image-rendering: pixelated; display: block; margin-bottom: 4px }
.walks { margin: 0 } .walks img { max-width: 100%; width: 620px; image-rendering: pixelated; display: block;
  margin-bottom: 6px }
@media (max-width: 560px) { main { padding: 36px 18px } .charts { grid-template-columns: 1fr } }
@media print { section { break-inside: avoid } main { padding: 0 } }
"""

SCRIPT = """
for (const player of document.querySelectorAll('.player')) {
  const images = player.querySelectorAll('img'), output = player.querySelector('output')
  player.querySelector('input').addEventListener('input', event => {
    images.forEach((image, i) => { image.hidden = i != event.target.value })
    output.textContent = 'step ' + images[event.target.value].dataset.step
  })
}
"""
