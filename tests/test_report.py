"""The report: one page that needs nothing else, says what happened, and works in a real browser."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from commands import write_digits
from PIL import Image

from minigan import InputError, cli
from minigan.gan.health import Alarm
from minigan.runs.charts import Line, bins, chart, ticks
from minigan.runs.curves import losses_in
from minigan.runs.journal import read_journal
from minigan.runs.report import page, write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "a <b> & c"
    digits = write_digits(folder.parent / "digits", count=32)
    settings = ["--width", "2", "--batch-size", "8", "--z-dim", "4", "--epochs", "3", "--quiet"]
    assert cli.main(["train", "--data", str(digits), "--out", str(folder), *settings]) == 0
    assert cli.main(["report", str(folder)]) == 0
    return folder


def test_everything_is_in_one_page(out):
    text = (out / "report.html").read_text()
    for title in ("Curves", "Samples", "Figures", "Configuration", "Environment"):
        assert f"<h2>{title}</h2>" in text
    assert "12 steps" in text and "no alarms" in text and "<h2>Alarms</h2>" not in text
    assert "a &lt;b&gt; &amp; c" in text and "<b> & c" not in text
    assert "<th>batch size<td>8" in text and "<th>numpy<td>" + np.__version__ in text
    assert text.count("data:image/png;base64,") == 4 + 4 + 1  # frames, the row of some of them, the walks
    outside = re.findall(r'(?:src|href)="?(?!data:)[^ >"]+|url\([^)]*\)|https?://[^ "<]+', text)
    assert outside == []


def test_alarms_are_listed_and_marked(out):
    history, _ = read_journal(out / "metrics.jsonl")
    alarms = [Alarm(4, "mode_collapse", "images <hardly> differ"), Alarm(9, "d_overpowers", "D won")]
    text = page(out, history, alarms, {})
    assert "2 kinds of alarm" in text
    assert "<td class=num>4<td class=kind>mode collapse<td>Images &lt;hardly&gt; differ." in text
    assert text.count("<line class=mark") == 2 * 4
    assert "<title>step 9: d_overpowers</title>" in text
    assert text.count("Not known: there is no checkpoint.") == 2


def test_a_critics_scores_are_not_drawn_as_beliefs(out):
    history, _ = read_journal(out / "metrics.jsonl")
    scores = {**history, "d_real": [-7.0] * 12}
    assert "What D believes" in page(out, history, [], {}) and "How D scores" in page(out, scores, [], {})


def test_every_line_of_a_game_with_many_losses_has_its_colour(out):
    names = ("d_loss", "g_loss", "d_judged", "d_doubt", "g_judged", "back", "change", "coarse", "g_seen")
    history = {"step": [1, 2], **{name: [1.0, 2.0] for name in names}}
    text = page(out, history, [], {})
    lines = re.findall(r'class="mean (\w+)"', text)
    assert len(set(lines)) == len(lines) == len(names)
    assert all(f".{line} {{ --line: #" in text for line in lines) and "stroke: var(--line)" in text


@pytest.mark.parametrize(
    ("name", "title"),
    [("psnr", "Peak signal"), ("returns", "What returns"), ("changed", "Pixels that"), ("motion", "Motion of")],
)
def test_what_is_measured_has_a_chart_of_its_own(out, name, title):
    history = {"step": [1, 2], "d_loss": [1.0, 2.0], name: [20.0, 21.0]}
    assert losses_in(history) == ["d_loss"]
    assert f"<b>{title}" in page(out, history, [], {})


@pytest.mark.parametrize(
    ("model", "said"),
    [("dcgan", "The same latents"), ("dncnn", "truth side"), ("cyclegan", "comes back"), ("attribute", "as it is")],
)
def test_it_says_what_the_frames_are_of(out, model, said):
    history, _ = read_journal(out / "metrics.jsonl")
    assert said in page(out, history, [], {"config": {"model": model}})


def test_of_a_training_that_came_to_nan(out):
    history, _ = read_journal(out / "metrics.jsonl")
    nan = {name: [float("nan")] * 12 if name != "step" else values for name, values in history.items()}
    text = page(out, nan, [Alarm(12, "not_finite", "d_loss is nan")], {})
    assert ">nan<" not in text and "nan," not in text and "&ndash;" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no run: name the --out of one"),
        ("", "has no line yet: wait for the first step"),
        ('{"step": 1}\n{"st', "line 1 is not the record of a step"),
        ("{}}\n", "line 1 is not the record of a step"),
        ('{"step": null, "d_loss": 1}\n', "line 1 is not the record of a step"),
        (f'{{"step": 1{"0" * 400}, "d_loss": 1}}\n', "line 1 is not the record of a step"),
        ('{"step": 1, "alarms": 3}\n', "line 1 is not the record of a step"),
    ],
)
def test_what_is_no_training(tmp_path, content, message):
    if content is not None:
        (tmp_path / "metrics.jsonl").write_text(content)
    with pytest.raises(InputError, match=message):
        write_report(tmp_path, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_long_history_is_drawn_with_few_points():
    values = np.random.default_rng(0).normal(size=100_000).tolist()
    text = chart("noise", range(1, 100_001), [Line("x", values, "c0")])
    assert len(text) < 30_000
    points = bins(values)
    assert max(p.high for p in points) == max(values) and min(p.low for p in points) == min(values)
    assert np.mean([p.mean for p in points]) == pytest.approx(np.mean(values), abs=1e-3)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1e-9, 1e-9), (3, 3), (-1e12, 5e12), (0.1, 0.11), (1, 2)])
def test_ticks_are_few_and_inside(low, high):
    found = ticks(low, high)
    assert 1 <= len(found) <= 7
    assert all(low - 1e-6 * abs(low) <= value <= high + 1e-6 * abs(high) for value in found)


def test_one_step_can_be_drawn():
    assert "<polyline" in chart("one", [1], [Line("x", [0.5], "c0")], [(1, "alarm")])


# ---- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture
def browse(tmp_path):
    if BROWSER is None:
        pytest.skip("there is no chromium here")

    def run(path, *options):
        fixed = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={tmp_path}/profile",
        ]
        command = [BROWSER, *fixed, "--virtual-time-budget=2000", *options, path.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    return run


def test_the_slider_shows_another_picture(out, tmp_path, browse):
    """A script added to the page moves it, as a hand would, and leaves what is to be seen in the document."""
    moved = (
        "<script>const s = document.querySelector('input'); s.value = 3; s.dispatchEvent(new Event('input'))</script>"
    )
    copy = tmp_path / "copy.html"
    copy.write_text((out / "report.html").read_text().replace("</html>", moved + "</html>"))
    text = browse(copy, "--dump-dom")
    assert "<output>step 12</output>" in text
    player = text[text.index('<figure class="player">') :].split("</figure>")[0]
    shown = [image for image in re.findall(r"<img[^>]*>", player) if "hidden" not in image]
    assert len(shown) == 1 and 'data-step="12"' in shown[0]


def test_it_fills_the_screen(out, tmp_path, browse):
    """Ink on paper, curves in their colours, pictures: not a blank page, and nothing sticks out at the sides."""
    target = tmp_path / "page.png"
    browse(out / "report.html", f"--screenshot={target}", "--window-size=1200,2400")
    pixels = np.asarray(Image.open(target).convert("RGB")).astype(int)
    paper = pixels[5, 5]
    different = np.abs(pixels - paper).max(axis=2) > 60
    assert 0.02 < different.mean() < 0.6
    assert not different[:, :60].any() and not different[:, -60:].any()
    blue, orange = np.array([0x20, 0x57, 0x8F]), np.array([0xC4, 0x6A, 0x1B])
    for colour in (blue, orange):
        assert (np.abs(pixels - colour).max(axis=2) < 12).sum() > 100
